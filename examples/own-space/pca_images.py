"""A space of grey 28 x 28 images spanned by principal components: a model of one's own.

Trained by ``python pca_images.py images.npz .assayloop/models/pca-digits``.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save

from orchestrator.latent import gaussian, model_cards, registry
from orchestrator.latent.protocol import Decoded, Points, Rendering, SpaceError

TASK = "pca-images"
"""Stands in the card of a model, so that a model of another space is refused."""


class PcaSpace(gaussian.NormalPrior):
    """A point is an image's scores in units of their deviation; the prior is standard normal."""

    sample_kind = "image"
    media_type = "image/png"

    def __init__(self, model: str | None = None) -> None:
        """Loads a model by name or folder, and checks its hash."""
        if model is None:
            raise SpaceError("name a model, as in space: {kind: pca, model: pca-digits}")
        card, tensors = registry.load(model, task=TASK)
        self._mean, self._components = tensors["mean"], tensors["components"]
        self.dim = len(self._components)
        self.bounds = gaussian.box(4.0, self.dim)
        self.model_hash = model_cards.model_hash(card)

    @property
    def filters(self) -> Mapping[str, Callable[[str | bytes], bool]]:
        """Named checks of a valid object that a spec can ask for; none here."""
        return {}

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        """Images of points ``n x d``."""
        return [self._decode(point) for point in gaussian.check_points(points, self.dim)]

    def read(self, objects: Sequence[str | bytes]) -> list[Decoded]:
        """Given images as they would have been decoded."""
        return [_read(item) for item in objects]

    def encode(self, objects: Sequence[str | bytes]) -> Points:
        """Points ``n x d`` of images."""
        points = np.empty((len(objects), self.dim))
        lengths = (self._components**2).sum(axis=1)
        for row, item in zip(points, objects, strict=True):
            row[:] = self._components @ (_pixels(item).ravel() - self._mean) / lengths
        return points

    def render(self, content: str | bytes) -> Rendering:
        """The image, enlarged."""
        image = Image.fromarray(_pixels(content)).resize((224, 224))
        return Rendering("image/png", _png(image))

    def _decode(self, point: NDArray[np.float64]) -> Decoded:
        # One point at a time: a product with many rounds otherwise than with one, and an object
        # may not depend on its neighbours. A network is given blocks of one fixed size instead.
        if not np.isfinite(point).all():
            return Decoded(None, "", False, "the point is not finite")
        grey = np.clip(self._mean + point @ self._components, 0, 255)
        return _decoded(np.rint(grey).astype(np.uint8).reshape(28, 28))


def train(images: NDArray[np.uint8], folder: Path, dim: int = 8) -> None:
    """Write the model of images ``n x 28 x 28`` with that many components into a folder."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    _, scales, directions = np.linalg.svd(flat - mean, full_matrices=False)
    components = directions[:dim] * scales[:dim, None] / np.sqrt(len(images))
    weights = save({"mean": mean, "components": components})
    card = {
        "name": folder.name,
        "task": TASK,
        "description": f"{dim} principal components of {len(images)} images",
        "network": {"latent": dim},
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "metrics": {"explained_variance": float((scales[:dim] ** 2).sum() / (scales**2).sum())},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.safetensors").write_bytes(weights)
    (folder / "card.json").write_text(json.dumps(card, indent=1), encoding="utf-8")


def _pixels(content: str | bytes) -> NDArray[np.uint8]:
    try:
        image = Image.open(io.BytesIO(content if isinstance(content, bytes) else b""))
        pixels = np.asarray(image.convert("L"))
    except (OSError, SyntaxError, ValueError) as error:
        raise SpaceError(f"not an image: {content[:20]!r}") from error
    if pixels.shape != (28, 28):
        raise SpaceError(f"an image must have 28 x 28 pixels; this one has {image.size}")
    return pixels


def _decoded(pixels: NDArray[np.uint8]) -> Decoded:
    key = hashlib.sha256(pixels.tobytes()).hexdigest()
    return Decoded(_png(Image.fromarray(pixels)), key, valid=True)


def _read(content: str | bytes) -> Decoded:
    try:
        return _decoded(_pixels(content))
    except SpaceError as error:
        return Decoded(None, "", False, str(error))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


if __name__ == "__main__":
    train(np.load(sys.argv[1])["images"], Path(sys.argv[2]))

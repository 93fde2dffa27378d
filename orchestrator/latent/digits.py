"""The space of handwritten digits: latent points, of a plane by default, decoded to images."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from orchestrator.latent import gaussian, model_cards, registry
from orchestrator.latent.blocks import in_blocks
from orchestrator.latent.dense_networks import DenseVae
from orchestrator.latent.digit_networks import SIDE, DigitVae
from orchestrator.latent.protocol import Decoded, Points, Rendering, SpaceError
from orchestrator.latent.restore import restored

DEFAULT_MODEL = "digits-2d-classifier"
LIMIT = 4.0
"""Campaigns search ±4; the recipe asks for at least 99 % of the test images' means inside."""
SCALE = 8
"""Pictures for people are this many times larger."""


class DigitsSpace(gaussian.NormalPrior):
    """Latent space of a variational autoencoder of MNIST; its prior is the standard normal."""

    sample_kind = "image"
    media_type = "image/png"

    def __init__(self, model: str | None = None) -> None:
        """Loads a model by name or folder, by default the shipped one.

        Raises:
            SpaceError: the model is unknown, of another kind, or changed.
        """
        card, tensors = registry.load(model or DEFAULT_MODEL)
        self._network = network_of(card, tensors)
        self.dim = self._network.latent
        self.bounds = gaussian.box(LIMIT, self.dim)
        self.model_hash = model_cards.model_hash(card)

    @property
    def filters(self) -> Mapping[str, Callable[[str | bytes], bool]]:
        """None is known here."""
        return {}

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        """The PNG images of points ``n x d``; the key is the SHA-256 of the pixels.

        Raises:
            SpaceError: the points have another shape.
        """
        points = gaussian.check_points(points, self.dim)
        finite = np.asarray(np.isfinite(points).all(axis=1))
        images = self._pixels(np.where(finite[:, None], points, 0.0))
        return [
            _decoded(image) if good else Decoded(None, "", False, "the point is not finite")
            for image, good in zip(images, finite, strict=True)
        ]

    def read(self, objects: Sequence[str | bytes]) -> list[Decoded]:
        """Given PNG images as this space writes them; invalid is only what is no PNG image.

        One of another size is kept as it came; no point encodes it.
        """
        return [_read(item) for item in objects]

    def encode(self, objects: Sequence[str | bytes]) -> Points:
        """Posterior means ``n x d`` of PNG images of 28 x 28 grey pixels.

        Raises:
            SpaceError: an object is no such image.
        """
        means = np.empty((len(objects), self.dim))
        images = np.empty((len(objects), 1, SIDE, SIDE), dtype=np.float32)
        for image, item in zip(images, objects, strict=True):
            image[0] = pixels(item) / np.float32(255)
        for rows, mean in in_blocks(lambda block: self._network.encode(block)[0], images):
            means[rows] = mean.numpy()
        return means

    def render(self, content: str | bytes) -> Rendering:
        """The image, enlarged.

        Raises:
            SpaceError: the content is no such image.
        """
        image = _image(content)
        if image.size == (SIDE, SIDE):
            image = Image.fromarray(pixels(content))
        largest = SCALE * SIDE
        shown = tuple(max(1, side * largest // max(image.size)) for side in image.size)
        return Rendering("image/png", _png(image.resize((shown[0], shown[1]), _SMOOTH)))

    def class_probabilities(self, points: Points) -> NDArray[np.float64]:
        """What the head that was trained along reads at points ``n x d``: ``n x 10``.

        Raises:
            SpaceError: the model was trained without a classifier.
        """
        if self._network.head_kind != "classifier":
            raise SpaceError("this model was trained without a classifier on its latent mean")
        points = gaussian.check_points(points, self.dim)
        with torch.inference_mode():
            logits = self._network.predict(torch.from_numpy(points).float())
            return np.asarray(logits.double().softmax(dim=1).numpy())

    def _pixels(self, points: Points) -> NDArray[np.uint8]:
        images = np.empty((len(points), SIDE, SIDE), dtype=np.uint8)
        for rows, grey in in_blocks(self._network.grey, points.astype(np.float32)):
            images[rows] = grey.numpy()
        return images


def network_of(card: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> DigitVae | DenseVae:
    """The network of a trained autoencoder of digits, ready to be asked.

    Args:
        card: the model's card.
        tensors: its weights, by name.

    Raises:
        SpaceError: the model was trained for something else.
    """
    network: DigitVae | DenseVae
    match card.get("task"):
        case "digits-vae":
            network = DigitVae(**card["network"])
        case "digits-dense":
            network = DenseVae(**card["network"])
        case other:
            raise SpaceError(
                f"model {card.get('name')!r} was trained for {other}; "
                "needed: digits-vae or digits-dense"
            )
    return restored(network, tensors)


def pixels(content: str | bytes) -> NDArray[np.uint8]:
    """Grey values, ``28 x 28``, of a PNG image.

    Raises:
        SpaceError: the content is no PNG image of that size.
    """
    image = _image(content)
    if image.size != (SIDE, SIDE):
        size = f"{image.width} x {image.height}"
        raise SpaceError(f"an image must have {SIDE} x {SIDE} pixels; this one has {size}")
    return np.asarray(image.convert("L"))


def _image(content: str | bytes) -> Image.Image:
    """A PNG image of any size, read to its end.

    Raises:
        SpaceError: the content is none.
    """
    if isinstance(content, str):
        raise SpaceError(f"an image must be PNG bytes, not the text {content[:60]!r}")
    try:
        image = Image.open(io.BytesIO(content), formats=["PNG"])
        image.load()
    except (
        Image.DecompressionBombError,
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
    ) as error:
        raise SpaceError(f"not a PNG image: {content[:16]!r}… of {len(content)} bytes") from error
    return image


def _decoded(image: NDArray[np.uint8]) -> Decoded:
    key = hashlib.sha256(image.tobytes()).hexdigest()
    return Decoded(_png(Image.fromarray(image)), key, valid=True)


def _read(content: str | bytes) -> Decoded:
    try:
        return _decoded(pixels(content))
    except SpaceError as error:
        reason = str(error)
    try:  # of another size: somebody may have measured it, though no point encodes it
        image = _image(content).convert("RGBA")
    except SpaceError:
        return Decoded(None, "", False, reason)
    key = hashlib.sha256(f"{image.width} x {image.height}".encode() + image.tobytes()).hexdigest()
    return Decoded(content, key, valid=True)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=False, compress_level=9)
    return buffer.getvalue()


_SMOOTH = Image.Resampling.BICUBIC

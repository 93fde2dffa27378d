"""Training of the digit networks: the 2-D autoencoder with its classifier, and the two CNNs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from adapters.mnist_classifier.network import Classifier, DigitsCnn, read_weights
from orchestrator.latent.digit_networks import DigitVae
from orchestrator.training.data import DigitData
from orchestrator.training.recipes import Recipe

_BLOCK = 500


class DigitsTask:
    """What the digit tasks share: images as a tensor, and shuffled batches."""

    def __init__(self, data: DigitData) -> None:
        self.data_sha256 = data.sha256
        self.images = _as_tensor(data.images)
        self.labels = torch.from_numpy(data.labels)
        self.test_images = _as_tensor(data.test_images)
        self.test_labels = torch.from_numpy(data.test_labels)

    def data_counts(self) -> dict[str, int]:
        """Images for training and for testing."""
        return {"training": len(self.images), "held_out": len(self.test_images)}

    def batches(self, size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """All images once, shuffled."""
        order = rng.permutation(len(self.images))
        return np.array_split(order, max(1, len(order) // size))


class AutoencoderTask(DigitsTask):
    """Negative ELBO and cross entropy of the head on the latent mean, weighted by the recipe.

    ``weights``: ``vae`` for the negative ELBO in nats an image (Bernoulli likelihood on grey
    values), ``predictor`` for the cross entropy in nats an image.
    """

    def __init__(self, recipe: Recipe, data: DigitData) -> None:
        super().__init__(data)
        self.recipe = recipe
        self.network = DigitVae(**recipe.network)  # type: ignore[arg-type]

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of images, one sample of the posterior each."""
        images, labels = self.images[batch], self.labels[batch]
        mean, log_variance = self.network.encode(images)
        points = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        reconstruction = functional.binary_cross_entropy_with_logits(
            self.network.decode(points), images, reduction="sum"
        ) / len(images)
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        predictor = functional.cross_entropy(self.network.classify(mean), labels)
        weights = self.recipe.weights
        loss = weights["vae"] * (reconstruction + kl) + weights["predictor"] * predictor
        terms = {"reconstruction": reconstruction, "kl": kl, "predictor": predictor}
        return loss, {name: term.item() for name, term in terms.items()}

    def evaluate(self) -> dict[str, Any]:
        """On the test images: accuracy of the head, share of means in the box, ELBO terms."""
        right, inside, reconstruction, divergence = 0, 0, 0.0, 0.0
        with torch.inference_mode():
            for start in range(0, len(self.test_images), _BLOCK):
                images = self.test_images[start : start + _BLOCK]
                labels = self.test_labels[start : start + _BLOCK]
                mean, log_variance = self.network.encode(images)
                right += int((self.network.classify(mean).argmax(dim=1) == labels).sum())
                inside += int((mean.abs() <= 4).all(dim=1).sum())
                reconstruction += functional.binary_cross_entropy_with_logits(
                    self.network.decode(mean), images, reduction="sum"
                ).item()
                kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)
                divergence += kl.sum().item()
        n = len(self.test_images)
        return {
            "test_head_accuracy": right / n,
            "test_means_inside_box": inside / n,
            "test_reconstruction_nats": reconstruction / n,
            "test_kl_nats": divergence / n,
        }

    def card(self) -> Mapping[str, Any]:
        """The network's arguments."""
        return {"network": dict(self.recipe.network)}


class ClassifierTask(DigitsTask):
    """Cross entropy of a CNN on images moved, turned and scaled a little at random."""

    def __init__(self, recipe: Recipe, data: DigitData) -> None:
        super().__init__(data)
        self.recipe = recipe
        build = DigitsCnn if recipe.task == "digits-cnn" else SecondDigitsCnn
        self.network: nn.Module = build(**recipe.network)  # type: ignore[arg-type]

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of images."""
        logits = self.network(_distort(self.images[batch]))
        loss = functional.cross_entropy(logits, self.labels[batch], label_smoothing=0.02)
        return loss, {"cross_entropy": loss.item()}

    def evaluate(self) -> dict[str, Any]:
        """Accuracy on the test images."""
        right = 0
        with torch.inference_mode():
            for start in range(0, len(self.test_images), _BLOCK):
                logits = self.network(self.test_images[start : start + _BLOCK])
                right += int((logits.argmax(dim=1) == self.test_labels[start:][:_BLOCK]).sum())
        return {"test_accuracy": right / len(self.test_images)}

    def card(self) -> Mapping[str, Any]:
        """The network's arguments."""
        return {"network": dict(self.recipe.network)}


class SecondDigitsCnn(nn.Module):
    """Another architecture than the evaluator's: residual blocks, strides, global pooling.

    He et al. 2016, doi:10.1109/CVPR.2016.90. Grey images ``n x 1 x 28 x 28`` in [0, 1] to logits
    ``n x 10``.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(width)
        )
        self.first = _Residual(width)
        self.narrow = nn.Sequential(
            nn.Conv2d(width, 3 * width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(3 * width),
        )
        self.second = _Residual(3 * width)
        self.head = nn.Linear(3 * width, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch of images."""
        hidden = self.first(functional.gelu(self.stem(images)))
        hidden = self.second(functional.gelu(self.narrow(hidden)))
        logits: Tensor = self.head(hidden.mean(dim=(2, 3)))
        return logits


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, hidden: Tensor) -> Tensor:
        return functional.gelu(hidden + self.inner(hidden))


def load_second_classifier(path: Path) -> Classifier:
    """The independent judge from a folder with ``weights.safetensors`` and ``card.json``.

    Raises:
        EvaluatorError: a file is missing or is not what the card describes.
    """
    weights, card = read_weights(path / "weights.safetensors")
    network = SecondDigitsCnn(**card["network"])
    network.load_state_dict(weights)
    return Classifier(network.eval(), str(card["weights_sha256"]))


def _as_tensor(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(images).float().div(255).unsqueeze(1)


def _distort(images: Tensor) -> Tensor:
    """Each image turned by up to 12 degrees, scaled by up to 10 %, moved by up to 2 pixels."""
    n = len(images)
    angle, size, shift_x, shift_y = torch.rand(4, n) * 2 - 1
    angle, size = angle * math.radians(12), 1 + 0.1 * size
    cosine, sine = size * angle.cos(), size * angle.sin()
    # grid_sample's coordinates run from -1 to 1 over 28 pixels: 2 pixels are 4 / 28.
    rows = [cosine, -sine, shift_x * 4 / 28, sine, cosine, shift_y * 4 / 28]
    transform = torch.stack(rows, dim=1).reshape(n, 2, 3)
    grid = functional.affine_grid(transform, [n, 1, 28, 28], align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)

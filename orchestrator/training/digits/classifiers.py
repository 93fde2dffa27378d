"""Training of the digit classifiers: the evaluator of campaigns, and a judge of their finds."""

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

from adapters.mnist_classifier.network import Classifier, DigitsCnn
from adapters.trained_weights import read_weights
from orchestrator.training.data import DigitData
from orchestrator.training.recipes import Recipe

SECOND = Path(__file__).parents[3] / "benchmarks" / "weights" / "digits-cnn-second"
"""Weights and card of the second classifier, where the whole repository is at hand."""
BLOCK = 500
"""Test images that a network sees at once."""


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
            for start in range(0, len(self.test_images), BLOCK):
                logits = self.network(self.test_images[start : start + BLOCK])
                right += int((logits.argmax(dim=1) == self.test_labels[start:][:BLOCK]).sum())
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

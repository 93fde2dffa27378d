"""The convolutional network that reads digits, and its shipped weights.

Architecture after Simonyan and Zisserman 2015, arXiv:1409.1556, at the size of MNIST: two blocks of
two 3 x 3 convolutions with batch normalisation, then one dense layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from adapters.mnist_classifier.shipped import SHIPPED
from adapters.protocol import EvaluatorError
from adapters.trained_weights import read_card, read_weights

SIDE = 28
"""Images are ``SIDE x SIDE`` pixels."""
BLOCK = 32
"""Images are read in blocks of this size, the last one padded, so that the probabilities of an
image depend neither on its neighbours nor on their number."""


class DigitsCnn(nn.Module):
    """Grey images ``n x 1 x 28 x 28`` in [0, 1] to logits ``n x 10``."""

    def __init__(self, channels: int = 32, hidden: int = 128, dropout: float = 0.4) -> None:
        super().__init__()
        self.features = nn.Sequential(*_block(1, channels), *_block(channels, 2 * channels))
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(2 * channels * (SIDE // 4) ** 2, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch of images."""
        logits: Tensor = self.head(self.features(images))
        return logits


def _block(before: int, after: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]


@dataclass(frozen=True)
class Classifier:
    """A trained network that turns images into class probabilities."""

    network: nn.Module
    weights_sha256: str

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Class probabilities, shape ``n x 10``, of grey images ``n x 28 x 28``.

        Raises:
            EvaluatorError: the array has another shape or is not of bytes.
        """
        if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8:
            raise EvaluatorError(
                f"images must be bytes of shape n x {SIDE} x {SIDE}, "
                f"not {images.dtype} of shape {images.shape}"
            )
        n = len(images)
        padded = np.zeros((-(-n // BLOCK) * BLOCK, SIDE, SIDE), dtype=np.uint8)
        padded[:n] = images
        rows = np.empty((len(padded), 10))
        with torch.inference_mode():
            for start in range(0, len(padded), BLOCK):
                block = torch.from_numpy(padded[start : start + BLOCK]).float().div(255)
                logits = self.network(block.unsqueeze(1))
                rows[start : start + BLOCK] = logits.double().softmax(dim=1).numpy()
        return rows[:n]


def load(path: Path | None = None) -> Classifier:
    """The classifier of a weights file, by default the shipped one.

    Raises:
        EvaluatorError: a file is missing or is not what the card describes.
    """
    weights, card = read_weights(path or SHIPPED)
    try:
        network = DigitsCnn(**card["network"])
        network.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        why = str(error).splitlines()[-1].strip()
        file = read_card(path or SHIPPED)[0]
        what = f"the classifier's weights are not of the network that {file} describes: {why}"
        raise EvaluatorError(what) from error
    return Classifier(network.eval(), card["weights_sha256"])

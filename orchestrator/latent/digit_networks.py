"""The variational autoencoder of handwritten digits, shared by its training and its space.

Kingma and Welling 2014, arXiv:1312.6114; jointly with a predictor on the latent mean as in
Gómez-Bombarelli et al. 2018, doi:10.1021/acscentsci.7b00572; given the digit on either side as in
Sohn et al. 2015, "Learning Structured Output Representation using Deep Conditional Generative
Models".
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from orchestrator.latent.layers import perceptron

SIDE = 28
"""Images are ``SIDE x SIDE`` pixels."""
CLASSES = 10
CENTRE, SPREAD = 4.5, math.sqrt(8.25)
"""Mean and standard deviation of the digits."""
Head = Literal["classifier", "regressor", "none"]
"""What was trained along on the latent mean: a softmax over ten digits, the digit as a number by a
linear function, or nothing."""


class DigitVae(nn.Module):
    """Convolutional encoder, deconvolutional decoder, and a head on the latent mean."""

    def __init__(
        self, latent: int = 2, channels: int = 32, hidden: int = 256, head: Head = "classifier"
    ) -> None:
        super().__init__()
        self.latent = latent
        self.head_kind = head
        flat = 2 * channels * (SIDE // 4) ** 2
        self.encoder = nn.Sequential(*_convolutions(channels), *_dense(flat, hidden, 2 * latent))
        self.decoder = _decoder(latent, channels, hidden)
        self.head = _head(head, latent)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance, each ``n x d``, of images ``n x 1 x 28 x 28``."""
        return _posterior(self.encoder(images))

    def decode(self, points: Tensor) -> Tensor:
        """Logits of the pixels' grey values, ``n x 1 x 28 x 28``, of points ``n x d``."""
        logits: Tensor = self.decoder(points)
        return logits

    def predict(self, points: Tensor) -> Tensor:
        """What the head reads at points ``n x d``.

        Logits of the ten classes, ``n x 10``; or the digit as a number, ``n x 1``; or ``n x 0``.
        """
        if self.head is None:
            return points[:, :0]
        read: Tensor = self.head(points)
        # The head starts at the mean of the digits: points need not go far for it to be right.
        return CENTRE + SPREAD * read if self.head_kind == "regressor" else read

    def grey(self, points: Tensor) -> Tensor:
        """Grey values 0 to 255 as bytes, ``n x 28 x 28``, of points ``n x d``."""
        return _grey(self.decode(points))


class ConditionalDigitVae(nn.Module):
    """The same networks without a head, with the digit given to encoder and decoder, one-hot."""

    def __init__(self, latent: int = 2, channels: int = 32, hidden: int = 256) -> None:
        super().__init__()
        self.latent = latent
        flat = 2 * channels * (SIDE // 4) ** 2
        self.features = nn.Sequential(*_convolutions(channels))
        self.posterior = nn.Sequential(*_dense(flat + CLASSES, hidden, 2 * latent))
        self.decoder = _decoder(latent + CLASSES, channels, hidden)

    def encode(self, images: Tensor, digits: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance, each ``n x d``, of images ``n x 1 x 28 x 28``.

        ``digits`` are what they show: 0 to 9, shape n.
        """
        return _posterior(self.posterior(beside(self.features(images), digits)))

    def decode(self, points: Tensor, digits: Tensor) -> Tensor:
        """Logits of the pixels' grey values, ``n x 1 x 28 x 28``, of points ``n x d``."""
        logits: Tensor = self.decoder(beside(points, digits))
        return logits

    def grey(self, points: Tensor, digits: Tensor) -> Tensor:
        """Grey values 0 to 255 as bytes, ``n x 28 x 28``, of points ``n x d``."""
        return _grey(self.decode(points, digits))


def beside(values: Tensor, digits: Tensor) -> Tensor:
    """Rows of values, ``n x k``, each with its digit one-hot behind: ``n x (k + 10)``."""
    return torch.cat([values, functional.one_hot(digits, CLASSES).to(values.dtype)], dim=1)


def _posterior(output: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_variance = output.chunk(2, dim=1)
    return mean, log_variance.clamp(-12.0, 6.0)


def _grey(logits: Tensor) -> Tensor:
    return (torch.sigmoid(logits) * 255).round().to(torch.uint8).squeeze(1)


def _head(kind: Head, latent: int) -> nn.Module | None:
    match kind:
        case "classifier":
            return perceptron(latent, 128, CLASSES)
        case "regressor":
            return nn.Linear(latent, 1)
        case "none":
            return None


def _convolutions(channels: int) -> list[nn.Module]:
    return [
        *_convolution(1, channels, stride=1),
        *_convolution(channels, channels, stride=2),
        *_convolution(channels, 2 * channels, stride=1),
        *_convolution(2 * channels, 2 * channels, stride=2),
        nn.Flatten(),
    ]


def _dense(before: int, hidden: int, after: int) -> list[nn.Module]:
    return [nn.Linear(before, hidden), nn.ReLU(), nn.Linear(hidden, after)]


def _decoder(inputs: int, channels: int, hidden: int) -> nn.Sequential:
    flat = 2 * channels * (SIDE // 4) ** 2
    return nn.Sequential(
        *_dense(inputs, hidden, flat),
        nn.ReLU(),
        nn.Unflatten(1, (2 * channels, SIDE // 4, SIDE // 4)),
        nn.ConvTranspose2d(2 * channels, 2 * channels, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * channels, channels, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels, 1, 3, padding=1),
    )


def _convolution(before: int, after: int, *, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    ]

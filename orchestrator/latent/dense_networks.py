"""Dense variational autoencoders of handwritten digits: many latents, or a plane with dropout.

Kingma and Welling 2014, arXiv:1312.6114; the standard deviation of the Gaussian likelihood is
learned as in Rybkin et al. 2021, arXiv:2006.13202.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from orchestrator.latent.digit_networks import SIDE, Head

Likelihood = Literal["bernoulli", "gaussian"]
"""Of a pixel: a coin of that grey value, or a normal whose deviation all pixels share."""
_SMALL = math.log(1 / 255)
"""Log of the least standard deviation: one step of grey, below which there is nothing to learn."""


class DenseVae(nn.Module):
    """Two hidden layers on either side of the latent space, with dropout behind each."""

    head_kind: Head = "none"

    def __init__(
        self,
        latent: int = 200,
        hidden: int = 512,
        dropout: float = 0.0,
        likelihood: Likelihood = "bernoulli",
    ) -> None:
        super().__init__()
        self.latent = latent
        self.encoder = nn.Sequential(
            nn.Flatten(), *_layers(SIDE**2, hidden, dropout), nn.Linear(hidden, 2 * latent)
        )
        self.decoder = nn.Sequential(
            *_layers(latent, hidden, dropout),
            nn.Linear(hidden, SIDE**2),
            nn.Unflatten(1, (1, SIDE, SIDE)),
        )
        self.log_std = nn.Parameter(torch.tensor(-1.5)) if likelihood == "gaussian" else None

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance, each ``n x d``, of images ``n x 1 x 28 x 28``."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return mean, log_variance.clamp(-12.0, 6.0)

    def decode(self, points: Tensor) -> Tensor:
        """Logits of the pixels' grey values, ``n x 1 x 28 x 28``, of points ``n x d``."""
        logits: Tensor = self.decoder(points)
        return logits

    def predict(self, points: Tensor) -> Tensor:
        """No head was trained along: ``n x 0``."""
        return points[:, :0]

    def log_likelihood(self, points: Tensor, images: Tensor) -> Tensor:
        """Of images ``n x 1 x 28 x 28`` in [0, 1] at points ``n x d``, in nats, shape n.

        A density for the Gaussian likelihood; for the other the probability of images of zeros and
        ones, and for grey ones its expectation over images drawn from them.
        """
        logits = self.decode(points)
        if self.log_std is None:
            return -functional.binary_cross_entropy_with_logits(
                logits, images, reduction="none"
            ).sum(dim=(1, 2, 3))
        log_std = self.log_std.clamp(min=_SMALL)
        scaled = (images - torch.sigmoid(logits)) * torch.exp(-log_std)
        constant = SIDE**2 * (log_std + 0.5 * math.log(2 * math.pi))
        return -0.5 * (scaled**2).sum(dim=(1, 2, 3)) - constant

    def grey(self, points: Tensor) -> Tensor:
        """Grey values 0 to 255 as bytes, ``n x 28 x 28``, of points ``n x d``."""
        return (torch.sigmoid(self.decode(points)) * 255).round().to(torch.uint8).squeeze(1)


def _layers(inputs: int, hidden: int, dropout: float) -> list[nn.Module]:
    return [
        nn.Linear(inputs, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
    ]

"""The terms of the evidence lower bound (ELBO) that all variational autoencoders share.

The posterior of an object is a normal with a mean and a log variance of shape ``... x d``; the
prior is the standard normal. Kingma and Welling 2014, arXiv:1312.6114.
"""

from __future__ import annotations

import torch
from torch import Tensor

ACTIVE = 0.01
"""A latent is active where its posterior mean varies by more over the data (Burda et al. 2016,
arXiv:1509.00519)."""


def sample(mean: Tensor, log_variance: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """One point of each posterior, ``... x d``; the gradient goes through."""
    noise = torch.randn(mean.shape, generator=generator)
    return mean + noise * torch.exp(0.5 * log_variance)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of each posterior from the prior, in nats, of shape ``...``."""
    return unit_divergences(mean, log_variance).sum(dim=-1)


def unit_divergences(mean: Tensor, log_variance: Tensor) -> Tensor:
    """The same of each latent by itself, of shape ``... x d``."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)


def log_ratio(points: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log of the prior's density over the posterior's at points ``... x d``, of shape ``...``."""
    scaled = (points - mean) ** 2 * torch.exp(-log_variance)
    return 0.5 * (scaled + log_variance - points**2).sum(dim=-1)

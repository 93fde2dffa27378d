"""Latent points between objects and the prior, so that a decoder learns what lies there."""

from __future__ import annotations

import torch
from torch import Tensor


def blur(points: Tensor, share: float) -> Tensor:
    """Points of which a share is mixed with draws from the prior, keeping the variance."""
    n = len(points)
    amount = torch.rand(n, 1) * (torch.rand(n, 1) < share)
    return torch.sqrt(1 - amount**2) * points + amount * torch.randn_like(points)

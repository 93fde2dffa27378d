"""A normalising flow: an invertible map from a standard normal to codes, with its density.

Affine coupling layers (Dinh, Sohl-Dickstein and Bengio 2017, arXiv:1605.08803), each after a fixed
rotation: half of the coordinates are scaled and shifted by what a small network reads in the other
half. Both directions are of one pass, and the map is exact whatever its weights are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from orchestrator.latent.protocol import SpaceError

_STEEPEST = 1.5
"""A layer scales a coordinate by a factor between exp(-1.5) and exp(1.5)."""
MULTIPLE = 8
"""Of which the number of coordinates is one."""
_ROTATIONS = 20261127
"""Seed of the rotations, which are kept with the weights."""


class Coupling(nn.Module):
    """Scales and shifts one half of the coordinates by what stands in the other half."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.kept = dim // 2
        self.first = nn.Linear(self.kept, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 2 * (dim - self.kept))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Log scale and shift, each ``n x (d - kept)``."""
        hidden = functional.silu(self.first(kept))
        hidden = hidden + functional.silu(self.second(hidden))
        scale, shift = self.last(hidden).chunk(2, dim=1)
        return _STEEPEST * torch.tanh(scale / _STEEPEST), shift


class Flow(nn.Module):
    """From codes ``n x d`` to base points ``n x d``, which are standard normal, and back."""

    rotations: Tensor
    """Shape ``layers x d x d``, orthogonal up to rounding."""

    def __init__(self, dim: int, layers: int, hidden: int) -> None:
        """A flow that changes almost nothing yet.

        Raises:
            SpaceError: ``dim`` is no multiple of 8. Of 6 coordinates the products of halves rounded
                a row by its place in the block, and points would depend on their company.
        """
        super().__init__()
        if dim % MULTIPLE:
            raise SpaceError(f"a flow's latent is a multiple of {MULTIPLE}, not {dim}")
        self.dim = dim
        self.layers = nn.ModuleList([Coupling(dim, hidden) for _ in range(layers)])
        self.log_scale = nn.Parameter(torch.zeros(dim))
        self.shift = nn.Parameter(torch.zeros(dim))
        generator = torch.Generator().manual_seed(_ROTATIONS)
        drawn = torch.randn(layers, dim, dim, generator=generator, dtype=torch.float64)
        self.register_buffer("rotations", torch.linalg.qr(drawn)[0].float())

    def to_base(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Base points ``n x d`` of codes, and log |d base / d code|, shape ``n``."""
        x = (codes - self.shift) * torch.exp(-self.log_scale)
        log_det = -self.log_scale.sum().expand(len(codes))
        for rotation, layer in zip(self.rotations, self.layers, strict=True):
            x = x @ rotation
            kept, moved = x[:, : layer.kept], x[:, layer.kept :]
            scale, shift = layer(kept)
            x = torch.cat([kept, (moved - shift) * torch.exp(-scale)], dim=1)
            log_det = log_det - scale.sum(dim=1)
        return x, log_det

    def from_base(self, points: Tensor, inverses: Tensor) -> Tensor:
        """Codes ``n x d`` of base points; ``inverses`` are :meth:`inverses`."""
        x = points
        for inverse, layer in zip(inverses.flip(0), reversed(self.layers), strict=True):
            kept, moved = x[:, : layer.kept], x[:, layer.kept :]
            scale, shift = layer(kept)
            x = torch.cat([kept, moved * torch.exp(scale) + shift], dim=1) @ inverse
        return x * torch.exp(self.log_scale) + self.shift

    def inverses(self) -> Tensor:
        """Inverses of the rotations, ``layers x d x d``: rounded, they are not quite rotations."""
        inverse: Tensor = torch.linalg.inv(self.rotations.double())
        return inverse.to(self.rotations.dtype)

    def log_density(self, codes: Tensor) -> Tensor:
        """Log density of codes ``n x d`` under the flow, up to the rotations' own, shape ``n``."""
        base, log_det = self.to_base(codes)
        return log_det - 0.5 * (base**2).sum(dim=1) - 0.5 * self.dim * math.log(2 * math.pi)

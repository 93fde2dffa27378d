"""The grid of VAEs of points in the plane, as one network: :mod:`.autoencoders` trains it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from orchestrator.training.variational import divergence, sample

Likelihood = Literal["gaussian", "bernoulli", "learned_from_large", "learned_from_small"]
"""Gaussian of standard deviation 1; Bernoulli; Gaussian whose deviation is learned from a start."""
_STARTS: Mapping[Likelihood, float] = {
    "gaussian": 1.0,
    "bernoulli": 1.0,
    "learned_from_large": 1.0,
    "learned_from_small": 0.02,
}
"""Standard deviation at the start of the training; a Bernoulli likelihood has none."""
_LATENTS, _ACTIVATIONS = (1, 2, 10), ("relu", "tanh")
_ROWS: tuple[tuple[Likelihood, bool], ...] = (
    ("gaussian", False),
    ("bernoulli", False),
    ("gaussian", True),
    ("bernoulli", True),
    ("learned_from_large", True),
    ("learned_from_small", True),
)


@dataclass(frozen=True)
class Variant:
    """One way to set up the model."""

    likelihood: Likelihood
    kl: bool
    """Whether the divergence from the prior is part of the loss."""
    latent: int
    activation: str
    """``relu`` or ``tanh``."""

    @property
    def name(self) -> str:
        """Such as ``learned_from_small-kl-1-tanh``."""
        return "-".join(
            [self.likelihood, "kl" if self.kl else "no_kl", str(self.latent), self.activation]
        )


VARIANTS = tuple(
    Variant(likelihood, kl, latent, activation)
    for (likelihood, kl), latent, activation in product(_ROWS, _LATENTS, _ACTIVATIONS)
)
COLUMNS = len(_LATENTS) * len(_ACTIVATIONS)
"""Variants that differ in latents and activation only stand in one row of a figure."""


class CurveVaes(nn.Module):
    """One VAE a variant with two hidden layers on either side, all in one batched product a layer.

    Arrays have the shape ``v x n x d``: variants, points, coordinates. A variant with fewer latents
    than others has zeros in the place of those that it lacks.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        widest, same = max(_LATENTS), [hidden] * len(VARIANTS)
        self.encoder = nn.ModuleList(
            [_Linear([2] * len(VARIANTS), hidden), _Linear(same, hidden), _Linear(same, 2 * widest)]
        )
        latents = [variant.latent for variant in VARIANTS]
        self.decoder = nn.ModuleList(
            [_Linear(latents, hidden), _Linear(same, hidden), _Linear(same, 2)]
        )
        self.log_std_change = nn.Parameter(torch.zeros(len(VARIANTS), 1, 1))
        used = torch.arange(widest) < torch.tensor(latents)[:, None]
        self.register_buffer("_used", used[:, None].float(), persistent=False)
        start = torch.tensor([_STARTS[variant.likelihood] for variant in VARIANTS])
        self.register_buffer("_log_std_start", start.log()[:, None, None], persistent=False)
        for name, holds in _TRAITS.items():
            trait = torch.tensor([holds(variant) for variant in VARIANTS])[:, None, None]
            self.register_buffer(f"_{name}", trait, persistent=False)

    def log_std(self) -> Tensor:
        """Log standard deviations of the Gaussian likelihoods, ``v x 1 x 1``."""
        return self.get_buffer("_log_std_start") + torch.where(
            self.get_buffer("_learned"), self.log_std_change, 0.0
        )

    def encode(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance, ``v x n x d``, of points of the plane, ``n x 2``."""
        out = self._through(self.encoder, points.expand(len(VARIANTS), -1, -1))
        mean, log_variance = out.chunk(2, dim=2)
        used = self.get_buffer("_used")
        return mean * used, log_variance.clamp(-12.0, 6.0) * used

    def decode(self, latent: Tensor) -> Tensor:
        """Expected points of the plane, ``v x n x 2``, of latent points ``v x n x d``."""
        out = self._through(self.decoder, latent)
        return torch.where(self.get_buffer("_bernoulli"), torch.sigmoid(out), out)

    def loss(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Negative log likelihood and divergence, in nats a point, each of shape v."""
        mean, log_variance = self.encode(points)
        latent = sample(mean, log_variance) * self.get_buffer("_used")
        out = self._through(self.decoder, latent)
        target = points.expand_as(out)
        log_std = self.log_std()
        gaussian = 0.5 * ((out - target) * torch.exp(-log_std)) ** 2 + log_std
        gaussian = gaussian + 0.5 * np.log(2 * np.pi)
        bernoulli = functional.binary_cross_entropy_with_logits(out, target, reduction="none")
        price = torch.where(self.get_buffer("_bernoulli"), bernoulli, gaussian)
        return price.sum(dim=2).mean(dim=1), divergence(mean, log_variance).mean(dim=1)

    def _through(self, layers: nn.ModuleList, values: Tensor) -> Tensor:
        for layer in layers[:-1]:
            hidden = layer(values)
            values = torch.where(self.get_buffer("_relu"), hidden.relu(), hidden.tanh())
        out: Tensor = layers[-1](values)
        return out


_TRAITS: Mapping[str, Callable[[Variant], bool]] = {
    "relu": lambda variant: variant.activation == "relu",
    "bernoulli": lambda variant: variant.likelihood == "bernoulli",
    "learned": lambda variant: variant.likelihood.startswith("learned"),
    "kl": lambda variant: variant.kl,
}


class _Linear(nn.Module):
    """A linear layer for each variant: values ``v x n x max(inputs)`` to ``v x n x outputs``."""

    def __init__(self, inputs: Sequence[int], outputs: int) -> None:
        super().__init__()
        # As in torch.nn.Linear: uniform within 1 / √inputs.
        bound = torch.tensor(inputs)[:, None, None].rsqrt()
        self.weight = nn.Parameter(bound * (2 * torch.rand(len(inputs), max(inputs), outputs) - 1))
        self.bias = nn.Parameter(bound * (2 * torch.rand(len(inputs), 1, outputs) - 1))

    def forward(self, values: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, values, self.weight)

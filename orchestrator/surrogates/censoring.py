"""Values beyond a detection limit, for a Gaussian process: what they are taken to be.

A censored value says only on which side of its limit the true one lies. Its place is taken by the
mean of the predictive distribution that the *other* observations give there (leave-one-out:
Rasmussen and Williams 2006, eq. 5.12), cut off at the limit, and its noise by the variance of that;
both are found by a fixed number of sweeps, so that the same data always give the same bits. This is
the moment matching of expectation propagation for a Tobit likelihood (Groot and Lucas 2012) without
its damping and convergence test.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from orchestrator.surrogates.evidence import Hyperparameters, matern

_SWEEPS = 10
_LEAST = 1e-4
"""Smallest noise variance of a censored value, standardised: the limit itself is not exact."""


def imputed(
    points: Tensor, values: Tensor, known: Tensor, sides: Tensor, hyper: Hyperparameters
) -> tuple[Tensor, Tensor]:
    """Values and noise variances with what censored ones are taken to be.

    Args:
        points: n x d, in the unit cube.
        values: n, standardised; the limit where a value is censored.
        known: known noise variances, n.
        sides: n; -1 where the true value lies below, 1 where it lies above, else 0.
        hyper: of the kernel and the mean.

    Returns:
        Values and known noise variances, n each.
    """
    censored = sides != 0
    taken, noise = values.clone(), known.clone()
    lengths = torch.tensor(hyper.lengthscales, dtype=torch.float64)
    prior = matern(points, points, lengths)
    identity = torch.eye(len(points), dtype=torch.float64)
    for _ in range(_SWEEPS):
        total = prior + (noise + hyper.noise).diag() + 1e-8 * identity
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(total))
        precision = inverse.diagonal()
        mean = taken - (inverse @ (taken - hyper.mean)) / precision
        # Of the value without its own noise; what the others leave open of it, and no less.
        spread = (1 / precision - noise).clamp_min(_LEAST)
        moment, variance = _beyond(mean, spread.sqrt(), values, sides)
        taken = torch.where(censored, moment, values)
        noise = torch.where(censored, variance.clamp_min(_LEAST), known)
    return taken, noise


def _beyond(mean: Tensor, std: Tensor, limit: Tensor, sides: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of normal distributions cut off at a limit, on the side that is left."""
    # Mirrored where the value lies above, so that one formula serves: below ``edge``.
    edge = torch.where(sides > 0, mean - limit, limit - mean) / std
    density = -0.5 * edge.square() - 0.5 * math.log(2 * math.pi)
    ratio = (density - torch.special.log_ndtr(edge)).exp()
    shift = std * ratio
    moment = torch.where(sides > 0, mean + shift, mean - shift)
    variance = std.square() * (1 - ratio * (edge + ratio))
    return moment, variance

"""Hyperparameters of a Gaussian process by maximum a posteriori, with the gradient written out.

Matérn-5/2 kernel with one lengthscale a dimension, unit signal variance (values are standardised),
homoscedastic noise beside the known one, and a constant mean, which has a closed form. The
gradient of the log marginal likelihood is (Rasmussen and Williams, 2006, eq. 5.9)::

    d L / d theta = tr((alpha alpha^T - K^-1) dK / d theta) / 2,    alpha = K^-1 (y - mean)

and costs about as much as the Cholesky factor, whatever the number of lengthscales. The prior
of a lengthscale grows with the square root of the dimension (Hvarfner, Hellsten and Nardi, ICML
2024), without which a Gaussian process in dozens of dimensions learns nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from orchestrator.surrogates.ascent import ascend

_LENGTH_SPREAD = math.sqrt(3)
"""Standard deviation of the log lengthscale under its prior."""
_NOISE_CENTRE, _NOISE_SPREAD = -6.0, 2.0
"""Log noise variance of standardised values under its prior: little noise, and easily persuaded."""
LENGTH_LIMITS = (1.25e-2, 1e3)
"""From a tenth of the prior's deviation in a box of plus and minus four: a class of objects may
cover no more of a latent space than that, and a longer scale writes it off by its neighbours."""
NOISE_LIMITS = (1e-5, 1.0)
"""The lower limit keeps the Cholesky factor safe where values are noiseless and points close."""


@dataclass(frozen=True)
class Hyperparameters:
    """Of one outcome; inputs in the unit cube, values standardised."""

    lengthscales: tuple[float, ...]
    """One for each of the d dimensions."""
    noise: float
    """Variance of the noise that is not known from the data."""
    mean: float


def typical(dim: int) -> Hyperparameters:
    """The mode of the prior, where a first fit starts."""
    length = math.exp(_length_centre(dim) - _LENGTH_SPREAD**2)
    return Hyperparameters((length,) * dim, math.exp(_NOISE_CENTRE - _NOISE_SPREAD**2), 0.0)


def matern(x: Tensor, y: Tensor, lengthscales: Tensor) -> Tensor:
    """Covariance of ``.. x n x d`` and ``.. x k x d`` points, shape ``.. x n x k``."""
    r = distance(x / lengthscales, y / lengthscales)
    return (1 + r + r * r / 3) * torch.exp(-r)


def distance(x: Tensor, y: Tensor) -> Tensor:
    """sqrt(5) times the distances, by one matrix product; never exactly zero.

    The small offset keeps the square root differentiable where two points coincide.
    """
    squared = (
        x.square().sum(-1, keepdim=True)
        + y.square().sum(-1).unsqueeze(-2)
        - 2 * x @ y.transpose(-1, -2)
    )
    return (5 * squared.clamp_min(0) + 1e-20).sqrt()


def maximise(
    x: Tensor, y: Tensor, known: Tensor, start: Hyperparameters, iterations: int
) -> tuple[Hyperparameters, float]:
    """Climb the log posterior of the hyperparameters from a start, by L-BFGS-B.

    Args:
        x: inputs in the unit cube, n x d.
        y: standardised values, n.
        known: known noise variances of the standardised values, n; zero where unknown.
        start: where to start.
        iterations: the most steps; the optimiser has no time limit.

    Returns:
        The best hyperparameters met and the log posterior there.
    """
    theta = np.log([*start.lengthscales, start.noise])
    limits = np.log([LENGTH_LIMITS] * x.shape[1] + [NOISE_LIMITS]).T
    best = ascend(lambda at: log_posterior(at, x, y, known)[:2], theta, limits, iterations)
    value, _, mean = log_posterior(best, x, y, known)
    *lengths, noise = np.exp(best).tolist()
    return Hyperparameters(tuple(lengths), noise, mean), value


def _length_centre(dim: int) -> float:
    return math.sqrt(2) + math.log(dim) / 2


def log_posterior(
    theta: NDArray[np.float64], x: Tensor, y: Tensor, known: Tensor
) -> tuple[float, NDArray[np.float64], float]:
    """Log posterior density of log hyperparameters up to a constant, and its gradient.

    Args:
        theta: logarithms of the lengthscales and of the noise variance, d + 1.
        x: inputs in the unit cube, n x d.
        y: standardised values, n.
        known: known noise variances, n.

    Returns:
        The value, its gradient, and the constant mean that is best there.
    """
    lengths, noise = torch.tensor(theta[:-1]).exp(), math.exp(theta[-1])
    scaled = x / lengths
    r = distance(scaled, scaled)
    decay = torch.exp(-r)
    covariance = (1 + r + r * r / 3) * decay
    covariance.diagonal().add_(known + noise)
    factor = torch.linalg.cholesky(covariance)
    inverse = torch.cholesky_inverse(factor)

    row_sums = inverse.sum(0)
    mean = float((row_sums @ y) / row_sums.sum())
    alpha = inverse @ (y - mean)
    fit = -float((y - mean) @ alpha / 2 + factor.diagonal().log().sum())

    weight = (torch.outer(alpha, alpha) - inverse) / 2
    # d k / d (squared scaled distance) = -5/6 (1 + r) exp(-r), with r as `distance` scales it.
    pull = weight * (1 + r) * decay * (-5 / 6)
    squares = scaled.square().T @ pull.sum(0) - (scaled * (pull @ scaled)).sum(0)
    slope = np.empty_like(theta)
    slope[:-1] = (-4 * squares).numpy()
    slope[-1] = noise * float(weight.diagonal().sum())
    prior, prior_slope = _log_prior(theta)
    return fit + prior, slope + prior_slope, mean


def _log_prior(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Lognormal densities of lengthscales and noise, up to a constant, and the gradient."""
    dim = len(theta) - 1
    centre = np.array([_length_centre(dim)] * dim + [_NOISE_CENTRE])
    spread = np.array([_LENGTH_SPREAD] * dim + [_NOISE_SPREAD])
    away = (theta - centre) / spread
    return -float((away**2 / 2 + theta).sum()), -away / spread - 1

"""The standard normal prior that the autoencoders' spaces share, and the check of points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from orchestrator.latent.protocol import Points, SpaceError


def check_points(points: Points, dim: int) -> Points:
    """The points as float64.

    Raises:
        SpaceError: they are not of shape ``n x d``.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != dim:
        raise SpaceError(f"points must have the shape n x {dim}, not {points.shape}")
    return points


def box(limit: float, dim: int) -> NDArray[np.float64]:
    """Bounds ``2 x d`` of a cube around the origin."""
    return np.array([[-limit] * dim, [limit] * dim])


def log_density(points: Points) -> NDArray[np.float64]:
    """Log density of N(0, I), shape ``n``, at points ``n x d``."""
    log_norm = 0.5 * points.shape[1] * np.log(2 * np.pi)
    return np.asarray(-0.5 * (points**2).sum(axis=1) - log_norm)


class NormalPrior:
    """The prior of a space whose points are standard normal within its bounds."""

    dim: int
    bounds: NDArray[np.float64]

    def log_prior(self, points: Points) -> NDArray[np.float64]:
        """Log density of the standard normal, shape ``n``."""
        return log_density(check_points(points, self.dim))

    def sample_prior(self, n: int, rng: np.random.Generator) -> Points:
        """n draws from the standard normal truncated to the bounds, ``n x d``."""
        return sample(n, self.bounds, rng)


def sample(n: int, bounds: NDArray[np.float64], rng: np.random.Generator) -> Points:
    """n draws from N(0, I) truncated to the bounds, ``n x d``."""
    low, high = ndtr(bounds)
    return np.asarray(ndtri(rng.uniform(low, high, size=(n, bounds.shape[1]))))

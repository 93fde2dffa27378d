"""Where an acquisition function is looked for: candidates, then a climb from the best of them.

In a latent space of dozens of dimensions nearly all of the box lies outside the shell where the
prior, and so the decoder's training data, lives. Candidates are therefore drawn from the prior and
around the best points measured, at several scales, and what a climb reaches is pulled back to
where the log prior is at least what one draw in a hundred has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from scipy.stats import qmc

from orchestrator.latent.protocol import Points, Space
from orchestrator.surrogates.ascent import ascend
from orchestrator.surrogates.protocol import Floats

_SCALES = (0.03, 0.1, 0.3, 0.6)
"""Of a perturbation, in standard deviations of the prior."""
_NEAR = 64
"""Perturbations at each scale."""
FAR = 256
"""Candidates that know nothing of the data; they come first."""
_CLIMBERS = 4
_ITERATIONS = 20
_PLANE = 8
"""Up to this dimension the whole box is searched; above, what the prior covers."""


@dataclass(frozen=True)
class Region:
    """The part of a space that is searched."""

    space: Space
    floor: float
    """Lowest log prior that a point may have; minus infinity where the whole box is searched."""
    spread: Floats
    """Standard deviation of the prior by coordinate, shape d."""

    @classmethod
    def of(cls, space: Space, rng: np.random.Generator) -> Region:
        """The region of a space, judged by draws from its prior."""
        draws = space.sample_prior(512, rng)
        floor = float(np.quantile(space.log_prior(draws), 0.01))
        return cls(space, floor if space.dim > _PLANE else -np.inf, draws.std(axis=0))

    def candidates(self, best: Points, rng: np.random.Generator) -> Points:
        """Points to look at first, c x d: all over the region, and around the best measured."""
        lower, upper = self.space.bounds
        if self.space.dim > _PLANE:
            far = self.space.sample_prior(FAR, rng)
        else:
            cube = qmc.Sobol(self.space.dim, scramble=True, rng=rng).random(FAR)
            far = lower + cube * (upper - lower)
        if not len(best):
            return far
        centres = best[np.arange(_NEAR * len(_SCALES)) % len(best)]
        scales = np.repeat(_SCALES, _NEAR)[:, None] * self.spread
        near = self.pull(centres + scales * rng.standard_normal(centres.shape), centres)
        return np.concatenate([far, near])

    def pull(self, points: Points, towards: Points) -> Points:
        """Points moved towards others as far as it takes to be inside the region, n x d."""
        inside = np.clip(points, *self.space.bounds)
        outside = self.space.log_prior(inside) < self.floor
        low, high = np.zeros(len(points)), np.ones(len(points))
        for _ in range(20 if outside.any() else 0):
            middle = (low + high) / 2
            tried = towards + middle[:, None] * (inside - towards)
            good = self.space.log_prior(tried) >= self.floor
            low, high = np.where(good, middle, low), np.where(good, high, middle)
        share = np.where(outside, low, 1.0)[:, None]
        return np.where(share < 1, towards + share * (inside - towards), inside)


@dataclass(frozen=True)
class Found:
    """The best point of one search."""

    point: Points
    """Shape d."""
    value: float
    """Of the acquisition function."""
    start: int
    """Index of the candidate that the climb began at."""


def search(
    acquisition: AcquisitionFunction, candidates: Points, region: Region, taken: Points
) -> Found:
    """Climb from the best candidates; the best point that is not taken already.

    Args:
        acquisition: what is maximised; one point a batch.
        candidates: c x d.
        region: keeps the climb inside.
        taken: points that must not be proposed again, t x d.
    """
    scores = evaluate(acquisition, candidates)
    order = np.argsort(-scores, kind="stable")[:_CLIMBERS]
    starts = candidates[order]
    reached = region.pull(climb(acquisition, starts, region.space.bounds), starts)
    pool = np.concatenate([reached, candidates])
    values = np.concatenate([evaluate(acquisition, reached), scores])
    origin = np.concatenate([order, np.arange(len(candidates))])
    fresh = ~(pool[:, None, :] == taken[None, :, :]).all(axis=2).any(axis=1)
    pick = int(np.argmax(np.where(fresh, values, -np.inf)))
    return Found(pool[pick], float(values[pick]), int(origin[pick]))


def climb(acquisition: AcquisitionFunction, starts: Points, bounds: Floats) -> Points:
    """Local maxima in the box near the starts, n x d, by L-BFGS-B with an iteration limit.

    The starts climb together, on the sum of their values, which is one evaluation for all.
    """

    def total(flat: Floats) -> tuple[float, Floats]:
        at = torch.tensor(flat.reshape(starts.shape)).requires_grad_()
        value = acquisition(at.unsqueeze(-2)).sum()
        (slope,) = torch.autograd.grad(value, at)
        return value.item(), slope.numpy().ravel()

    limits = np.tile(bounds, len(starts))
    return ascend(total, starts.ravel(), limits, _ITERATIONS).reshape(starts.shape)


def evaluate(acquisition: Callable[[torch.Tensor], torch.Tensor], points: Points) -> Floats:
    """Acquisition values of n x d points, shape n; minus infinity where undefined."""
    with torch.no_grad():
        values = acquisition(torch.tensor(points).unsqueeze(-2)).numpy()
    return np.where(np.isnan(values), -np.inf, values)

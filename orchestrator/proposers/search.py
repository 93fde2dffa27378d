"""Where an acquisition function is looked for.

In a latent space of dozens of dimensions nearly all of the box lies outside the shell where the
prior, and so the decoder's training data, lives. Candidates are therefore drawn from the prior and
around the best points measured, at several scales, and what lies too far out is pulled back to
where the log prior is at least what one draw in a hundred has.

From there it depends on where the surrogate reads a candidate. At its own point, the acquisition
function is smooth, and its gradient is climbed. At the realised point, where the object encodes
to, it is not: many points decode to one object, and neighbours to different ones. There the
candidates are decoded, judged by their objects, and bred for a few generations around the best of
them, which costs no evaluation (the inconsistency of the two points is what Maus et al., NeurIPS
2022, correct by inversion).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from numpy.typing import NDArray
from scipy.stats import qmc

from orchestrator.latent.protocol import Points, Space
from orchestrator.latent.realise import realised
from orchestrator.proposers.acquisition import ComposedLogEI
from orchestrator.proposers.protocol import Problem
from orchestrator.surrogates.ascent import ascend
from orchestrator.surrogates.protocol import Floats

_SCALES = (0.03, 0.1, 0.3, 0.6)
"""Of a perturbation, in standard deviations of the prior, where it is climbed from."""
_NEAR = 64
"""Perturbations at each scale."""
_FAR = 256
"""Candidates that know nothing of the data."""
_CLIMBERS = 4
_ITERATIONS = 20
_PLANE = 8
"""Up to this dimension the whole box is searched; above, what the prior covers."""

_STRIDES = (0.3, 0.5, 0.8)
"""Scales where candidates are bred: smaller ones decode to their parents again."""
_GENERATIONS = 3
_BROOD = 32
"""Candidates bred in each generation."""
_STRANGERS = 32
"""Draws from the prior beside the first one."""
_PARENTS = 8

_DRAWS = 64
"""Draws from the prior of which the farthest from all others explores. Eight did somewhat worse on
the digits; draws over the whole box instead, clearly."""


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

    def far(self, n: int, rng: np.random.Generator) -> Points:
        """Points all over the region, n x d."""
        if self.space.dim > _PLANE:
            return self.space.sample_prior(n, rng)
        lower, upper = self.space.bounds
        cube = qmc.Sobol(self.space.dim, scramble=True, rng=rng).random(n)
        return np.asarray(lower + cube * (upper - lower))

    def near(self, centres: Points, scales: Floats, rng: np.random.Generator) -> Points:
        """A point around one of the centres at each of the scales, n x d."""
        around = centres[np.arange(len(scales)) % len(centres)]
        moves = scales[:, None] * self.spread * rng.standard_normal(around.shape)
        return self.pull(around + moves, around)

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


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates to choose from."""

    points: Points
    """What would be proposed, c x d."""
    read: Points
    """Where the surrogate reads each of them, c x d; the same points unless they are realised."""
    near: NDArray[np.bool_]
    """Which of them were found around the best measured, c."""
    smooth: bool
    """Whether the acquisition function may be climbed from them."""

    def __add__(self, other: Pool) -> Pool:
        return Pool(
            np.concatenate([self.points, other.points]),
            np.concatenate([self.read, other.read]),
            np.concatenate([self.near, other.near]),
            self.smooth and other.smooth,
        )


@dataclass(frozen=True)
class Found:
    """The best point of one search."""

    point: Points
    """What is proposed, shape d."""
    read: Points
    """Where the surrogate reads it, shape d."""
    value: float
    """Of the acquisition function."""
    start: Literal["near", "far", "explore"]
    """Found around the best measured, anywhere else, or far from all without asking the model."""


def pool(
    problem: Problem,
    acquisition: AcquisitionFunction,
    region: Region,
    centres: Points,
    rng: np.random.Generator,
) -> Pool:
    """Candidates for one round.

    Args:
        problem: says where the surrogate reads a candidate.
        acquisition: what they are bred towards, if they are; one point a batch.
        region: where they lie.
        centres: best points measured, as the surrogate reads them, b x d.
        rng: the only source of chance.
    """
    if problem.at == "realised":
        bred = _bred(problem, acquisition, region, centres, rng)
        if len(bred.points):  # else nothing decodes around here, and the points are all there is
            return bred
    far = region.far(_FAR, rng)
    near = region.near(centres, np.repeat(_SCALES, _NEAR), rng)
    points = np.concatenate([far, near])
    return Pool(points, points, np.arange(len(points)) >= len(far), smooth=True)


def _bred(
    problem: Problem,
    acquisition: AcquisitionFunction,
    region: Region,
    parents: Points,
    rng: np.random.Generator,
) -> Pool:
    strangers = region.far(_STRANGERS, rng)
    brood = region.near(parents, rng.choice(_STRIDES, _BROOD), rng)
    # Both at once: a decoder takes little longer for both than for one of them.
    first = np.concatenate([strangers, brood])
    found = _decoded(problem, first, np.arange(len(first)) >= len(strangers), rng)
    for _ in range(_GENERATIONS - 1):
        if len(found.points):
            order = np.argsort(-evaluate(acquisition, found.read), kind="stable")
            parents = distinct(found.read[order])[:_PARENTS]
        brood = region.near(parents, rng.choice(_STRIDES, _BROOD), rng)
        found += _decoded(problem, brood, np.full(len(brood), True), rng)
    return found


def distinct(points: Points) -> Points:
    """The points n x d without those that came before."""
    _, first = np.unique(points, axis=0, return_index=True)
    return points[np.sort(first)]


def _decoded(
    problem: Problem, points: Points, near: NDArray[np.bool_], rng: np.random.Generator
) -> Pool:
    """The points whose objects may be evaluated and encode to somewhere."""
    decoded = problem.space.decode(points, rng)
    read = realised(problem.space, decoded)
    filters = [problem.space.filters[name] for name in problem.filters]
    passed = [
        one.content is not None and all(passes(one.content) for passes in filters)
        for one in decoded
    ]
    good = np.isfinite(read).all(axis=1) & np.array(passed)
    return Pool(points[good], read[good], near[good], smooth=False)


def search(acquisition: AcquisitionFunction, pool: Pool, region: Region, taken: Points) -> Found:
    """The best of the pool, and of what is climbed to from it, that is not taken already.

    Args:
        acquisition: what is maximised; one point a batch.
        pool: candidates.
        region: keeps the climb inside.
        taken: points that must not be proposed again, as the surrogate reads them, t x d.
    """
    scores = evaluate(acquisition, pool.read)
    if pool.smooth:
        order = np.argsort(-scores, kind="stable")[:_CLIMBERS]
        starts = pool.points[order]
        reached = region.pull(climb(acquisition, starts, region.space.bounds), starts)
        pool = Pool(reached, reached, pool.near[order], smooth=True) + pool
        scores = np.concatenate([evaluate(acquisition, reached), scores])
    fresh = ~(pool.read[:, None, :] == taken[None, :, :]).all(axis=2).any(axis=1)
    pick = int(np.argmax(np.where(fresh, scores, -np.inf)))
    start: Literal["near", "far"] = "near" if pool.near[pick] else "far"
    return Found(pool.points[pick], pool.read[pick], float(scores[pick]), start)


def explore(
    problem: Problem, acquisition: ComposedLogEI, taken: Points, rng: np.random.Generator
) -> Found | None:
    """The draw from the prior that is farthest from all that is taken, expected good or not.

    This is Mitchell's best candidate (SIGGRAPH 1991): it spreads like the prior, but keeps away
    from what is known. Distances are those of the unit cube, as the surrogate measures them, and
    weighed with the probability that the constraints hold.

    Args:
        problem: says where the surrogate reads a candidate.
        acquisition: knows the constraints; its own value is for the record only.
        taken: points measured or under way, as the surrogate reads them, t x d with t > 0.
        rng: the only source of chance.

    Returns:
        None if no draw decodes to an object that may be evaluated, or all of them are taken.
    """
    points = problem.space.sample_prior(_DRAWS, rng)
    near = np.zeros(_DRAWS, dtype=bool)
    drawn = Pool(points, points, near, smooth=True)
    if problem.at == "realised":
        drawn = _decoded(problem, points, near, rng)
    lower, upper = problem.space.bounds
    apart = (drawn.read[:, None, :] - taken[None, :, :]) / (upper - lower)
    distance = np.sqrt(np.square(apart).sum(axis=2)).min(axis=1)
    if not distance.any():
        return None
    pick = int(np.argmax(distance * np.exp(evaluate(acquisition.log_feasible, drawn.read))))
    value = float(evaluate(acquisition, drawn.read[[pick]])[0])
    return Found(drawn.points[pick], drawn.read[pick], value, "explore")


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

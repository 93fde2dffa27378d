"""Log expected improvement on the posterior of the surrogate, batches built greedily.

Each point of a batch is chosen with the points before it and all pending ones fantasised, so that
a batch spreads by itself. The search is described in :mod:`orchestrator.proposers.search`, the
acquisition function in :mod:`orchestrator.proposers.acquisition`.

Expected improvement is only as good as the hyperparameters, and those are estimated from points
that it chose itself. Where all of these lie on a plateau, the estimated amplitude is that of the
plateau's ripples, the lengthscale theirs too, and no room is left in the model for a deep valley
elsewhere: the search stays for good (the deceptive start of Jones, J. Global Optimization 2001;
Bull, JMLR 2011, shows that with estimated hyperparameters it need not converge at all, and that a
share of points chosen without the model mends it). So while the best does not get better, every
so many evaluations one explores: after as many as make a trust region fail (TuRBO: Eriksson et
al., NeurIPS 2019), a point of the prior that is far from all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from botorch.models import ModelList
from scipy.stats import norm, qmc
from torch import Tensor

from orchestrator.latent.protocol import Points
from orchestrator.proposers.acquisition import ComposedLogEI, known_terms, moments, reach
from orchestrator.proposers.protocol import Problem, Proposal
from orchestrator.proposers.search import Found, Region, distinct, evaluate, explore, pool, search
from orchestrator.surrogates.protocol import Data, Fit, Floats

_WORLDS = 16
"""Fantasies of the pending results."""
_SAMPLES = 64
"""Samples of an objective that is not linear."""
_CENTRES = 8
"""Best points measured whose surroundings are searched."""
_PATIENCE = 4
"""Evaluations without a better one after which one explores; d, where that is more."""


class GPProposer:
    """Log expected improvement with constraints, pending points and exact known terms."""

    needs_fit = True

    def propose(
        self,
        problem: Problem,
        fit: Fit | None,
        data: Data,
        pending: Points,
        q: int,
        rng: np.random.Generator,
    ) -> Proposal:
        """Pick q points; see :class:`orchestrator.proposers.protocol.Proposer`.

        Where nothing usable has been measured yet, they are draws from the prior.
        """
        standing = Standing.of(problem, data)
        if fit is None or standing is None:
            return Proposal(
                problem.space.sample_prior(q, rng), state={"kind": "gp", "why": "nothing measured"}
            )
        normals = _normals(_SAMPLES, len(data.outcomes), rng)
        # One column a fantasised point and outcome, so that a later point leaves earlier ones be.
        unsure = len(standing.centres) + len(pending)
        worlds = _normals(_WORLDS, (unsure + q) * len(data.outcomes), rng)
        region = Region.of(problem.space, rng)
        found: list[Found] = []
        waiting, candidates = pending, None
        patience = max(_PATIENCE, problem.space.dim)
        for _ in range(q):
            acquisition = _acquisition(problem, fit.model, standing, waiting, worlds, normals)
            taken = np.concatenate([data.points, waiting])
            idle = standing.idle + len(waiting)
            due = idle > 0 and idle % patience == 0
            one = explore(problem, acquisition, taken, rng) if due else None
            if one is None:
                if candidates is None:
                    candidates = pool(problem, acquisition, region, standing.centres, rng)
                one = search(acquisition, candidates, region, taken)
            found.append(one)
            waiting = np.concatenate([waiting, one.read[None]])
        read = np.stack([one.read for one in found])
        mean, std = moments(fit.model, problem, torch.tensor(read), normals).numpy()
        sign = 1.0 if problem.objective.maximize else -1.0
        state = {
            "kind": "gp",
            "incumbent": None if standing.best is None else sign * standing.best,
            "pending": len(pending),
            "starts": [one.start for one in found],
        }
        return Proposal(
            np.stack([one.point for one in found]),
            sign * mean,
            std,
            np.array([one.value for one in found]),
            state,
        )

    def acquisition(
        self, problem: Problem, fit: Fit, data: Data, pending: Points, points: Points
    ) -> Floats:
        """Log expected improvement at ``n x d`` points, shape n, for reports and pictures.

        Raises:
            ValueError: nothing usable has been measured yet.
        """
        standing = Standing.of(problem, data)
        if standing is None:
            raise ValueError("no acquisition without a measured objective")
        rng = np.random.default_rng(0)
        normals = _normals(_SAMPLES, len(data.outcomes), rng)
        unsure = len(standing.centres) + len(pending)
        worlds = _normals(_WORLDS, unsure * len(data.outcomes), rng)
        return evaluate(
            _acquisition(problem, fit.model, standing, pending, worlds, normals), points
        )


@dataclass(frozen=True)
class Standing:
    """What the campaign has reached; larger is better throughout."""

    best: float | None
    """Best feasible objective; None while none is feasible."""
    worst: float
    unit: float
    """Spread of the objectives measured."""
    idle: int
    """How many were measured since the best feasible one; all, while none is feasible."""
    centres: Points
    """Best distinct points, feasible ones first, c x d."""

    @classmethod
    def of(cls, problem: Problem, data: Data) -> Standing | None:
        """Read it off the data; None if no objective is known."""
        objective = problem.objective
        known = objective.known(problem.space.log_prior(data.points))
        with np.errstate(all="ignore"):
            value = np.asarray(objective.compose(data.values, known))
        rows = np.flatnonzero(np.isfinite(value))
        if not len(rows):
            return None
        holds = feasible(problem, data.values)[rows]
        value = value[rows]
        order = rows[np.lexsort((-value, ~holds))]
        return cls(
            best=float(value[holds].max()) if holds.any() else None,
            worst=float(value.min()),
            unit=float(value.std()) or 1.0,
            idle=len(data.points) - (int(order[0]) + 1 if holds.any() else 0),
            centres=distinct(data.points[order])[:_CENTRES],
        )


def feasible(problem: Problem, values: Floats) -> np.ndarray:
    """Whether the constraints hold for outcomes n.. x m, shape n..; missing ones do not."""
    holds = np.ones(values.shape[:-1], dtype=bool)
    for limit in problem.objective.limits:
        column = values[..., limit.outcome]
        holds &= np.isfinite(column)
        holds &= (column >= limit.lower) if limit.lower is not None else True
        holds &= (column <= limit.upper) if limit.upper is not None else True
    return holds


def _acquisition(
    problem: Problem,
    model: ModelList,
    standing: Standing,
    waiting: Points,
    worlds: Tensor,
    normals: Tensor,
) -> ComposedLogEI:
    """The acquisition function with the best measured and the waiting points fantasised.

    Where in a world none of them is feasible, whatever is feasible improves on the worst value
    measured, so that the probability of feasibility decides.
    """
    at, m = torch.tensor(np.concatenate([standing.centres, waiting])), len(model.models)
    draws = worlds[:, : len(at) * m].reshape(len(worlds), len(at), m)
    with torch.no_grad():
        results = _fantasies(model, at, draws).clamp(*reach(problem))
        model = _conditioned(model, at, results)
        value = problem.objective.compose(results, known_terms(problem, at))
    holds = torch.from_numpy(feasible(problem, results.numpy()))
    best = torch.where(holds, value, -torch.inf).amax(-1)
    best = torch.where(holds.any(-1), best, standing.worst)
    return ComposedLogEI(model, problem, best, standing.unit, normals)


def _conditioned(model: ModelList, at: Tensor, results: Tensor) -> ModelList:
    """The model given results F x p x m at p x d points."""
    singles: Any = model.models
    return ModelList(
        *(
            single.condition_on_observations(at, results[..., [column]])
            for column, single in enumerate(singles)
        )
    )


def _fantasies(model: ModelList, at: Tensor, draws: Tensor) -> Tensor:
    """Joint posterior samples at p x d points from standard normals, F x p x m."""
    columns = []
    singles: Any = model.models
    for column, single in enumerate(singles):
        posterior = single.posterior(at)
        covariance = posterior.distribution.covariance_matrix
        spread = covariance.diagonal().sqrt()
        # As a correlation, so that the jitter means the same whatever the units.
        correlation = covariance / torch.outer(spread, spread)
        factor = torch.linalg.cholesky(correlation + 1e-6 * torch.eye(len(at), dtype=at.dtype))
        columns.append(posterior.mean.squeeze(-1) + spread * (draws[..., column] @ factor.T))
    return torch.stack(columns, dim=-1)


def _normals(samples: int, columns: int, rng: np.random.Generator) -> Tensor:
    """Quasi-random standard normal samples, samples x columns."""
    cube = qmc.Sobol(max(columns, 1), scramble=True, rng=rng).random(samples)
    return torch.tensor(norm.ppf(np.clip(cube, 1e-9, 1 - 1e-9))[:, :columns])

"""Log expected improvement of a composed objective, with constraints, pending points and a prior.

The objective is composed on the posterior of the outcomes (Astudillo and Frazier, ICML 2019); the
known terms, such as the log prior of the point, enter as exact functions of it. A linear objective
is normal, and its expected improvement is taken in closed form; any other one is averaged over
fixed quasi-random samples. Logarithms throughout keep the gradient alive where the improvement
underflows (Ament et al., NeurIPS 2023). Constraints weigh it with the probability that they hold
(Gardner et al., ICML 2014). Points whose results are pending are fantasised: each world has its
own results there and its own incumbent, and the improvement is averaged over the worlds (Snoek,
Larochelle and Adams, NeurIPS 2012).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.models import ModelList
from botorch.models.model import Model
from botorch.utils.probability.utils import log_ndtr, log_prob_normal_in
from botorch.utils.safe_math import log_fatplus, logmeanexp
from torch import Tensor

from orchestrator.proposers.protocol import Problem
from orchestrator.surrogates.protocol import Floats

_SOFT = 1e-3
"""Width, in units of the objective's spread, over which no improvement turns into some."""


class KnownTerms(torch.autograd.Function):
    """The objective's exact terms at points, b.. x d to b.. x k, as a differentiable function.

    A space gives its log prior as numbers only, so the gradient is a central difference, which
    is exact up to rounding for the quadratic log density of a normal prior.
    """

    @staticmethod
    def forward(ctx: Any, points: Tensor, problem: Problem) -> Tensor:
        """Values at the points."""
        ctx.save_for_backward(points)
        ctx.problem = problem
        return torch.tensor(_known(problem, points.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        """Gradient by central differences, one-sided at the bounds."""
        (points,) = ctx.saved_tensors
        at = points.detach().numpy()[..., None, :]
        lower, upper = ctx.problem.space.bounds
        step = np.diag(1e-5 * (upper - lower))
        above, below = np.minimum(at + step, upper), np.maximum(at - step, lower)
        width = np.diagonal(above - below, axis1=-2, axis2=-1)[..., None]
        change = (_known(ctx.problem, above) - _known(ctx.problem, below)) / width
        return (slope.unsqueeze(-2) * torch.tensor(change)).sum(-1), None


def known_terms(problem: Problem, points: Tensor) -> Tensor:
    """The exact terms at points, b.. x d to b.. x k."""
    if not problem.objective.uses_log_prior:
        return points.new_zeros((*points.shape[:-1], 0))
    known: Tensor = KnownTerms.apply(points, problem)  # type: ignore[no-untyped-call]
    return known


def reach(problem: Problem) -> Tensor:
    """Least and greatest possible value of each outcome, shape ``2 x m``."""
    return torch.tensor([one.reach for one in problem.objective.outcomes], dtype=torch.float64).T


class ComposedLogEI(AcquisitionFunction):
    """Log expected improvement of the composed objective, averaged over worlds."""

    def __init__(
        self, model: ModelList, problem: Problem, best: Tensor, unit: float, normals: Tensor
    ) -> None:
        """Bind it to one state of the campaign.

        Args:
            model: posterior of the m outcomes, its batch shape empty or the number of worlds F.
            problem: gives the objective and its exact terms.
            best: incumbent of each world, larger is better, shape F or 1.
            unit: spread of the objective, which makes the samples' improvement scale-free.
            normals: standard normal base samples, S x m, for objectives that are not linear.
        """
        super().__init__(model)
        self._problem, self._best, self._unit, self._normals = problem, best, unit, normals
        self._reach = reach(problem)

    def forward(self, X: Tensor) -> Tensor:
        """Shape ``b x 1 x d`` to ``b``; logarithms of the objective's own units."""
        mean, std = _marginals(self.model, X.unsqueeze(-3))
        known = known_terms(self._problem, X)
        improvement = self._improvement(mean, std, known)
        return logmeanexp(improvement + self._feasible(mean, std), dim=-1)

    def log_feasible(self, X: Tensor) -> Tensor:
        """Log probability that every constraint holds, shape ``b x 1 x d`` to ``b``."""
        mean, std = _marginals(self.model, X.unsqueeze(-3))
        return logmeanexp(self._feasible(mean, std) + torch.zeros_like(mean[..., 0]), dim=-1)

    def _improvement(self, mean: Tensor, std: Tensor, known: Tensor) -> Tensor:
        """Log expected improvement by world, b x F."""
        objective = self._problem.objective
        if (factors := objective.coefficients) is not None:
            spread = (std * torch.tensor(factors)).square().sum(-1).sqrt()
            centre = objective.compose(mean, known)
            gain = log_h((centre - self._best) / spread)
            return gain + spread.log()
        samples = (mean + std * self._normals[:, None, None]).clamp(*self._reach)
        gain = (objective.compose(samples, known) - self._best) / self._unit
        return logmeanexp(log_fatplus(gain, tau=_SOFT), dim=0) + math.log(self._unit)

    def _feasible(self, mean: Tensor, std: Tensor) -> Tensor | float:
        """Log probability that every constraint holds, by world, b x F."""
        total: Tensor | float = 0.0
        for limit in self._problem.objective.limits:
            centre, width = mean[..., limit.outcome], std[..., limit.outcome]
            low = None if limit.lower is None else (limit.lower - centre) / width
            high = None if limit.upper is None else (limit.upper - centre) / width
            if low is not None and high is not None:
                total = total + log_prob_normal_in(low, high)
            elif low is not None:
                total = total + log_ndtr(-low)
            elif high is not None:
                total = total + log_ndtr(high)
        return total


def log_h(u: Tensor) -> Tensor:
    """log(phi(u) + u Phi(u)), the log expected improvement of a unit normal; stable for every u.

    Below -1 it is written as phi(u) (1 - |u| Phi(u) / phi(u)) with the scaled complementary error
    function; far below, where that difference cancels, as its limit phi(u) / u^2.
    """
    density = -u.square() / 2 - math.log(2 * math.pi) / 2
    above = u.clamp_min(-1.0)
    plain = (torch.exp(-above.square() / 2) / math.sqrt(2 * math.pi)) + above * torch.special.ndtr(
        above
    )
    away = (-u).clamp(1.0, 1e5)
    ratio = math.sqrt(math.pi / 2) * torch.special.erfcx(away / math.sqrt(2))
    near = torch.log1p(-away * ratio)
    far = -2 * (-u).clamp_min(1e5).log()
    return torch.where(u > -1, plain.log(), density + torch.where(u > -1e5, near, far))


def moments(model: ModelList, problem: Problem, points: Tensor, normals: Tensor) -> Tensor:
    """Mean and standard deviation of the composed objective, larger is better: n x d to 2 x n."""
    objective = problem.objective
    with torch.no_grad():
        mean, std = _marginals(model, points.unsqueeze(-2))
        known = known_terms(problem, points)
        if (factors := objective.coefficients) is not None:
            spread = (std * torch.tensor(factors)).square().sum(-1).sqrt()
            return torch.stack([objective.compose(mean, known), spread])
        samples = objective.compose(mean + std * normals[:, None], known)
        return torch.stack([samples.mean(0), samples.std(0)])


def _marginals(model: Model, points: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation at single points, b.. x 1 x d to b.. x m."""
    posterior: Any = model.posterior(points)
    return posterior.mean.squeeze(-2), posterior.variance.squeeze(-2).sqrt()


def _known(problem: Problem, points: Floats) -> Floats:
    flat = points.reshape(-1, points.shape[-1])
    known = problem.objective.known(problem.space.log_prior(flat))
    return known.reshape(*points.shape[:-1], known.shape[-1])

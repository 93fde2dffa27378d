"""An exact Gaussian process for each outcome, as BoTorch models.

Inputs are put into the unit cube by the bounds and values are standardised, so that the priors of
:mod:`orchestrator.surrogates.evidence` fit whatever the units. A fit climbs from the previous one
in a few iterations; it starts afresh only when the data have grown by a set share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from botorch.models import ModelList
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultivariateNormal
from linear_operator import to_linear_operator
from torch import Tensor

from orchestrator.surrogates.censoring import imputed
from orchestrator.surrogates.evidence import Hyperparameters, matern, maximise, typical
from orchestrator.surrogates.protocol import Data, Floats

_GROWTH = 1.5
"""A full fit is due when the data have grown by this factor since the last one."""
_FULL, _WARM = 100, 10
"""Iterations of a full and of a warm fit."""
_JITTER = (0.0, 1e-8, 1e-6, 1e-4)
"""Added to the unit diagonal of a covariance, in turn, until it has a Cholesky factor."""


class UnfloredPosterior(GPyTorchPosterior):
    """A normal posterior whose variance is as small as its units make it.

    GPyTorch lifts variances to 1e-10, which is a lot where an outcome is counted in 1e-12.
    """

    @property
    def variance(self) -> Tensor:
        """Variance, shape ``b.. x q x 1``."""
        diagonal: Tensor = self.distribution.lazy_covariance_matrix.diagonal(dim1=-2, dim2=-1)
        return diagonal.unsqueeze(-1)


class OutcomeGP(Model):
    """Posterior of one outcome, in its own units, at points in the space's coordinates.

    Conditioned on observations that differ between F worlds, it has the batch shape F; the
    covariance is the same in all of them.
    """

    def __init__(
        self,
        bounds: Tensor,
        hyperparameters: Hyperparameters,
        scale: tuple[float, float],
        points: Tensor,
        values: Tensor,
        noise: Tensor,
    ) -> None:
        """Factor the covariance.

        Args:
            bounds: limits of the space, 2 x d.
            hyperparameters: of the kernel and the mean.
            scale: shift and factor from standardised values to the outcome's units.
            points: n x d, in the unit cube; n may be 0.
            values: F.. x n, standardised.
            noise: variances of the standardised values, n.
        """
        super().__init__()
        self._bounds, self._hyper, self._scale = bounds, hyperparameters, scale
        self._points, self._values, self._noise = points, values, noise
        self._lengths = torch.tensor(hyperparameters.lengthscales, dtype=torch.float64)
        covariance = matern(points, points, self._lengths) + noise.diag()
        self._factor = _cholesky(covariance)
        residuals = (values - hyperparameters.mean).reshape(values.shape[:-1].numel(), -1).T
        self._weights = torch.cholesky_solve(residuals, self._factor)

    @property
    def num_outputs(self) -> int:
        """One outcome."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """``[F]`` where there are several worlds, else empty."""
        return self._values.shape[:-1]

    def posterior(  # type: ignore[override]
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool = False,
        posterior_transform: Any = None,
    ) -> GPyTorchPosterior:
        """Joint posterior of q points in each batch: shape ``b.. x q x d`` to ``b.. x q x 1``.

        With F worlds the last batch dimension of ``X`` is 1 or F, and F in the result.
        """
        *batch, q, d = X.shape
        inside = self._unit(X)
        cross = matern(self._points, inside.reshape(-1, d), self._lengths)
        mean = self._hyper.mean + (cross.T @ self._weights).reshape(*batch, q, -1)
        half = torch.linalg.solve_triangular(self._factor, cross, upper=False)
        half = half.T.reshape(*batch, q, -1)
        if q == 1:
            covariance = (1 - half.square().sum(-1, keepdim=True)).clamp_min(1e-12)
        else:
            covariance = matern(inside, inside, self._lengths) - half @ half.transpose(-1, -2)
        if observation_noise:
            covariance = covariance + self._hyper.noise * torch.eye(q, dtype=X.dtype)
        shift, factor = self._scale
        normal = MultivariateNormal(
            shift + factor * self._worlds(mean),
            to_linear_operator(factor**2 * self._spread(covariance)),
        )
        posterior = UnfloredPosterior(normal)
        return posterior if posterior_transform is None else posterior_transform(posterior)

    def condition_on_observations(self, X: Tensor, Y: Tensor, **_: Any) -> OutcomeGP:
        """The same model with p more points (p x d) and values (F.. x p x 1), free of noise."""
        shift, factor = self._scale
        new = (Y.squeeze(-1) - shift) / factor
        worlds = new.shape[:-1] or self.batch_shape
        return OutcomeGP(
            self._bounds,
            self._hyper,
            self._scale,
            torch.cat([self._points, self._unit(X)]),
            torch.cat([self._values.expand(*worlds, -1), new.expand(*worlds, -1)], dim=-1),
            torch.cat([self._noise, torch.full((len(X),), 1e-6, dtype=X.dtype)]),
        )

    def _unit(self, points: Tensor) -> Tensor:
        return (points - self._bounds[0]) / (self._bounds[1] - self._bounds[0])

    def _worlds(self, mean: Tensor) -> Tensor:
        """From one column a world to the batch dimension of the worlds."""
        if not self.batch_shape:
            return mean.squeeze(-1)
        if mean.shape[-3] == 1:
            return mean.squeeze(-3).transpose(-1, -2)
        return mean.diagonal(dim1=-3, dim2=-1).transpose(-1, -2)

    def _spread(self, covariance: Tensor) -> Tensor:
        if not self.batch_shape:
            return covariance
        return covariance.expand(*covariance.shape[:-3], *self.batch_shape, *covariance.shape[-2:])


def _cholesky(covariance: Tensor) -> Tensor:
    """Lower Cholesky factor, with as little jitter as it takes."""
    for jitter in _JITTER:
        factor, failed = torch.linalg.cholesky_ex(
            covariance + jitter * torch.eye(len(covariance), dtype=covariance.dtype)
        )
        if not failed:
            found: Tensor = factor
            return found
    raise ArithmeticError("the covariance of the surrogate has no Cholesky factor")


@dataclass(frozen=True)
class GPFit:
    """A fitted set of Gaussian processes."""

    state: dict[str, Any]
    """Kind, data hash, number of points at the last full fit, hyperparameters by outcome."""
    model: ModelList

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the noise-free outcomes at ``n x d`` points, n x m."""
        with torch.no_grad():
            # One point a batch: the deviations need no covariance between the points.
            posterior: Any = self.model.posterior(torch.tensor(points).unsqueeze(-2))
            mean, variance = posterior.mean.squeeze(-2), posterior.variance.squeeze(-2)
        return mean.numpy(), variance.sqrt().numpy()


class GPSurrogate:
    """Independent exact Gaussian processes: Matérn-5/2, dimension-scaled lengthscale prior."""

    def fit(self, data: Data, bounds: Floats, previous: dict[str, Any] | None) -> GPFit:
        """Fit to the data; see :class:`orchestrator.surrogates.protocol.Surrogate`."""
        n, dim = len(data.points), data.points.shape[1]
        warm = _usable(previous, data)
        full = not warm or n >= _GROWTH * warm["full"]
        fitted, taken = [], {}
        for column, label in enumerate(data.outcomes):
            starts = [Hyperparameters(**warm["outcomes"][label])] if warm else []
            if full:
                starts.append(typical(dim))
            table = _table(data, column, bounds)
            hyper = _fitted(table, starts, _FULL if full else _WARM)
            if table.sides is not None:  # what lies beyond a limit depends on the kernel, and back
                hyper = _fitted(table.with_taken(table.taken(hyper)), [hyper], _WARM)
                taken[label] = table.taken(hyper)
            fitted.append(hyper)
        state: dict[str, Any] = {
            "kind": "gp",
            "data": data.hash,
            "full": n if full else warm["full"],
            "outcomes": {
                label: asdict(hyper) for label, hyper in zip(data.outcomes, fitted, strict=True)
            },
        }
        if taken:
            state["beyond limits"] = taken
        return self.restore(state, data, bounds)

    def restore(self, state: dict[str, Any], data: Data, bounds: Floats) -> GPFit:
        """Rebuild a stored fit; see :class:`orchestrator.surrogates.protocol.Surrogate`."""
        if state.get("kind") != "gp" or state.get("data") != data.hash:
            raise ValueError("this state is not that of a gp fitted to these data")
        models = []
        for column, label in enumerate(data.outcomes):
            hyper = state["outcomes"][label]
            table = _table(data, column, bounds)
            if table.sides is not None:
                table = table.with_taken(state["beyond limits"][label])
            models.append(table.model(Hyperparameters(**hyper)))
        return GPFit(state, ModelList(*models))


@dataclass(frozen=True)
class _Table:
    """The data of one outcome as its model sees them."""

    bounds: Tensor
    points: Tensor
    values: Tensor
    known: Tensor
    """Known noise variances; zero where unknown."""
    scale: tuple[float, float]
    sides: Tensor | None = None
    """Where a value is a limit, on which side of it the true one lies; None where none is."""

    def taken(self, hyper: Hyperparameters) -> list[list[float]]:
        """What each value beyond a limit is taken to be, and its noise variance; for the state."""
        assert self.sides is not None
        values, known = imputed(self.points, self.values, self.known, self.sides, hyper)
        chosen = self.sides != 0
        pairs: list[list[float]] = torch.stack([values[chosen], known[chosen]]).T.tolist()
        return pairs

    def with_taken(self, pairs: Sequence[Sequence[float]]) -> _Table:
        """The table with these in the place of values beyond a limit."""
        assert self.sides is not None
        values, known = self.values.clone(), self.known.clone()
        chosen = self.sides != 0
        stored = torch.tensor(pairs, dtype=torch.float64)
        values[chosen], known[chosen] = stored[:, 0], stored[:, 1]
        return replace(self, values=values, known=known)

    def model(self, hyper: Hyperparameters) -> OutcomeGP:
        noise = self.known + hyper.noise
        return OutcomeGP(self.bounds, hyper, self.scale, self.points, self.values, noise)


def _table(data: Data, column: int, bounds: Floats) -> _Table:
    """Standardise one outcome and leave out what is missing.

    Arrays are copied into torch's own memory: its alignment decides which vector instructions
    run, and with them the last bit.
    """
    present = np.isfinite(data.values[:, column])
    values, std = data.values[present, column], data.std[present, column]
    sides = None if data.sides is None else data.sides[present, column]
    shift = float(values.mean()) if len(values) else 0.0
    factor = float(values.std()) if len(values) else 1.0
    if factor <= 1e-12 * abs(shift):  # equal up to rounding
        factor = 1.0
    limits = torch.tensor(bounds)
    inside = (torch.tensor(data.points[present]) - limits[0]) / (limits[1] - limits[0])
    known = np.where(np.isfinite(std), (std / factor) ** 2, 0.0)
    return _Table(
        limits,
        inside,
        torch.tensor((values - shift) / factor),
        torch.tensor(known),
        (shift, factor),
        None if sides is None or not sides.any() else torch.tensor(sides),
    )


def _fitted(table: _Table, starts: Sequence[Hyperparameters], iterations: int) -> Hyperparameters:
    """The best of the climbs from the starts; a start as it is where there is nothing to learn."""
    if len(table.values) < 2:
        return starts[-1]
    climbs = [
        maximise(table.points, table.values, table.known, start, iterations) for start in starts
    ]
    return max(climbs, key=lambda climb: climb[1])[0]


def _usable(previous: dict[str, Any] | None, data: Data) -> dict[str, Any]:
    """The previous state if it fits these outcomes and dimensions, else an empty one."""
    if not previous or previous.get("kind") != "gp":
        return {}
    known = previous["outcomes"]
    dim = data.points.shape[1]
    fits = set(known) == set(data.outcomes) and all(
        len(hyper["lengthscales"]) == dim for hyper in known.values()
    )
    return previous if fits else {}

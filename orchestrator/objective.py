"""The objective: how measures become what is optimised.

Surrogates model *outcomes*, which are transformed measures; the objective is composed of them, and
of the log prior of the point, which is known exactly and never learned (composite Bayesian
optimisation: Astudillo and Frazier, ICML 2019). The composition is written with operators that
numpy arrays and torch tensors share, so that the value of a candidate and the samples of an
acquisition function go through the same lines.

Aggregates of terms t with weights w:

===============  =================================================================================
weighted_sum     sum of w t
arithmetic_mean  sum of w t, divided by the sum of w
geometric_mean   (product of t^w)^(1 / sum of w); a term below zero counts as zero
product          product of w t, of either sign
===============  =================================================================================
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orchestrator.spec.model import (
    LOG_PRIOR,
    Clip,
    Gaussian,
    Identity,
    Log,
    NegLog,
    ObjectiveSpec,
    Sigmoid,
    Step,
    Transform,
)

Floats = NDArray[np.float64]

_AS_IS = Identity(kind="identity")

_FLOOR = 1e-9
"""Smallest factor of a geometric mean inside an acquisition: a root has no gradient at zero."""


class ObjectiveError(ValueError):
    """The terms of a spec make no objective; the message is read by a person."""


@dataclass(frozen=True)
class Outcome:
    """A transformed measure: what a surrogate models."""

    measure: str
    transform: Transform

    @property
    def label(self) -> str:
        """Unique text, such as ``qed`` or ``neg_log(p_4, epsilon=1e-08)``."""
        options = self.transform.model_dump(exclude={"kind"})
        if isinstance(self.transform, Identity):
            return self.measure
        listed = "".join(f", {name}={value!r}" for name, value in options.items())
        return f"{self.transform.kind}({self.measure}{listed})"

    def apply(self, values: ArrayLike) -> Floats:
        """Transformed values, of the same shape; NaN wherever the result is not finite."""
        with np.errstate(all="ignore"):
            result = _transformed(self.transform, np.asarray(values, dtype=np.float64))
        return np.where(np.isfinite(result), result, np.nan)

    @property
    def reach(self) -> tuple[float, float]:
        """Least and greatest value that the transform can give."""
        bounded = isinstance(self.transform, Gaussian | Sigmoid | Clip | Step)
        return (0.0, 1.0) if bounded else (-math.inf, math.inf)

    def side(self, value: float, side: int) -> int:
        """On which side of the transformed limit the transformed true value lies.

        Args:
            value: a detection limit of the measure.
            side: 1 where the true measure lies above it, -1 where below.

        Returns:
            1, -1, or 0 where the transform is flat there: then the value is what it is.
        """
        if isinstance(self.transform, Gaussian):
            return 0  # it rises and falls beyond the limit
        step = 1e-6 * max(1.0, abs(value))
        rise = float(self.apply(value + step) - self.apply(value - step))
        return int(np.sign(rise)) * side if math.isfinite(rise) else 0

    def spread(self, values: ArrayLike, std: ArrayLike) -> Floats:
        """Standard deviation of the transformed values, by a central difference one std wide.

        NaN where the standard deviation is unknown or the transform is undefined there.
        """
        centre, width = np.asarray(values, dtype=np.float64), np.asarray(std, dtype=np.float64)
        return np.abs(self.apply(centre + width) - self.apply(centre - width)) / 2


def _transformed(transform: Transform, x: Floats) -> Floats:
    match transform:
        case Log():
            return np.log(x + transform.epsilon)
        case NegLog():
            return -np.log(x + transform.epsilon)
        case Gaussian():
            return np.exp(-(((x - transform.mean) / transform.std) ** 2) / 2)
        case Sigmoid():
            return 1 / (1 + np.exp(-(x - transform.center) / transform.scale))
        case Clip():
            return np.clip((x - transform.lower) / (transform.upper - transform.lower), 0, 1)
        case Step():
            return np.where(np.isnan(x), np.nan, (x >= transform.threshold) * 1.0)
        case _:
            return x


@dataclass(frozen=True)
class Limit:
    """A constraint, by the outcome that it limits."""

    outcome: int
    """Index into ``Objective.outcomes``."""
    lower: float | None
    upper: float | None


class Objective:
    """What a campaign optimises, built from its spec.

    Raises:
        ObjectiveError: no term is measured, or the weights make no mean.
    """

    outcomes: tuple[Outcome, ...]
    """What a surrogate models: the distinct terms but the log prior, then the constraints."""
    limits: tuple[Limit, ...]
    """The constraints."""
    maximize: bool
    """Direction of the spec."""

    def __init__(self, spec: ObjectiveSpec) -> None:
        terms = [Outcome(term.measure, term.transform) for term in spec.terms]
        constrained = [Outcome(constraint.measure, _AS_IS) for constraint in spec.constraints]
        learned = dict.fromkeys(o for o in terms if o.measure != LOG_PRIOR)
        self.outcomes = tuple(learned | dict.fromkeys(constrained))
        self.limits = tuple(
            Limit(self.outcomes.index(outcome), constraint.min, constraint.max)
            for outcome, constraint in zip(constrained, spec.constraints, strict=True)
        )
        self.maximize = spec.direction == "maximize"
        self._aggregate = spec.aggregate
        self._weights = tuple(term.weight for term in spec.terms)
        self._known = tuple(o for o in terms if o.measure == LOG_PRIOR)
        self._columns = _columns(terms, self.outcomes)
        _check(spec)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the outcomes, in their order."""
        return tuple(outcome.label for outcome in self.outcomes)

    @property
    def uses_log_prior(self) -> bool:
        """Whether the log prior of the point is one of the terms."""
        return bool(self._known)

    @property
    def coefficients(self) -> Floats | None:
        """Factor of each outcome in a linear objective, shape m; None where it is not linear.

        Normal outcomes make a normal objective then, so that its moments need no samples. The
        sign is that of ``compose``: larger is better.
        """
        if self._aggregate not in ("weighted_sum", "arithmetic_mean"):
            return None
        m, k = len(self.outcomes), len(self._known)
        origin = self.compose(np.zeros(m), np.zeros(k))
        return np.array([self.compose(row, np.zeros(k)) - origin for row in np.eye(m)])

    def outcome_values(self, readings: Mapping[str, float]) -> Floats:
        """Outcomes of one candidate's measures, shape m; NaN where missing or undefined."""
        return np.array(
            [float(o.apply(readings.get(o.measure, math.nan))) for o in self.outcomes],
            dtype=np.float64,
        )

    def value(self, readings: Mapping[str, float], log_prior: float) -> float | None:
        """Objective of one candidate, in the spec's own direction.

        Args:
            readings: values by measure, in the evaluators' units.
            log_prior: log density of the candidate's point; any number if no term asks for it.

        Returns:
            None if a measure of a term is missing or the value is not finite.
        """
        with np.errstate(all="ignore"):
            value = self._aggregated(
                self.outcome_values(readings), self.known(log_prior), floor=0.0
            )
        return float(value) if math.isfinite(value) else None

    def feasible(self, readings: Mapping[str, float]) -> bool:
        """Whether every constraint holds; a missing or undefined measure violates its own."""
        values = self.outcome_values(readings)
        return all(
            (limit.lower is None or values[limit.outcome] >= limit.lower)
            and (limit.upper is None or values[limit.outcome] <= limit.upper)
            and not math.isnan(values[limit.outcome])
            for limit in self.limits
        )

    def better(self, a: float, b: float) -> bool:
        """Whether the value ``a`` is strictly better than ``b``."""
        return a > b if self.maximize else a < b

    def known(self, log_prior: ArrayLike) -> Floats:
        """The terms that are known exactly: shape n.. to n.. x k, one column a prior term."""
        columns = [outcome.apply(log_prior) for outcome in self._known]
        shape = (*np.shape(log_prior), 0)
        return np.stack(columns, axis=-1) if columns else np.zeros(shape)

    def compose(self, outcomes: Any, known: Any) -> Any:
        """Objective of outcomes and known terms, with the sign turned so that larger is better.

        Args:
            outcomes: n.. x m, numpy array or torch tensor.
            known: n.. x k of :meth:`known`, of the same kind; broadcast against ``outcomes``.

        Returns:
            n.., of the same kind.
        """
        value = self._aggregated(outcomes, known, floor=_FLOOR)
        return value if self.maximize else -value

    def _aggregated(self, outcomes: Any, known: Any, floor: float) -> Any:
        terms = [(known if exact else outcomes)[..., column] for exact, column in self._columns]
        weighted = list(zip(self._weights, terms, strict=True))
        total = sum(self._weights)
        match self._aggregate:
            case "product":
                return reduce(operator.mul, (w * t for w, t in weighted))
            case "geometric_mean":
                powers = (t.clip(min=floor) ** (w / total) for w, t in weighted)
                return reduce(operator.mul, powers)
            case "arithmetic_mean":
                return reduce(operator.add, (w * t for w, t in weighted)) / total
            case _:
                return reduce(operator.add, (w * t for w, t in weighted))


def _columns(terms: list[Outcome], outcomes: tuple[Outcome, ...]) -> tuple[tuple[bool, int], ...]:
    """Where each term is found: whether among the known terms, and in which column there."""
    columns, known = [], 0
    for term in terms:
        exact = term.measure == LOG_PRIOR
        columns.append((exact, known if exact else outcomes.index(term)))
        known += exact
    return tuple(columns)


def _check(spec: ObjectiveSpec) -> None:
    weights = [term.weight for term in spec.terms]
    if all(term.measure == LOG_PRIOR for term in spec.terms):
        raise ObjectiveError(f"an objective needs a measured term beside {LOG_PRIOR}")
    if spec.aggregate == "geometric_mean" and min(weights) <= 0:
        raise ObjectiveError(f"a geometric_mean needs weights above 0, not {min(weights)}")
    if spec.aggregate == "arithmetic_mean" and sum(weights) == 0:
        raise ObjectiveError("an arithmetic_mean needs weights that do not add up to 0")

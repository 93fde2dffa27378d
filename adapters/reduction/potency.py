"""What a fitted curve says of a sample: an IC50 with its error, or the end of the doses it is past.

Which of the two is decided here, in this order:

1. No response to the dose (the F test of the curve, or an effect smaller than ``min_effect``, or a
   curve the wrong way round): the IC50 lies above the highest dose where the responses lie on the
   ineffective side of ``level``, below the lowest one where they lie on the effective side.
2. A midpoint outside the doses: censored at that end; no value where ``level`` says the contrary.
3. A plateau that does not reach ``level`` and on which fewer than two doses lie: not believed, the
   curve is an incomplete one, and the IC50 above the highest dose.
4. A standard error of log10 IC50 above ``max_log_std``: censored where all doses lie on one side of
   ``level``, otherwise no value.
5. The midpoint, with its standard error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from adapters.protocol import Censoring, EvaluatorError
from adapters.reduction import curves
from adapters.reduction.curves import Array, Fit
from adapters.reduction.recipes import CurveRecipe

PLATEAU = 0.9
"""Share of the way between the asymptotes that the end of a complete curve has gone."""

SUPPORT = 0.75
"""The same of a dose that counts for a plateau."""


@dataclass(frozen=True)
class Potency:
    """The IC50 of one sample, in the doses' unit."""

    value: float
    censoring: Censoring
    log_std: float | None
    """Standard error of log10 IC50; None where censored."""
    fit: Fit | None
    """The curve; None where the wells show none."""
    notes: tuple[str, ...] = ()

    @property
    def std(self) -> float | None:
        """Standard error of the IC50 itself: IC50 ln(10) log_std, the delta method."""
        return None if self.log_std is None else self.value * math.log(10.0) * self.log_std


def potency(doses: Array, responses: Array, recipe: CurveRecipe, median: bool) -> Potency:
    """The IC50 of responses (n) at doses (n), all doses above 0.

    With ``median`` the curve goes through the median of each dose, otherwise through every well.

    Raises:
        EvaluatorError: the wells allow no IC50 and no limit either; says why.
    """
    levels = np.unique(doses)
    middle = np.median if median else np.mean
    centres = np.array([float(middle(responses[doses == dose])) for dose in levels])
    if median:
        doses, responses = levels, centres
    lowest, highest, x = float(levels[0]), float(levels[-1]), np.log10(levels)
    sign = 1.0 if recipe.direction == "rising" else -1.0
    curves.require(np.log10(doses), recipe)
    passed = _passed(centres, recipe, sign)
    baseline = recipe.baseline
    effect = float(np.ptp(centres) if baseline is None else np.max(sign * (centres - baseline)))
    if effect < recipe.min_effect:
        why = f"the largest effect, {effect:.3g}, is less than {recipe.min_effect:g}"
        return _beyond(lowest, highest, _mostly(responses, recipe, sign), why)
    found = curves.fit(np.log10(doses), responses, recipe)
    flat = (
        "the response does not change with the dose"
        if found.significance > curves.SIGNIFICANCE
        else f"the response is not {recipe.direction}"
        if found.top <= found.bottom
        else ""
    )
    if flat:
        return _beyond(lowest, highest, _mostly(responses, recipe, sign), flat)
    shares = _shares(found, recipe, x)
    notes = _notes(found, recipe, shares)
    centre, error = found.centre, found.std(curves.CENTRE)
    if recipe.midpoint == "absolute" and recipe.level is not None:
        centre, error = curves.absolute(found, recipe.level, sign > 0)
    outside = 1 if centre > math.log10(highest) else -1 if centre < math.log10(lowest) else 0
    if passed is not None and outside and passed == (len(centres) if outside > 0 else 0):
        raise EvaluatorError(
            f"no IC50: the response, {float(np.mean(centres)):.3g} on the mean, is partial and "
            "does not change with the dose"
        )
    if outside > 0:
        return Potency(highest, Censoring.RIGHT, None, found, notes)
    if outside < 0:
        return Potency(lowest, Censoring.LEFT, None, found, notes)
    if passed == 0 and recipe.midpoint == "relative" and np.sum(shares >= SUPPORT) < 2:
        why = "the highest dose does not reach half, and no plateau is seen"
        return replace(_beyond(lowest, highest, False, why), fit=found)
    if "hill" in found.at_limit and found.hill == recipe.hill.upper and not recipe.hill.fixed:
        # A step between two doses may be anywhere between them: a uniform distribution's deviation.
        above = int(np.searchsorted(x, centre).clip(1, len(x) - 1))
        error = max(error, float(x[above] - x[above - 1]) / math.sqrt(12.0))
    if error > recipe.max_log_std or not found.converged:
        why = (
            f"the standard error of log10 IC50 is {error:.3g} decades, more than "
            f"{recipe.max_log_std:g}"
            if found.converged
            else f"no curve was found in {curves.MAX_EVALUATIONS} steps"
        )
        one_side = None if passed is None or 0 < passed < len(centres) else passed > 0
        return replace(_beyond(lowest, highest, one_side, why), fit=found)
    return Potency(float(10.0**centre), Censoring.NONE, error, found, notes)


def _passed(centres: Array, recipe: CurveRecipe, sign: float) -> int | None:
    """At how many doses the response lies on the effective side; None where nobody knows of one."""
    if recipe.level is None:
        return None
    return int(np.sum(sign * (centres - recipe.level) >= 0))


def _mostly(responses: Array, recipe: CurveRecipe, sign: float) -> bool | None:
    """Whether the responses as a whole lie on the effective side of the level."""
    if recipe.level is None:
        return None
    return sign * (float(np.mean(responses)) - recipe.level) >= 0


def _beyond(lowest: float, highest: float, effective: bool | None, why: str) -> Potency:
    """Censored at an end of the doses, or an error where nobody knows at which."""
    if effective is None:
        raise EvaluatorError(f"no IC50: {why}")
    if effective:
        return Potency(lowest, Censoring.LEFT, None, None, (why,))
    return Potency(highest, Censoring.RIGHT, None, None, (why,))


def _shares(found: Fit, recipe: CurveRecipe, x: Array) -> Array:
    """How far from no effect to full effect the curve is at x = log10 dose (n): n."""
    rising = recipe.direction == "rising"
    values = curves.response(np.array(found.parameters), x, rising)
    shares = (values - found.bottom) / (found.top - found.bottom)
    return shares if rising else 1 - shares


def _notes(found: Fit, recipe: CurveRecipe, shares: Array) -> tuple[str, ...]:
    """What keeps a curve from being a complete one."""
    rising = recipe.direction == "rising"
    first, last = float(shares[0]), float(shares[-1])
    notes = []
    if last < PLATEAU:
        notes.append(f"incomplete: the highest dose reaches {100 * last:.0f} % of the way")
    if first > 1 - PLATEAU:
        notes.append(f"incomplete: the lowest dose is {100 * first:.0f} % of the way already")
    if recipe.level is not None and (
        found.top < recipe.level if rising else found.bottom > recipe.level
    ):
        plateau = found.top if rising else found.bottom
        notes.append(f"partial: the plateau, {plateau:.3g}, does not reach {recipe.level:g}")
    notes += [f"{name} is at the limit of its range" for name in found.at_limit]
    return tuple(notes)

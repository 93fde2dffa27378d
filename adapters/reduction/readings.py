"""From the normalised wells of one sample to its readings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from adapters.protocol import Censoring, EvaluatorError, Reading
from adapters.reduction import curves
from adapters.reduction.plates import Position, Well, sort
from adapters.reduction.potency import Potency, potency
from adapters.reduction.recipes import Quantity, Recipe
from adapters.reduction.signals import centre
from adapters.units import convert

DIGITS = 8
"""Significant digits that are kept: more than a reader has, and fewer than processors and versions
of the libraries disagree in."""
_MIRRORED = {
    Censoring.NONE: Censoring.NONE,
    Censoring.LEFT: Censoring.RIGHT,
    Censoring.RIGHT: Censoring.LEFT,
}


@dataclass(frozen=True)
class SampleReadings:
    """What one sample gave."""

    readings: tuple[Reading, ...]
    doubts: tuple[str, ...]
    """Why they are not to be believed."""
    notes: tuple[str, ...]


def readings(wells: Sequence[Well], responses: Sequence[float], recipe: Recipe) -> SampleReadings:
    """The readings of a sample from its usable wells and their normalised responses.

    Raises:
        EvaluatorError: there are too few wells, or they allow no value; says why.
    """
    place = ranges(well.position for well in wells)
    if recipe.curve is None:
        if not wells:
            raise EvaluatorError("no usable well")
        doses = {well.dose for well in wells}
        if len(doses) > 1:
            raise EvaluatorError(
                f"{len(doses)} doses and no curve; add curve: 4pl to the reduction, or keep "
                "samples at one dose"
            )
        value = centre(responses, recipe.replicates)
        found = tuple(
            Reading(name, _tidy(value), recipe.unit, _error(responses, recipe), place=place)
            for name in recipe.gives
        )
        return SampleReadings(found, _scattered([responses], recipe), ())
    dosed = [
        (well.dose, response)
        for well, response in zip(wells, responses, strict=True)
        if well.dose is not None and well.dose > 0
    ]
    if not dosed:
        raise EvaluatorError("no usable well with a dose above 0")
    x, y = (np.array(one) for one in zip(*dosed, strict=True))
    gained = potency(x, y, recipe.curve, recipe.replicates == "median")
    doubts = list(_scattered([y[x == dose] for dose in np.unique(x)], recipe))
    limit, fit = recipe.limits.r_squared, gained.fit
    # A flat curve explains nothing, and says well that there is no effect: only values are judged.
    valued = gained.censoring is Censoring.NONE
    if limit is not None and valued and fit and fit.r_squared < limit:
        doubts.append(f"r_squared is {fit.r_squared:.3g}, less than {limit:g}")
    return SampleReadings(
        tuple(
            _of_curve(name, quantity, gained, recipe, place)
            for name, quantity in recipe.gives.items()
        ),
        tuple(doubts),
        gained.notes,
    )


def ranges(positions: Iterable[Position]) -> str:
    """Names of wells, neighbours in a row drawn together: ``B2:B11, C2``."""
    runs: list[list[Position]] = []
    for one in sort(positions):
        if runs and runs[-1][-1] == Position(one.row, one.column - 1):
            runs[-1].append(one)
        else:
            runs.append([one])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}:{run[-1]}" for run in runs)


def _of_curve(name: str, quantity: Quantity, found: Potency, recipe: Recipe, place: str) -> Reading:
    """One quantity of a curve; NaN where a censored IC50 leaves it unknown."""
    if quantity == "ic50":
        return Reading(
            name,
            _tidy(found.value),
            recipe.dose_unit,
            None if found.std is None else _tidy(found.std),
            found.censoring,
            place=place,
        )
    if quantity == "pic50":
        molar = convert(found.value, recipe.dose_unit, "mol/l")
        return Reading(
            name,
            _tidy(-math.log10(molar)),
            "",
            None if found.log_std is None else _tidy(found.log_std),
            _MIRRORED[found.censoring],
            place=place,
        )
    unit = recipe.unit if quantity in ("top", "bottom") else ""
    fit = found.fit
    if fit is None or found.censoring is not Censoring.NONE:
        return Reading(name, math.nan, unit, place=place)
    if quantity == "r_squared":
        return Reading(name, _tidy(fit.r_squared), unit, place=place)
    index = curves.NAMES.index(quantity)
    std = fit.std(index)
    return Reading(
        name,
        _tidy(fit.parameters[index]),
        unit,
        _tidy(std) if 0 < std < math.inf else None,
        place=place,
    )


def _error(responses: Sequence[float], recipe: Recipe) -> float | None:
    """Standard error of the mean or median of replicates; None for one well."""
    n = len(responses)
    if n < 2:
        return None
    error = float(np.std(responses, ddof=1)) / math.sqrt(n)
    if recipe.replicates == "median" and n > 2:  # of two, the median is the mean
        error *= math.sqrt(math.pi / 2)
    return _tidy(error)


def _scattered(groups: Sequence[Sequence[float]], recipe: Recipe) -> tuple[str, ...]:
    """The doubt that replicates lie too far apart, pooled over the doses; none for single wells."""
    limit = recipe.limits.replicate_std
    freedom = sum(len(group) - 1 for group in groups)
    if limit is None or not freedom:
        return ()
    squares = sum(float(np.sum((np.asarray(one) - np.mean(one)) ** 2)) for one in groups)
    std = math.sqrt(squares / freedom)
    if std <= limit:
        return ()
    return (f"replicates have a standard deviation of {std:.3g}, more than {limit:g}",)


def _tidy(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")

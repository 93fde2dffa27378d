"""From what a reader measured in each well to one background-free number a well."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adapters.messages import known, quote
from adapters.protocol import EvaluatorError
from adapters.reduction.plates import Position, Role, Well, sort
from adapters.reduction.recipes import Centre, Recipe

HUGE = 1e30
"""No reader counts so far; from here on squares and products would leave the floats."""


class UnreducibleError(EvaluatorError):
    """Nothing can be computed of a plate; the message is its verdict."""


@dataclass(frozen=True)
class Signals:
    """The wells of a plate that count, along the rows."""

    wells: tuple[Well, ...]
    raw: Mapping[Position, float]
    """What was read, divided by the other channel where the recipe says so."""
    corrected: Mapping[Position, float]
    """The same without background."""
    left_out: Mapping[Position, str]
    """Why a well that holds something counts for nothing."""

    def of(self, role: Role, *, raw: bool = False) -> list[float]:
        """The signals of the wells with that role."""
        values = self.raw if raw else self.corrected
        return [values[well.position] for well in self.wells if well.role is role]


def centre(values: Sequence[float], how: Centre) -> float:
    """Mean or median."""
    return float(np.median(values) if how == "median" else np.mean(values))


def signals(wells: Sequence[Well], recipe: Recipe) -> Signals:
    """Read the wells by the recipe.

    Raises:
        EvaluatorError: two wells have one position, or a channel of the recipe is on no well.
        UnreducibleError: the background is to be taken from blanks, and there is none.
    """
    by_position = {well.position: well for well in wells}
    if len(by_position) < len(wells):
        places = [well.position for well in wells]
        twice = next(one for one in places if places.count(one) > 1)
        raise EvaluatorError(f"well {twice} is given twice")
    channels = _channels(wells, recipe)
    used = [
        by_position[one] for one in sort(by_position) if by_position[one].role is not Role.EMPTY
    ]
    left_out = {well.position: why for well in used if (why := _unusable(well, channels, recipe))}
    usable = [well for well in used if well.position not in left_out]
    background = _background(usable, channels, recipe)
    raw, corrected = {}, {}
    for well in usable:
        position = well.position
        if position.row not in background:
            left_out[position] = f"no usable blank in row {str(position).rstrip('0123456789')}"
            continue
        read = [well.signals[channel] for channel in channels]
        less = [one - off for one, off in zip(read, background[position.row], strict=True)]
        if len(channels) == 2 and not (read[1] > 0 and less[1] > 0):
            left_out[position] = f"{channels[1]} is not above its background"
            continue
        raw[position] = read[0] / read[1] if len(channels) == 2 else read[0]
        corrected[position] = less[0] / less[1] if len(channels) == 2 else less[0]
    kept = tuple(well for well in usable if well.position in corrected)
    return Signals(kept, raw, corrected, left_out)


def _channels(wells: Sequence[Well], recipe: Recipe) -> tuple[str, ...]:
    """The channel that is read, and the one that it is divided by where there is one."""
    given = sorted({channel for well in wells for channel in well.signals})
    named = tuple(filter(None, (recipe.signal, recipe.divide_by)))
    for channel in named:
        if given and channel not in given:
            raise EvaluatorError(f"no well has a signal {quote(channel)}; {known(channel, given)}")
    if named:
        return named
    if len(given) > 1:
        raise EvaluatorError(
            f"the wells have {len(given)} signals, {', '.join(given)}; name one in the reduction, "
            f"as signal: {given[0]}"
        )
    return tuple(given) or ("signal",)


def _unusable(well: Well, channels: Sequence[str], recipe: Recipe) -> str:
    """Why a well counts for nothing; empty where it counts."""
    if well.masked:
        return f"masked ({well.masked})"
    for channel in channels:
        if channel not in well.signals:
            return "missing"
        value = well.signals[channel]
        if math.isnan(value):
            return "no number"
        if abs(value) > HUGE:
            return "beyond the reader's range"
        if recipe.saturation is not None and value >= recipe.saturation:
            return f"saturated ({value:g})"
    return ""


def _background(
    usable: Sequence[Well], channels: Sequence[str], recipe: Recipe
) -> dict[int, list[float]]:
    """What is taken off each channel, by row; a row without usable blanks may lack."""
    rows = {well.position.row for well in usable}
    if recipe.background == "none":
        return {row: [0.0] * len(channels) for row in rows}
    blanks = [well for well in usable if well.role is Role.BLANK]
    if not blanks:
        raise UnreducibleError(
            f"background: {recipe.background} needs blanks, and no blank well is usable"
        )
    groups = {
        row: [
            blank for blank in blanks if recipe.background == "blank" or blank.position.row == row
        ]
        for row in rows
    }
    return {
        row: [
            centre([one.signals[channel] for one in group], recipe.controls) for channel in channels
        ]
        for row, group in groups.items()
        if group
    }

"""Replicates: several measurements of one measure as one value with its spread."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from db.models import Measurement


@dataclass(frozen=True)
class Reduced:
    """One measure of one candidate, over its replicates."""

    value: float
    unit: str
    std: float | None
    """Standard deviation of ``value``: as reported, or the standard error of the replicates."""
    side: int = 0
    """1 where the value is a detection limit and the true one lies above it, -1 where below. Of
    replicates it is set where every one says so."""


def reduce(measurements: Iterable[Measurement]) -> dict[str, Reduced]:
    """Each measure of one candidate as the mean of its replicates, in order of measurement."""
    grouped: dict[str, list[Measurement]] = defaultdict(list)
    for row in measurements:
        grouped[row.name].append(row)
    return {name: _mean(rows) for name, rows in grouped.items()}


def _mean(rows: Sequence[Measurement]) -> Reduced:
    values = [row.value for row in rows]
    if len(rows) == 1:
        return Reduced(values[0], rows[0].unit, rows[0].std, _side(rows))
    # Replayed fits must find the last bit of numpy's sums again; a list of single measurements
    # need not wait for it.
    import numpy as np

    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Reduced(float(np.mean(values)), rows[0].unit, error, _side(rows))


def _side(rows: Sequence[Measurement]) -> int:
    found = {_SIDES.get(row.censoring or "none", 0) for row in rows}
    return found.pop() if len(found) == 1 else 0


_SIDES = {"left": -1, "right": 1}


def values(reduced: Mapping[str, Reduced]) -> dict[str, float]:
    """The values by measure."""
    return {name: one.value for name, one in reduced.items()}

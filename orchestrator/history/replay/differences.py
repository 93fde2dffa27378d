"""How far what was computed again lies from what is stored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from adapters.messages import quote

TOLERANCE = 1e-6
"""Largest deviation that other processors and libraries may cause: of a coordinate as a share of
its range, of any other number as a share of itself."""


@dataclass(frozen=True)
class Difference:
    """One value that came out otherwise."""

    where: str
    stored: Any
    again: Any
    distance: float
    """Relative deviation; infinite where the two are no numbers."""

    @property
    def what(self) -> str:
        """For a person."""
        far = "" if math.isinf(self.distance) else f" ({self.distance:.1e} apart)"
        return f"{quote(self.stored)} is stored; computed again it is {quote(self.again)}{far}"


def compare(
    where: str, stored: Any, again: Any, spans: Mapping[int, float] | None = None
) -> Iterator[Difference]:
    """Every number and text in which two JSON values differ; NaN equals None and itself.

    Args:
        where: Place of the values; what lies inside them is named behind it.
        stored: The one.
        again: The other.
        spans: For a list of numbers, the range of each by index, by which deviations are divided.
    """
    stored, again = _plain(stored), _plain(again)
    if isinstance(stored, dict) and isinstance(again, dict):
        for key in sorted(stored.keys() | again.keys()):
            yield from compare(f"{where}, {key}", stored.get(key), again.get(key))
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for index, (one, other) in enumerate(zip(stored, again, strict=True)):
            span = (spans or {}).get(index)
            for found in compare(f"{where}[{index}]", one, other):
                if span is not None and math.isfinite(found.distance):
                    found = replace(found, distance=abs(one - other) / span)
                yield found
    elif stored != again:
        yield Difference(where, stored, again, _distance(stored, again))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return None if isinstance(value, float) and math.isnan(value) else value


def _distance(one: Any, other: Any) -> float:
    numbers = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other)
    )
    if not numbers or math.isinf(one) or math.isinf(other):
        return math.inf
    return float(abs(one - other) / max(abs(one), abs(other)))

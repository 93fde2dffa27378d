"""Units as SiLA 2 writes them: a label for people, and what a value is in SI units.

A value in the unit is ``factor * value + offset`` in the product of SI units. The label is never
read: ``C`` may be a coulomb or a degree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.protocol import EvaluatorError
from adapters.units import convert, convert_std


@dataclass(frozen=True)
class Unit:
    """A unit of a feature's definition."""

    label: str
    factor: float
    offset: float
    components: tuple[tuple[str, int], ...]
    """SI units by pint's names, each with its exponent; none for what is dimensionless."""

    @property
    def si(self) -> str:
        """The product of SI units, as pint reads it."""
        return " * ".join(f"{name} ** {exponent}" for name, exponent in self.components)

    def value(self, value: float, to: str) -> float:
        """A value in this unit expressed in another.

        Raises:
            EvaluatorError: the two measure different things.
        """
        # Where the two are the same unit, no rounding may change what the instrument said.
        return value if self._is(to) else convert(self.factor * value + self.offset, self.si, to)

    def std(self, std: float, to: str) -> float:
        """A standard deviation in this unit expressed in another.

        Raises:
            EvaluatorError: the two measure different things.
        """
        return std if self._is(to) else convert_std(abs(self.factor) * std, self.si, to)

    def of(self, value: float, unit: str) -> float:
        """A value in another unit expressed in this one.

        Raises:
            EvaluatorError: the two measure different things.
        """
        return (
            value if self._is(unit) else (convert(value, unit, self.si) - self.offset) / self.factor
        )

    def _is(self, unit: str) -> bool:
        zero, one = (convert(self.factor * x + self.offset, self.si, unit) for x in (0.0, 1.0))
        return math.isclose(zero, 0, abs_tol=1e-9) and math.isclose(one - zero, 1, rel_tol=1e-9)

    def written(self) -> dict[str, Any]:
        """As a delivery has it."""
        si = dict(self.components)
        return {"label": self.label, "factor": self.factor, "offset": self.offset, "si": si}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Unit:
        """From a delivery.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it has no such unit.
        """
        components = tuple((str(name), int(n)) for name, n in written["si"].items())
        factor, offset = float(written["factor"]), float(written["offset"])
        return cls(str(written["label"]), factor, offset, components)

    def require(self, unit: str) -> None:
        """Make sure that values in this unit can be expressed in another.

        Raises:
            EvaluatorError: they cannot.
        """
        if not (math.isfinite(self.factor) and self.factor and math.isfinite(self.offset)):
            raise EvaluatorError(f"the unit {self.label!r} of the server has factor {self.factor}")
        convert(1.0, self.si, unit)

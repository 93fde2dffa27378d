"""Units of measures, read and converted by pint.

pint takes half a second to load, so that nothing here touches it while units are spelled alike.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from adapters.messages import quote
from adapters.protocol import EvaluatorError

if TYPE_CHECKING:
    from pint import UnitRegistry


@cache
def _registry() -> UnitRegistry[float]:
    import pint

    return pint.UnitRegistry()


def require_unit(unit: str) -> None:
    """Make sure that pint reads this unit; the empty string is dimensionless.

    Raises:
        EvaluatorError: pint does not.
    """
    try:
        _registry().parse_units(unit)
    except Exception as error:  # pint raises whatever its tokenizer and Python's arithmetic raise
        raise EvaluatorError(
            f"{quote(unit)} is no unit that pint reads ({error}); write for example 'nanomolar', "
            "'g/mol', 'percent', or '' for a dimensionless measure"
        ) from error


def convert(value: float, unit: str, to: str) -> float:
    """``value`` in ``unit`` expressed in ``to``; NaN and infinities stay what they are.

    Raises:
        EvaluatorError: a unit is unknown, or the two measure different things.
    """
    if unit == to:
        return value
    require_unit(unit)
    require_unit(to)
    try:
        converted = float(_registry().Quantity(value, unit).to(to).magnitude)
        # Fifteen digits: 10 umol/l is 10000 nmol/l and not 9999.999999999998.
        return float(f"{converted:.15g}")
    except Exception as error:  # as above; DimensionalityError and OffsetUnitCalculusError mostly
        raise EvaluatorError(
            f"{quote(unit)} cannot be converted to {quote(to)}: {error}"
        ) from error


def convert_std(std: float, unit: str, to: str) -> float:
    """A standard deviation in ``unit`` expressed in ``to``; 1 degC of spread is 1 K, not 274.15.

    Raises:
        EvaluatorError: as :func:`convert`.
    """
    return abs(convert(std, unit, to) - convert(0.0, unit, to))

"""The measures of a transport, which only its user knows: declared in the spec, under ``options``.

::

    options:
      measures:
        potency: {unit: nmol/l, lower: 0, upper: 1e9}
        yield: percent                 # a bare unit
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from adapters.protocol import EvaluatorError, Measure, OptionError
from adapters.units import require_unit


class MeasureOption(TypedDict):
    """One measure as a spec declares it."""

    unit: NotRequired[str]
    lower: NotRequired[float]
    upper: NotRequired[float]
    description: NotRequired[str]


Measures = Mapping[str, str | MeasureOption]
"""Type of the option ``measures`` of every transport: by name, a unit or its particulars."""


def measures(option: Measures) -> tuple[Measure, ...]:
    """The declared measures.

    Raises:
        OptionError: there is none, a unit is unknown, or a lower bound is above the upper one.
    """
    if not option:
        raise OptionError("measures", "is empty; name at least one, such as {yield: percent}")
    return tuple(_measure(name, one) for name, one in option.items())


def _measure(name: str, option: str | MeasureOption) -> Measure:
    measure = (
        Measure(name, option)
        if isinstance(option, str)
        else Measure(
            name,
            option.get("unit", ""),
            option.get("lower"),
            option.get("upper"),
            option.get("description", ""),
        )
    )
    try:
        require_unit(measure.unit)
    except EvaluatorError as error:
        raise OptionError("measures", f"the unit of {name!r}: {error}") from error
    if measure.lower is not None and measure.upper is not None and measure.lower > measure.upper:
        raise OptionError(
            "measures", f"{name!r} has lower {measure.lower:g} above upper {measure.upper:g}"
        )
    return measure

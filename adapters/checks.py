"""What makes a reading fit to become a measurement.

The same checks serve the calculators, the conformance kit, and whoever records the outcomes of an
evaluator that somebody else wrote.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from adapters.messages import known
from adapters.protocol import Capabilities, EvaluatorError, Measure, Reading
from adapters.units import convert


def require_measures(capabilities: Capabilities, measures: Iterable[str]) -> None:
    """Make sure that an evaluator declares these measures.

    Raises:
        EvaluatorError: it does not declare one of them.
    """
    names = [measure.name for measure in capabilities.measures]
    for name in measures:
        if name not in names:
            raise EvaluatorError(
                f"evaluator {capabilities.name!r} gives no measure {name!r}; {known(name, names)}"
            )


def refusals(
    capabilities: Capabilities, wanted: Sequence[str], readings: Sequence[Reading]
) -> list[str]:
    """Why these readings of one job are no measurements, in words for a person; empty when sound.

    NaN and infinities are readings: what they mean is for the campaign to say, not for this check.
    """
    counts = Counter(reading.name for reading in readings)
    found = [f"measure {name!r} is missing" for name in wanted if not counts[name]]
    found += [f"measure {name!r} is given {n} times" for name, n in counts.items() if n > 1]
    for reading in readings:
        measure = capabilities.measure(reading.name)
        if measure is None:
            names = [m.name for m in capabilities.measures]
            found.append(f"measure {reading.name!r} is not declared; {known(reading.name, names)}")
        else:
            found += _faults(reading, measure)
    return found


def _faults(reading: Reading, measure: Measure) -> list[str]:
    """What is wrong with one reading of a declared measure."""
    found = []
    try:
        value = convert(reading.value, reading.unit, measure.unit)
    except EvaluatorError as error:
        return [f"measure {reading.name!r} has a wrong unit: {error}"]
    shown = f"measure {reading.name!r} is {value!r} {measure.unit}".rstrip()
    if math.isfinite(value):
        if measure.lower is not None and value < measure.lower:
            found.append(f"{shown}; less than {measure.lower!r} is impossible")
        if measure.upper is not None and value > measure.upper:
            found.append(f"{shown}; more than {measure.upper!r} is impossible")
    if reading.std is not None and not (math.isfinite(reading.std) and reading.std >= 0):
        found.append(
            f"measure {reading.name!r} has standard deviation {reading.std!r}; "
            "it must be a number from 0 on, or left out"
        )
    return found

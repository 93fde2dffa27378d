"""The delivery of a calculator: one outcome as canonical JSON, and back.

Canonical means: keys sorted, no white space, ASCII, floats in their shortest form that reads back
to the same bits, NaN and infinities as strings (JSON has no others; RFC 8259). The same outcome
always gives the same bytes, so that asking an idempotent calculator again adds nothing new.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.messages import quote
from adapters.protocol import EvaluatorError, Outcome, OutcomeStatus, Reading

_NON_FINITE = ("NaN", "Infinity", "-Infinity")


@dataclass(frozen=True)
class Answer:
    """One outcome and what made it."""

    outcome: Outcome
    """Readings of a failed outcome are kept in the bytes, and are not read back as readings."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """What the values depend on beside the sample: name and version, libraries, hash of weights."""


def write(answer: Answer) -> bytes:
    """The canonical bytes."""
    outcome = answer.outcome
    document: dict[str, Any] = {
        "job": outcome.job,
        "status": outcome.status.value,
        "provenance": dict(answer.provenance),
        "readings": {reading.name: _quantity(reading) for reading in outcome.readings},
    }
    if outcome.status is not OutcomeStatus.SUCCEEDED:
        document |= {"reason": outcome.reason, "transient": outcome.transient}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def read(body: bytes) -> Answer:
    """The answer in canonical bytes; each reading's place is a JSON pointer (RFC 6901).

    Raises:
        EvaluatorError: the bytes are no such answer.
    """
    try:
        document = json.loads(body)
        status = OutcomeStatus(document["status"])
        succeeded = status is OutcomeStatus.SUCCEEDED
        readings = [_reading(*item) for item in document["readings"].items()] if succeeded else []
        outcome = Outcome(
            job=_text(document["job"]),
            status=status,
            readings=tuple(readings),
            reason="" if succeeded else _text(document["reason"]),
            transient=not succeeded and bool(document["transient"]),
        )
        return Answer(outcome, {k: _text(v) for k, v in document["provenance"].items()})
    # ValueError covers bytes that are not UTF-8 and text that is not JSON; RecursionError, JSON
    # that is nested without end.
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EvaluatorError(
            f"this is no answer of a calculator ({type(error).__name__}: {error}): "
            f"it begins with {quote(body)}"
        ) from error


def _quantity(reading: Reading) -> dict[str, object]:
    quantity: dict[str, object] = {"value": _plain(reading.value), "unit": reading.unit}
    if reading.std is not None:
        quantity["std"] = _plain(reading.std)
    return quantity


def _reading(name: str, quantity: Mapping[str, object]) -> Reading:
    pointer = name.replace("~", "~0").replace("/", "~1")
    std = quantity.get("std")
    return Reading(
        name=name,
        value=_number(quantity["value"]),
        unit=_text(quantity["unit"]),
        std=None if std is None else _number(std),
        place=f"/readings/{pointer}/value",
    )


def _plain(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _number(value: object) -> float:
    if isinstance(value, str) and value in _NON_FINITE:
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{quote(value)} is no number")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{quote(value)} is no text")
    return value

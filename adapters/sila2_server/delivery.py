"""The delivery of one execution as canonical JSON, and what it says of its job.

What the server sent stands in it twice: read, with types and units, and as the bytes that came (in
base64). So the same delivery reads alike years later, without the server and without its library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.messages import plain, quote
from adapters.protocol import EvaluatorError, Measure, Outcome, OutcomeStatus, Reading
from adapters.sila2_server.options import Source
from adapters.sila2_server.units import Unit
from adapters.units import convert

_STATUS = {
    "sample": OutcomeStatus.REJECTED,
    "validation": OutcomeStatus.REJECTED,
    "defined": OutcomeStatus.FAILED,
    "undefined": OutcomeStatus.FAILED,
    "metadata": OutcomeStatus.FAILED,
    "refused": OutcomeStatus.FAILED,
    "not accepted": OutcomeStatus.FAILED,
    "unreadable": OutcomeStatus.FAILED,
    "unknown execution": OutcomeStatus.DOUBTFUL,
    "lost": OutcomeStatus.DOUBTFUL,
}
"""What each kind of error says of the job."""

_ALWAYS_TRANSIENT = ("undefined", "not accepted")
_LOCKED = "org.silastandard/core/LockController/v1/DefinedExecutionError/InvalidLockIdentifier"
"""Somebody else has locked the server, for a while."""


def write(document: Mapping[str, Any]) -> bytes:
    """The canonical bytes."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def error(kind: str, message: str, identifier: str = "") -> dict[str, str]:
    """What stands in a delivery or ticket for an execution that gave no responses."""
    return {"kind": kind, "identifier": identifier, "message": message}


class Reader:
    """Reads deliveries by the options of an evaluator."""

    def __init__(
        self,
        measures: tuple[Measure, ...],
        sources: Mapping[str, Source],
        measured_at: str,
        transient: frozenset[str],
    ) -> None:
        self._measures = measures
        self._sources = sources
        self._measured_at = measured_at
        self._transient = transient

    def outcome(self, body: bytes) -> Outcome:
        """What a delivery says.

        Raises:
            EvaluatorError: the bytes are none.
        """
        try:
            document = json.loads(body)
            job = document["job"]
            if not isinstance(job, str):
                raise TypeError("the job's key is no text")
            if "error" in document:
                return self._failed(job, document["error"])
            responses = document["responses"]
            if not isinstance(responses, dict):
                raise TypeError("the responses are no object")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as wrong:
            raise EvaluatorError(
                f"this is no delivery of a SiLA 2 server ({type(wrong).__name__}: {wrong}): it "
                f"begins with {quote(body)}"
            ) from wrong
        try:
            at = self._moment(responses)
            readings = tuple(self._reading(one, responses, at) for one in self._measures)
        except (EvaluatorError, LookupError, TypeError, ValueError, AttributeError) as wrong:
            return Outcome(job, OutcomeStatus.FAILED, reason=plain(str(wrong)))
        return Outcome(job, OutcomeStatus.SUCCEEDED, readings)

    def _failed(self, job: str, said: Mapping[str, str]) -> Outcome:
        kind, identifier = said["kind"], said["identifier"]
        short = identifier.rpartition("/")[2]
        reason = f"{short}: {said['message']}" if short else said["message"]
        passing = kind in _ALWAYS_TRANSIENT or (
            kind == "defined" and (identifier == _LOCKED or {short, identifier} & self._transient)
        )
        return Outcome(job, _STATUS[kind], reason=plain(reason), transient=bool(passing))

    def _reading(self, measure: Measure, responses: dict[str, Any], at: int | None) -> Reading:
        source = self._sources[measure.name]
        place, leaf = _leaf(responses, source.response)
        value, std = _number(source.response, leaf), None
        if source.std:
            std = _number(source.std, _leaf(responses, source.std)[1])
        if "unit" in leaf:
            unit = Unit.read(leaf["unit"])
            value = unit.value(value, measure.unit)
            std = None if std is None else unit.std(std, measure.unit)
            return Reading(measure.name, value, measure.unit, std, measured_at=at, place=place)
        own = measure.unit if source.unit is None else source.unit
        return Reading(measure.name, value, own, std, measured_at=at, place=place)

    def _moment(self, responses: dict[str, Any]) -> int | None:
        if not self._measured_at:
            return None
        _, leaf = _leaf(responses, self._measured_at)
        at = datetime.fromisoformat(leaf["value"]).astimezone(UTC)
        return int(at.timestamp()) * 1_000_000 + at.microsecond


def _leaf(responses: Mapping[str, Any], path: str) -> tuple[str, Mapping[str, Any]]:
    """A response by its path, and the JSON pointer of its value.

    Raises:
        EvaluatorError: there is none.
    """
    pointer, values, leaf = "/responses", responses, None
    for step in path.split("."):
        found: Any = values
        try:
            leaf = found[int(step)] if isinstance(found, list) else found[step]
        except (LookupError, ValueError, TypeError):
            raise EvaluatorError(f"the server gave no response {path!r}") from None
        pointer = f"{pointer}/{step}/value"
        values = leaf.get("value")
    assert leaf is not None
    return pointer, leaf


def _number(path: str, leaf: Mapping[str, Any]) -> float:
    value = leaf.get("value")
    if leaf.get("type") == "Real" and value in ("NaN", "Infinity", "-Infinity"):
        return float(str(value))
    if isinstance(value, bool | int | float):
        return float(value)
    raise EvaluatorError(f"the response {path!r} is {quote(value)}, which is no number")


def require(source: Source, measure: Measure, unit: Unit | None) -> None:
    """Make sure that a response can be expressed in the unit of its measure.

    Raises:
        EvaluatorError: it cannot.
    """
    if unit is None:
        convert(1.0, measure.unit if source.unit is None else source.unit, measure.unit)
        return
    unit.require(measure.unit)
    if source.unit is not None and abs(unit.value(1.0, source.unit) - 1) > 1e-9:
        raise EvaluatorError(
            f"the server gives it in {unit.label!r}, not in {source.unit!r}; leave out 'unit'"
        )

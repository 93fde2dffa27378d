"""Results as JSON: one form for services, programs and instruments that can be taught to write it.

::

    {"job": "…/17/potency/1", "status": "succeeded",
     "readings": {"potency": {"value": 12.5, "unit": "nmol/l", "std": 0.7, "censoring": "none"}},
     "measured_at": "2026-11-27T14:03:00Z", "instrument": "reader 3", "operator": "ada",
     "lot": "L7"}

or ``{"results": [...]}`` of such, or a list. A reading may be a bare number in the declared unit.
``status`` is succeeded, failed, rejected or doubtful; the last three give a ``reason``, and what
failed may be ``transient``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from adapters.messages import plain, quote
from adapters.protocol import (
    Capabilities,
    Censoring,
    EvaluatorError,
    Outcome,
    OutcomeStatus,
    Reading,
)

KEYS = frozenset(
    {
        *("job", "status", "readings", "reason", "transient", "suspect", "realised"),
        *("measured_at", "instrument", "operator", "lot"),
    }
)


def read(
    body: bytes,
    capabilities: Capabilities,
    job: str | None = None,
    *,
    besides: frozenset[str] = frozenset(),
) -> list[Outcome]:
    """The outcomes in a document.

    Args:
        capabilities: whose measures give the unit of a bare number.
        job: whom a single result answers that names none.
        besides: keys that a single result may have, too, and that say nothing of it.

    Raises:
        EvaluatorError: it is no such document; names the place, as a JSON pointer.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EvaluatorError(f"this is not JSON ({error}): it begins with {quote(body)}") from error
    return [_outcome(one, place, capabilities, job, besides) for place, one in _results(document)]


def _results(document: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each result with its JSON pointer."""
    if isinstance(document, Mapping) and "results" in document:
        found, above = document["results"], "/results"
    elif isinstance(document, list):
        found, above = document, ""
    else:
        found, above = [document], None
    if not isinstance(found, list):
        raise EvaluatorError(f"{above} is {quote(found)}, and must be a list of results")
    for index, one in enumerate(found):
        place = "" if above is None else f"{above}/{index}"
        if not isinstance(one, Mapping):
            raise EvaluatorError(f"{place or 'the document'} is {quote(one)}, and no result")
        yield place, one


def _outcome(
    one: Mapping[str, Any],
    place: str,
    capabilities: Capabilities,
    job: str | None,
    besides: frozenset[str],
) -> Outcome:
    key = one.get("job", job)
    if not isinstance(key, str):
        raise EvaluatorError(f"{place}/job is {quote(key)}; name the job that the result answers")
    if strange := sorted(set(one) - KEYS - (frozenset() if place else besides)):
        raise EvaluatorError(
            f"{place}/{strange[0]} is not known here; a result has {', '.join(sorted(KEYS))}"
        )
    try:
        status = OutcomeStatus(one.get("status", "succeeded"))
    except ValueError as error:
        said = ", ".join(OutcomeStatus)
        raise EvaluatorError(f"{place}/status is {quote(one['status'])}; say {said}") from error
    if status is not OutcomeStatus.SUCCEEDED:
        reason = plain(_text(one, "reason", place)) or "no reason was given"
        return Outcome(key, status, reason=reason, transient=one.get("transient") is True)
    readings = one.get("readings")
    if not isinstance(readings, Mapping) or not readings:
        raise EvaluatorError(f"{place}/readings is {quote(readings)}; give a value a measure")
    common = {
        "measured_at": _time(one.get("measured_at"), place),
        "instrument": _text(one, "instrument", place),
        "operator": _text(one, "operator", place),
        "lot": _text(one, "lot", place),
    }
    return Outcome(
        key,
        status,
        tuple(
            _reading(str(name), said, place, capabilities, common)
            for name, said in readings.items()
        ),
        suspect=_text(one, "suspect", place),
        realised=_text(one, "realised", place) or None,
    )


def _reading(
    name: str,
    said: object,
    above: str,
    capabilities: Capabilities,
    common: Mapping[str, Any],
) -> Reading:
    pointer = f"{above}/readings/{name.replace('~', '~0').replace('/', '~1')}"
    measure = capabilities.measure(name)
    quantity = said if isinstance(said, Mapping) else {"value": said}
    unit = quantity.get("unit", measure.unit if measure else "")
    try:
        censoring = Censoring(str(quantity.get("censoring") or "none"))
    except ValueError as error:
        said = quantity["censoring"]
        raise EvaluatorError(
            f"{pointer}/censoring is {quote(said)}; left, right or none"
        ) from error
    std = quantity.get("std")
    return Reading(
        name=name,
        value=_number(quantity.get("value"), f"{pointer}/value"),
        unit=unit if isinstance(unit, str) else quote(unit),
        std=None if std is None else _number(std, f"{pointer}/std"),
        censoring=censoring,
        place=f"{pointer}/value" if isinstance(said, Mapping) else pointer,
        **common,
    )


def _number(said: object, place: str) -> float:
    if isinstance(said, str) and said in ("NaN", "Infinity", "-Infinity"):
        return float(said)
    if isinstance(said, bool) or not isinstance(said, int | float):
        raise EvaluatorError(f"{place} is {quote(said)}, and no number")
    try:
        return float(said)
    except OverflowError as error:
        raise EvaluatorError(f"{place} is larger than any number") from error


def _text(one: Mapping[str, Any], key: str, place: str) -> str:
    said = one.get(key)
    if said is None:
        return ""
    if not isinstance(said, str):
        raise EvaluatorError(f"{place}/{key} is {quote(said)}, and no text")
    return plain(said)


def _time(said: object, place: str) -> int | None:
    """Microseconds UTC of a time in ISO 8601 with its zone."""
    if said is None:
        return None
    try:
        at = datetime.fromisoformat(str(said))
        if at.tzinfo is None:
            raise ValueError("it has no time zone")
        return round(at.timestamp() * 1_000_000)
    except (ValueError, OverflowError) as error:
        raise EvaluatorError(
            f"{place}/measured_at is {quote(said)} ({error}); write such as 2026-11-27T14:03:00Z"
        ) from error


def sample(content: str | bytes) -> dict[str, str]:
    """The content of a sample as JSON holds it: text, or bytes in base 64 and said so."""
    if isinstance(content, str):
        return {"content": content}
    import base64

    return {"content": base64.b64encode(content).decode(), "encoding": "base64"}

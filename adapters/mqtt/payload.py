"""What is published: orders, and how the payload of a result is read. Pure."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from adapters import values
from adapters.messages import known, plain, quote
from adapters.protocol import (
    Delivery,
    EvaluatorError,
    Job,
    Measure,
    OptionError,
    Outcome,
    OutcomeStatus,
    Reading,
)

_MISSING = object()


class PayloadOption(TypedDict):
    """Where in the JSON of a result each thing stands: a JSON pointer (RFC 6901)."""

    job: NotRequired[str]
    values: NotRequired[str]
    status: NotRequired[str]
    reason: NotRequired[str]
    transient: NotRequired[str]
    measured_at: NotRequired[str]
    instrument: NotRequired[str]
    operator: NotRequired[str]


Payload = PayloadOption | Literal["number"]
"""Type of the option: pointers into JSON, or ``number`` for a payload that is a number alone."""

DEFAULT: Mapping[str, str] = {
    name: f"/{name}" for name in PayloadOption.__optional_keys__ | PayloadOption.__required_keys__
}


def pointers(option: Payload | None) -> Mapping[str, str] | None:
    """The pointers of the option, completed; None for a payload that is a number.

    Raises:
        OptionError: one is no JSON pointer.
    """
    if isinstance(option, str):
        return None
    given: dict[str, Any] = dict(option or {})
    for name, pointer in given.items():
        if name not in DEFAULT:
            raise OptionError("payload", f"payload has no {name!r}; {known(name, DEFAULT)}")
        if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
            raise OptionError(
                "payload", f"{name} is {quote(pointer)}; write a JSON pointer such as /{name}"
            )
    return {**DEFAULT, **given}


def order(job: Job) -> bytes:
    """The payload of an order: JSON, with what a job is and what is wanted of it."""
    content, kind = job.sample.content, job.sample.kind
    sample: dict[str, object] = {"kind": kind, "name": job.sample.name}
    if isinstance(content, bytes):
        sample |= {"content": base64.b64encode(content).decode(), "encoding": "base64"}
    else:
        sample |= {"content": content}
        if kind == "parameters":
            try:
                sample["content"] = json.loads(content)
            except (ValueError, RecursionError):
                raise EvaluatorError(
                    f"the parameters {quote(content)} are no JSON; nothing was sent"
                ) from None
    document = {
        "job": job.key,
        "label": job.label,
        "replicate": job.replicate,
        "measures": list(job.measures),
        "sample": sample,
    }
    return json.dumps(document, sort_keys=True, ensure_ascii=False).encode(
        "utf-8", "backslashreplace"
    )


@dataclass(frozen=True)
class Reader:
    """Reads results."""

    measures: Sequence[Measure]
    pointers: Mapping[str, str] | None
    """None where the payload is the number itself."""

    def job(self, body: bytes) -> str | None:
        """Key of the job that a payload names; None where it names none, or cannot be read."""
        if self.pointers is None:
            return None
        try:
            found = _at(_document(body), self.pointers["job"])
        except EvaluatorError:
            return None
        return found if isinstance(found, str) else None

    def outcomes(self, delivery: Delivery) -> Sequence[Outcome]:
        """What a message says of its job.

        Raises:
            EvaluatorError: it cannot be read, or nothing in or about it says of which job it is.
        """
        if self.pointers is None:
            return [self._number(delivery)]
        document = _document(delivery.body)
        key = _at(document, self.pointers["job"])
        if not isinstance(key, str):
            if len(delivery.jobs) != 1:
                shown = "nothing" if key is _MISSING else quote(key)
                raise EvaluatorError(
                    f"a result has the key of its job at {self.pointers['job']}, in its topic or "
                    f"in its correlation data; there is {shown}"
                )
            key = delivery.jobs[0]
        return [self._outcome(document, key)]

    def _outcome(self, document: object, key: str) -> Outcome:
        assert self.pointers is not None
        said = _at(document, self.pointers["status"])
        try:
            status = OutcomeStatus.SUCCEEDED if said is _MISSING else OutcomeStatus(said)  # type: ignore[arg-type]
        except ValueError:
            choices = ", ".join(OutcomeStatus)
            raise EvaluatorError(f"the status is {quote(said)}; it must be of: {choices}") from None
        if status is not OutcomeStatus.SUCCEEDED:
            reason = self._text(document, "reason") or "the instrument gives no reason"
            transient = _at(document, self.pointers["transient"]) is True
            return Outcome(key, status, reason=reason, transient=transient)
        place = self.pointers["values"]
        found = _at(document, place)
        if not isinstance(found, Mapping):
            shown = "nothing" if found is _MISSING else quote(found)
            raise EvaluatorError(f"values by measure are to stand at {place or 'the top'}: {shown}")
        readings = [
            self._reading(document, measure, found[measure.name])
            for measure in self.measures
            if measure.name in found
        ]
        return Outcome(key, status, tuple(readings))

    def _reading(self, document: object, measure: Measure, value: object) -> Reading:
        assert self.pointers is not None
        step = measure.name.replace("~", "~0").replace("/", "~1")
        place = f"{self.pointers['values']}/{step}"
        about: dict[str, Any] = {"unit": measure.unit}
        if isinstance(value, Mapping):
            place += "/value"
            if "value" not in value:
                raise EvaluatorError(f"{measure.name!r} has no value: {quote(dict(value))}")
            if "unit" in value:
                about["unit"] = _require_text(f"the unit of {measure.name!r}", value["unit"])
            if value.get("std") is not None:
                about["std"] = _number(f"the std of {measure.name!r}", value["std"])
            value = value["value"]
        if isinstance(value, str) and value not in ("NaN", "Infinity", "-Infinity"):
            about = _written(measure, value, about)
        else:
            about["value"] = _number(repr(measure.name), value)
        return Reading(
            name=measure.name,
            place=place,
            measured_at=_moment(_at(document, self.pointers["measured_at"])),
            instrument=self._text(document, "instrument"),
            operator=self._text(document, "operator"),
            **about,
        )

    def _number(self, delivery: Delivery) -> Outcome:
        if len(delivery.jobs) != 1:
            raise EvaluatorError(
                "neither the topic nor the correlation data of this message names its job"
            )
        (measure,) = self.measures
        try:
            text = delivery.body.decode()
        except UnicodeDecodeError as error:
            raise EvaluatorError(f"{quote(delivery.body)} is no text: {error}") from error
        about = _written(measure, text, {"unit": measure.unit})
        reading = Reading(name=measure.name, place="the whole message", **about)
        return Outcome(delivery.jobs[0], OutcomeStatus.SUCCEEDED, (reading,))

    def _text(self, document: object, name: str) -> str:
        assert self.pointers is not None
        found = _at(document, self.pointers[name])
        return plain(found) if isinstance(found, str) else ""


def _document(body: bytes) -> object:
    try:
        document: object = json.loads(body.decode(), parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise EvaluatorError(
            f"this is no JSON ({plain(str(error), 200)}): it begins with {quote(body)}"
        ) from error
    return document


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is larger than any number that can be kept")
    return number


def _at(document: Any, pointer: str) -> object:
    """What a pointer points at; ``_MISSING`` where there is nothing, or null."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, Mapping) and name in document:
            document = document[name]
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return _MISSING
    return _MISSING if document is None else document


def _written(measure: Measure, text: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """A value as people write it, such as ``<0.5`` or ``0.71±0.02 mmol/l``."""
    try:
        found = values.read(text)
    except ValueError as error:
        raise EvaluatorError(f"{measure.name!r} {error}") from error
    unit = about["unit"] if found.unit is None else found.unit
    std = about.get("std") if found.std is None else found.std
    return {"value": found.value, "unit": unit, "std": std, "censoring": found.censoring}


def _number(what: str, value: object) -> float:
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise EvaluatorError(f"{what} is larger than any number that can be kept") from None
    raise EvaluatorError(f"{what} is {quote(value)}, which is no number")


def _require_text(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise EvaluatorError(f"{what} is {quote(value)}, which is no text")
    return value


def _moment(value: object) -> int | None:
    """Microseconds UTC: of an ISO 8601 time with its zone, or of seconds since 1970."""
    if value is _MISSING:
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise EvaluatorError(f"measured_at is {quote(value)}; say the zone, as in +00:00")
            return round(moment.timestamp() * 1e6)
        return round(_number("measured_at", value) * 1e6)
    except (ValueError, OverflowError) as error:
        raise EvaluatorError(f"measured_at is {quote(value)}, which is no time: {error}") from error

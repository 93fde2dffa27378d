"""Parameters of a command, made from a sample: literals, or texts with ``{placeholders}``."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.messages import known, quote
from adapters.protocol import Job, OptionError

GENERAL = ("sample", "name", "kind", "key", "label", "replicate")
"""Placeholders that every job has; a sample that is a JSON object has its own names besides."""


class SampleError(ValueError):
    """This sample cannot be given to the command; says why, for a person."""


def require(option: str, value: object) -> None:
    """Make sure that a literal or template is one.

    Raises:
        OptionError: its braces do not match, or something else than a name stands between them.
    """
    for text in _texts(value):
        try:
            parts = list(string.Formatter().parse(text))
        except ValueError as error:
            raise OptionError(
                option, f"{quote(text)} has braces that do not match ({error}); write {{{{ for a {{"
            ) from None
        for _, name, _, conversion in parts:
            if name is not None and (not name or set("[].") & set(name) or conversion):
                raise OptionError(
                    option, f"{quote(text)} has {{{name}}}; write a name, as {{sample}}"
                )


def constant(value: object) -> bool:
    """Whether a value needs no sample."""
    return not any(
        name is not None
        for text in _texts(value)
        for _, name, _, _ in string.Formatter().parse(text)
    )


def placeholders(job: Job) -> dict[str, object]:
    """What stands for each placeholder for one job."""
    sample = job.sample
    values = dict(zip(GENERAL, (sample.content, sample.name, sample.kind), strict=False))
    found: dict[str, object] = values | {
        "key": job.key,
        "label": job.label,
        "replicate": job.replicate,
    }
    if sample.kind == "parameters":
        try:
            own = json.loads(sample.content)
        except (ValueError, RecursionError) as error:
            raise SampleError(f"the sample is no JSON object ({error})") from None
        if not isinstance(own, dict):
            raise SampleError(f"the sample is {quote(own)}; a JSON object is wanted")
        found = own | found
    return found


def fill(value: object, values: Mapping[str, object]) -> object:
    """A literal as it is; a template filled in. One that is a single placeholder keeps its type.

    Raises:
        SampleError: the sample lacks a placeholder, or its value does not fit the format.
    """
    if isinstance(value, str):
        return _fill(value, values)
    if isinstance(value, Mapping):
        return {name: fill(one, values) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [fill(one, values) for one in value]
    return value


def _fill(text: str, values: Mapping[str, object]) -> object:
    parts = list(string.Formatter().parse(text))
    filled: list[object] = []
    for literal, name, spec, _ in parts:
        if literal:
            filled.append(literal)
        if name is None:
            continue
        if name not in values:
            raise SampleError(f"the sample has no {{{name}}}; {known(name, values)}")
        value = values[name]
        if len(parts) == 1 and not literal and not spec:
            return value
        if isinstance(value, bytes):
            value = value.decode("utf-8", "backslashreplace")
        try:
            filled.append(format(value, spec or ""))
        except (TypeError, ValueError) as error:
            raise SampleError(f"{{{name}:{spec}}} cannot show {quote(value)}: {error}") from None
    return "".join(map(str, filled))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)

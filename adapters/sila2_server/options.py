"""What a spec says of a SiLA 2 server and its command, checked as far as that needs no server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.messages import known, quote
from adapters.protocol import EvaluatorError, Measure, OptionError
from adapters.sila2_server import template
from adapters.units import require_unit

ResponseOption = str | Mapping[str, str]
"""Where a measure stands among the responses: the response's identifier, or ``response``, ``std``
and ``unit``, which :class:`Source` explains."""

SYSTEM, INSECURE = "system", "insecure"
"""What the option ``tls`` may say instead of a file."""


@dataclass(frozen=True)
class Parameter:
    """What a parameter of the command is given."""

    value: Any
    """A literal, or a template of the sample."""
    unit: str | None = None
    """That the value is in, where it is to be converted to the server's."""


@dataclass(frozen=True)
class Source:
    """Where a measure comes from."""

    response: str
    """Its identifier; with dots, an element within it: ``Spectrum.Peak``, ``Wells.0``."""
    std: str = ""
    """The same of what is its standard deviation, in the unit of the value; empty where none is."""
    unit: str | None = None
    """Of a response whose definition has none; that of the measure where it is left out."""


@dataclass(frozen=True)
class Options:
    """All that a spec says."""

    host: str
    port: int
    feature: str
    command: str
    observable: bool
    measures: tuple[Measure, ...]
    parameters: Mapping[str, Parameter]
    sources: Mapping[str, Source]
    """By the name of the measure."""
    measured_at: str
    tls: str
    timeout: float
    metadata: Mapping[str, Any]
    lock: str
    lock_timeout: int
    transient: frozenset[str]

    @property
    def target(self) -> str:
        """Where the server is, for gRPC and people."""
        return f"{self.host}:{self.port}"


def address(option: str) -> tuple[str, int]:
    """Host and port; an IPv6 address stands in brackets.

    Raises:
        OptionError: it is no such thing.
    """
    host, colon, port = option.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise OptionError("address", f"is {quote(option)}; write host:port, as 10.0.0.7:50052")
    return host, int(port)


def parameters(option: Mapping[str, Any]) -> dict[str, Parameter]:
    """Values of the command's parameters.

    Raises:
        OptionError: a template is none, or a unit is unknown.
    """
    found = {}
    for name, given in option.items():
        # A structure's elements begin with capitals, so these keys are nobody's but ours.
        ours = isinstance(given, Mapping) and "value" in given and set(given) <= {"value", "unit"}
        one = Parameter(given["value"], given.get("unit")) if ours else Parameter(given)
        template.require("parameters", one.value)
        if one.unit is not None:
            _require_unit("parameters", name, one.unit)
        found[name] = one
    return found


def sources(
    option: Mapping[str, ResponseOption], measures: tuple[Measure, ...]
) -> dict[str, Source]:
    """Where each measure comes from; a response of the same name where the option says nothing.

    Raises:
        OptionError: it names what is no measure, or a unit is unknown.
    """
    names = [measure.name for measure in measures]
    for name in option:
        if name not in names:
            raise OptionError("responses", f"names {name!r}, no measure; {known(name, names)}")
    found = {}
    for name in names:
        given = option.get(name, name)
        if isinstance(given, str):
            found[name] = Source(given)
        else:
            keys = ("response", "std", "unit")
            for key in given:
                if key not in keys:
                    raise OptionError("responses", f"{name!r} has {key!r}; {known(key, keys)}")
            unit = given.get("unit")
            if unit is not None:
                _require_unit("responses", name, unit)
            found[name] = Source(given.get("response", name), given.get("std", ""), unit)
    return found


def metadata(option: Mapping[str, Any]) -> dict[str, Any]:
    """Values of metadata, by the metadata's identifier.

    Raises:
        OptionError: a template is none, or an identifier lacks its feature.
    """
    for name, value in option.items():
        if "/" not in name:
            raise OptionError(
                "metadata", f"names {name!r}; write the feature, too: LockController/{name}"
            )
        template.require("metadata", value)
    return dict(option)


def positive(option: str, value: float) -> float:
    """A number above 0.

    Raises:
        OptionError: it is not.
    """
    if not 0 < value < float("inf"):
        raise OptionError(option, f"is {value:g}; give a number above 0")
    return value


def _require_unit(option: str, name: str, unit: str) -> None:
    try:
        require_unit(unit)
    except EvaluatorError as error:
        raise OptionError(option, f"the unit of {name!r}: {error}") from error

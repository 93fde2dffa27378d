"""The command that a spec names, as found on the server, and whether all fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.messages import known, quote
from adapters.protocol import EvaluatorError, Job, OptionError
from adapters.sila2_server import delivery, template
from adapters.sila2_server.connection import Connection
from adapters.sila2_server.feature import Command, Feature, read
from adapters.sila2_server.options import Options, Parameter
from adapters.sila2_server.template import SampleError
from adapters.sila2_server.units import Unit
from adapters.sila2_server.wire import Codec, Fields, Shape

LOCK = "org.silastandard/core/LockController/v1"
_NUMBERS = ("Real", "Integer", "Boolean")


@dataclass(frozen=True)
class Link:
    """All that is needed to call the command, as long as it is the same server."""

    server: str
    """Its UUID."""
    feature: Feature
    command: Command
    parameters: Codec
    responses: Codec
    metadata: Mapping[str, tuple[str, Codec]]
    """By what the spec calls it: its name for gRPC, and how its value is written."""
    lock: Feature | None

    @property
    def path(self) -> str:
        """The command for gRPC."""
        return f"{self.feature.service}/{self.command.identifier}"

    def request(self, given: Mapping[str, Parameter], job: Job) -> bytes:
        """The command's parameters for one job.

        Raises:
            SampleError: they cannot be made of its sample.
        """
        placeholders = template.placeholders(job)
        values = {}
        for name, parameter in given.items():
            value = template.fill(parameter.value, placeholders)
            values[name] = _converted(name, value, parameter, self.command.parameters[name])
        return _encoded(self.parameters, values)

    def headers(self, given: Mapping[str, object], job: Job) -> list[tuple[str, bytes]]:
        """The metadata that goes with the command for one job.

        Raises:
            SampleError: they cannot be made of its sample.
        """
        placeholders = template.placeholders(job)
        found = []
        for name, value in given.items():
            key, codec = self.metadata[name]
            (field,) = codec.fields
            found.append((key, _encoded(codec, {field: template.fill(value, placeholders)})))
        return found


def find(connection: Connection, options: Options, server: str) -> Link:
    """Find the command on the server, and make sure that it takes and gives what the spec says.

    Raises:
        OptionError: it does not; names the option.
        EvaluatorError: the server cannot be reached or is none.
    """
    offered = connection.features()
    feature = read(connection.definition(_feature(options.feature, offered, "feature")))
    command = feature.commands.get(options.command)
    if command is None:
        there = known(options.command, feature.commands)
        raise OptionError("command", f"{feature.identifier} has no {options.command!r}; {there}")
    if command.observable != options.observable:
        raise OptionError(
            "observable",
            f"is {str(options.observable).lower()}; the command {command.identifier} says "
            f"{str(command.observable).lower()}",
        )
    _check_parameters(options, command)
    _check_responses(options, command)
    link = Link(
        server=server,
        feature=feature,
        command=command,
        parameters=Codec(command.parameters),
        responses=Codec(command.responses),
        metadata=_metadata(connection, options, offered),
        lock=read(connection.definition(_lock(offered))) if options.lock else None,
    )
    _check_literals(options, link)
    return link


def _feature(name: str, offered: list[str], option: str) -> str:
    """The full identifier of a feature that a spec may name shortly."""
    found = [one for one in offered if name in (one, one.split("/")[2])]
    if not found:
        raise OptionError(option, f"the server has no feature {name!r}; {known(name, offered)}")
    if len(found) > 1:
        raise OptionError(option, f"{name!r} may be any of {', '.join(found)}; name one in full")
    return found[0]


def _lock(offered: list[str]) -> str:
    if LOCK not in offered:
        raise OptionError("lock", "the server has no LockController; leave the option out")
    return LOCK


def _metadata(
    connection: Connection, options: Options, offered: list[str]
) -> dict[str, tuple[str, Codec]]:
    found = {}
    wanted = dict.fromkeys(options.metadata)
    if options.lock:
        wanted[f"{LOCK}/Metadata/LockIdentifier"] = None
    for name in wanted:
        owner, _, identifier = name.rpartition("/")
        owner = _feature(owner.removesuffix("/Metadata"), offered, "metadata")
        feature = read(connection.definition(owner))
        if identifier not in feature.metadata:
            there = known(identifier, feature.metadata)
            raise OptionError("metadata", f"{owner} has no metadata {identifier!r}; {there}")
        key = f"sila/{owner}/Metadata/{identifier}/bin".lower().replace("/", "-")
        found[name] = (key, Codec({identifier: feature.metadata[identifier]}))
    return found


def _check_parameters(options: Options, command: Command) -> None:
    for name in options.parameters:
        if name not in command.parameters:
            there = known(name, command.parameters)
            raise OptionError(
                "parameters", f"{command.identifier} has no parameter {name!r}; {there}"
            )
    for name, shape in command.parameters.items():
        if name not in options.parameters:
            raise OptionError("parameters", f"lacks {name!r}, which {command.identifier} needs")
        unit = options.parameters[name].unit
        if unit is None:
            continue
        of_server = _unit(shape)
        if of_server is None:
            raise OptionError(
                "parameters", f"{name!r} has no unit on the server; leave out {unit!r}"
            )
        try:
            of_server.require(unit)
        except EvaluatorError as error:
            raise OptionError("parameters", f"the unit of {name!r}: {error}") from error


def _check_responses(options: Options, command: Command) -> None:
    for measure in options.measures:
        source = options.sources[measure.name]
        for path in filter(None, (source.response, source.std)):
            shape = _at(command, path, "responses")
            if shape.bare().kind not in _NUMBERS:
                raise OptionError(
                    "responses", f"{path!r} is of the type {shape.bare().kind}, which is no number"
                )
        unit = _unit(_at(command, source.response, "responses"))
        try:
            delivery.require(source, measure, unit)
        except EvaluatorError as error:
            raise OptionError("responses", f"the unit of {source.response!r}: {error}") from error
    if options.measured_at:
        shape = _at(command, options.measured_at, "measured_at")
        if shape.bare().kind != "Timestamp":
            raise OptionError("measured_at", f"names a {shape.bare().kind}; name a Timestamp")


def _at(command: Command, path: str, option: str) -> Shape:
    """The shape of a response by its path."""
    first, *steps = path.split(".")
    fields: Fields = command.responses
    if first not in fields:
        raise OptionError(
            option, f"{command.identifier} gives no response {first!r}; {known(first, fields)}"
        )
    shape = fields[first]
    for step in steps:
        inner = shape.bare()
        step = "item" if inner.kind == "List" and step.isdigit() else step
        if step not in inner.elements:
            there = "0, 1, ..." if inner.kind == "List" else known(step, inner.elements)
            raise OptionError(option, f"{path!r}: no {step!r} in it; {there}")
        shape = inner.elements[step]
    return shape


def _check_literals(options: Options, link: Link) -> None:
    """What needs no sample is wrong for every sample, or for none."""
    for name, parameter in options.parameters.items():
        if template.constant(parameter.value):
            shape = link.command.parameters[name]
            try:
                value = _converted(name, parameter.value, parameter, shape)
                Codec({name: shape}).encode({name: value})
            except (SampleError, ValueError) as error:
                raise OptionError("parameters", str(error)) from error


def _unit(shape: Shape) -> Unit | None:
    """The unit of a type, whatever names it has."""
    while shape.unit is None and shape.kind == "Definition":
        shape = next(iter(shape.elements.values()))
    return shape.unit


def _converted(name: str, value: object, parameter: Parameter, shape: Shape) -> object:
    unit = _unit(shape)
    if parameter.unit is None or unit is None:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SampleError(f"{name} is {quote(value)}; a number of {parameter.unit} is wanted")
    return unit.of(float(value), parameter.unit)


def _encoded(codec: Codec, values: Mapping[str, object]) -> bytes:
    try:
        return codec.encode(values)
    except ValueError as error:
        raise SampleError(str(error)) from error

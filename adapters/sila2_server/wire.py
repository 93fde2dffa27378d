"""Messages of SiLA 2 as Protocol Buffers, made from what a feature's definition says.

The library ``sila2`` compiles them into the one pool of messages of the process: it cannot be
imported where anything else has loaded Protocol Buffers before, and of two servers with different
minor versions of a feature it takes the second for the first. So each codec has its own pool here.
On the wire only numbers and types of fields count; their order in the definition gives both.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import Message

from adapters.messages import quote
from adapters.sila2_server.units import Unit

_PACKAGE = "assayloop.sila2"

_ZONE = ("timezone", "Timezone")
_FRAMEWORK: dict[str, tuple[tuple[str, str, int], ...]] = {
    "String": (("value", "string", 1),),
    "Integer": (("value", "int64", 1),),
    "Real": (("value", "double", 1),),
    "Boolean": (("value", "bool", 1),),
    "Binary": (("value", "bytes", 1), ("transfer", "string", 2)),
    "Any": (("type", "string", 1), ("payload", "bytes", 2)),
    "Timezone": (("hours", "int32", 1), ("minutes", "uint32", 2)),
    "Date": (("day", "uint32", 1), ("month", "uint32", 2), ("year", "uint32", 3), (*_ZONE, 4)),
    "Time": (
        ("second", "uint32", 1),
        ("minute", "uint32", 2),
        ("hour", "uint32", 3),
        (*_ZONE, 4),
        ("millisecond", "uint32", 5),
    ),
    "Timestamp": (
        ("second", "uint32", 1),
        ("minute", "uint32", 2),
        ("hour", "uint32", 3),
        ("day", "uint32", 4),
        ("month", "uint32", 5),
        ("year", "uint32", 6),
        (*_ZONE, 7),
        ("millisecond", "uint32", 8),
    ),
    "Duration": (("seconds", "int64", 1), ("nanos", "int32", 2)),
    "CommandExecutionUUID": (("value", "string", 1),),
    "CommandConfirmation": (
        ("execution", "CommandExecutionUUID", 1),
        ("lifetime", "Duration", 2),
    ),
    "ExecutionInfo": (
        ("status", "int32", 1),
        ("progress", "Real", 2),
        ("remaining", "Duration", 3),
        ("lifetime", "Duration", 4),
    ),
    "ValidationError": (("identifier", "string", 1), ("message", "string", 2)),
    "DefinedExecutionError": (("identifier", "string", 1), ("message", "string", 2)),
    "UndefinedExecutionError": (("message", "string", 1),),
    "FrameworkError": (("type", "int32", 1), ("message", "string", 2)),
    "SiLAError": (
        ("validation", "ValidationError", 1),
        ("defined", "DefinedExecutionError", 2),
        ("undefined", "UndefinedExecutionError", 3),
        ("framework", "FrameworkError", 4),
    ),
}
"""Name, type and number of the fields of the messages that every server knows."""

_PLAIN = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "bool": FieldDescriptorProto.TYPE_BOOL,
}


@dataclass(frozen=True)
class Shape:
    """A data type of a feature."""

    kind: str
    """A basic type (``Real``), ``Structure``, ``List``, or ``Definition`` of a type with a name."""
    unit: Unit | None = None
    elements: Mapping[str, Shape] = field(default_factory=dict)
    """Of a structure, in order; the one of a list is ``item``, of a definition its own name."""

    def bare(self) -> Shape:
        """The type itself, without the name that a definition gives it."""
        return next(iter(self.elements.values())).bare() if self.kind == "Definition" else self


Fields = Mapping[str, Shape]
"""What stands in one message, in order."""


class Codec:
    """Writes and reads one kind of message."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        file = FileDescriptorProto(name="message.proto", package=_PACKAGE, syntax="proto3")
        file.dependency.append("framework.proto")
        file.message_type.append(_described("Fields", fields, f".{_PACKAGE}"))
        pool = _framework_pool()
        pool.AddSerializedFile(file.SerializeToString())
        found = pool.FindMessageTypeByName(f"{_PACKAGE}.Fields")
        self._type = message_factory.GetMessageClass(found)

    def encode(self, values: Mapping[str, object]) -> bytes:
        """The message's bytes.

        Raises:
            ValueError: a value does not have the type of its field; says which.
        """
        message = self._type()
        _fill(message, self.fields, values)
        return message.SerializeToString(deterministic=True)

    def decode(self, body: bytes) -> dict[str, Any]:
        """Of each field its type, its unit if it has one, and its value, as JSON has it.

        Raises:
            google.protobuf.message.DecodeError: the bytes are no such message.
        """
        return _read(self._type.FromString(body), self.fields)


def framework(name: str, **values: object) -> Any:
    """A message that every server knows, of that name."""
    return _framework_type(name)(**values)


def framework_from(name: str, body: bytes) -> Any:
    """A message that every server knows, read.

    Raises:
        google.protobuf.message.DecodeError: the bytes are no such message.
    """
    return _framework_type(name).FromString(body)


# Descriptors ----------------------------------------------------------------------------------


def _framework_pool() -> descriptor_pool.DescriptorPool:
    file = FileDescriptorProto(name="framework.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _FRAMEWORK.items():
        message = file.message_type.add(name=name)
        for member, kind, number in fields:
            described = message.field.add(name=member, number=number)
            described.label = FieldDescriptorProto.LABEL_OPTIONAL
            if kind in _PLAIN:
                described.type = _PLAIN[kind]
            else:
                described.type = FieldDescriptorProto.TYPE_MESSAGE
                described.type_name = f".{_PACKAGE}.{kind}"
    binary = file.message_type[list(_FRAMEWORK).index("Binary")]
    binary.oneof_decl.add(name="content")
    for described in binary.field:
        described.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


@cache
def _framework_type(name: str) -> type[Message]:
    return message_factory.GetMessageClass(_types().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


@cache
def _types() -> descriptor_pool.DescriptorPool:
    return _framework_pool()


def _described(name: str, fields: Fields, scope: str) -> DescriptorProto:
    message = DescriptorProto(name=name)
    for number, (member, shape) in enumerate(fields.items(), 1):
        described = message.field.add(name=member, number=number)
        described.type = FieldDescriptorProto.TYPE_MESSAGE
        described.label = FieldDescriptorProto.LABEL_OPTIONAL
        if shape.kind == "List":
            described.label = FieldDescriptorProto.LABEL_REPEATED
            shape = shape.elements["item"]
        if shape.kind in ("Structure", "Definition"):
            nested = f"{member}_Type"
            message.nested_type.append(_described(nested, shape.elements, f"{scope}.{name}"))
            described.type_name = f"{scope}.{name}.{nested}"
        else:
            described.type_name = f".{_PACKAGE}.{shape.kind}"
    return message


# Values ---------------------------------------------------------------------------------------


def _fill(message: Any, fields: Fields, values: Mapping[str, object]) -> None:
    for name, shape in fields.items():
        if name not in values:
            raise ValueError(f"{name} is missing")
        value = values[name]
        if shape.kind == "List":
            if not isinstance(value, list | tuple):
                raise ValueError(f"{name} is {quote(value)}; a list is wanted")
            for item in value:
                _set(getattr(message, name).add(), name, shape.elements["item"], item)
        else:
            getattr(message, name).SetInParent()
            _set(getattr(message, name), name, shape, value)


def _set(message: Any, name: str, shape: Shape, value: object) -> None:
    if shape.kind == "Definition":
        (inner,) = shape.elements
        _fill(message, shape.elements, {inner: value})
    elif shape.kind == "Structure":
        if not isinstance(value, Mapping) or set(value) != set(shape.elements):
            wanted = ", ".join(shape.elements)
            raise ValueError(f"{name} is {quote(value)}; a mapping with {wanted} is wanted")
        _fill(message, shape.elements, value)
    elif shape.kind == "Timestamp":
        _set_timestamp(message, name, value)
    elif shape.kind in _NATIVE:
        message.value = _NATIVE[shape.kind](name, value)
    else:
        raise ValueError(f"{name} is of the type {shape.kind}, which cannot be given")


def _real(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{name} is {quote(value)}; a number is wanted")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{name} is {quote(value)}; a number is wanted") from None


def _integer(name: str, value: object) -> int:
    number = value if isinstance(value, int) and not isinstance(value, bool) else _real(name, value)
    if isinstance(number, float) and not number.is_integer():
        raise ValueError(f"{name} is {quote(value)}; a whole number is wanted")
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{name} is {quote(value)}, which 64 bits do not hold")
    return int(number)


def _text(name: str, value: object) -> str:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise ValueError(f"{name} is {quote(value)}, which is no text in UTF-8") from None
    text = value if isinstance(value, str) else str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} is {quote(text)}, which UTF-8 cannot hold") from None
    return text


def _boolean(name: str, value: object) -> bool:
    known = {True: True, False: False, "true": True, "false": False}
    if not isinstance(value, bool | str) or value not in known:
        raise ValueError(f"{name} is {quote(value)}; true or false is wanted")
    return known[value]


def _bytes(name: str, value: object) -> bytes:
    return value if isinstance(value, bytes) else _text(name, value).encode()


_NATIVE = {
    "Real": _real,
    "Integer": _integer,
    "String": _text,
    "Boolean": _boolean,
    "Binary": _bytes,
}


def _set_timestamp(message: Any, name: str, value: object) -> None:
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{name} is {quote(value)}; write it as 2026-11-27T13:30:00Z") from None
    at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    message.year, message.month, message.day = at.year, at.month, at.day
    message.hour, message.minute, message.second = at.hour, at.minute, at.second
    message.millisecond = at.microsecond // 1000
    message.timezone.SetInParent()


def _read(message: Any, fields: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, shape in fields.items():
        if shape.kind == "List":
            item = shape.elements["item"]
            items = [_value(one, item) for one in getattr(message, name)]
            found[name] = {"type": "List", "value": items}
        elif message.HasField(name):
            found[name] = _value(getattr(message, name), shape)
    return found


def _value(message: Any, shape: Shape) -> dict[str, Any]:
    if shape.kind == "Definition":
        (name,) = shape.elements
        named: dict[str, Any] = _read(message, shape.elements).get(name, {"type": "nothing"})
        return named | _unit(shape)
    structured = shape.kind == "Structure"
    value = _read(message, shape.elements) if structured else _plain(message, shape.kind)
    return {"type": shape.kind, "value": value} | _unit(shape)


def _unit(shape: Shape) -> dict[str, Any]:
    return {} if shape.unit is None else {"unit": shape.unit.written()}


def _plain(message: Any, kind: str) -> object:
    if kind == "Binary":
        transfer = message.WhichOneof("content") == "transfer"
        return {"transfer": message.transfer} if transfer else _base64(message.value)
    if kind == "Any":
        return {"type": message.type, "payload": _base64(message.payload)}
    if kind in ("Date", "Time", "Timestamp"):
        return _moment(message, kind)
    value = message.value
    if kind == "Real" and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _moment(message: Any, kind: str) -> str | None:
    """ISO 8601; None where a server sent what no calendar has."""
    hours, minutes = message.timezone.hours, message.timezone.minutes
    try:
        zone = timezone(timedelta(hours=hours, minutes=-minutes if hours < 0 else minutes))
        if kind == "Date":
            day = datetime(message.year, message.month, message.day, tzinfo=zone).isoformat()
            return day[: len("2026-11-27")] + day[len("2026-11-27T00:00:00") :]
        clock = time(
            message.hour, message.minute, message.second, message.millisecond * 1000, tzinfo=zone
        )
        if kind == "Time":
            return clock.isoformat()
        return datetime.combine(date(message.year, message.month, message.day), clock).isoformat()
    except ValueError:
        return None

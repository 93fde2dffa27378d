"""Column types that hold the same value exactly on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Dialect, LargeBinary, Text
from sqlalchemy.types import TypeDecorator

_TINY = re.compile(r"0\.0000(?:(?<=[-:,[]0\.0000)|(?<=^0\.0000))[0-9]+(?=[],}]|$)")
_EXPONENT = re.compile(r"e([-+]?)([0-9]+)(?=[],}]|$)")  # both begin with what is quickly found
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def storable(text: str) -> str:
    """The text as both databases can hold it.

    PostgreSQL refuses NUL, and UTF-8 has no lone surrogates: they become the escapes by which
    Python writes them, a backslash and ``x00`` or ``udc80``.
    """
    return _UNSTORABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def canonical(value: object) -> str:
    """Canonical JSON: sorted keys, no spaces, shortest round-trip floats, UTF-8 unescaped.

    NaN and the infinities, for which JSON has no token, become the strings ``NaN``, ``Infinity``
    and ``-Infinity``; text is made :func:`storable`. Equal values always give equal text, and so
    does what is read back from it.
    """
    quick = _quick(value)
    if quick is not None and orjson.loads(quick) == value:  # it writes NaN as null, a time as text
        return quick
    return _ENCODER.encode(_spelled(value))


def parse(text: str) -> tuple[Any, bool]:
    """The value of a JSON text, and whether the text is that value's canonical form.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        value = orjson.loads(text)
        if _quick(value) == text:
            return value, True
    except ValueError:  # such as a token NaN, which the standard library reads
        pass
    value = json.loads(text)
    return value, canonical(value) == text


def _quick(value: object) -> str | None:
    """JSON by the faster encoder, canonical if the same value is read from it; or None.

    It spells an exponent otherwise, and some numbers without one (0.00001 for 1e-05): these are
    mended. Mending what only looks like one, within a text, makes it another value.
    """
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except (TypeError, RecursionError):
        return None
    if "\\u0000" in text:  # not storable, as nothing else is that it writes
        return None
    if "0.0000" in text:
        text = _TINY.sub(lambda found: repr(float(found[0])), text)
    return _EXPONENT.sub(_exponent, text)


def _exponent(found: re.Match[str]) -> str:
    return f"e{found[1] or '+'}{found[2]:0>2}"


def _spelled(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(str(key)): _spelled(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(item) for item in value]
    return value


class Json(TypeDecorator[Any]):
    """A JSON value kept as its canonical text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """The text to store."""
        return None if value is None else canonical(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The value of a stored text."""
        return None if value is None else json.loads(value)


class Vector(TypeDecorator[tuple[float, ...]]):
    """A point: float64 values kept as a little-endian blob."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Sequence[float] | None, dialect: Dialect) -> bytes | None:
        """The bytes to store."""
        if value is None:
            return None
        form = f"<{len(value)}d"
        try:
            return struct.pack(form, *value)
        except struct.error:  # an entry spells NaN and the infinities as text, which float reads
            return struct.pack(form, *map(float, value))

    def process_result_value(
        self, value: bytes | None, dialect: Dialect
    ) -> tuple[float, ...] | None:
        """The point of stored bytes."""
        return None if value is None else struct.unpack(f"<{len(value) // 8}d", value)

"""Column types that hold the same value exactly on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Dialect, LargeBinary, Text
from sqlalchemy.types import TypeDecorator


def canonical(value: object) -> str:
    """Canonical JSON: sorted keys, no spaces, shortest round-trip floats, UTF-8 unescaped.

    NaN and the infinities, for which JSON has no token, become the strings ``NaN``, ``Infinity``
    and ``-Infinity``. Equal values always give equal text.
    """
    return json.dumps(
        _spelled(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def _spelled(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(item) for item in value]
    return value


class Json(TypeDecorator[Any]):
    """A JSON value kept as its canonical text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else canonical(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Vector(TypeDecorator[tuple[float, ...]]):
    """A point: float64 values kept as a little-endian blob."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Sequence[float] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else struct.pack(f"<{len(value)}d", *value)

    def process_result_value(
        self, value: bytes | None, dialect: Dialect
    ) -> tuple[float, ...] | None:
        return None if value is None else struct.unpack(f"<{len(value) // 8}d", value)

"""What every part of a spec is made of: the base model, strict numbers, durations."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = r"^\s*(\d+(?:\.\d+)?)\s*(s|min|h|d|w)\s*$"

Whole = Annotated[int, Strict(), Field(le=2**53)]
"""Strict: ``true``, ``3.0`` and ``"3"`` are mistakes where a whole number belongs. The bound is
what every reader of JSON holds exactly."""
Number = Annotated[float, Strict()]


def misplaced(message: str, *path: str | int) -> PydanticCustomError:
    """An error of a part that stands deeper, at ``path`` below the model that found it."""
    return PydanticCustomError("misplaced", "{message}", {"message": message, "path": path})


def _duration(value: object) -> object:
    """Seconds of ``90``, ``"90s"``, ``"30min"``, ``"2h"``, ``"3d"`` or ``"1w"``."""
    if not isinstance(value, str):
        return value
    match = re.match(_DURATION, value)
    if match is None:
        raise ValueError("write a duration as a number and s, min, h, d or w, such as 30min")
    return float(match[1]) * _SECONDS[match[2]]


Seconds = Annotated[
    Number,
    Field(gt=0),
    BeforeValidator(
        _duration,
        json_schema_input_type=Annotated[float, Field(gt=0)]
        | Annotated[str, Field(pattern=_DURATION)],
    ),
]
"""A time; on disk a number of seconds, or a number and its unit."""


class Part(BaseModel):
    """Base of every part of a spec: frozen; unknown keys, NaN and infinity are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

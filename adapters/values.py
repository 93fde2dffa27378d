"""Numbers as people and instruments write them: ``0.71``, ``0.71±0.02``, ``<0.5``, ``1,5``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from adapters.messages import quote
from adapters.protocol import Censoring

_UNSIGNED = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_WRITTEN = re.compile(
    rf"(?P<limit>[<>≤≥]=?)?\s*(?P<value>[+-]?{_UNSIGNED})"
    rf"(?:\s*(?:±|\+-|\+/-)\s*(?P<std>{_UNSIGNED}))?"
    r"\s*(?P<unit>[^\s0-9.,;+±<>-].*)?"
)
_SIDES = {"<": Censoring.LEFT, "≤": Censoring.LEFT, ">": Censoring.RIGHT, "≥": Censoring.RIGHT}


@dataclass(frozen=True)
class Written:
    """A value as somebody wrote it."""

    value: float
    std: float | None = None
    unit: str | None = None
    """None where none is written."""
    censoring: Censoring = Censoring.NONE


def read(text: str, decimal: str = ".") -> Written:
    """The value in a text.

    Args:
        decimal: what separates the fraction, ``.`` or ``,``.

    Raises:
        ValueError: there is none; says what is there and what would be right.
    """
    shown = quote(text, 40)
    # Word processors turn the hyphen of a negative number into a minus sign.
    plain = text.strip().replace("\N{MINUS SIGN}", "-")
    if not plain:
        raise ValueError("is empty; give a number, or leave the line out")
    if plain[0] in "=@" or (plain[0] in "+-" and not re.match("[+-]\\s*[0-9.,]", plain)):
        raise ValueError(f"{shown} is a formula and no number; paste the value instead")
    if decimal == "," and "." not in plain:
        plain = plain.replace(",", ".")
    found = _WRITTEN.fullmatch(plain)
    if found is None:
        if re.search("[0-9],[0-9]", text):
            raise ValueError(f"{shown} has a comma; write the decimal point as {decimal!r}")
        if plain.lower() in ("nan", "inf", "+inf", "-inf", "infinity", "n/a", "na", "#n/a"):
            raise ValueError(f"{shown} is no measurement; leave the line out")
        raise ValueError(f"{shown} is no number; write such as 0.71, 0.71±0.02 or <0.5")
    value = float(found["value"])
    if not math.isfinite(value):
        raise ValueError(f"{shown} is larger than any number, which is no measurement")
    return Written(
        value=value,
        std=None if found["std"] is None else float(found["std"]),
        unit=found["unit"],
        censoring=_SIDES[found["limit"][0]] if found["limit"] else Censoring.NONE,
    )

"""Reads what somebody types to tell a measurement: ``qed=0.71``, ``mass=180.2+-0.5 g/mol``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapters import values
from orchestrator.errors import BadInput, Problem

if TYPE_CHECKING:
    from orchestrator.people.ask_tell import Told

FORM = "write measure=value, such as qed=0.71, qed=0.71+-0.02 or 'mass=180.2 g/mol'"
VALUE = "write 0.71, 0.71+-0.02 or '180.2 g/mol'"


def read(arguments: Sequence[str]) -> dict[str, Told]:
    """Values by measure.

    Args:
        arguments: Each ``measure=value``, or ``measure=<limit``, with ``±std`` or ``+-std`` and a
            unit where wanted.

    Raises:
        BadInput: one of them cannot be read, or a measure is there twice; all that is wrong at
            once.
    """
    found: dict[str, Told] = {}
    problems: list[Problem] = []
    for argument in arguments:
        name, separator, text = (part.strip() for part in argument.partition("="))
        told = _told(text)
        if not separator or not name:
            problems.append(Problem(argument, "is no measure=value", _form(argument)))
        elif told is None:
            problems.append(_unreadable(argument, f"{name}=", text, FORM))
        elif name in found:
            problems.append(Problem(argument, f"{name} is told twice", "tell each by itself"))
        else:
            found[name] = told
    if problems:
        raise BadInput(problems)
    return found


def value(text: str, option: str) -> Told:
    """The value of an option that takes one, without its measure.

    Raises:
        BadInput: it cannot be read.
    """
    found = _told(text.strip())
    if found is None:
        raise BadInput([_unreadable(option, "", text, VALUE)])
    return found


def _told(text: str) -> Told | None:
    from orchestrator.people.ask_tell import Told

    try:
        found = values.read(text)
    except ValueError:
        return None
    return Told(found.value, found.std, found.unit, found.censoring)


def _form(argument: str) -> str:
    unit_alone = not any(character.isdigit() for character in argument)
    return f"{FORM}; quote a value together with its unit" if unit_alone else FORM


def _unreadable(where: str, before: str, text: str, form: str) -> Problem:
    if not re.search("[0-9],[0-9]", text):
        try:
            values.read(text)
        except ValueError as error:
            if "larger than any" in str(error):
                return Problem(where, str(error), form)
        return Problem(where, f"{text!r} is no number", form)
    what = "a comma is no decimal point and separates no thousands"
    right = re.sub("[0-9]+([.,][0-9]+)+", lambda number: _pointed(number[0]), text)
    return Problem(where, what, f"write {before}{right}")


def _pointed(number: str) -> str:
    """The number with a decimal point at most: 0,71 as 0.71, and 1,234.5 or 1.234,5 as 1234.5."""
    last = max(number.rfind(","), number.rfind("."))
    if number.count(number[last]) > 1:
        return re.sub("[.,]", "", number)
    return re.sub("[.,]", "", number[:last]) + "." + number[last + 1 :]

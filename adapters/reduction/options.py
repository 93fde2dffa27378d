"""Reading a spec's options by hand, so that each error names the key, the value and what is right.

A key within another is written with a point: ``reduction.curve.top``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

from adapters.messages import known, quote
from adapters.protocol import EvaluatorError, OptionError
from adapters.reduction.plates import Plate, Position

T = TypeVar("T", bound=str)


class Options:
    """A mapping out of a spec, under the name that it has there.

    Raises:
        OptionError: it is no mapping, has a key that is not in ``keys``, or, from each method, the
            value is not what the key wants.
    """

    def __init__(self, name: str, given: object, keys: Sequence[str]) -> None:
        if not isinstance(given, Mapping):
            raise OptionError(name, f"{name} is {quote(given)}; write keys: {', '.join(keys)}")
        for key in given:
            if key not in keys:
                raise OptionError(name, f"{name} has no key {quote(key)}; {known(str(key), keys)}")
        self.name = name
        self._given = given

    def __contains__(self, key: str) -> bool:
        return key in self._given

    def get(self, key: str) -> object:
        """What was given, unchecked; None where nothing was."""
        return self._given.get(key)

    def error(self, key: str, right: str) -> OptionError:
        """The error that this key's value is not right."""
        return OptionError(self.name, f"{self.name}.{key} is {quote(self.get(key))}; {right}")

    def word(self, key: str, words: Sequence[T], default: T) -> T:
        """One of some words."""
        given = self._given.get(key, default)
        for word in words:
            if given == word:
                return word
        raise self.error(key, f"write {' or '.join(words)}")

    def text(self, key: str, default: str = "") -> str:
        """A text."""
        given = self._given.get(key, default)
        if not isinstance(given, str):
            raise self.error(key, "write a text")
        return given

    def number(
        self,
        key: str,
        default: float | None = None,
        *,
        above: float | None = None,
        least: float | None = None,
        most: float | None = None,
    ) -> float | None:
        """A finite number within limits; ``above`` is outside them, the others within."""
        if self._given.get(key) is None:
            return default
        value = real(self._given[key])
        if (
            value is None
            or (above is not None and value <= above)
            or (least is not None and value < least)
            or (most is not None and value > most)
        ):
            bounds = [("above", above), ("from", least), ("to", most)]
            said = " ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
            raise self.error(key, f"write a number {said}".rstrip())
        return value

    def whole(self, key: str, default: int, least: int = 1) -> int:
        """A whole number from ``least`` on."""
        given = self._given.get(key, default)
        if not isinstance(given, int) or isinstance(given, bool) or given < least:
            raise self.error(key, f"write a whole number from {least} on")
        return given

    def wells(self, key: str, plate: Plate) -> tuple[Position, ...]:
        """Wells as :meth:`Plate.select` reads them; none where nothing is given."""
        given = self._given.get(key)
        if given is None:
            return ()
        if not isinstance(given, str) and not (
            isinstance(given, Sequence) and all(isinstance(one, str) for one in given)
        ):
            raise self.error(key, "write wells, as 'A1:H1', 'col 1', or a list of these")
        try:
            return plate.select(given)
        except EvaluatorError as error:
            raise self.error(key, str(error)) from error


def real(value: object) -> float | None:
    """The value as a finite float; None for anything else, True and text included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)

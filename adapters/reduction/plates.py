"""Plates and their wells: names, geometry, ranges of wells as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from adapters.messages import quote
from adapters.protocol import EvaluatorError

Order = Literal["rows", "columns"]
"""Which wells follow one another: along a row (A1, A2 ...), or down a column (A1, B1 ...)."""

_WELL = re.compile(r"\s*([A-Za-z]{1,2})\s*0{0,2}([1-9][0-9]?)\s*")
_COLUMNS = re.compile(r"col(?:umn)?s?\s*0?(\d{1,2})(?:\s*[-:]\s*0?(\d{1,2}))?", re.IGNORECASE)
_ROWS = re.compile(r"rows?\s*([a-z]{1,2})(?:\s*[-:]\s*([a-z]{1,2}))?", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class Position:
    """One well of a plate, by row and column from 0 on; sorted along the rows."""

    row: int
    column: int

    def __str__(self) -> str:
        """The name as ``A1``, ``P24``, ``AF48``."""
        return f"{_letters(self.row)}{self.column + 1}"

    @property
    def padded(self) -> str:
        """The name as ``A01``, as many readers write it."""
        return f"{_letters(self.row)}{self.column + 1:02d}"


@dataclass(frozen=True)
class Plate:
    """The geometry of a plate."""

    rows: int
    columns: int

    @property
    def size(self) -> int:
        """How many wells it has."""
        return self.rows * self.columns

    def positions(self, order: Order = "rows") -> tuple[Position, ...]:
        """Every well in that order."""
        wells = (
            Position(row, column) for row in range(self.rows) for column in range(self.columns)
        )
        return sort(wells, order)

    def position(self, name: str) -> Position:
        """The well of that name: ``A1``, ``a01``, ``A001`` and ``A 1`` are one well.

        Raises:
            EvaluatorError: it is no name of a well, or of none on this plate.
        """
        found = _WELL.fullmatch(name)
        if not found:
            raise EvaluatorError(f"{quote(name)} is no well; write for example A1, or A01")
        position = Position(_row(found[1]), int(found[2]) - 1)
        if position not in self:
            raise EvaluatorError(f"there is no well {position} on {self}")
        return position

    def select(self, wells: str | Iterable[str]) -> tuple[Position, ...]:
        """The wells of a list, each once, in the order in which they are written.

        An item, and each part of a text between commas, is a well (``A1``), a rectangle
        (``A1:H2``), columns (``col 1``, ``columns 23-24``) or rows (``row A``, ``rows A-C``).

        Raises:
            EvaluatorError: a part is none of these, or lies outside this plate.
        """
        texts = [wells] if isinstance(wells, str) else wells
        parts = [part.strip() for text in texts for part in text.split(",")]
        return tuple(dict.fromkeys(one for part in parts if part for one in self._part(part)))

    def edge(self, position: Position) -> bool:
        """Whether a well lies on the rim, where evaporation and heat are not those of the rest."""
        return position.row in (0, self.rows - 1) or position.column in (0, self.columns - 1)

    def __contains__(self, position: Position) -> bool:
        return 0 <= position.row < self.rows and 0 <= position.column < self.columns

    def __str__(self) -> str:
        last = Position(self.rows - 1, self.columns - 1)
        return f"a plate of {self.size} wells (A1 to {last})"

    def _part(self, part: str) -> Iterable[Position]:
        if found := _COLUMNS.fullmatch(part):
            first, last = int(found[1]), int(found[2] or found[1])
            start, end = Position(0, first - 1), Position(self.rows - 1, last - 1)
        elif found := _ROWS.fullmatch(part):
            above, below = _row(found[1]), _row(found[2] or found[1])
            start, end = Position(above, 0), Position(below, self.columns - 1)
        else:
            one, colon, other = part.partition(":")
            start = self.position(one)
            end = self.position(other) if colon else start
        if start not in self or end not in self:
            raise EvaluatorError(f"{quote(part)} lies outside {self}")
        if end.row < start.row or end.column < start.column:
            raise EvaluatorError(
                f"{quote(part)} ends before it begins; write the upper left well first"
            )
        return (
            Position(row, column)
            for row in range(start.row, end.row + 1)
            for column in range(start.column, end.column + 1)
        )


PLATES: Mapping[int, Plate] = {
    size: Plate(rows, size // rows)
    for size, rows in {6: 2, 12: 3, 24: 4, 48: 6, 96: 8, 384: 16, 1536: 32}.items()
}
"""The plates that are sold, by their number of wells (ANSI/SLAS 4 for 96, 384 and 1536)."""


def plate(size: int) -> Plate:
    """The plate of so many wells.

    Raises:
        EvaluatorError: nobody makes one.
    """
    if size not in PLATES:
        raise EvaluatorError(
            f"there is no plate of {size} wells; known: {', '.join(map(str, PLATES))}"
        )
    return PLATES[size]


def sort(positions: Iterable[Position], order: Order = "rows") -> tuple[Position, ...]:
    """The same wells along the rows or down the columns."""
    if order == "rows":
        return tuple(sorted(positions))
    return tuple(sorted(positions, key=lambda one: (one.column, one.row)))


class Role(StrEnum):
    """What a well holds."""

    SAMPLE = "sample"
    NEGATIVE = "negative"
    """Control without inhibition: the full signal, 0 %."""
    POSITIVE = "positive"
    """Control with complete inhibition: 100 %."""
    BLANK = "blank"
    """Everything but what gives the signal: the background."""
    EMPTY = "empty"


@dataclass(frozen=True)
class Well:
    """One well: what it holds, and what a reader measured there."""

    position: Position
    signals: Mapping[str, float] = field(default_factory=dict)
    """By channel, in the reader's unit; NaN, or no such channel, where nothing was read."""
    role: Role = Role.SAMPLE
    sample: str = ""
    """What tells the samples of a plate apart; empty for what is no sample."""
    dose: float | None = None
    """In the recipe's ``dose_unit``; None where no dose series is run."""
    masked: str = ""
    """Why a person or the reader took it out (``bubble``); it counts for nothing."""


def _letters(row: int) -> str:
    high, low = divmod(row, 26)
    return (chr(64 + high) if high else "") + chr(65 + low)


def _row(letters: str) -> int:
    row = 0
    for letter in letters.upper():
        row = 26 * row + ord(letter) - 64
    return row - 1

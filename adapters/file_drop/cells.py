"""Cells of a result file, whatever it was written in: where they stand and what they say."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from adapters import values
from adapters.messages import quote
from adapters.protocol import Censoring


class Formula(str):
    """A cell that computes its value when a spreadsheet opens it."""

    __slots__ = ()


class Fault(str):
    """An error of a spreadsheet, such as ``#DIV/0!``."""

    __slots__ = ()


class Percent(float):
    """A number that a spreadsheet shows as percent: it holds 0.715 and shows 71.5 %."""

    __slots__ = ()


Cell = str | float | bool | date | time | timedelta | None
"""What stands in a cell; a whole number is a float, and an empty text is None."""

_DATE = re.compile(
    r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}[.-]?(?:jan|feb|mar|mrz|apr|may|mai|jun|jul|aug|sep|"
    r"oct|okt|nov|dec|dez)[a-z]*\.?(?:[.-]?\d{2,4})?|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|"
    r"nov|dec)[a-z]*-\d{2,4}",
    re.IGNORECASE,
)


class WrongCell(ValueError):
    """A cell does not say what it should; the message is read after its place."""


@dataclass(frozen=True)
class Sheet:
    """Rows of cells; a text file is one sheet without a name."""

    name: str
    rows: Sequence[Sequence[Cell]]
    merged: Sequence[tuple[int, int, int, int]] = field(default=())
    """First row, first column, last row, last column of merged cells, counted from 0."""
    delimiter: str = ""
    """Of a text file."""

    def at(self, row: int, column: int) -> Cell:
        """The cell there; None beyond the edges."""
        if not 0 <= row < len(self.rows) or not 0 <= column < len(self.rows[row]):
            return None
        return self.rows[row][column]

    def place(self, row: int, column: int, heading: str = "") -> str:
        """Where a cell stands, for a person: ``Sheet1!C7``, or ``row 7, column yield``."""
        if self.name:
            return f"{self.name}!{letters(column)}{row + 1}"
        return f"row {row + 1}, column {heading or letters(column)}"

    def line(self, row: int) -> str:
        """Where a row stands, for a person."""
        return f"{self.name}, row {row + 1}" if self.name else f"row {row + 1}"

    def merging(self, row: int, column: int) -> str:
        """The merged cells that a cell is one of, as ``C6:C8``; empty where it is alone."""
        for top, left, bottom, right in self.merged:
            if top <= row <= bottom and left <= column <= right:
                return f"{letters(left)}{top + 1}:{letters(right)}{bottom + 1}"
        return ""


def letters(column: int) -> str:
    """The name of a column, counted from 0, as a spreadsheet has it."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def text(cell: Cell) -> str:
    """A cell as text: a barcode that a spreadsheet took for a number is written without ``.0``.

    Raises:
        WrongCell: it is a formula or an error.
    """
    if isinstance(cell, Formula):
        raise WrongCell(f"is a formula, {quote(str(cell), 40)}; paste its value instead")
    if isinstance(cell, Fault):
        raise WrongCell(f"is an error of the spreadsheet, {cell}; give the value")
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell).strip()


def label(cell: Cell) -> str:
    """A cell as a heading or a label: lower case, white space as one blank; never refused."""
    return " ".join(str("" if cell is None else cell).split()).lower()


def number(cell: Cell, decimal: str) -> values.Written:
    """The value in a cell.

    Raises:
        WrongCell: there is none; says what is there and what would be right.
    """
    if isinstance(cell, bool):
        raise WrongCell(f"is {str(cell).upper()}, which is no number")
    if isinstance(cell, float):
        if not math.isfinite(cell):
            raise WrongCell("is larger than any number that can be kept")
        if isinstance(cell, Percent):
            return values.Written(float(f"{100 * cell:.15g}"), unit="percent")
        return values.Written(cell)
    if isinstance(cell, date | time | timedelta):
        raise WrongCell(
            f"is a date or time ({cell}); a spreadsheet takes a number such as 1.5 for one: format "
            "the column as numbers and export again"
        )
    written = text(cell)
    if written and written[0] in "=@":
        raise WrongCell(f"is a formula, {quote(written, 40)}; paste its value instead")
    if _DATE.fullmatch(written):
        raise WrongCell(f"is a date, {quote(written, 40)}, and no number; export numbers")
    if decimal == "," and re.search(r"[0-9]\.[0-9]", written):
        raise WrongCell(
            f"is {quote(written, 40)}, which has a point where the decimal is ','; say "
            "'decimal: .' if it is one, or export without points between thousands"
        )
    try:
        return values.read(written, decimal)
    except ValueError as error:
        message = str(error)
        if decimal == "." and re.search("[0-9],[0-9]", written):
            message += ", or say 'decimal: \",\"' under results if the reader writes so"
        raise WrongCell(message if message.startswith("is ") else f"is {message}") from None


def blank(row: Sequence[Cell]) -> bool:
    """Whether nothing stands in a row."""
    return all(cell is None for cell in row)


_SIDES: Mapping[str, Censoring] = {
    "": Censoring.NONE,
    "=": Censoring.NONE,
    "~": Censoring.NONE,
    "<": Censoring.LEFT,
    "<=": Censoring.LEFT,
    "≤": Censoring.LEFT,
    ">": Censoring.RIGHT,
    ">=": Censoring.RIGHT,
    "≥": Censoring.RIGHT,
}


def side(cell: Cell) -> Censoring:
    """What a column of ``<`` and ``>`` says.

    Raises:
        WrongCell: it says something else.
    """
    # A spreadsheet takes a lone = for the begin of nothing, not for a formula.
    written = str(cell).strip() if isinstance(cell, str) else text(cell)
    if written not in _SIDES:
        raise WrongCell(f"is {quote(written, 40)}; write <, > or =, or leave it empty")
    return _SIDES[written]


def moment(cell: Cell, zone: object, form: str) -> int:
    """When something was measured, in microseconds UTC.

    Args:
        zone: a ``tzinfo`` for times that name none, or None.
        form: as ``strptime`` has it; empty for ISO 8601.

    Raises:
        WrongCell: it is no time, or in no zone.
    """
    from datetime import tzinfo

    if isinstance(cell, datetime):
        at = cell
    else:
        written = text(cell)
        try:
            at = datetime.strptime(written, form) if form else datetime.fromisoformat(written)  # noqa: DTZ007
        except ValueError:
            wanted = f"as {form}" if form else "such as 2026-05-01T14:30:00"
            raise WrongCell(f"is {quote(written, 40)}; write date and time, {wanted}") from None
    if at.tzinfo is None:
        if not isinstance(zone, tzinfo):
            raise WrongCell(f"is {at}, in no time zone; name one by 'time_zone' under results")
        at = at.replace(tzinfo=zone)
    return round(at.timestamp() * 1_000_000)

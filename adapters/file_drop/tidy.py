"""Tables with a row a well: where their headings are, and what their rows say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from adapters.file_drop import cells
from adapters.file_drop.cells import Cell, Sheet, WrongCell
from adapters.file_drop.formats import Format, Value, missing
from adapters.file_drop.items import Amount, Item, joined
from adapters.file_drop.plateless import barcode_of
from adapters.messages import quote
from adapters.protocol import Censoring, EvaluatorError

_SEARCHED = 200
"""Rows among which the headings are looked for."""
_PLACE = re.compile(r"[A-Za-z]{1,2}\s*\d{1,3}|\d{1,4}")


def items(sheets: Iterable[Sheet], form: Format, name: str, *, all_of_them: bool) -> list[Item]:
    """What the rows of the sheets say.

    Args:
        name: of the file.
        all_of_them: whether each sheet with these headings counts; else they are one sheet read
            in several ways, of which the first with these headings counts.

    Raises:
        EvaluatorError: no sheet has the headings, or what must stand once stands twice.
    """
    found: list[Item] = []
    tables, best = 0, (-1, "it has no rows")
    for sheet in sheets:
        heading = _Search(form).run(sheet)
        if isinstance(heading, tuple):
            best = max(best, heading, key=lambda one: one[0])
            continue
        tables += 1
        barcode = barcode_of(sheet, form.barcode, name) if form.barcode else ""
        found += _Table(sheet, form, heading, barcode).items()
        if not all_of_them:
            break
    if not tables:
        raise EvaluatorError(best[1])
    if not found:
        raise EvaluatorError("it has headings and no row below them; export it again")
    return found


@dataclass(frozen=True)
class _Heading:
    row: int
    columns: Mapping[str, int]
    """By label."""


class _Search:
    """Looks for the row of headings."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._wanted = [*form.columns.values()]
        if "measure" not in form.columns:
            required = [one for one in form.values.values() if not one.optional]
            self._wanted += [one.column for one in required]
            self._wanted += [one.std for one in required if one.std]

    def run(self, sheet: Sheet) -> _Heading | tuple[int, str]:
        """The headings; or how many of them the likeliest row has, and what it lacks."""
        first = self._form.area.top if self._form.area else 0
        best = (0, "it is empty; export the results again")
        rows: Iterable[tuple[int, Sequence[Cell]]] = islice(
            enumerate(sheet.rows), first, first + _SEARCHED
        )
        if self._form.preamble is not None:
            rows = islice(rows, self._form.preamble, self._form.preamble + 1)
            best = (0, f"it ends before row {first + self._form.preamble + 1}, the headings")
        for number, row in rows:
            there = self.labels(row)
            lacking = [one for one in self._wanted if cells.label(one) not in there]
            if not lacking:
                return _Heading(number, self._placed(sheet, number, there))
            if (score := len(self._wanted) - len(lacking) + (0.5 if row else 0)) > best[0]:
                written = [str(one) for one in row if one is not None]
                names = joined([missing(one, written) for one in lacking], 3)
                best = (int(score), f"{sheet.line(number)} lacks the heading {names}")
        return best

    def labels(self, row: Sequence[Cell]) -> dict[str, list[int]]:
        """Columns by the label of their heading."""
        area, found = self._form.area, dict[str, list[int]]()
        for column, cell in enumerate(row):
            inside = area is None or area.left <= column <= (area.right or len(row))
            if cell is not None and inside:
                found.setdefault(cells.label(cell), []).append(column)
        return found

    def _placed(self, sheet: Sheet, row: int, there: dict[str, list[int]]) -> dict[str, int]:
        known = {cells.label(one) for one in self._wanted}
        known |= {cells.label(one) for v in self._form.values.values() for one in (v.column, v.std)}
        for label, columns in there.items():
            if label in known and len(columns) > 1:
                names = " and ".join(cells.letters(one) for one in columns)
                raise EvaluatorError(
                    f"{sheet.line(row)} has the heading {quote(label)} in the columns {names}; "
                    "rename one"
                )
        return {label: columns[0] for label, columns in there.items()}


class _Table:
    """The rows below headings."""

    def __init__(self, sheet: Sheet, form: Format, heading: _Heading, barcode: str) -> None:
        self._sheet, self._form, self._barcode = sheet, form, barcode
        self._heading = heading
        self._search = _Search(form)

    def items(self) -> Iterator[Item]:
        """What each row says. A row of headings again begins another table of the same kind."""
        last = self._form.area.bottom if self._form.area else None
        loose = False  # after an empty row, what names no well is a note
        for row in range(self._heading.row + 1, len(self._sheet.rows)):
            if last is not None and row > last:
                return
            line = self._sheet.rows[row]
            if cells.blank(line):
                loose = True
            elif self._repeats(line):
                loose = False
            elif not loose or self._names_a_place(row):
                yield self._item(row)

    def _repeats(self, row: Sequence[Cell]) -> bool:
        return {cells.label(cell) for cell in row if cell is not None} >= set(self._heading.columns)

    def _names_a_place(self, row: int) -> bool:
        what = "well" if "well" in self._form.columns else "job"
        cell = cells.label(self._cell(row, self._form.columns[what])[0])
        return bool(cell) and (what == "job" or _PLACE.fullmatch(cell) is not None)

    def _cell(self, row: int, heading: str) -> tuple[Cell, str]:
        """A cell by its heading, and its place."""
        column = self._heading.columns.get(cells.label(heading))
        if column is None:
            return None, ""
        return self._sheet.at(row, column), self._sheet.place(row, column, heading)

    def _text(self, row: int, what: str) -> str:
        heading = self._form.columns.get(what)
        if heading is None:
            return ""
        cell, place = self._cell(row, heading)
        try:
            return cells.text(cell)
        except WrongCell as error:
            raise WrongCell(f"{place} {error}") from None

    def _item(self, row: int) -> Item:
        line = self._sheet.line(row)
        try:
            self._require_whole(row)
            barcode = self._barcode or self._text(row, "barcode")
            well, job = self._text(row, "well"), self._text(row, "job")
            for what, said in (("barcode", barcode), ("well", well), ("job", job)):
                if what in self._form.columns and not said:
                    _, place = self._cell(row, self._form.columns[what])
                    raise WrongCell(f"{place} is empty; write the {what}")
        except WrongCell as error:
            return Item(line, "", "", broken=str(error))
        amounts, wrong, failed = self._amounts(row)
        try:
            at, place = self._cell(row, self._form.columns.get("measured_at", ""))
            when = None
            if at is not None:
                when = cells.moment(at, self._form.zone, self._form.time_format)
        except WrongCell as error:
            when = None
            wrong.append(f"{place} {error}")
        told = {}
        for what in ("instrument", "operator", "lot"):
            try:
                told[what] = self._text(row, what)
            except WrongCell as error:
                wrong.append(str(error))
        return Item(
            line, barcode, well, job, tuple(amounts), tuple(wrong), "", failed, when, **told
        )

    def _require_whole(self, row: int) -> None:
        """Refuse a row that has other cells than there are headings: a number was split.

        Raises:
            WrongCell: it has.
        """
        cells_there, sheet = self._sheet.rows[row], self._sheet
        headed = max(len(sheet.rows[self._heading.row]), max(self._heading.columns.values()) + 1)
        # Where commas are both, a row that lacks cells may have had a number split, too.
        ambiguous = sheet.delimiter == self._form.decimal and len(cells_there) != headed
        if not sheet.name and (ambiguous or not cells.blank(cells_there[headed:])):
            raise WrongCell(
                f"{sheet.line(row)} has {len(cells_there)} cells, the headings are {headed}; a "
                "decimal comma may have split a number: export with another delimiter"
            )

    def _amounts(self, row: int) -> tuple[list[Amount], list[str], str]:
        """The values of a row, what is wrong with it, and why the reader gives none."""
        amounts: list[Amount] = []
        wrong: list[str] = []
        failed: list[str] = []
        for name, value in self._wanted(row, wrong):
            cell, place = self._cell(row, value.column)
            merging = self._merging(row, value.column)
            if merging:
                wrong.append(f"{place} is one of the merged cells {merging}; unmerge them")
            elif isinstance(cell, str) and cell.lower() in self._form.no_value:
                failed.append(f"{place}: the reader says {quote(str(cell), 40)}")
            elif cell is None and value.optional:
                continue
            else:
                try:
                    amounts.append(self._amount(row, name, value, cell, place))
                except WrongCell as error:
                    wrong.append(str(error) if str(error).startswith("!") else f"{place} {error}")
        return amounts, [one.removeprefix("!") for one in wrong], joined(failed)

    def _wanted(self, row: int, wrong: list[str]) -> list[tuple[str, Value]]:
        """Measures with the columns in which this row has them."""
        values = self._form.values
        if "measure" not in self._form.columns:
            return [
                (name, value)
                for name, value in values.items()
                if not value.optional or cells.label(value.column) in self._heading.columns
            ]
        try:
            said = self._text(row, "measure")
        except WrongCell as error:
            wrong.append(str(error))
            return []
        for name, value in values.items():
            if cells.label(said) in (cells.label(name), cells.label(value.column)):
                column, std = self._form.columns["value"], self._form.columns.get("std", "")
                return [(name, Value(column, value.unit, value.std or std, value.optional))]
        return []  # another measure than ours: an extra row, as there are extra columns

    def _merging(self, row: int, heading: str) -> str:
        column = self._heading.columns.get(cells.label(heading))
        return "" if column is None else self._sheet.merging(row, column)

    def _amount(self, row: int, name: str, value: Value, cell: Cell, place: str) -> Amount:
        written = cells.number(cell, self._form.decimal)
        std, censoring, unit = written.std, written.censoring, written.unit
        std_heading = value.std or self._form.columns.get("std", "")
        if std_heading:
            spread, where = self._cell(row, std_heading)
            try:
                std = None if spread is None else cells.number(spread, self._form.decimal).value
            except WrongCell as error:
                raise WrongCell(f"!{where} {error}") from None
        if "censoring" in self._form.columns:
            sign, where = self._cell(row, self._form.columns["censoring"])
            try:
                said = cells.side(sign)
            except WrongCell as error:
                raise WrongCell(f"!{where} {error}") from None
            if Censoring.NONE not in (said, censoring) and said is not censoring:
                raise WrongCell(f"!{where} is {sign}, and {place} says the other side")
            censoring = said if censoring is Censoring.NONE else censoring
        if "unit" in self._form.columns:
            try:
                unit = self._text(row, "unit") or unit
            except WrongCell as error:
                raise WrongCell(f"!{error}") from None
        return Amount(name, written.value, unit or value.unit, std, censoring, place)

"""Grids: a cell a well, as the plate lies on the bench."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adapters.file_drop import cells
from adapters.file_drop.cells import Sheet, WrongCell
from adapters.file_drop.formats import Area, Format
from adapters.file_drop.items import Amount, Item
from adapters.file_drop.plateless import barcode_of
from adapters.messages import quote
from adapters.protocol import EvaluatorError
from adapters.reduction.plates import Plate, Position


def items(
    sheets: Iterable[Sheet], form: Format, plate: Plate, name: str, *, all_of_them: bool
) -> list[Item]:
    """What the grids of the sheets say: an item a well and grid.

    Args:
        name: of the file.
        all_of_them: whether each sheet with a barcode counts; else they are one sheet read in
            several ways, of which the one with most numbers counts.

    Raises:
        EvaluatorError: there is no grid where one should be, or it is none of this plate.
    """
    assert form.barcode is not None, "the option was checked"
    tried = list(sheets)
    if not all_of_them:
        tried = [max(tried, key=lambda one: _filled(one, form, plate))]
    found: list[Item] = []
    reason = ""
    for sheet in tried:
        try:
            barcode = barcode_of(sheet, form.barcode, name)
            if not _filled(sheet, form, plate):
                raise EvaluatorError(f"{_named(sheet, form, plate)} is empty; no grid is there")
        except EvaluatorError as error:
            if len(tried) == 1 or "two plates" in str(error):
                raise
            reason = str(error)
            continue
        for quantity, area in form.grids.items():
            _require_fit(sheet, area, plate)
            found += _grid(sheet, form, plate, quantity, area, barcode)
    if not found:
        raise EvaluatorError(reason)
    return found


def _filled(sheet: Sheet, form: Format, plate: Plate) -> int:
    """How many cells of the grids hold something."""
    return sum(
        sheet.at(area.top + one.row, area.left + one.column) is not None
        for area in form.grids.values()
        for one in plate.positions()
    )


def _named(sheet: Sheet, form: Format, plate: Plate) -> str:
    area = next(iter(form.grids.values()))
    end = f"{cells.letters(area.left + plate.columns - 1)}{area.top + plate.rows}"
    where = f"{cells.letters(area.left)}{area.top + 1}:{end}"
    return f"{sheet.name}!{where}" if sheet.name else where


def require_shape(area: Area, plate: Plate) -> None:
    """Make sure that a range is as large as the plate.

    Raises:
        EvaluatorError: it is not; says where rows and columns are swapped.
    """
    if area.bottom is None or area.right is None:
        return
    rows, columns = area.bottom - area.top + 1, area.right - area.left + 1
    if (rows, columns) == (plate.columns, plate.rows):
        raise EvaluatorError(
            f"has {rows} rows and {columns} columns, {plate} has {plate.rows} and {plate.columns}: "
            "rows and columns are swapped"
        )
    if (rows, columns) != (plate.rows, plate.columns):
        raise EvaluatorError(
            f"has {rows} rows and {columns} columns, {plate} has {plate.rows} and {plate.columns}"
        )


def _require_fit(sheet: Sheet, area: Area, plate: Plate) -> None:
    """Compare the letters and numbers around a grid, where there are some, with the plate's.

    Raises:
        EvaluatorError: they are others: the grid is turned, or stands elsewhere.
    """
    above = [cells.label(sheet.at(area.top - 1, area.left + n)) for n in range(plate.columns)]
    beside = [cells.label(sheet.at(area.top + n, area.left - 1)) for n in range(plate.rows)]
    above = [one.removesuffix(".0") for one in above]
    first = sheet.place(area.top, area.left)
    if above[:2] == ["a", "b"] or beside[:2] in (["1", "2"], ["1.0", "2.0"]):
        raise EvaluatorError(
            f"the grid at {first} has letters above or numbers beside it: rows and columns are "
            "swapped; export rows A to "
            f"{Position(plate.rows - 1, 0)!s:.1} downwards and columns 1 to {plate.columns} across"
        )
    for number, label in enumerate(above):
        if label.isdecimal() and int(label) != number + 1:
            raise EvaluatorError(
                f"the column of {sheet.place(area.top, area.left + number)} is headed "
                f"{quote(label)}, where {number + 1} is expected: the grid begins elsewhere"
            )
    for number, label in enumerate(beside):
        expected = chr(97 + number) if number < 26 else ""
        if len(label) == 1 and label.isalpha() and expected and label != expected:
            raise EvaluatorError(
                f"the row of {sheet.place(area.top + number, area.left)} is headed "
                f"{quote(label.upper())}, where {expected.upper()} is expected: the grid begins "
                "elsewhere"
            )
    following = cells.label(sheet.at(area.top + plate.rows, area.left - 1))
    if beside[0] == "a" and following == chr(97 + plate.rows):
        raise EvaluatorError(
            f"the grid at {first} goes on below row {chr(64 + plate.rows)}, beyond {plate}: is it "
            "a larger plate?"
        )


def _grid(
    sheet: Sheet, form: Format, plate: Plate, quantity: str, area: Area, barcode: str
) -> Iterator[Item]:
    value = form.values[quantity]
    for position in plate.positions():
        row, column = area.top + position.row, area.left + position.column
        cell, place = sheet.at(row, column), sheet.place(row, column)
        amounts: tuple[Amount, ...] = ()
        wrong: tuple[str, ...] = ()
        failed = ""
        if merging := sheet.merging(row, column):
            wrong = (f"{place} is one of the merged cells {merging}; unmerge them",)
        elif isinstance(cell, str) and cell.lower() in form.no_value:
            failed = f"{place}: the reader says {quote(str(cell), 40)}"
        elif cell is not None or not value.optional:
            try:
                written = cells.number(cell, form.decimal)
            except WrongCell as error:
                wrong = (f"{place} {error}",)
            else:
                unit = written.unit or value.unit
                amounts = (
                    Amount(quantity, written.value, unit, written.std, written.censoring, place),
                )
        yield Item(place, barcode, str(position), amounts=amounts, wrong=wrong, failed=failed)

"""The barcode of a file or sheet that holds one plate, where no column has it."""

from __future__ import annotations

import re

from adapters.file_drop import cells
from adapters.file_drop.cells import Cell, Sheet, WrongCell
from adapters.file_drop.formats import Plateless, column
from adapters.messages import quote
from adapters.protocol import EvaluatorError


def barcode_of(sheet: Sheet, where: Plateless, name: str) -> str:
    """The barcode of the one plate in a sheet.

    Args:
        name: of the file.

    Raises:
        EvaluatorError: there is none, or there are two.
    """
    if where.kind == "name":
        match = re.search(where.what, name)
        if not match or not match[1]:
            raise EvaluatorError(
                f"its name {quote(name)} has no barcode in it, as {quote(where.what)} finds it"
            )
        return match[1]
    if where.kind == "cell":
        found = re.fullmatch(r"([A-Z]+)(\d+)", where.what.upper().partition(":")[0])
        assert found is not None, "the option was checked"
        row, at = int(found[2]) - 1, column(found[1])
        place, said = sheet.place(row, at), _text(sheet.at(row, at), sheet.place(row, at))
        if not said:
            raise EvaluatorError(f"{place} is empty; the barcode of the plate should stand there")
        return said
    said_all = _labelled(sheet, where.what)
    if not said_all:
        raise EvaluatorError(
            f"{f'sheet {sheet.name}' if sheet.name else 'it'} has no cell {quote(where.what)} with "
            "the barcode of the plate beside it"
        )
    if len(said_all) > 1:
        (one, first), (other, second) = list(said_all.items())[:2]
        raise EvaluatorError(
            f"it holds two plates, {one} ({first}) and {other} ({second}), where one is expected; "
            "export a file for each plate"
        )
    return next(iter(said_all))


def _labelled(sheet: Sheet, label: str) -> dict[str, str]:
    """Barcodes beside a label, or behind its colon, each with its place."""
    wanted = cells.label(label).rstrip(":").rstrip()
    found: dict[str, str] = {}
    for number, row in enumerate(sheet.rows):
        for at, cell in enumerate(row):
            if not isinstance(cell, str) or not cells.label(cell).startswith(wanted):
                continue
            head, _, behind = cell.partition(":")
            if cells.label(head) != wanted:
                continue
            if behind.strip():
                found.setdefault(behind.strip(), sheet.place(number, at))
                continue
            for beside in range(at + 1, len(row)):
                if row[beside] is not None:
                    place = sheet.place(number, beside)
                    found.setdefault(_text(row[beside], place), place)
                    break
    return found


def _text(cell: Cell, place: str) -> str:
    try:
        return cells.text(cell)
    except WrongCell as error:
        raise EvaluatorError(f"{place} {error}") from None

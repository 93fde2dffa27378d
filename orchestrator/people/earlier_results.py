"""Measurements from before assayloop: a table of objects and values, taken in with its provenance.

The whole table is one entry, and its bytes are kept: every value points to its row and column.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters import values
from adapters.checks import refusals
from adapters.messages import quote
from adapters.protocol import Measure, Reading
from db.ledger import Draft
from orchestrator import moments
from orchestrator.errors import AssayloopError, BadInput, Problem
from orchestrator.latent.protocol import Decoded
from orchestrator.people import ask_tell
from orchestrator.verbs import gates, valuing
from orchestrator.wiring import Parts

OBJECTS = ("object", "smiles")
"""Headings of the column that holds objects; a box has a column a parameter."""
IDS = ("id", "name")
"""Headings of the column that says what people call them."""
WORDS = ("measured_at", "instrument", "operator", "lot")

SHOWN = 20
"""Wrong rows that an error names."""


@dataclass(frozen=True)
class Row:
    """One line of a table, read and checked."""

    number: int
    """As a spreadsheet counts: the heading is row 1."""
    object: Decoded
    ids: tuple[str, ...]
    readings: tuple[tuple[str, Reading], ...]
    """Each with the unit to keep it in."""


def read(parts: Parts, table: bytes, *, accept_good_rows: bool = False) -> list[Row]:
    """The rows of a table of earlier results.

    Args:
        table: CSV in UTF-8, separated by comma, semicolon or tab. Columns: ``object`` or
            ``smiles``, or those of the box's parameters; a measure by its name, ``NAME [unit]``
            for another unit, ``NAME std`` for its standard deviation; optionally ``id``,
            ``measured_at``, ``instrument``, ``operator``, ``lot``.
        accept_good_rows: leave wrong rows out instead of refusing all.

    Raises:
        BadInput: it is no such table, or a row is wrong; names the rows.
    """
    heading, lines = _lines(table)
    columns = _Columns(parts, heading)
    contents = [columns.content(cells) for _, cells in lines]
    decoded = parts.space.read([one if isinstance(one, str) else "" for one in contents])
    found, wrong = [], []
    for (number, cells), content, one in zip(lines, contents, decoded, strict=True):
        place = f"row {number}"
        if isinstance(content, Problem) or not one.valid:
            what = (
                content.what if isinstance(content, Problem) else f"{quote(content)}: {one.reason}"
            )
            wrong.append(Problem(place, what))
            continue
        try:
            readings = columns.readings(number, cells)
            found.append(Row(number, one, columns.ids(cells), tuple(readings)))
        except ValueError as error:
            wrong.append(Problem(place, str(error)))
    if wrong and not (accept_good_rows and found):
        more = [Problem("", f"and {len(wrong) - SHOWN} rows more")] if len(wrong) > SHOWN else []
        raise BadInput(wrong[:SHOWN] + more)
    if not found:
        raise BadInput.of("FILE", "holds no row with a value")
    return found


def add(parts: Parts, rows: Sequence[Row], table: bytes, *, provenance: str) -> int:
    """Take the rows in, in one entry.

    Returns:
        How many candidates they are of.

    Raises:
        BadInput: nobody says where the values come from.
        Conflict: the campaign is over, or was revised since its parts were wired.
    """
    if not provenance.strip():
        raise BadInput.of("--provenance", "is missing", "say where the values come from")
    ask_tell.refuse_unfit(parts)
    with parts.write() as session:
        draft = Draft("tell", {"provenance": provenance, "rows": len(rows)})
        sha256 = draft.attach(table, "text/csv")
        draft.about["table"] = sha256
        told = [(row.object, row.ids) for row in rows]
        numbers = ask_tell.add_objects(session, draft, parts, told, source="imported")
        for number, row in zip(numbers, rows, strict=True):
            ask_tell.add_measurements(
                session, draft, parts, number, row.readings, source="imported", delivery=sha256
            )
        distinct = list(dict.fromkeys(numbers))
        for number in distinct:
            valuing.value_candidate(session, draft, parts, number)
        gates.settle(session, draft, parts, distinct)
        valuing.settle_campaign(session, draft, parts)
        parts.append(session, draft)
    return len(distinct)


def _lines(table: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Heading and numbered lines.

    Raises:
        BadInput: it is no table.
    """
    try:
        text = table.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"byte {error.start + 1} is not UTF-8"
        raise BadInput.of("FILE", what, "save it as CSV in UTF-8") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = list(csv.reader(io.StringIO(text.replace("\0", "")), delimiter=delimiter))
    except csv.Error as error:
        raise BadInput.of("FILE", f"cannot be read as CSV: {error}") from None
    if not lines:
        raise BadInput.of("FILE", "is empty", "row 1 names the columns")
    heading = [cell.strip() for cell in lines[0]]
    rows = [(number, cells) for number, cells in enumerate(lines[1:], 2) if any(cells)]
    for number, cells in rows:
        if len(cells) > len(heading):
            what = f"has {len(cells)} cells, and row 1 has {len(heading)}"
            raise BadInput.of(f"row {number}", what)
    return heading, [(n, cells + [""] * (len(heading) - len(cells))) for n, cells in rows]


class _Columns:
    """What each column of a table is."""

    def __init__(self, parts: Parts, heading: Sequence[str]) -> None:
        self._places = {name: place for place, name in enumerate(heading) if name}
        self._parameters = [one.name for one in parts.spec.space.parameters]
        lower = {name.lower(): name for name in self._places}
        self._object = next((lower[one] for one in OBJECTS if one in lower), None)
        self._id = next((lower[one] for one in IDS if one in lower), None)
        self._parts = parts
        self._measures: list[tuple[str, Measure, str]] = []
        known = {self._object, self._id, *WORDS}
        known.update(self._parameters if self._object is None else ())
        for name in self._places:
            bare, _, unit = name.partition("[")
            measure = ask_tell.measure(parts, bare.strip())
            if measure is not None:
                given = unit.rstrip("] ").strip() if unit else measure.unit
                self._measures.append((name, measure, given))
                known |= {name, f"{bare.strip()} std"}
        self._require(heading, known)

    def _require(self, heading: Sequence[str], known: set[str | None]) -> None:
        missing = [one for one in self._parameters if one not in self._places]
        if self._object is None and (missing or not self._parameters):
            wanted = ", ".join(missing) if self._parameters else " or ".join(OBJECTS)
            raise BadInput.of("row 1", f"has no column {wanted}", "it says what was measured")
        measures = ", ".join(self._parts.spec.measures)
        if not self._measures:
            raise BadInput.of("row 1", "names no measure of the campaign", f"there are: {measures}")
        strange = [name for name in heading if name and name not in known]
        if strange:
            what = f"has a column {strange[0]!r}, which is no measure of the campaign"
            raise BadInput.of("row 1", what, f"leave it out; measures: {measures}")

    def content(self, cells: Sequence[str]) -> str | Problem:
        """The object of a row, or what is wrong with it."""
        if self._object is not None:
            text = cells[self._places[self._object]].strip()
            return text or Problem("", f"column {self._object} is empty")
        found: dict[str, Any] = {}
        for name in self._parameters:
            try:
                found[name] = values.read(cells[self._places[name]]).value
            except ValueError as error:
                return Problem("", f"column {name}: {error}")
        return json.dumps(found)

    def ids(self, cells: Sequence[str]) -> tuple[str, ...]:
        """What people call the object of a row."""
        text = cells[self._places[self._id]].strip() if self._id else ""
        return (text,) if text else ()

    def readings(self, number: int, cells: Sequence[str]) -> list[tuple[str, Reading]]:
        """The values of a row.

        Raises:
            ValueError: one is no measurement, or there is none; names the column.
        """
        words = self._words(cells)
        found = []
        for name, measure, unit in self._measures:
            text = cells[self._places[name]]
            if not text.strip():
                continue
            try:
                written = values.read(text)
                std = written.std
                if (column := f"{measure.name} std") in self._places and std is None:
                    text = cells[self._places[column]].strip()
                    std = values.read(text).value if text else None
            except ValueError as error:
                raise ValueError(f"column {name}: {error}") from None
            reading = Reading(
                name=measure.name,
                value=written.value,
                unit=unit if written.unit is None else written.unit,
                std=std,
                censoring=written.censoring,
                place=f"row {number}, column {name}",
                **words,
            )
            capabilities = ask_tell.giver(self._parts, measure.name)
            if wrong := refusals(capabilities, (), [reading]):
                raise ValueError("; ".join(wrong))
            assert math.isfinite(reading.value), "which values.read makes sure of"
            found.append((measure.unit, reading))
        if not found:
            raise ValueError("has no value")
        return found

    def _words(self, cells: Sequence[str]) -> Mapping[str, Any]:
        found: dict[str, Any] = {
            name: cells[self._places[name]].strip() for name in WORDS if name in self._places
        }
        if at := found.pop("measured_at", ""):
            try:
                found["measured_at"] = moments.read(at, "measured_at")
            except AssayloopError as error:
                raise ValueError(str(error)) from None
        return found

"""Tables as CSV, Parquet and JSON Lines, and as data frames.

Rows are streamed. Numbers come back as they were, to the last bit: in CSV as the shortest text that
reads as the same number.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from db.columns import canonical

if TYPE_CHECKING:
    import pandas

FORMATS = ("csv", "jsonl", "parquet")
ROWS = 2000
"""Rows that Parquet takes at a time."""

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n", "'")
"""What a text may not begin with in CSV: a spreadsheet would take it for a formula, or strip it."""

_ARROW = {"int": "int64", "float": "float64", "bool": "bool", "text": "string"}
_PANDAS = {"int": "Int64", "float": "float64", "bool": "boolean", "text": "object"}

Row = dict[str, Any]


class Column(NamedTuple):
    """One column of a table."""

    name: str
    kind: str
    """int, float, bool or text; ``[float]`` and ``[text]`` are lists. Any may be None."""
    unit: str = ""


def write(path: Path, form: str, columns: Sequence[Column], rows: Iterable[Row]) -> int:
    """Write a table.

    Args:
        path: The file.
        form: One of :data:`FORMATS`.
        columns: What a row has.
        rows: Values by column.

    Returns:
        Number of rows.

    Raises:
        OSError: it cannot be written.
    """
    counted = _Counted(rows)
    if form == "parquet":
        _parquet(path, columns, iter(counted))
    elif form == "csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([csv_cell(column.name) for column in columns])
            writer.writerows([csv_cell(row[one.name]) for one in columns] for row in counted)
    else:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in counted)
    return counted.number


class _Counted:
    """Rows that are counted as they pass."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.number = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.number += 1
            yield row


def csv_cell(value: object) -> str:
    """A value as CSV has it.

    None is empty, a list or mapping is JSON, and a number is a number. A text that begins with one
    of :data:`FORMULA` is preceded by an apostrophe: whoever takes one apostrophe away from each
    text that begins with one has the text again.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list | tuple | dict):
        return canonical(value)
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text


def _parquet(path: Path, columns: Sequence[Column], rows: Iterator[Row]) -> None:
    import pyarrow
    from pyarrow import parquet

    def kind(name: str) -> Any:
        if name.startswith("["):
            return pyarrow.list_(kind(name.strip("[]")))
        return pyarrow.type_for_alias(_ARROW[name])

    schema = pyarrow.schema(
        pyarrow.field(one.name, kind(one.kind), metadata={"unit": one.unit} if one.unit else None)
        for one in columns
    )
    with parquet.ParquetWriter(path, schema) as writer:
        while part := list(islice(rows, ROWS)):
            writer.write_batch(pyarrow.RecordBatch.from_pylist(part, schema=schema))


def frame(columns: Sequence[Column], rows: Iterable[Row]) -> pandas.DataFrame:
    """A table as a data frame; ``attrs["units"]`` has the units, by column."""
    import pandas

    made = pandas.DataFrame(list(rows), columns=[one.name for one in columns], dtype="object")
    made = made.astype({one.name: _PANDAS.get(one.kind, "object") for one in columns})
    made.attrs["units"] = {one.name: one.unit for one in columns if one.unit}
    return made

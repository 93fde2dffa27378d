"""Result files of a plate reader, and evaluators that read them, for tests."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from adapters.file_drop import FileDrop
from adapters.protocol import Job, Sample, Ticket

CAMPAIGN = "0b8a2f6e-5b1c-4a57-9a57-2f6c1d3f9f10"
HEAD = "barcode,well,yield,ph\n"
GOOD = f"{HEAD}P1,A1,71.5,7\nP1,A2,68,7.5\nP1,A3,12.25,8\n"


def key(number: int, campaign: str = CAMPAIGN) -> str:
    """Key of the job of a candidate."""
    return f"{campaign}/{number}/reader/1"


TICKETS = tuple(Ticket(key(n), f"P1:A{n}") for n in (1, 2, 3))


def reader(folder: Path, results: dict[str, Any] | None = None, **changes: Any) -> FileDrop:
    """An evaluator of yield and pH, on plates of 96."""
    (folder / "results").mkdir(parents=True, exist_ok=True)
    (folder / "worklists").mkdir(exist_ok=True)
    options: dict[str, Any] = {
        "worklist": {"folder": str(folder / "worklists")},
        "results": {"folder": str(folder / "results"), "settle": 0} | (results or {}),
        "measures": {"yield": {"unit": "percent", "lower": 0, "upper": 100}, "ph": ""},
        "kinds": ["parameters"],
        "plate": {"wells": 96},
    }
    return FileDrop(**options | changes)


def book(rows: list[list[Any]], change: Callable[[Any], None] | None = None) -> bytes:
    """A workbook of one sheet."""
    made = Workbook()
    sheet: Any = made.worksheets[0]
    for row in rows:
        sheet.append(row)
    if change:
        change(sheet)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


ROWS: list[list[Any]] = [
    ["barcode", "well", "yield", "ph"],
    ["P1", "A1", 71.5, 7],
    ["P1", "A2", 68, 7.5],
    ["P1", "A3", 12.25, 8],
]


def grid(*, turned: bool = False, barcode: str = "P1", upto: str = "") -> bytes:
    """A grid of 8 x 12 below a barcode; turned, of 12 x 8."""
    rows, columns = (12, 8) if turned else (8, 12)
    across = [chr(65 + n) if turned else str(n + 1) for n in range(columns)]
    lines = [f"Plate:,{barcode}", "", ",".join(["", *across])]
    for row in range(rows):
        side = str(row + 1) if turned else chr(65 + row)
        lines.append(",".join([side, *["50"] * columns]))
    return ("\n".join(lines) + upto).encode()


GRID: dict[str, Any] = {
    "layout": "grid",
    "barcode": {"label": "Plate"},
    "grids": {"yield": "B4", "ph": "B4"},
}


def jobs(*contents: str, name: str = "") -> tuple[Job, ...]:
    """A job a sample."""
    return tuple(
        Job(key(number), Sample("molecule", content, name), ("yield", "ph"), label=str(number))
        for number, content in enumerate(contents, 1)
    )


def molecules(folder: Path, **changes: Any) -> FileDrop:
    """An evaluator of molecules."""
    return reader(folder, **{"kinds": ["molecule"]} | changes)

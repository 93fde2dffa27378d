"""What a result file says, value by value, before anybody asks which job it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.protocol import Censoring


@dataclass(frozen=True)
class Amount:
    """One value of one measure."""

    name: str
    """Of the measure."""
    value: float
    unit: str
    std: float | None
    censoring: Censoring
    place: str


@dataclass(frozen=True)
class Item:
    """What a file says of one well: one row of a table, one cell of a grid."""

    line: str
    """Where it stands, for a person."""
    barcode: str
    well: str
    """As it is written; empty where the file names jobs."""
    job: str = ""
    """Key or label."""
    amounts: tuple[Amount, ...] = ()
    wrong: tuple[str, ...] = ()
    """Why cells that should have a value are of no use, each with its place."""
    broken: str = ""
    """Why nobody can tell which job it is about."""
    failed: str = ""
    """Why the reader says that this well gave nothing."""
    measured_at: int | None = None
    instrument: str = ""
    operator: str = ""
    lot: str = ""


def joined(wrong: Sequence[str], limit: int = 20) -> str:
    """Reasons in one text, the first of them."""
    more = f"; and {len(wrong) - limit} more" if len(wrong) > limit else ""
    return "; ".join(wrong[:limit]) + more


WRONG = "\0"
"""Begins the reason of an outcome whose file is wrong, not its sample; taken off before it is
told to anybody."""

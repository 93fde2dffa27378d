"""What the assay of :mod:`adapters.chaos` remembers: a file, as an instrument has a disk."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.protocol import EvaluatorError

_TABLES = """
CREATE TABLE IF NOT EXISTS run (
    number INTEGER PRIMARY KEY, job TEXT NOT NULL, fault TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (
    reference TEXT PRIMARY KEY, body BLOB NOT NULL, jobs TEXT NOT NULL, named INTEGER NOT NULL,
    due REAL NOT NULL, place INTEGER NOT NULL, handed INTEGER NOT NULL DEFAULT 0,
    acknowledged INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS happened (
    job TEXT NOT NULL, fault TEXT NOT NULL, PRIMARY KEY (job, fault));
"""


@dataclass(frozen=True)
class Run:
    """One sample that was physically measured."""

    job: str
    fault: str
    """What goes wrong with it; empty where nothing does."""


@dataclass(frozen=True)
class HandedOver:
    """One delivery that was fetched at least once."""

    reference: str
    body: bytes
    jobs: tuple[str, ...]
    """Keys of the jobs whose samples it came of."""
    acknowledged: bool
    """Whether somebody said that it is stored for good; otherwise it still waits here."""


def runs(state: Path) -> list[Run]:
    """What was physically measured, in order; each line is one sample used up."""
    with opened(state) as memory:
        return [Run(*row) for row in memory.execute("SELECT job, fault FROM run ORDER BY number")]


def handed_over(state: Path) -> list[HandedOver]:
    """The deliveries that were fetched at least once."""
    with opened(state) as memory:
        rows = memory.execute(
            "SELECT reference, body, jobs, acknowledged FROM delivery WHERE handed"
        )
        return [
            HandedOver(name, body, tuple(json.loads(jobs)), bool(done))
            for name, body, jobs, done in rows
        ]


def once(memory: sqlite3.Connection, job: str, fault: str) -> bool:
    """Whether a fault strikes a job for the first time."""
    done = memory.execute("INSERT OR IGNORE INTO happened VALUES (?, ?)", (job, fault))
    return done.rowcount == 1


def send(
    memory: sqlite3.Connection,
    reference: str,
    body: bytes,
    jobs: Sequence[str],
    *,
    place: int,
    late: float = 0.0,
    named: bool = False,
) -> None:
    """Lay out a delivery, to be fetched from its time on."""
    memory.execute(
        "INSERT INTO delivery (reference, body, jobs, named, due, place) VALUES (?, ?, ?, ?, ?, ?)",
        (reference, body, json.dumps(list(jobs)), named, time.time() + late, place),
    )


@contextmanager
def opened(state: Path) -> Iterator[sqlite3.Connection]:
    """The file, open for one transaction.

    Raises:
        EvaluatorError: it cannot be opened or written.
    """
    try:
        memory = sqlite3.connect(state, timeout=30, isolation_level=None)
        try:
            memory.executescript(_TABLES)
            memory.execute("BEGIN IMMEDIATE")
            yield memory
            memory.execute("COMMIT")
        finally:
            memory.close()
    except sqlite3.Error as error:
        raise EvaluatorError(
            f"the file of the option 'state', {str(state)!r}, cannot be used: {error}; "
            "name one in a folder that is there and may be written to"
        ) from error

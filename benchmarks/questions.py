"""What ``show``, ``status`` and ``history`` ask a database, and how long the answers take."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event, func, select

from db import repository
from db.models import Measurement
from db.session import Database
from orchestrator.cli.terminal.options import LAST
from orchestrator.history.listings import measurement_table, results

TOP = 10
"""How many of the best `show` prints by default."""

LARGE = ("ledger_entry", "candidate", "job", "attempt", "measurement", "artifact")
"""Tables that are not to be read from end to end."""

_SCAN = re.compile(r"SCAN (\w+)|Seq Scan on (\w+)")


@dataclass(frozen=True)
class Answer:
    """How one command was answered."""

    name: str
    seconds: float
    whole: tuple[str, ...]
    """Large tables that one of its queries reads from end to end."""


def ask(database: Database) -> Iterator[Answer]:
    """Ask what each command asks, of the first campaign where it is one.

    Args:
        database: One with a campaign that has measurements.
    """
    with database.read() as session:
        campaign = repository.campaigns(session)[0]
    with tempfile.TemporaryDirectory() as folder:
        for name, command in {
            "status": lambda: _standings(database),
            "show": lambda: results.show(database, campaign, TOP, Path(folder)),
            "history": lambda: list(measurement_table.rows(database, campaign, last=LAST)),
        }.items():
            yield _answer(database, name, command)


def _standings(database: Database) -> object:
    with database.read() as session:
        return repository.standings(session, LAST), repository.campaign_count(session)


def measurements(database: Database) -> int:
    """How many there are."""
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Measurement)) or 0


def _answer(database: Database, name: str, command: Callable[[], Any]) -> Answer:
    with _queries(database) as asked:
        command()
    times = []
    for _ in range(3):
        began = time.perf_counter()
        command()
        times.append(time.perf_counter() - began)
    whole = {table for query, values in asked for table in _whole(database, query, values)}
    return Answer(name, sorted(times)[1], tuple(sorted(whole)))


@contextmanager
def _queries(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Yields a list that takes the queries, as the driver gets them, until this ends."""
    asked: list[tuple[str, Any]] = []

    def listen(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            asked.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", listen)
    yield asked
    event.remove(database.engine, "before_cursor_execute", listen)


def _whole(database: Database, query: str, values: Any) -> Iterator[str]:
    """Large tables that a query reads from end to end, by the database's own plan."""
    how = "EXPLAIN QUERY PLAN " if database.engine.dialect.name == "sqlite" else "EXPLAIN "
    with database.engine.connect() as connection:
        plan = connection.exec_driver_sql(how + query, values).all()
    for found in _SCAN.finditer("\n".join(str(line[-1]) for line in plan)):
        name = found[1] or found[2]
        if name in LARGE:
            yield name

"""Whether two runs of a campaign ended the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from db import repository
from db.ledger import Row
from db.models import CHAIN_COLUMN, Base, LedgerEntry
from db.session import Database
from orchestrator.history.verify.verification import verify

MAY_DIFFER: Mapping[str, str] = {
    "campaign.driver_seconds": "the time that drivers worked on it, in all",
    "round.proposed_at": "wall time",
    "fit.duration": "seconds that fitting took",
    "fit.fitted_at": "wall time",
    "attempt.started_at": "wall time",
    "attempt.submitted_at": "wall time; after a kill, of the second time that it was asked",
    "attempt.delivered_at": "wall time",
    "attempt.ended_at": "wall time",
    "measurement.received_at": "wall time",
}
"""Columns in which a campaign that was killed may differ from the undisturbed one, and why."""


FOUND: Mapping[str, tuple[str, ...]] = {
    "campaign": ("name", "ordinal", "state", "reason", "rounds", "evaluations", "best"),
    "candidate": ("number", "round", "point", "object", "objective", "feasible"),
    "measurement": ("candidate", "name", "value", "unit", "std"),
    "fit": ("number", "state", "data_hash", "data_size"),
}
"""What a campaign found, whatever it took to find it."""


@dataclass(frozen=True)
class Ending:
    """What a run left: the rows of the folded tables and the ledger."""

    tables: Mapping[str, list[Row]]
    entries: list[Row]


def ending(url: str) -> Ending:
    """All folded rows and all entries of a database, in order of their keys."""
    opened = Database(url)
    with opened.read() as session:
        connection = session.connection()
        tables = {}
        for name in CHAIN_COLUMN:
            table = Base.metadata.tables[name]
            query = select(table).order_by(*table.primary_key.columns)
            tables[name] = [dict(row) for row in connection.execute(query).mappings()]
        entries = [
            {column.name: getattr(entry, column.name) for column in LedgerEntry.__table__.columns}
            for chain in repository.chains(session)
            for entry in repository.entries(session, chain)
        ]
    opened.close()
    return Ending(tables, entries)


def differences(one: Ending, other: Ending) -> list[str]:
    """How two endings differ beyond :data:`MAY_DIFFER`; nothing where they are the same."""
    found = []
    for name in CHAIN_COLUMN:
        rows = [_comparable(name, row) for row in one.tables[name]]
        others = [_comparable(name, row) for row in other.tables[name]]
        found += _rows(name, rows, others)
    return found + _rows(
        "ledger_entry", *([_entry(row) for row in e.entries] for e in (one, other))
    )


def _comparable(table: str, row: Row) -> Row:
    return {name: value for name, value in row.items() if f"{table}.{name}" not in MAY_DIFFER}


def _entry(row: Row) -> Row:
    """An entry without times and hashes, and its payload without the columns that may differ."""
    payload = json.loads(row["payload"])
    kept = {
        how: {
            table: [_comparable(table, one) for one in rows] for table, rows in payload[how].items()
        }
        for how in ("new", "set")
    }
    left = {"at", "clock_back", "previous", "hash", "payload"}
    return {k: v for k, v in row.items() if k not in left} | {"about": payload["about"]} | kept


def _rows(table: str, rows: list[Row], others: list[Row]) -> list[str]:
    if len(rows) != len(others):
        return [f"{table} has {len(others)} rows instead of {len(rows)}"]
    return [
        f"{table} row {number}: {name} is {other[name]!r} instead of {row[name]!r}"
        for number, (row, other) in enumerate(zip(rows, others, strict=True), 1)
        for name in row
        if not _equal(row[name], other[name])
    ]


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other) or (one != one and other != other)


def outcomes_differ(one: Ending, other: Ending) -> list[str]:
    """How two endings differ in what was found; for a history that a person had to settle.

    Parking and settling are entries of their own, so that numbers of entries move on.
    """
    found = []
    for name, (key, *columns) in FOUND.items():
        rows, others = (
            sorted(
                ({column: row[column] for column in (key, *columns)} for row in table),
                key=lambda row: (row[key], str(row.get("name"))),
            )
            for table in (one.tables[name], other.tables[name])
        )
        found += _rows(name, rows, others)
    return found


def broken(url: str) -> list[str]:
    """What verification finds wrong with a history: its chain, its fold, its artifacts."""
    opened = Database(url)
    found = [f"{problem.where}: {problem.what}" for problem in verify(opened).problems]
    opened.close()
    return found

"""A long history, made of copies of a real one.

A campaign that was run is written again, under as many other names as wanted and, where one is to
be longer than it was, with its rounds again and again under later numbers. Payloads, hashes and
rows are made by the application's own functions; only the inserting is done in bulk, without the
checks of foreign keys.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import orjson
from sqlalchemy import Boolean, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from db import artifacts, migrate
from db.columns import canonical, parse
from db.ledger import GENESIS, Actor, Draft, Row, append, changes, digest, restore
from db.models import SYSTEM, Artifact, Base, LedgerEntry
from db.session import Database
from orchestrator.history.verify.row_fingerprints import form

NUMBERED = ("round", "fit", "candidate", "batch", "job", "measurement")
"""Tables whose rows have a number of their own."""

NUMBERS = {name: name for name in NUMBERED} | {
    "rounds": "round",
    "previous": "fit",
    "best": "candidate",
    "duplicate_of": "candidate",
    "edited_from": "candidate",
    "evaluations": "candidate",
    "supersedes": "measurement",
}
"""Columns that hold numbers of such rows, or count them."""

STEP = 20
"""Copies that are inserted together."""

_HEADER = [column.name for column in LedgerEntry.__table__.columns]
_SQLITE = sqlite.dialect()


@dataclass(frozen=True)
class Original:
    """A campaign that was run to its end."""

    chain: str
    entries: Sequence[LedgerEntry]
    """The first makes it, the last ends it; those between are its rounds."""
    system: Sequence[LedgerEntry]
    """The system chain up to the first campaign."""
    blobs: dict[str, bytes]
    """Artifacts of both chains by SHA-256."""

    @classmethod
    def read(cls, database: Database) -> Original:
        """The first campaign of a database."""
        with database.read() as session:
            table = Base.metadata.tables["ledger_entry"]
            rows = session.execute(select(table).order_by(table.c.chain, table.c.sequence))
            entries = [_entry(**row._asdict()) for row in rows]
            system = [one for one in entries if one.chain == SYSTEM]
            first = next(place for place, one in enumerate(system) if one.kind == "campaign")
            chain = parse(system[first].payload)[0]["about"]["campaign"]
            own = [one for one in entries if one.chain == chain]
            known = session.execute(select(Artifact.chain, Artifact.sha256)).tuples().all()
            blobs = {key: artifacts.get(session, where, key) for where, key in known}
            return cls(chain, own, system[:first], blobs)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many rows of each numbered table it made."""
        found = dict.fromkeys(NUMBERED, 0)
        for entry in self.entries:
            for table, rows in parse(entry.payload)[0]["new"].items():
                if table in found:
                    found[table] += len(rows)
        return found

    @property
    def span(self) -> int:
        """Microseconds from its first entry to after its last."""
        return self.entries[-1].at - self.entries[0].at + 1


def entries_of(original: Original, campaigns: int, laps: int) -> int:
    """How many entries of campaigns the copies have."""
    return campaigns * (2 + laps * (len(original.entries) - 2))


def write(
    original: Original,
    target: Database,
    campaigns: int,
    laps: int,
    progress: Callable[[int], None],
) -> None:
    """Write copies into an SQLite database, which is made.

    Args:
        original: What to copy.
        target: An empty database.
        campaigns: How many campaigns.
        laps: How often each does what the original did.
        progress: Told how many entries have been written.
    """
    migrate.upgrade(target.engine)
    draws = random.Random(7)
    with target.write(SYSTEM) as session:
        # A campaign's own row changes to the end, and is written after those that name it.
        session.execute(text("PRAGMA defer_foreign_keys = ON"))
        write_system(session, original)
        bulk = Bulk(session.connection().connection.cursor())
        first = original.entries[0]
        actor = Actor(first.actor_kind, first.actor_id, first.on_behalf_of, first.mode)
        for ordinal in range(1, campaigns + 1):
            copy = Copy(original, str(UUID(int=draws.getrandbits(128), version=4)), ordinal, bulk)
            genesis = copy.write(laps, progress)
            name = parse(first.payload)[0]["new"]["campaign"][0]["name"]
            about = {"campaign": copy.chain, "name": name, "genesis": genesis}
            append(session, SYSTEM, actor, Draft("campaign", about), first.at)
            if ordinal % STEP == 0:
                bulk.flush()
        bulk.flush()
    _analyze(target)


def write_system(session: Session, original: Original) -> None:
    """Write the system chain up to the first campaign."""
    for entry in original.system:
        restore(session, entry)
        for name in artifacts_of([entry]):
            artifacts.store(session, SYSTEM, name, original.blobs[name])


def artifacts_of(entries: Iterable[LedgerEntry]) -> Iterator[str]:
    """SHA-256 of the artifacts that entries make."""
    for entry in entries:
        for row in parse(entry.payload)[0]["new"].get("artifact", ()):
            yield row["sha256"]


def headed(like: LedgerEntry, **header: Any) -> LedgerEntry:
    """An entry with the header of another but for what is given."""
    return _entry(**vars(like) | header)


def _entry(**columns: Any) -> LedgerEntry:
    return cast(LedgerEntry, SimpleNamespace(**columns))  # an instance of the model takes longer


@dataclass
class Bulk:
    """Rows to be inserted together, past the application."""

    cursor: Any
    """Of SQLite's driver."""
    waiting: dict[str, list[Sequence[Any]]] = field(default_factory=dict)

    def add(self, table: str, values: Sequence[Any]) -> None:
        """A row as the driver takes it: columns in the order of the models."""
        self.waiting.setdefault(table, []).append(values)

    def flush(self) -> None:
        """Insert what waits; those that are named by others first."""
        for table in Base.metadata.sorted_tables:
            rows = self.waiting.pop(table.name, [])
            places = ", ".join("?" * len(table.columns))
            self.cursor.executemany(f"INSERT INTO {table.name} VALUES ({places})", rows)


class Copy:
    """One campaign like another.

    Args:
        original: The other.
        chain: The UUID of this one.
        ordinal: Its number among those of that name.
        bulk: Takes its rows.
    """

    def __init__(self, original: Original, chain: str, ordinal: int, bulk: Bulk) -> None:
        self.chain = chain
        self._original, self._ordinal, self._bulk = original, ordinal, bulk
        self._sequence, self._previous = 0, GENESIS
        self._rows: dict[str, dict[tuple[Any, ...], Row]] = {}

    def write(self, laps: int, progress: Callable[[int], None]) -> str:
        """Write it; returns the hash of its first entry."""
        first, *body, last = self._original.entries
        payload = orjson.loads(self._text(first))
        payload["new"]["campaign"][0]["ordinal"] = self._ordinal
        genesis = self._add(first, 0, canonical(payload), payload)
        for lap in range(laps):
            renamed = self._artifacts(lap)
            for entry in body:
                told = self._text(entry)
                payload = orjson.loads(told)
                if lap:
                    _renumber(payload, lap, self._original.counts, renamed)
                    told = canonical(payload)
                self._add(entry, lap, told, payload)
            self._settle(except_for="campaign")
            if lap % STEP == STEP - 1:
                self._bulk.flush()
            progress(len(body))
        told = self._text(last)
        self._add(last, laps - 1, told, orjson.loads(told))
        self._settle()
        return genesis

    def _text(self, entry: LedgerEntry) -> str:
        return entry.payload.replace(self._original.chain, self.chain)

    def _add(self, like: LedgerEntry, lap: int, told: str, payload: Any) -> str:
        """An entry like another, and what it folds into."""
        self._sequence += 1
        entry = headed(
            like,
            chain=self.chain,
            sequence=self._sequence,
            at=like.at + lap * self._original.span,
            previous=self._previous,
            payload=told,
        )
        entry.hash = self._previous = digest(entry)
        self._bulk.add("ledger_entry", [getattr(entry, name) for name in _HEADER])
        for table, key, values, _ in changes(entry, payload):
            self._rows.setdefault(table, {}).setdefault(key, {}).update(values)
        return entry.hash

    def _settle(self, except_for: str = "") -> None:
        """Give away rows that change no more."""
        for table in self._rows.keys() - {except_for}:
            shape = form(table, _SQLITE)
            for row in self._rows.pop(table).values():
                self._bulk.add(table, shape.stored(row))

    def _artifacts(self, lap: int) -> dict[str, tuple[str, int]]:
        """Store the bytes of a lap, each lap's its own; new names and sizes by old names."""
        renamed = {}
        for name in artifacts_of(self._original.entries):
            data = self._original.blobs[name] + (f" {lap}".encode() if lap else b"")
            renamed[name] = sha256(data).hexdigest(), len(data)
            self._bulk.add("artifact_chunk", (self.chain, renamed[name][0], 0, data))
        return renamed


def _renumber(
    payload: Any, lap: int, counts: dict[str, int], renamed: dict[str, tuple[str, int]]
) -> None:
    """Give the rows of a payload the numbers of a later lap, and its artifacts their names."""
    for tables in (payload["new"], payload["set"]):
        for table, rows in tables.items():
            for row in rows:
                for name, value in row.items():
                    owner = table if name == "number" else NUMBERS.get(name)
                    if owner in counts and isinstance(value, int):
                        row[name] = value + lap * counts[owner]
                    elif isinstance(value, str) and value in renamed:
                        row[name] = renamed[value][0]
                if table in ("job", "batch") and "key" in row:
                    row["key"] += f"+{lap}"  # the database wants it to be the only one
                if table == "artifact":
                    row["size"] += len(f" {lap}")


def move(source: Database, target: Database, progress: Callable[[int], None]) -> None:
    """Copy all tables of an SQLite database into an empty PostgreSQL database, as they are."""
    migrate.upgrade(target.engine)
    reader: Any = source.engine.raw_connection().driver_connection
    with target.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        cursor: Any = connection.connection.cursor()
        for table in Base.metadata.sorted_tables:
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            truths = [n for n, kind in enumerate(table.columns) if isinstance(kind.type, Boolean)]
            rows = reader.execute(f"SELECT {names} FROM {table.name}")
            with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
                for number, row in enumerate(_true(rows, truths), start=1):
                    copy.write_row(row)
                    if table.name == "ledger_entry" and number % 1000 == 0:
                        progress(1000)
    _analyze(target)


def _true(rows: Iterable[Sequence[Any]], truths: Sequence[int]) -> Iterator[Sequence[Any]]:
    """Rows whose truth values are no longer the numbers that SQLite keeps."""
    for row in rows:
        if truths:
            row = list(row)
            for place in truths:
                row[place] = None if row[place] is None else bool(row[place])
        yield row


def _analyze(database: Database) -> None:
    """Let the database know its tables, as it does by itself after a while."""
    vacuum = "VACUUM ANALYZE" if database.engine.dialect.name == "postgresql" else "ANALYZE"
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(vacuum))

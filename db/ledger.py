"""The ledger is the history, the tables are its fold.

An append-only hash chain a campaign, and one chain for the system. Every change of state is an
entry; :func:`fold` says, purely, which rows an entry makes or sets, with absolute values;
:func:`append` writes the entry and those rows in one transaction and is the only code that writes
folded tables. So a row changed behind the ledger's back is found by folding again.

An entry's payload is ``{"about": {...}, "new": {table: [row, ...]}, "set": {table: [row, ...]}}``:
rows without their chain, which is the entry's, and without ``entry``, which is its number. A row
under ``set`` holds its key and the columns that change.

The hash covers a domain tag and every header field, each preceded by its length, so that no two
different entries give the same bytes (RFC 6962 separates its domains likewise).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Double, insert, select, update
from sqlalchemy.orm import Session

from db import artifacts
from db.columns import canonical, storable
from db.models import CHAIN_COLUMN, SYSTEM, Base, LedgerEntry

DOMAIN = "assayloop/ledger/1"
PAYLOAD_VERSION = 1
GENESIS = "0" * 64
"""What the first entry of a chain names as its predecessor."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Actor:
    """Who did it: an authenticated account, a token, or a flow run on somebody's behalf."""

    kind: str
    id: str
    on_behalf_of: str = ""
    mode: str = "single-user"


@dataclass
class Draft:
    """An entry being written: its kind, what it is about, and the rows it makes and sets."""

    kind: str
    about: Row = field(default_factory=dict)
    """Context that no table holds: reasons, random streams, positions."""
    rows: dict[str, dict[str, list[Row]]] = field(default_factory=lambda: {"new": {}, "set": {}})
    blobs: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    """Bytes and media types to be stored with the entry, by SHA-256."""

    def new(self, table: str, **row: Any) -> None:
        """Add a row that the entry makes."""
        self.rows["new"].setdefault(table, []).append(row)

    def set(self, table: str, **row: Any) -> None:
        """Add a change of a row: its key and the columns that change."""
        self.rows["set"].setdefault(table, []).append(row)

    def attach(self, data: bytes, media_type: str) -> str:
        """Store bytes as an artifact with the entry; returns their SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.blobs[sha256] = (data, media_type)
        return sha256


@dataclass(frozen=True)
class Change:
    """One row that an entry makes or sets."""

    table: str
    key: tuple[Any, ...]
    """Values of the primary key, in the table's order."""
    values: Row
    """All columns given, the key included."""
    new: bool


def key_columns(table: str) -> tuple[str, ...]:
    """Names of a table's primary key, in order."""
    return tuple(column.name for column in Base.metadata.tables[table].primary_key.columns)


def fold(entry: LedgerEntry) -> Iterator[Change]:
    """The rows that an entry makes and sets, in the order they are written. Pure.

    Raises:
        ValueError: the payload is of a version or names a table that this release does not know.
    """
    if entry.version != PAYLOAD_VERSION:
        raise ValueError(f"payload version {entry.version} is not known to this release")
    payload = json.loads(entry.payload)
    for how in ("new", "set"):
        for name, rows in sorted(
            payload[how].items(), key=lambda item: list(CHAIN_COLUMN).index(item[0])
        ):
            for row in rows:
                yield _change(entry, name, row, new=how == "new")


def _change(entry: LedgerEntry, table: str, row: Row, *, new: bool) -> Change:
    columns = Base.metadata.tables[table].columns
    values = dict(row)
    chain_column = CHAIN_COLUMN[table]
    if chain_column is None and entry.chain != SYSTEM:
        raise ValueError(f"rows of {table} belong to the system chain")
    if chain_column is not None:
        values[chain_column] = entry.chain
    if new and "entry" in columns:
        values["entry"] = entry.sequence
    unknown = values.keys() - columns.keys()
    if unknown:
        raise ValueError(f"table {table} has no column {sorted(unknown)[0]!r}")
    values |= {name: _real(values[name]) for name in _real_columns(table) & values.keys()}
    key = tuple(values[name] for name in key_columns(table))
    return Change(table, key, values, new)


@cache
def _real_columns(table: str) -> frozenset[str]:
    columns = Base.metadata.tables[table].columns
    return frozenset(column.name for column in columns if isinstance(column.type, Double))


def _real(value: float | str | None) -> float | None:
    """A number as both databases keep it: SQLite has neither NaN nor the sign of zero."""
    number = math.nan if value is None else float(value)
    return None if math.isnan(number) else number + 0.0


def digest(entry: LedgerEntry) -> str:
    """SHA-256 of an entry, from its header and payload."""
    fields: tuple[object, ...] = (
        DOMAIN,
        entry.chain,
        entry.sequence,
        entry.at,
        int(entry.clock_back),
        entry.actor_kind,
        entry.actor_id,
        entry.on_behalf_of,
        entry.mode,
        entry.kind,
        entry.version,
        entry.previous,
        entry.payload,
    )
    hasher = hashlib.sha256()
    for value in fields:
        data = str(value).encode()
        hasher.update(len(data).to_bytes(8, "big"))
        hasher.update(data)
    return hasher.hexdigest()


def head(session: Session, chain: str) -> LedgerEntry | None:
    """The last entry of a chain, or None."""
    return session.scalars(
        select(LedgerEntry)
        .where(LedgerEntry.chain == chain)
        .order_by(LedgerEntry.sequence.desc())
        .limit(1)
    ).first()


def append(session: Session, chain: str, actor: Actor, draft: Draft, at: int) -> LedgerEntry:
    """Write an entry and apply its fold, in the caller's transaction, which holds the chain.

    Args:
        at: wall time in microseconds UTC, as read.
    """
    blobs = {k: v for k, v in draft.blobs.items() if not artifacts.known(session, chain, k)}
    for sha256, (data, media_type) in blobs.items():
        draft.new("artifact", sha256=sha256, media_type=media_type, size=len(data))
    last = head(session, chain)
    entry = LedgerEntry(
        chain=chain,
        sequence=1 if last is None else last.sequence + 1,
        at=at,
        clock_back=last is not None and at < last.at,
        actor_kind=actor.kind,
        actor_id=storable(actor.id),
        on_behalf_of=storable(actor.on_behalf_of),
        mode=actor.mode,
        kind=draft.kind,
        version=PAYLOAD_VERSION,
        payload=canonical({"about": draft.about, **draft.rows}),
        previous=GENESIS if last is None else last.hash,
    )
    entry.hash = digest(entry)
    columns = {column.name for column in LedgerEntry.__table__.columns}
    session.execute(insert(LedgerEntry), [{name: getattr(entry, name) for name in sorted(columns)}])
    apply(session, fold(entry))
    for sha256, (data, _) in blobs.items():
        artifacts.store(session, chain, sha256, data)
    return entry


def apply(session: Session, changes: Iterator[Change]) -> None:
    """Write rows: new ones together a table, changed ones each by its key."""
    pending: list[Row] = []
    table = ""
    for change in changes:
        if pending and (not change.new or change.table != table):
            session.execute(insert(Base.metadata.tables[table]), pending)
            pending = []
        table = change.table
        if change.new:
            pending.append(change.values)
        else:
            _set(session, change)
    if pending:
        session.execute(insert(Base.metadata.tables[table]), pending)


def _set(session: Session, change: Change) -> None:
    target = Base.metadata.tables[change.table]
    names = key_columns(change.table)
    values: Mapping[str, Any] = {k: v for k, v in change.values.items() if k not in names}
    statement = update(target).values(**values)
    for name, value in zip(names, change.key, strict=True):
        statement = statement.where(target.c[name] == value)
    if session.connection().execute(statement).rowcount != 1:
        raise ValueError(f"{change.table} has no row {change.key}")

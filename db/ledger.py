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
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Double, bindparam, insert, select, update
from sqlalchemy.orm import Session

from db import artifacts
from db.columns import canonical, parse, storable
from db.models import CHAIN_COLUMN, SYSTEM, Base, LedgerEntry

DOMAIN = "assayloop/ledger/1"
PAYLOAD_VERSION = 1
GENESIS = "0" * 64
"""What the first entry of a chain names as its predecessor."""

KINDS = frozenset(
    {
        *("create", "revise", "pause", "resume", "stop", "finish"),
        *("propose", "decode", "tell", "record", "refit", "correct", "flag", "sign"),
        *("submit", "ticket", "deliver", "refuse", "park", "resolve", "lose", "expire"),
        *("approve", "reject", "edit", "cancel", "requeue", "start", "enter", "confirm"),
        *("source",),
        *("unreachable", "campaign", "model", "import", "key", "revoke key"),
        *("account", "disable", "role", "password", "token", "logout"),
    }
)
"""What an entry may be. One of another kind was written by a later release, or by none."""

Row = dict[str, Any]

ADDED: Mapping[str, Row] = {
    "batch": {"barcode": ""},
    "measurement": {"instrument": "", "operator": "", "lot": ""},
}
"""Columns that came after the first release, and what they are in a row that was made without."""


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


class Change(NamedTuple):
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
    return changes(entry, parse(entry.payload)[0])


def changes(entry: LedgerEntry, payload: Any) -> Iterator[Change]:
    """What :func:`fold` gives, of an entry whose payload has been read already.

    Raises:
        ValueError: as there.
    """
    if entry.version != PAYLOAD_VERSION:
        raise ValueError(f"payload version {entry.version} is not known to this release")
    for how in ("new", "set"):
        tables = payload[how]
        for name in sorted(tables, key=_order) if len(tables) > 1 else tables:
            yield from _changes(entry, _shape(name), tables[name], new=how == "new")


def _order(table: str) -> int:
    return _shape(table).order


class _Shape(NamedTuple):
    """What the fold must know of a table."""

    name: str
    order: int
    """Which of the tables it is: a row comes after those that it names."""
    columns: frozenset[str]
    key: Callable[[Row], tuple[Any, ...]]
    """Takes the primary key out of a row."""
    chain: str | None
    """The column that holds the chain; None in a table of the system chain."""
    reals: tuple[str, ...]
    """Columns of floating-point numbers."""


@cache
def _shape(table: str) -> _Shape:
    if table not in CHAIN_COLUMN:
        raise ValueError(f"there is no table {table!r}")
    columns = Base.metadata.tables[table].columns
    reals = tuple(column.name for column in columns if isinstance(column.type, Double))
    names, order = frozenset(columns.keys()), list(CHAIN_COLUMN).index(table)
    first, *more = key_columns(table)
    key: Any = itemgetter(first, *more) if more else lambda row: (row[first],)
    return _Shape(table, order, names, key, CHAIN_COLUMN[table], reals)


def _changes(
    entry: LedgerEntry, shape: _Shape, rows: Sequence[Row], *, new: bool
) -> Iterator[Change]:
    given: Row = {}
    if shape.chain is not None:
        given[shape.chain] = entry.chain
    elif entry.chain != SYSTEM:
        raise ValueError(f"rows of {shape.name} belong to the system chain")
    if new and "entry" in shape.columns:
        given["entry"] = entry.sequence
    added = ADDED.get(shape.name, {}) if new else {}
    for row in rows:
        values = {**added, **row, **given}
        if not shape.columns.issuperset(values):
            unknown = sorted(values.keys() - shape.columns)
            raise ValueError(f"table {shape.name} has no column {unknown[0]!r}")
        for name in shape.reals:
            if values.get(name) is not None:
                values[name] = _real(values[name])
        yield Change(shape.name, shape.key(values), values, new)


def _real(value: float | str) -> float | None:
    """A number as both databases keep it: SQLite has neither NaN nor the sign of zero."""
    number = float(value) + 0.0
    return None if math.isnan(number) else number


def digest(entry: LedgerEntry) -> str:
    """SHA-256 of an entry, from its header and payload."""
    framed = frame(
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
    return hashlib.sha256(framed).hexdigest()


def frame(*values: object) -> bytes:
    """Values as what is hashed or signed: each as UTF-8 text after its length in 8 bytes.

    The first is a domain; so no two lists of values, and no two domains, give the same bytes.
    """
    parts = [str(value).encode() for value in values]
    return b"".join([len(part).to_bytes(8, "big") + part for part in parts])


def head(session: Session, chain: str) -> LedgerEntry | None:
    """The last entry of a chain, or None."""
    return session.scalars(
        select(LedgerEntry)
        .where(LedgerEntry.chain == chain)
        .order_by(LedgerEntry.sequence.desc())
        .limit(1)
    ).first()


_ENTRY = Base.metadata.tables["ledger_entry"]
_LAST = (
    select(LedgerEntry.sequence, LedgerEntry.at, LedgerEntry.hash)
    .where(LedgerEntry.chain == bindparam("chain"))
    .order_by(LedgerEntry.sequence.desc())
    .limit(1)
)


def append(session: Session, chain: str, actor: Actor, draft: Draft, at: int) -> LedgerEntry:
    """Write an entry and apply its fold, in the caller's transaction, which holds the chain.

    Args:
        at: wall time in microseconds UTC, as read.
    """
    blobs = {k: v for k, v in draft.blobs.items() if not artifacts.known(session, chain, k)}
    for sha256, (data, media_type) in blobs.items():
        draft.new("artifact", sha256=sha256, media_type=media_type, size=len(data))
    last = session.connection().execute(_LAST, {"chain": chain}).first()
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
    restore(session, entry)
    for sha256, (data, _) in blobs.items():
        artifacts.store(session, chain, sha256, data)
    return entry


def restore(session: Session, entry: LedgerEntry) -> None:
    """Write an entry as it is, perhaps one that was made elsewhere, and apply its fold."""
    values = {one.name: getattr(entry, one.name) for one in _ENTRY.columns}
    session.connection().execute(insert(_ENTRY), values)
    apply(session, fold(entry))


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

"""The tables as the ledger says they are, and every difference from what is stored.

Stored rows are compared as the driver gives them, past the column types, so that no change hides
behind a conversion: a blob is compared by its bytes, JSON by its text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain as joined
from typing import Any

from sqlalchemy import Connection, Dialect, Select, column, distinct, select, table
from sqlalchemy.orm import Session
from sqlalchemy.sql.expression import TableClause

from adapters.messages import quote
from db import repository
from db.columns import storable
from db.ledger import Row, fold, key_columns
from db.models import CHAIN_COLUMN, SYSTEM, Base, LedgerEntry
from orchestrator.errors import Problem
from orchestrator.history.verify.row_fingerprints import conversion, same

Key = tuple[Any, ...]
Rows = dict[str, dict[Key, Row]]
"""Folded rows by table and primary key."""

BATCH = 500
"""Rows fetched at a time; a row may hold some kilobytes."""


def fold_again(session: Session, chain: str) -> Rows:
    """The rows of a chain, folded from nothing.

    Raises:
        ValueError: an entry does not fold.
    """
    rows: Rows = {}
    for entry in repository.entries(session, chain):
        add(rows, entry)
    return rows


def add(rows: Rows, entry: LedgerEntry) -> None:
    """Fold one more entry into the rows.

    Raises:
        ValueError: it makes a row that is there, or changes one that is not.
    """
    for change in fold(entry):
        there = rows.setdefault(change.table, {})
        if change.new == (change.key in there):
            wrong = "makes it again" if change.new else "changes it before it is made"
            raise ValueError(f"{change.table} {row_name(change.key)}: {wrong}")
        there.setdefault(change.key, {}).update(change.values)


def differences(session: Session, chain: str, rows: Rows, where: str) -> Iterator[Problem]:
    """Every row and column in which the stored tables of a chain differ from its fold.

    Args:
        where: The chain, for a person; the place of each problem begins with it.
    """
    for name, chain_column in CHAIN_COLUMN.items():
        if chain_column is None and chain != SYSTEM:
            continue
        missing = dict(rows.get(name, {}))
        for stored in raw(session, name, chain_column, chain):
            key = tuple(stored[part] for part in key_columns(name))
            place = f"{where}, {name} {row_name(key)}"
            folded = missing.pop(key, None)
            if folded is None:
                yield Problem(place, "this row is stored, and no entry made it")
            else:
                yield from _changes(session, name, stored, folded, place)
        for key in missing:
            place = f"{where}, {name} {row_name(key)}"
            yield Problem(place, "the ledger has this row, and it is not stored")


def _changes(
    session: Session, name: str, stored: Row, folded: Row, place: str
) -> Iterator[Problem]:
    dialect = session.get_bind().dialect
    for kind in Base.metadata.tables[name].columns:
        value = stored[kind.name]
        try:
            expected = _stored_form(kind.type, folded.get(kind.name), dialect)
        except Exception as error:  # a forged entry may hold anything
            yield Problem(f"{place}, {kind.name}", f"the ledger's value does not fit: {error}")
            continue
        if not same(value, expected):
            what = f"{quote(value)} is stored; by the ledger it is {quote(expected)}"
            yield Problem(f"{place}, {kind.name}", what)


def _stored_form(kind: Any, value: object, dialect: Dialect) -> object:
    """A folded value as the driver reads it back."""
    convert = None if value is None else conversion(kind, dialect)
    return value if convert is None else convert(value)


def is_name(chain: object) -> bool:
    """Whether it can be the name of a chain: text that every database can hold and be asked for."""
    return isinstance(chain, str) and storable(chain) == chain


def strange_chains(session: Session, known: set[str]) -> Iterator[tuple[str, Any]]:
    """Table and chain of rows that belong to no chain that is known."""
    chained = {name: column for name, column in CHAIN_COLUMN.items() if column is not None}
    for name, chain_column in (chained | {"artifact_chunk": "chain"}).items():
        source = untyped(name)
        for chain in session.scalars(select(distinct(source.c[chain_column]))):
            if chain not in known:
                yield name, chain


def raw(session: Session, name: str, chain_column: str | None, chain: str) -> Iterator[Row]:
    """The stored rows of a chain, as the driver gives them, streamed."""
    source = untyped(name)
    query = select(source)
    if chain_column is not None:
        query = query.where(source.c[chain_column] == chain)
    for row in streamed(session, query):
        yield dict(row._mapping)


def streamed(session: Session, query: Select[Any]) -> Iterator[Any]:
    """The rows of a query, a batch in memory at a time; quicker than one by one."""
    result = session.execute(query.execution_options(yield_per=BATCH))
    return joined.from_iterable(result.partitions())


def untyped(name: str) -> TableClause:
    """A table whose columns have no types: what comes out is what the driver gives."""
    return table(name, *(column(kind.name) for kind in Base.metadata.tables[name].columns))


@contextmanager
def every_text_readable(connection: Connection) -> Iterator[None]:
    """Let SQLite give text that is not UTF-8, instead of refusing the whole row."""
    with _text_by(connection, partial(str, encoding="utf-8", errors="surrogateescape")):
        yield


@contextmanager
def usual_text_readable(connection: Connection) -> Iterator[None]:
    """Let SQLite refuse text that is not UTF-8, which takes half the time of giving it."""
    with _text_by(connection, str):
        yield


@contextmanager
def _text_by(connection: Connection, factory: Callable[[bytes], str]) -> Iterator[None]:
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    before, driver.text_factory = driver.text_factory, factory
    try:
        yield
    finally:
        driver.text_factory = before


def row_name(key: Key) -> str:
    """A key for a person: what numbers the row within its chain."""
    return "/".join(
        quote(part) if isinstance(part, bytes) else str(part) for part in key[1:] or key
    )

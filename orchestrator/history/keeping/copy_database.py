"""A whole database into another, as it is: the chains stay the same to the last hash.

Rows are read and written past the column types, so that nothing is mended on the way: what was
tampered with arrives tampered with, and verification finds it there as it does here. All tables go
but ``lease``, which says who drives what at this moment. Keys are the rows' own, so no sequence of
the database has to be set.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Boolean, Connection, create_engine, func, insert, inspect, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from adapters.messages import quote
from db import repository, revisions
from db.ledger import frame
from db.models import SYSTEM, Base, Lease, LedgerEntry
from db.session import Database, connect
from orchestrator import opening
from orchestrator.errors import BadInput, Problem, Unverified
from orchestrator.history.verify import tables_from_ledger
from orchestrator.settings import Settings

TABLES = tuple(one for one in Base.metadata.sorted_tables if one.name != Lease.__tablename__)
"""What is copied, in an order in which every row finds those that it refers to."""

ROWS = {"artifact_chunk": 8}
"""Rows held at a time, which are mebibytes there and at most some kilobytes elsewhere."""

DOMAIN = "assayloop/heads/1"

Progress = Callable[[int, int], None]
"""Told how much of how much is done."""


def digest(heads: Sequence[LedgerEntry]) -> str:
    """One SHA-256 for the heads of all chains, by which two databases are compared."""
    places = [(head.chain, head.sequence, head.hash) for head in heads]
    return hashlib.sha256(frame(DOMAIN, *(part for place in places for part in place))).hexdigest()


def copy(source: Database, target: Database, progress: Progress) -> Sequence[LedgerEntry]:
    """Copy all rows in one transaction, as they stand at one moment; returns the chains' heads.

    Args:
        source: May be written meanwhile.
        target: With all tables of this release and no row.
        progress: Told the number of rows.

    Raises:
        Unverified: a row cannot be held by the target, which only one that was tampered with
            cannot, or the heads differ afterwards.
        BadInput: somebody has written into the target meanwhile.
    """
    with source.read() as reading, tables_from_ledger.every_text_readable(reading.connection()):
        heads = repository.heads(reading)
        total = sum(count for _, count in counted(reading.connection()))
        with target.write(SYSTEM) as writing:
            require_empty(writing.connection(), "the target")
            done = 0
            for table in TABLES:
                with _naming(table.name):
                    for rows in batches(reading, table.name):
                        writing.execute(insert(tables_from_ledger.untyped(table.name)), rows)
                        done += len(rows)
                        progress(done, total)
    with target.read() as session:
        require_heads(session, digest(heads))
    return heads


def require_heads(session: Session, expected: str) -> None:
    """Compare the heads of all chains with those that were to arrive.

    Raises:
        Unverified: they are others.
    """
    if (found := digest(repository.heads(session))) != expected:
        what = f"its heads have the hash {found}, and those that were to arrive have {expected}"
        raise Unverified([Problem("ledger", what)])


def batches(
    session: Session, name: str, chain: str | None = None
) -> Iterator[list[dict[str, Any]]]:
    """The rows of a table in the order of its key, some at a time.

    Args:
        name: Of the table.
        chain: Those of one chain only, of a table with a column of that name.
    """
    columns = Base.metadata.tables[name].columns
    truths = [one.name for one in columns if isinstance(one.type, Boolean)]
    source, size = tables_from_ledger.untyped(name), ROWS.get(name, tables_from_ledger.BATCH)
    key = [source.c[one.name] for one in Base.metadata.tables[name].primary_key]
    query = select(source).order_by(*key).execution_options(yield_per=size)
    if chain is not None:
        query = query.where(source.c["chain"] == chain)
    for rows in session.execute(query).mappings().partitions():
        found = [dict(row) for row in rows]
        for row in found:
            for truth in truths:
                row[truth] = _truth(row[truth], truth)
        yield found


def _truth(value: object, column: str) -> bool | None:
    """SQLite has 0 and 1 for them, and takes whatever somebody puts there."""
    if value not in (0, 1, None):
        raise ValueError(f"{column} is {quote(value)}, which is neither true nor false")
    return None if value is None else bool(value)


@contextmanager
def _naming(table: str) -> Iterator[None]:
    try:
        yield
    except (DataError, IntegrityError, ProgrammingError, ValueError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        what = f"has a row that the target cannot hold: {str(cause).splitlines()[0]}"
        remedy = "`assayloop audit verify` says what is wrong with it"
        raise Unverified([Problem(f"table {table}", what, remedy)]) from None


# What is there --------------------------------------------------------------------------------


def counted(connection: Connection) -> Iterator[tuple[str, int]]:
    """How many rows each table has, of those that are copied and that are there."""
    there = set(inspect(connection).get_table_names())
    for table in TABLES:
        if table.name in there:
            count = select(func.count()).select_from(table)
            yield table.name, connection.scalar(count) or 0


def require_empty(connection: Connection, shown: str, *, bare: bool = False) -> None:
    """Refuse a database in which there is something.

    Args:
        shown: The database, for a person.
        bare: Whether tables of ours without a row are something, too.

    Raises:
        BadInput: it is not empty; says what is in it.
    """
    there = set(inspect(connection).get_table_names())
    others = sorted(there - set(Base.metadata.tables) - {"alembic_version"})
    holds = [f"{count} of {name}" for name, count in counted(connection) if count]
    if others:
        what = f"tables of something else: {', '.join(others[:10])}"
    elif holds:
        what = f"rows: {', '.join(holds)}"
    elif bare and there:
        what = "our tables already, without a row"
    else:
        return
    raise BadInput.of("--to", f"{shown} is not empty. It has {what}", "name an empty database")


@contextmanager
def vacant(settings: Settings) -> Iterator[Database]:
    """An empty database with all tables of this release; they are made where there are none.

    A SQLite file that was made for it is deleted again where something fails.

    Raises:
        BadInput: it is not empty, or cannot be reached.
        SchemaMismatch: it has tables of another release.
    """
    unmade = is_bare(settings)
    try:
        opened = opening.upgrade(settings) if unmade else opening.database(settings)
        try:
            yield opened
        finally:
            opened.close()
    except BaseException:
        if unmade and settings.sqlite_file is not None:
            delete(settings)
        raise


def is_bare(settings: Settings, *, required: bool = False) -> bool:
    """Whether there is nothing at all yet, looking without leaving a trace.

    Args:
        settings: Name the database.
        required: Refuse tables of ours without a row, too.

    Raises:
        BadInput: it is not empty, or cannot be reached.
    """
    file = settings.sqlite_file
    if file is not None and not (file.exists() and file.stat().st_size):
        return True
    if file is None:
        engine = connect(settings.database_url)
    else:  # `connect` would make it a file in WAL mode, whatever it is
        place = f"{file.absolute().as_uri()}?mode=ro"
        engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(place, uri=True))
    try:
        with opening.reachable(settings), engine.connect() as connection:
            require_empty(connection, settings.shown_url, bare=required)
        return file is None and revisions.is_empty(engine)
    finally:
        engine.dispose()


def delete(settings: Settings) -> None:
    """Delete a SQLite file with what belongs to it."""
    assert settings.sqlite_file is not None
    for end in ("", "-wal", "-shm", "-journal"):
        settings.sqlite_file.with_name(f"{settings.sqlite_file.name}{end}").unlink(missing_ok=True)

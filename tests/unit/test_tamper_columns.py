"""Every column of every table, changed to nonsense and to another row's value, is found.

By the quick look, which must not pass the chain, and by the whole verification, which must say
where. What is exempt stands here by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)

from db.columns import Vector
from db.ledger import Row, key_columns
from db.models import CHAIN_COLUMN, SYSTEM, Base
from db.session import Database
from orchestrator.history.verify import quick_screen, tables_from_ledger
from orchestrator.history.verify.verification import verify
from tests.histories import CAMPAIGN
from tests.varied_history import OTHER

EXEMPT = {"lease": "who drives what at this moment: no entry says what it should be"}
"""Tables of which a changed value is not found, and why."""

UNMOVED = {
    ("campaign", "entry"): "the first entry makes every campaign",
    ("ledger_entry", "version"): "there is one version of payloads so far",
}
"""Columns that hold one value in every row, so that none can be moved, and why."""

BESIDE = {"ledger_entry": "chain", "artifact_chunk": "chain"}
"""Tables that are checked and not folded, of which the quick look reads those of campaigns."""

FIRST = ("artifact_chunk", "ledger_entry", "measurement", "account")
"""Tables that are tried while working; the whole suite tries all."""


class Case(NamedTuple):
    """One value that is changed, and to what."""

    column: str
    row: Any
    """Where the row lies in its table."""
    value: Any
    chain: str | None
    """Of which a row of the table is; None where its table has no chains."""
    exchanged: Any = None
    """Where the row lies that held it and gets the other, where none may hold it twice."""


TABLES = [
    pytest.param(name, marks=[] if name in FIRST else [pytest.mark.slow])
    for name in Base.metadata.tables
    if name not in EXEMPT
]


def test_what_is_exempt_is_there() -> None:
    """A table that is gone would be exempt for ever."""
    assert EXEMPT.keys() <= Base.metadata.tables.keys()
    for table, column in UNMOVED:
        assert column in Base.metadata.tables[table].columns


@pytest.mark.parametrize("how", ["nonsense", "moved"])
@pytest.mark.parametrize("table", TABLES)
def test_every_changed_value_is_found(varied: Database, table: str, how: str) -> None:
    """A chunk under another artifact's hash was a measurement without its original."""
    for column in Base.metadata.tables[table].columns:
        if how == "moved" and (table, column.name) in UNMOVED:
            continue
        with tampering(varied) as connection:
            there = rows(connection, table)
        case = nonsense(table, there, column) if how == "nonsense" else moved(table, there, column)
        undo = change(varied, table, there, case)
        assert case.chain not in passed(varied), case
        problems = [str(one) for one in verify(varied).problems]
        assert any(is_place(one, table, case) for one in problems), (case, problems)
        undo()
    assert verify(varied).ok


def passed(database: Database) -> set[str | None]:
    """Campaigns that the quick look takes for sound."""
    with database.read() as session, tables_from_ledger.every_text_readable(session.connection()):
        found = quick_screen.screen(database, session, [CAMPAIGN, OTHER], lambda entries: None, 1)
        return {one.chain for one in found}


def is_place(problem: str, table: str, case: Case) -> bool:
    """Whether a problem says where to look: the column, or the table and its chain.

    An entry is named by its chain, the one that it left or the one that it went to.
    """
    where, _, _ = problem.partition(": ")
    if table == "ledger_entry":
        return any(str(chain) in where for chain in (case.chain, case.value))
    if table in CHAIN_COLUMN and case.column not in key_columns(table):
        return where.endswith(f", {case.column}") and f", {table} " in where
    label = case.chain or SYSTEM
    names = {table, "artifact"} if table == "artifact_chunk" else {table}
    return any(name in where for name in names) and (label in where or "table" in where)


# The cases ------------------------------------------------------------------------------------


def rows(connection: Connection, table: str) -> list[Row]:
    """All rows as the driver gives them, with their place in the table."""
    place = "rowid" if connection.dialect.name == "sqlite" else "ctid::text"
    found = connection.execute(text(f"SELECT {place} AS place_, {table}.* FROM {table}"))
    return [dict(row) for row in found.mappings()]


def chain_of(table: str, row: Row) -> str | None:
    column = {**CHAIN_COLUMN, **BESIDE}.get(table)
    return None if column is None else row[column]


def nonsense(table: str, there: list[Row], column: Column[Any]) -> Case:
    """The last row's value, changed to one that stands nowhere."""
    row = there[-1]
    value = other_value(column.type, row[column.name])
    return Case(column.name, row["place_"], value, chain_of(table, row))


def moved(table: str, there: list[Row], column: Column[Any]) -> Case:
    """A row gets another one's value; both get each other's, where none may stand twice."""
    name = column.name
    is_chain = name == {**CHAIN_COLUMN, **BESIDE}.get(table)
    values = [*([CAMPAIGN, OTHER] if is_chain else []), *(one[name] for one in there)]
    for row in reversed(there):
        for value in values:
            if value != row[name] and is_free(table, there, row, name, value):
                return Case(name, row["place_"], value, chain_of(table, row))
    first, last = there[0], there[-1]
    return Case(name, last["place_"], first[name], chain_of(table, last), first["place_"])


def is_free(table: str, there: list[Row], row: Row, column: str, value: Any) -> bool:
    """Whether no constraint refuses the row with that value."""
    found = Base.metadata.tables[table]
    if value is None and not found.columns[column].nullable:
        return False
    kinds = (PrimaryKeyConstraint, UniqueConstraint)
    unique = [one.columns.keys() for one in found.constraints if isinstance(one, kinds)]
    changed = row | {column: value}
    return not any(
        all(one[name] == changed[name] for name in names)
        for names in unique
        for one in there
        if one is not row
    )


def other_value(kind: Any, value: Any) -> Any:
    """Another value that the column takes."""
    if isinstance(kind, Boolean):
        return True if value is None else type(value)(not value)
    if isinstance(kind, Double | BigInteger):
        return (value or 0) + 10
    if isinstance(kind, Vector) or isinstance(value, bytes):
        return (value or b"") + b"\0" * 8
    return f"{(value or ' ')[:-1]}~"


def spare(value: Any) -> Any:
    """A value for the moment in which two are exchanged."""
    return -value - 1 if isinstance(value, int) else f"{value[:-1]}~"


# Past the triggers ----------------------------------------------------------------------------


@contextmanager
def tampering(database: Database) -> Iterator[Connection]:
    """A connection in whose way is neither a trigger nor a foreign key, and that leaves both."""
    with database.engine.connect() as connection:
        if database.engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            yield connection
            connection.commit()
            return
        connection.execute(text("COMMIT"))
        for pragma in ("foreign_keys = OFF", "synchronous = OFF"):
            connection.execute(text(f"PRAGMA {pragma}"))
        connection.execute(text("BEGIN IMMEDIATE"))
        made = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        triggers = dict(tuple(row) for row in connection.execute(text(made)))
        for name in triggers:
            connection.execute(text(f"DROP TRIGGER {name}"))
        yield connection
        for definition in triggers.values():
            connection.exec_driver_sql(definition)
        connection.commit()


def change(database: Database, table: str, before: list[Row], case: Case) -> Callable[[], None]:
    """Do what a case says; returns what undoes it."""
    steps = [(case.row, case.value)]
    there = {row["place_"]: row[case.column] for row in before}
    if case.exchanged is not None:
        steps = [(case.exchanged, spare(case.value)), *steps, (case.exchanged, there[case.row])]
    places = {row: row for row, _ in steps}
    for row, value in steps:
        places[row] = put(database, table, case.column, places[row], value)

    def undo() -> None:
        for row in places:
            places[row] = put(database, table, case.column, places[row], spare(there[row]))
        for row in places:
            put(database, table, case.column, places[row], there[row])

    def put_back() -> None:
        put(database, table, case.column, places[case.row], there[case.row])

    return put_back if case.exchanged is None else undo


def put(database: Database, table: str, column: str, row: Any, value: Any) -> Any:
    """Put a value in the place of another; returns where its row lies now."""
    sqlite = database.engine.dialect.name == "sqlite"
    here, now = ("rowid = :row", "rowid") if sqlite else ("ctid = CAST(:row AS tid)", "ctid::text")
    changed = f'UPDATE {table} SET "{column}" = :value WHERE {here} RETURNING {now}'
    with tampering(database) as connection:
        return connection.execute(text(changed), {"row": row, "value": value}).scalar_one()

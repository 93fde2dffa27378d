"""The schema: whether the database is made as the migrations make it, and of nothing more.

Rows can only be trusted where the tables are ours: a view in a table's place shows what its author
likes, a trigger of somebody else's changes what is written, a column that may be NULL takes what
no release writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, inspect, text

from adapters.messages import plain
from db import revisions, triggers
from db.models import Base
from orchestrator.errors import Problem

_RULES = "SELECT tablename, rulename FROM pg_rules WHERE schemaname = current_schema()"


def unreadable(engine: Engine) -> Iterator[Problem]:
    """What keeps the tables from being read at all."""
    found, needed = revisions.current(engine), revisions.newest()
    if found != needed:
        yield Problem("schema", f"is at revision {found}, and this release reads {needed}")
        return
    there = inspect(engine)
    tables = set(there.get_table_names())
    for name, table in Base.metadata.tables.items():
        if name not in tables:
            view = name in there.get_view_names()
            yield Problem(f"table {name}", "is a view and no table" if view else "is missing")
            continue
        columns = {kind["name"] for kind in there.get_columns(name)}
        for missing in sorted(set(table.columns.keys()) - columns):
            yield Problem(f"table {name}", f"has no column {missing}")


def changes(connection: Connection) -> Iterator[Problem]:
    """Whatever else is otherwise than the migrations make it, or is not theirs."""
    for table, what in triggers.faults(connection):
        yield Problem(f"table {table}", what)
    for name in inspect(connection).get_view_names():
        yield Problem(f"view {name}", "no release makes it")
    if connection.dialect.name == "postgresql":
        for table, rule in connection.execute(text(_RULES)):
            yield Problem(f"table {table}", f"has a rule {rule}, which no release makes")
    context = MigrationContext.configure(connection)
    for difference in compare_metadata(context, Base.metadata):
        # What concerns several columns of a table comes as a list.
        for one in difference if isinstance(difference, list) else [difference]:
            yield _said(one)


def _said(difference: tuple[Any, ...]) -> Problem:
    """One of Alembic's differences: what would have to be done to the database to mend it."""
    match difference:
        case ("remove_table", table):
            return Problem(f"table {table.name}", "no release makes it")
        case ("remove_column", _, table, column):
            return Problem(f"table {table}", f"has a column {column.name}, which no release makes")
        case ("modify_nullable", _, table, column, *_, found, _):
            what = "may be NULL" if found else "may not be NULL"
            return Problem(f"table {table}, {column}", f"{what}; no release makes it so")
        case ("modify_type", _, table, column, *_, found, due):
            return Problem(f"table {table}, {column}", f"is {found!r}; a release makes {due!r}")
        case ("remove_index" | "remove_constraint" | "remove_fk" as verb, part):
            kind = {"remove_index": "index", "remove_fk": "foreign key"}.get(verb, "constraint")
            table = getattr(part.table, "name", "")
            return Problem(f"table {table}", f"has {kind} {part.name or ''} that no release makes")
        case ("add_index" | "add_constraint" | "add_fk" as verb, part):
            kind = {"add_index": "index", "add_fk": "foreign key"}.get(verb, "constraint")
            table = getattr(part.table, "name", "")
            return Problem(
                f"table {table}", f"has no {kind} {part.name or ''} as a release makes it"
            )
    return Problem("schema", f"was changed: {plain(str(difference), 200)}")

"""The schema: whether the database is made as the migrations make it, and of nothing more.

Rows can only be trusted where the tables are ours: a view in a table's place shows what its author
likes, a trigger of somebody else's changes what is written, a column that may be NULL takes what
no release writes.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, Engine, inspect

from db import definitions, revisions, triggers
from db.models import Base
from orchestrator.errors import Problem


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
    for look in (triggers.faults, definitions.faults):
        for table, what in look(connection):
            yield Problem(f"table {table}", what)
    there = inspect(connection)
    for name in sorted({*there.get_table_names()} - {*Base.metadata.tables, "alembic_version"}):
        yield Problem(f"table {name}", "no release makes it")
    for name in there.get_view_names():
        yield Problem(f"view {name}", "no release makes it")

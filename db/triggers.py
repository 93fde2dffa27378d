"""The triggers that keep append-only tables what they are: all are there as made, and no others.

Migrations make them. This module only looks, and says what it expects by itself, so that
a trigger that somebody dropped, disabled or hollowed out is found; and one that somebody added,
which could change or swallow what is written.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from db.models import APPEND_ONLY, Base

_SQLITE = "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'"
_POSTGRESQL = """
    SELECT c.relname, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid, true), p.prosrc
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND pg_table_is_visible(c.oid)
"""
_REFUSAL = "BEGIN RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP; END"

Found = tuple[tuple[str, str], str]
"""Table, name and definition of a trigger."""


def faults(connection: Connection) -> Iterator[tuple[str, str]]:
    """Each trigger that does not refuse what it should, or was added: its table, what is wrong."""
    sqlite = connection.dialect.name == "sqlite"
    found = dict(_on_sqlite(connection) if sqlite else _on_postgresql(connection))
    for table in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE") if sqlite else ("UPDATE", "DELETE", "TRUNCATE"):
            name = f"{table}_no_{verb.lower()}"
            there = found.pop((table, name), None)
            if there is None:
                yield table, f"the trigger {name}, which refuses {verb}, is missing"
            elif there != (_sqlite(table, verb) if sqlite else _postgresql(table, verb)):
                yield table, f"the trigger {name} was changed: it must refuse every {verb}"
    for table, name in found:
        if table in Base.metadata.tables:
            yield table, f"the trigger {name} was added: this release does not make it"


def _on_sqlite(connection: Connection) -> Iterator[Found]:
    for table, name, definition in connection.execute(text(_SQLITE)):
        yield (table, name), definition


def _sqlite(table: str, verb: str) -> str:
    return (
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {verb} refused'); END"
    )


def _on_postgresql(connection: Connection) -> Iterator[Found]:
    for table, name, enabled, definition, source in connection.execute(text(_POSTGRESQL)):
        state = "fires" if enabled in ("O", "A") else "disabled"
        yield (table, name), f"{state}: {definition}: {source.strip()}"


def _postgresql(table: str, verb: str) -> str:
    return (
        f"fires: CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION assayloop_refuse(): {_REFUSAL}"
    )

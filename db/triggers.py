"""The triggers that keep append-only tables what they are: whether all are there, and no others.

Migrations make them. This module only looks, and says what it expects by itself, so that
a trigger that somebody dropped, disabled or hollowed out is found.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from db.models import APPEND_ONLY

_SQLITE = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"
_POSTGRESQL = """
    SELECT t.tgname, c.relname, t.tgenabled, pg_get_triggerdef(t.oid, true), p.prosrc
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND pg_table_is_visible(c.oid)
"""
_REFUSAL = "BEGIN RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP; END"


def faults(connection: Connection) -> Iterator[tuple[str, str]]:
    """Each trigger that does not refuse what it should: its table, and what is wrong with it.

    One that we did not make is a fault too: it could change what is written.
    """
    sqlite = connection.dialect.name == "sqlite"
    made = list(_on_sqlite(connection) if sqlite else _on_postgresql(connection))
    found = {name: definition for name, _, definition in made}
    ours = set()
    for table in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE") if sqlite else ("UPDATE", "DELETE", "TRUNCATE"):
            name = f"{table}_no_{verb.lower()}"
            ours.add((name, table))
            if name not in found:
                yield table, f"the trigger {name}, which refuses {verb}, is missing"
            elif found[name] != (_sqlite(table, verb) if sqlite else _postgresql(table, verb)):
                yield table, f"the trigger {name} was changed: it must refuse every {verb}"
    for name, table, _ in made:
        if (name, table) not in ours:
            yield table, f"has a trigger {name}, which no release makes"


def _on_sqlite(connection: Connection) -> Iterator[tuple[str, str, str]]:
    yield from connection.execute(text(_SQLITE)).tuples()


def _sqlite(table: str, verb: str) -> str:
    return (
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {verb} refused'); END"
    )


def _on_postgresql(connection: Connection) -> Iterator[tuple[str, str, str]]:
    for name, table, enabled, definition, source in connection.execute(text(_POSTGRESQL)):
        state = "fires" if enabled in ("O", "A") else "disabled"
        yield name, table, f"{state}: {definition}: {source.strip()}"


def _postgresql(table: str, verb: str) -> str:
    return (
        f"fires: CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION assayloop_refuse(): {_REFUSAL}"
    )

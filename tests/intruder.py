"""Somebody who changes a database behind our back, for tests of what finds it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing

from sqlalchemy import text

from db import repository
from db.ledger import digest
from db.session import Database


class Intruder:
    """Somebody with a database tool, in whose way is neither a trigger nor a foreign key."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._triggers: dict[str, str] = {}

    def does(self, *statements: str, **values: object) -> None:
        """Run raw SQL."""
        if self.database.engine.dialect.name == "sqlite":
            self._on_sqlite(statements, values)
            return
        with self.database.engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            for statement in statements:
                connection.execute(text(statement), values)

    def puts(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Put these rows in the place of all of a table."""
        columns = list(rows[0])
        insert = (
            f"INSERT INTO {table} ({', '.join(columns)}) "
            f"VALUES ({', '.join(f':{name}' for name in columns)})"
        )
        if self.database.engine.dialect.name == "sqlite":
            self._on_sqlite((f"DELETE FROM {table}",), {})
            self._on_sqlite((insert,), {}, rows)
            return
        with self.database.engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text(f"DELETE FROM {table}"))
            connection.execute(text(insert), [dict(row) for row in rows])

    def leaves(self) -> None:
        """Put everything but the data back as it was."""
        if self._triggers:
            self._on_sqlite(tuple(self._triggers.values()), {})
            self._triggers = {}

    def _on_sqlite(
        self,
        statements: tuple[str, ...],
        values: Mapping[str, object],
        many: Sequence[Mapping[str, object]] = (),
    ) -> None:
        assert self.database.engine.url.database is not None
        with closing(sqlite3.connect(self.database.engine.url.database)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            self._past_triggers(connection)
            for statement in statements:
                if many:
                    connection.executemany(statement, many)
                else:
                    connection.execute(statement, values)
            connection.commit()

    def _past_triggers(self, connection: sqlite3.Connection) -> None:
        there = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        if not self._triggers:
            self._triggers = dict(connection.execute(there))
            for name in self._triggers:
                connection.execute(f"DROP TRIGGER {name}")

    def rewrites(
        self, chain: str, first: int, changes: Mapping[str, str], *, numbered: int | None = None
    ) -> None:
        """Put other payloads under a chain from an entry on, with hashes that fit again.

        Later payloads that name a rewritten hash, as signatures do, name the new one.

        Args:
            chain: Its name.
            first: The first entry that is rewritten.
            changes: Texts of payloads, and what to put in their place.
            numbered: The number that the first gets, where entries before it were deleted.
        """
        with self.database.read() as session:
            entries = list(repository.entries(session, chain))
        changes = dict(changes)
        previous = next((one.hash for one in reversed(entries) if one.sequence < first), "0" * 64)
        for number, entry in enumerate(
            (one for one in entries if one.sequence >= first), numbered or first
        ):
            old = (entry.sequence, entry.hash)
            for before, after in changes.items():
                entry.payload = entry.payload.replace(before, after)
            entry.sequence, entry.previous = number, previous
            previous = changes[old[1]] = digest(entry)
            self.does(
                "UPDATE ledger_entry SET sequence = :sequence, payload = :payload, "
                "previous = :previous, hash = :digest WHERE chain = :chain AND sequence = :old",
                sequence=number,
                payload=entry.payload,
                previous=entry.previous,
                digest=previous,
                chain=chain,
                old=old[0],
            )

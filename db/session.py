"""Connections and transactions: reading, and writing while a chain is held."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session, sessionmaker

BUSY_TIMEOUT_S = 60.0
"""How long a SQLite writer waits for another; transactions take milliseconds."""


MICROSECONDS = 1_000_000
"""In a second: times are whole microseconds."""


def now() -> int:
    """Wall time in microseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1000


def _reserve(place: str) -> None:
    """An empty file for its owner alone, whatever the umask, where there is none."""
    with suppress(OSError):  # it is there, or cannot be made, of which SQLite tells
        number = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with suppress(PermissionError):  # a file system without modes
            os.fchmod(number, 0o600)
        os.close(number)


def connect(url: str, patience_s: float | None = None) -> Engine:
    """An engine for SQLite (WAL, foreign keys on) or PostgreSQL, by SQLAlchemy URL.

    A SQLite file that is not there is made for its owner alone.

    Args:
        patience_s: Seconds after which what does not answer is given up: another writer of
            SQLite, by default after a minute, or a server, by default when the system does.
    """
    if not url.startswith("sqlite"):
        limits: dict[str, Any] = {}
        if patience_s is not None:
            limits = {
                "connect_timeout": max(2, round(patience_s)),  # less than 2 libpq does not know
                "tcp_user_timeout": round(patience_s * 1000),
            }
        return create_engine(
            url, pool_size=2, max_overflow=2, pool_pre_ping=True, connect_args=limits
        )
    timeout = BUSY_TIMEOUT_S if patience_s is None else patience_s
    engine = create_engine(url, connect_args={"timeout": timeout})

    @event.listens_for(engine, "do_connect")
    def _before(_dialect: object, _record: object, given: list[Any], _options: object) -> None:
        # Before SQLite makes it: what lies beside it is made with its mode.
        place = str(given[0])
        if place != ":memory:" and not place.startswith("file:"):
            _reserve(place)

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: object) -> None:
        # Autocommit at the driver: transactions are begun below, so that a writer can take the
        # lock at its start instead of failing when it upgrades from a read.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


class Database:
    """Opens sessions. Rows that come out of them are read only.

    Args:
        url: Of SQLAlchemy.
        patience_s: As for :func:`connect`.
    """

    def __init__(self, url: str, patience_s: float | None = None) -> None:
        self.url = url
        self.engine = connect(url, patience_s)
        self._session = sessionmaker(expire_on_commit=False, autoflush=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One consistent view; nothing is written."""
        options: dict[str, Any] = {}
        if self.engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"
        with (
            self.engine.connect() as connection,
            self._session(bind=connection.execution_options(**options)) as session,
        ):
            yield session
            session.expunge_all()  # closing expires what is still attached

    @contextmanager
    def write(self, *chains: str) -> Iterator[Session]:
        """One transaction that holds these chains; commits at the end, rolls back on an error.

        Chains are taken in sorted order, so that two writers of both never wait for each other.
        """
        with self.engine.connect() as connection:
            bind = connection.execution_options(writing=True)
            with self._session(bind=bind) as session, session.begin():
                if self.engine.dialect.name == "postgresql":
                    for chain in sorted(chains):
                        session.execute(
                            text("SELECT pg_advisory_xact_lock(:key)"), {"key": _lock_key(chain)}
                        )
                yield session

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def _lock_key(chain: str) -> int:
    digest = hashlib.sha256(f"assayloop/chain/{chain}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)

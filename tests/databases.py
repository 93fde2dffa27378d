"""Databases of both kinds, made by copying one that was made once: migrating takes far longer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL, create_engine, text

from db import migrate
from db.session import Database


def run(url: URL, *statements: str) -> None:
    """Statements that a server runs outside of any transaction."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@contextmanager
def created(server: URL, template: str = "template1") -> Iterator[str]:
    """URL of a new database of a server, which is dropped afterwards."""
    name = f"test_{uuid4().hex}"
    run(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield url_of(server, name)
    run(server, f"DROP DATABASE {name} WITH (FORCE)")


def url_of(server: URL, name: str) -> str:
    """URL of a database of a server."""
    return server.set(database=name).render_as_string(hide_password=False)


@contextmanager
def migrated(url: str) -> Iterator[Database]:
    """A database that gets all tables."""
    database = Database(url)
    migrate.upgrade(database.engine)
    yield database
    database.close()


@contextmanager
def copied(request: pytest.FixtureRequest, made: str, path: Path) -> Iterator[Database]:
    """A copy of the database that the fixture ``MADE_file`` or ``MADE_template`` made.

    Args:
        request: Of a test with the fixture ``database_kind``, which says which of them.
        made: Begins their names.
        path: For a SQLite file.
    """
    with ExitStack() as stack:
        if request.getfixturevalue("database_kind") == "sqlite":
            shutil.copy(request.getfixturevalue(f"{made}_file"), path)
            url = f"sqlite:///{path}"
        else:
            template = request.getfixturevalue(f"{made}_template")
            url = stack.enter_context(created(request.getfixturevalue("postgresql"), template))
        opened = Database(url)
        stack.callback(opened.close)
        yield opened

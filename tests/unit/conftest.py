"""Sound histories on both kinds of database, to be tampered with."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL, create_engine, text

from db import migrate
from db.session import Database
from tests import histories
from tests.intruder import Intruder


@pytest.fixture(scope="session")
def sound_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with a sound history, to be copied."""
    path = tmp_path_factory.mktemp("sound") / "sound.db"
    _fill(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def sound_template(postgresql: URL) -> str:
    """A PostgreSQL database with a sound history, to be copied."""
    _on_server(postgresql, "CREATE DATABASE sound")
    _fill(postgresql.set(database="sound").render_as_string(hide_password=False))
    return "sound"


@pytest.fixture
def copies(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path
) -> Iterator[Callable[[], Intruder]]:
    """Makes copies of a sound history, each with somebody before it who has a database tool."""
    made: list[Database] = []
    if database_kind == "sqlite":
        source = request.getfixturevalue("sound_file")

        def copy() -> Intruder:
            path = tmp_path / f"copy_{len(made)}.db"
            shutil.copy(source, path)
            made.append(Database(f"sqlite:///{path}"))
            return Intruder(made[-1])

        yield copy
    else:
        server = request.getfixturevalue("postgresql")
        template = request.getfixturevalue("sound_template")

        def copy() -> Intruder:
            name = f"copy_{uuid4().hex}"
            _on_server(server, f"CREATE DATABASE {name} TEMPLATE {template}")
            made.append(Database(server.set(database=name).render_as_string(hide_password=False)))
            return Intruder(made[-1])

        yield copy
    for database in made:
        database.close()
        if database_kind == "postgresql":
            _on_server(server, f"DROP DATABASE {database.engine.url.database} WITH (FORCE)")


@pytest.fixture
def intruder(copies: Callable[[], Intruder]) -> Intruder:
    """Somebody with a database tool, before a history that is sound; on each kind."""
    return copies()


def _fill(url: str) -> None:
    database = Database(url)
    migrate.upgrade(database.engine)
    histories.everything(database)
    database.close()


def _on_server(server: URL, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()

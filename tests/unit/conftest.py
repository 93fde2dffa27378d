"""Sound histories on both kinds of database, to be tampered with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import URL

from db.session import Database
from tests import databases, histories, varied_history
from tests.intruder import Intruder


@pytest.fixture(scope="session")
def sound_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with a sound history, to be copied."""
    path = tmp_path_factory.mktemp("sound") / "sound.db"
    with databases.migrated(f"sqlite:///{path}") as database:
        histories.everything(database)
    return path


@pytest.fixture(scope="session")
def sound_template(postgresql: URL) -> str:
    """A PostgreSQL database with a sound history, to be copied."""
    databases.run(postgresql, "CREATE DATABASE sound")
    with databases.migrated(databases.url_of(postgresql, "sound")) as database:
        histories.everything(database)
    return "sound"


@pytest.fixture(scope="session")
def varied_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with a sound history of two values in every column, to be copied."""
    path = tmp_path_factory.mktemp("varied") / "varied.db"
    with databases.migrated(f"sqlite:///{path}") as database:
        varied_history.write(database)
    return path


@pytest.fixture(scope="session")
def varied_template(postgresql: URL) -> str:
    """The same on the server."""
    databases.run(postgresql, "CREATE DATABASE varied")
    with databases.migrated(databases.url_of(postgresql, "varied")) as database:
        varied_history.write(database)
    return "varied"


@pytest.fixture
def varied(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path
) -> Iterator[Database]:
    """A sound history in which every column of every table holds two values or more."""
    with databases.copied(request, "varied", tmp_path / "varied.db") as copy:
        yield copy


@pytest.fixture
def copies(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path
) -> Iterator[Callable[[], Intruder]]:
    """Makes copies of a sound history, each with somebody before it who has a database tool."""
    names = (f"copy_{number}.db" for number in count())
    with ExitStack() as stack:

        def copy() -> Intruder:
            made = databases.copied(request, "sound", tmp_path / next(names))
            return Intruder(stack.enter_context(made))

        yield copy


@pytest.fixture
def intruder(copies: Callable[[], Intruder]) -> Intruder:
    """Somebody with a database tool, before a history that is sound; on each kind."""
    return copies()

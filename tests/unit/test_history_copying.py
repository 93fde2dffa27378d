"""A whole database elsewhere: everything arrives, and nothing is mended or hidden on the way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select, text

from db import lease, migrate
from db.ledger import Actor
from db.models import SYSTEM, Lease
from db.session import Database
from orchestrator.errors import BadInput, SchemaMismatch, Unverified
from orchestrator.history.keeping import copy_database
from orchestrator.history.verify.verification import verify
from orchestrator.people import accounts
from orchestrator.settings import Settings
from tests import histories
from tests.histories import CAMPAIGN, rows
from tests.intruder import Intruder

PASSWORD = "correct horse battery"
ADA = Actor("account", "ada", mode="multi-user")


def copied(source: Database, url: str) -> list[tuple[int, int]]:
    """Copy everything to a URL, as the command does; the words of progress."""
    told: list[tuple[int, int]] = []
    with copy_database.vacant(Settings.other(url, "--to")) as target:
        copy_database.copy(source, target, lambda done, total: told.append((done, total)))
    return told


@pytest.fixture
def history(database: Database) -> Database:
    """A history with rows in every table."""
    histories.everything(database)
    accounts.create(database, ADA, "bob", "Bob Ross", "admin", PASSWORD)
    accounts.login(database, "bob", PASSWORD)
    with database.write(SYSTEM) as session:
        lease.take(session, CAMPAIGN, 1)
    return database


@pytest.mark.slow
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_copy_to_the_other_database_and_back_is_the_same(
    history: Database, tmp_path: Path, postgresql_url: str
) -> None:
    """A laboratory that outgrows its file takes its history along, and can go back."""
    before = rows(history)
    assert all(before.values()), "a table without a row would show nothing"
    source = history
    for url in (postgresql_url, f"sqlite:///{tmp_path}/back.db", f"sqlite:///{tmp_path}/too.db"):
        told = copied(source, url)
        assert told[-1] == (sum(map(len, before.values())),) * 2
        source = Database(url)
        assert rows(source) == before
        assert verify(source).problems == ()
        migrate.check(source.engine)
        with source.read() as session:
            assert session.scalars(select(Lease)).all() == [], "nobody drives the copy"
        source.close()


def test_a_copy_is_of_one_moment(history: Database, tmp_path: Path) -> None:
    """What a campaign writes while it is copied must not be there by half."""
    before, other = rows(history), Database(history.url)

    def meanwhile(done: int, total: int) -> None:
        accounts.logout(other, "nobody:")
        histories.write(other, histories.model(f"weights {done}".encode()), chain=SYSTEM)

    with copy_database.vacant(Settings.other(f"sqlite:///{tmp_path}/copy.db", "--to")) as target:
        copy_database.copy(history, target, meanwhile)
    copy = Database(f"sqlite:///{tmp_path}/copy.db")
    assert rows(copy) == before
    assert rows(history) != before
    assert verify(copy).ok
    for opened in (copy, other):
        opened.close()


# Refusals -------------------------------------------------------------------------------------


def test_a_database_with_something_in_it_is_not_written_to(
    history: Database, tmp_path: Path
) -> None:
    """Two histories in one database could never be told apart."""
    before = rows(history)
    with pytest.raises(BadInput, match=r"is not empty. It has rows: .*\d+ of ledger_entry"):
        copied(history, history.url)
    assert rows(history) == before
    file = tmp_path / "stock.db"
    with closing(sqlite3.connect(file)) as stock:
        stock.execute("CREATE TABLE reagent (name)")
    bytes_before = file.read_bytes()
    with pytest.raises(BadInput, match="tables of something else: reagent"):
        copied(history, f"sqlite:///{file}")
    assert file.read_bytes() == bytes_before
    file.write_text("a list of reagents\n" * 100)
    with pytest.raises(BadInput, match=r"--to: .* cannot be opened: file is not a database"):
        copied(history, f"sqlite:///{file}")
    assert list(tmp_path.glob("stock*")) == [file]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_an_empty_database_of_another_release_is_refused(
    history: Database, postgresql_url: str
) -> None:
    target = Database(postgresql_url)
    migrate.upgrade(target.engine, "0001")
    with pytest.raises(SchemaMismatch, match="at revision 0001"):
        copied(history, postgresql_url)
    target.close()


# What was tampered with -----------------------------------------------------------------------


def test_a_forgery_is_not_laundered(intruder: Intruder, tmp_path: Path) -> None:
    """Whoever copies a database must not make a sound one of a forged one."""
    intruder.does("UPDATE measurement SET value = 0.6 WHERE number = 1")
    intruder.does("UPDATE candidate SET filters = '{\"alerts\": true}' WHERE number = 2")
    intruder.does("DELETE FROM measurement_flag")
    intruder.leaves()
    problems = verify(intruder.database).problems
    assert len(problems) == 3
    copied(intruder.database, f"sqlite:///{tmp_path}/copied.db")
    copy = Database(f"sqlite:///{tmp_path}/copied.db")
    assert verify(copy).problems == problems
    copy.close()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE ledger_entry SET clock_back = 2", "table ledger_entry: .* neither true nor false"),
        ("UPDATE ledger_entry SET at = 'noon'", "table ledger_entry: has a row .* bigint"),
        ("UPDATE candidate SET object = CAST(x'ff41' AS TEXT)", "table candidate: has a row"),
        ("UPDATE candidate SET object = 'a' || char(0)", "table candidate: has a row"),
    ],
)
def test_what_no_sound_history_holds_is_named_and_nothing_arrives(
    intruder: Intruder, statement: str, said: str, postgresql_url: str
) -> None:
    """SQLite takes anything anywhere; PostgreSQL does not."""
    intruder.does(statement)
    intruder.leaves()
    with pytest.raises(Unverified, match=said):
        copied(intruder.database, postgresql_url)
    target = Database(postgresql_url)
    with target.engine.connect() as connection:
        assert dict(copy_database.counted(connection)).keys() >= {"candidate"}
        assert not any(count for _, count in copy_database.counted(connection))
    target.close()


def test_a_copy_that_fails_leaves_no_file(intruder: Intruder, tmp_path: Path) -> None:
    """A half of a history under a good name would be taken for one."""
    with intruder.database.engine.begin() as connection:
        connection.execute(text("DROP TABLE measurement_flag"))
    with pytest.raises(Exception, match="measurement_flag"):
        copied(intruder.database, f"sqlite:///{tmp_path}/copied.db")
    assert list(tmp_path.glob("copied*")) == []

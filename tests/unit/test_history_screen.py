"""The quick look at long histories passes what is sound, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from db import migrate
from db.ledger import Draft
from db.models import SYSTEM
from db.session import Database
from orchestrator.history.verify import chain_segment, quick_screen, tables_from_ledger
from orchestrator.history.verify.verification import verify
from tests import histories
from tests.histories import CAMPAIGN

OTHER = CAMPAIGN.replace("1", "9")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches of two entries, so that a small history has many of them."""
    monkeypatch.setattr(chain_segment, "LENGTH", 2)


@pytest.fixture
def sound(database: Database) -> Database:
    """Two campaigns; in one of them early rows are changed late."""
    histories.everything(database)
    late = Draft("record")
    late.set("candidate", number=1, objective=0.75)
    late.set("fit", number=1, duration=0.5)
    late.set("campaign", state="running", since_best=1)
    histories.write(database, late, at=9)
    histories.begin(database, OTHER, name="other")
    return database


def forge(database: Database, statement: str) -> None:
    """Change the database past its triggers and foreign keys."""
    values = {"nothing": b""} if ":nothing" in statement else {}
    with database.engine.connect() as connection:
        if database.engine.dialect.name == "sqlite":
            connection.execute(text("COMMIT"))
            connection.execute(text("PRAGMA foreign_keys = OFF"))
            names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for name in connection.execute(text(names)).scalars().all():
                connection.execute(text(f"DROP TRIGGER {name}"))
            connection.execute(text(statement), values)
            connection.execute(text("BEGIN"))
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text(statement), values)
            connection.commit()


def passed(database: Database, processes: int = 1) -> dict[str, int]:
    """Chains that pass, with their numbers of entries."""
    told: list[int] = []
    with database.read() as session, tables_from_ledger.every_text_readable(session.connection()):
        found = quick_screen.screen(database, session, [CAMPAIGN, OTHER], told.append, processes)
        return {one.chain: one.entries for one in found}


def test_what_is_sound_passes_whatever_the_stretches(sound: Database) -> None:
    """Otherwise every verification would take the slow way."""
    assert passed(sound) == {CAMPAIGN: 8, OTHER: 1}


FORGERIES = [
    f"UPDATE ledger_entry SET actor_id = 'eve' WHERE chain = '{CAMPAIGN}' AND sequence = {number}"
    for number in range(1, 9)
] + [
    f"DELETE FROM ledger_entry WHERE chain = '{CAMPAIGN}' AND sequence = 8",
    f"DELETE FROM ledger_entry WHERE chain = '{CAMPAIGN}' AND sequence = 4",
    "UPDATE candidate SET objective = 0.5 WHERE number = 1",
    "UPDATE fit SET duration = 0.25",
    f"UPDATE campaign SET since_best = 0 WHERE id = '{CAMPAIGN}'",
    "DELETE FROM measurement WHERE number = 2",
    f"UPDATE artifact_chunk SET number = 1 WHERE chain <> '{SYSTEM}'",
    f"DELETE FROM artifact_chunk WHERE chain <> '{SYSTEM}'",
    f"UPDATE artifact_chunk SET sha256 = 'nonsense' WHERE chain = '{CAMPAIGN}' AND sha256 = "
    f"(SELECT max(sha256) FROM artifact WHERE chain = '{CAMPAIGN}')",
    f"UPDATE artifact_chunk SET number = 1, sha256 = "
    f"(SELECT min(sha256) FROM artifact WHERE chain = '{CAMPAIGN}') WHERE chain = '{CAMPAIGN}' "
    f"AND sha256 = (SELECT max(sha256) FROM artifact WHERE chain = '{CAMPAIGN}')",
    "INSERT INTO artifact_chunk SELECT chain, sha256, number + 1, :nothing FROM artifact_chunk "
    f"WHERE chain = '{CAMPAIGN}'",
]


@pytest.mark.parametrize("statement", FORGERIES)
def test_what_was_forged_does_not_pass(sound: Database, statement: str) -> None:
    """A quick answer that is wrong is worth nothing; the other campaign still passes."""
    forge(sound, statement)
    assert passed(sound) == {OTHER: 1}


def test_bytes_that_are_no_text_do_not_make_other_campaigns_suspect(tmp_path: Path) -> None:
    """SQLite takes them, and one of them would make every campaign take the slow way."""
    database = Database(f"sqlite:///{tmp_path}/odd.db")
    migrate.upgrade(database.engine)
    histories.everything(database)
    histories.begin(database, OTHER, name="other")
    forge(database, "UPDATE candidate SET object = CAST(x'ff' AS TEXT) WHERE number = 1")
    assert passed(database) == {OTHER: 1}
    places = [problem.where for problem in verify(database).problems]
    assert [one for one in places if not one.startswith("table")] == [
        f"campaign small {CAMPAIGN}, candidate 1, object"
    ]
    database.close()


@pytest.mark.slow
def test_several_processes_find_what_one_finds(
    sound: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They share the stretches and the tables, and see the same."""
    monkeypatch.setattr(quick_screen, "ALONE", 0)
    assert passed(sound, processes=2) == {CAMPAIGN: 8, OTHER: 1}
    forge(sound, "UPDATE measurement SET value = 0.625 WHERE number = 1")
    assert passed(sound, processes=2) == {OTHER: 1}
    said = [str(problem) for problem in verify(sound, processes=2).problems]
    assert any(one.endswith("value: 0.625 is stored; by the ledger it is 0.5") for one in said)


@pytest.mark.slow
def test_a_process_that_dies_leaves_the_closer_look(
    sound: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer is not a good one, and nobody waits for ever."""
    monkeypatch.setattr(quick_screen, "ALONE", 0)
    gone = Database(sound.url + "_gone/nowhere")
    with sound.read() as session:
        assert list(quick_screen.screen(gone, session, [CAMPAIGN], lambda entries: None, 2)) == []
    gone.close()

"""The benchmark of the ledger, on a history of a few hundred entries."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from benchmarks import copies, costs, questions
from benchmarks.copies import Original
from db.models import Measurement
from db.session import Database
from orchestrator.history.verify.verification import verify
from tests.e2e.terminal import Terminal

CAMPAIGNS, LAPS = 2, 3


@pytest.fixture
def original(learned: Terminal) -> Original:
    """A campaign of four rounds, three of them from fits."""
    return Original.read(Database(f"sqlite:///{learned.folder}/home/assayloop.db"))


def test_copies_are_histories_like_the_real_one(
    original: Original, postgresql_url: str, tmp_path: Path
) -> None:
    """Figures of a history that does not verify would be of nothing."""
    made, moved = Database(f"sqlite:///{tmp_path}/made.db"), Database(postgresql_url)
    copies.write(original, made, CAMPAIGNS, LAPS, lambda entries: None)
    copies.move(made, moved, lambda entries: None)
    for database in (made, moved):
        found = verify(database)
        assert found.problems == ()
        assert found.entries == copies.entries_of(original, CAMPAIGNS, LAPS) + CAMPAIGNS
        measured = CAMPAIGNS * LAPS * original.counts["measurement"]
        assert questions.measurements(database) == measured > 0
        assert [one.name for one in questions.ask(database)] == ["status", "show", "history"]
        database.close()


def test_the_same_rows_are_written_with_the_ledger_and_without(
    original: Original, tmp_path: Path
) -> None:
    """Else the ratio would compare two different things."""
    database = Database(f"sqlite:///{tmp_path}/append.db")
    assert min(costs.compare(original, database, each=1000)) > 0
    with database.read() as session:
        counted = select(Measurement.campaign, func.count()).group_by(Measurement.campaign)
        found = session.execute(counted).tuples().all()
    assert [count for _, count in found] == 6 * [original.counts["measurement"]]
    database.close()

"""What stood at a moment of the past, by the ledger alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db import migrate, repository
from db.ledger import Draft
from db.models import Campaign, LedgerEntry
from db.session import Database, now
from orchestrator.errors import BadInput, Unverified
from orchestrator.history.listings import at_moment
from orchestrator.history.listings.diff import compare
from orchestrator.history.verify import tables_from_ledger
from tests import histories
from tests.histories import CAMPAIGN

OTHER = "99999999-2222-4333-8444-555555555555"
MINUTE = 60_000_000


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Database]:
    """A database of one kind, where the kind makes no difference."""
    made = Database(f"sqlite:///{tmp_path / 'plain.db'}")
    migrate.upgrade(made.engine)
    yield made
    made.close()


def row(database: Database, campaign: str = CAMPAIGN) -> Campaign:
    with database.read() as session:
        return repository.campaign(session, campaign)


def find(database: Database, when: str) -> at_moment.Moment:
    with database.read() as session:
        return at_moment.find(session, row(database), when, "--at")


def pause(database: Database, at: int, reason: str) -> LedgerEntry:
    draft = Draft("pause", {"reason": reason})
    draft.set("campaign", state="paused", reason=reason)
    return histories.write(database, draft, at=at)


def test_the_tables_of_every_moment_are_those_that_its_entries_fold_to(database: Database) -> None:
    """Who asks what was known on a day gets that, and nothing that came later."""
    histories.everything(database)
    with database.read() as session:
        entries = list(repository.entries(session, CAMPAIGN))
    folded: tables_from_ledger.Rows = {}
    for entry in entries:
        tables_from_ledger.add(folded, entry)
        with (
            at_moment.standing(database, CAMPAIGN, entry.sequence) as stood,
            stood.read() as session,
        ):
            assert list(tables_from_ledger.differences(session, CAMPAIGN, folded, "")) == []
            assert repository.position(session, CAMPAIGN) == entry.sequence


def test_a_moment_is_a_time_or_an_entry(plain: Database) -> None:
    histories.begin(plain)
    for at, reason in ((10, "a"), (20, "b"), (30, "c")):
        pause(plain, at * MINUTE, reason)
    assert find(plain, "1970-01-01T00:20Z").entry == 3
    assert find(plain, "1970-01-01T00:29:59.999999Z").entry == 3
    assert find(plain, "1970-01-01T01:20:00+01:00").entry == 3
    assert find(plain, "1970-01-01").entry == 4  # a day means its end
    found = find(plain, "entry:2")
    assert (found.entry, found.of, found.at, found.doubtful) == (2, 4, 10 * MINUTE, False)


def test_a_clock_that_went_back_is_told_of(plain: Database) -> None:
    """The last time that it was so late counts, so that no entry is lost to a wrong clock."""
    histories.begin(plain)
    for at in (10, 30, 20, 40):
        pause(plain, at * MINUTE, f"at {at}")
    found = find(plain, "1970-01-01T00:25Z")
    assert (found.entry, found.doubtful) == (4, True)
    assert "the clock went back" in str(found)
    assert not find(plain, "1970-01-01T00:40Z").doubtful


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("entry:0", "has no entry:0; name entry:1 to entry:2"),
        ("entry:3", "name entry:1 to entry:2"),
        ("entry:٣x", "name entry:1 to entry:2"),
        ("1969-12-31", "was not there yet"),
        ("9999-01-01", "lies in the future"),
        ("noon", "is no time"),
        ("2", "is no time"),
    ],
)
def test_what_is_no_moment_of_the_campaign_is_refused(
    plain: Database, when: str, said: str
) -> None:
    histories.begin(plain)
    pause(plain, MINUTE, "lunch")
    with pytest.raises(BadInput, match=said):
        find(plain, when)


def test_today_is_no_future(plain: Database) -> None:
    histories.begin(plain)
    pause(plain, now(), "lunch")
    assert find(plain, f"{datetime.now(UTC):%Y-%m-%d}").entry == 2


def test_a_ledger_that_was_changed_is_not_shown_as_the_past(plain: Database) -> None:
    """The tables of a forged ledger would look as good as true ones."""
    histories.everything(plain)
    with plain.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER ledger_entry_no_update"))
        connection.execute(
            text("UPDATE ledger_entry SET payload = replace(payload, 'bench', 'BENCH')")
        )
    with pytest.raises(Unverified, match="entries 1 to 6"), at_moment.standing(plain, CAMPAIGN, 6):
        pass


# Differences ----------------------------------------------------------------------------------


def differ(database: Database, start: str | None, other: str = CAMPAIGN) -> dict[str, Any]:
    with (
        at_moment.at(database, row(database), start) as left,
        at_moment.at(database, row(database, other), None) as right,
    ):
        return compare(left, right)


def test_what_came_between_two_moments_is_told(plain: Database) -> None:
    histories.everything(plain)
    found = differ(plain, "entry:4")  # the jobs are sent, nothing is measured
    assert [one["candidate"] for one in found["only_right"]] == [3]
    assert (found["only_left"], found["same"]) == ([], 1)
    (one,) = found["differing"]
    assert (one["left"], one["right"]) == (1, 1)
    assert one["what"] == {
        "objective": {"left": None, "right": 0.5},
        "feasible": {"left": None, "right": True},
        "measure score": {"left": None, "right": {"value": 0.5, "unit": "", "std": 0.01}},
    }
    assert found["best"]["left"] is None
    assert found["best"]["right"]["candidate"] == 1
    assert (found["left"]["state"], found["right"]["state"]) == ("running", "paused")


def test_a_campaign_differs_from_itself_in_nothing(plain: Database) -> None:
    histories.everything(plain)
    found = differ(plain, "entry:7")
    for side in ("left", "right"):
        del found[side]["at"]
    assert found["left"] == found["right"]
    assert found["same"] == 3
    assert [found[key] for key in ("spec", "only_left", "only_right", "differing")] == [[]] * 4


def test_candidates_of_two_campaigns_are_matched_by_object(database: Database) -> None:
    """Numbers mean nothing across campaigns; keys are compared as text, whatever the locale."""
    keys = ("b", "A", "é", "a", "_", "𝒙", "Z")
    histories.begin(database)
    histories.begin(database, OTHER, name="other")
    for chain, own in ((CAMPAIGN, keys[:5]), (OTHER, keys[:1:-1])):
        draft = Draft("tell")
        for number, key in enumerate(own, 1):
            histories.candidate(draft, number, key=key, object=key)
        histories.candidate(draft, 8, key="", object=None, valid=False)
        histories.candidate(draft, 9, key="a", object="a", duplicate_of=4)
        histories.measurement(draft, 1, own.index("a") + 1, value=0.1 if chain == OTHER else 0.3)
        histories.write(database, draft, chain=chain)
    found = differ(database, None, OTHER)
    assert [one["object"] for one in found["only_left"]] == ["b", "A"]
    assert [one["object"] for one in found["only_right"]] == ["Z", "𝒙"]
    (one,) = found["differing"]
    assert (one["left"], one["right"]) == (4, 4)
    assert one["what"]["measure score"]["right"]["value"] == 0.1
    assert found["same"] == 2

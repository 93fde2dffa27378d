"""The questions that the loop asks the tables, answered alike by both databases."""

from __future__ import annotations

from typing import Any

import pytest

from db import repository
from db.ledger import Draft
from db.models import Candidate, Job
from db.session import Database
from db.states import JobState
from tests import histories
from tests.histories import CAMPAIGN

OTHER = CAMPAIGN.replace("1", "9")


@pytest.fixture
def small(database: Database) -> Database:
    """A database with an empty campaign."""
    histories.begin(database)
    return database


def standing(database: Database, position: int | None = None) -> list[int]:
    with database.read() as session:
        rows = repository.measurements(session, CAMPAIGN, position=position)
    return [row.number for row in rows]


def test_what_was_corrected_or_doubted_stands_no_longer_and_stood_before(small: Database) -> None:
    """A fit of last week is rebuilt from the values that stood last week."""
    first = Draft("tell")
    for number in range(1, 6):
        histories.candidate(first, number)
        histories.measurement(first, number, number)
    histories.write(small, first)  # entry 2
    correction = Draft("correct")
    histories.measurement(correction, 6, 1, supersedes=1)
    histories.write(small, correction)  # entry 3
    doubt = Draft("flag")
    histories.flag(doubt, 2, "suspect")
    histories.flag(doubt, 3, "retracted")
    histories.flag(doubt, 4, "late")
    histories.write(small, doubt)  # entry 4
    again = Draft("correct")
    histories.measurement(again, 7, 1, supersedes=6)
    histories.write(small, again)  # entry 5
    assert standing(small, 1) == []
    assert standing(small, 2) == [1, 2, 3, 4, 5]
    assert standing(small, 3) == [6, 2, 3, 4, 5]
    assert standing(small, 4) == [6, 4, 5]
    assert standing(small) == standing(small, 5) == [7, 4, 5]
    with small.read() as session:
        of_one = repository.measurements(session, CAMPAIGN, candidates=[1])
        assert [row.number for row in of_one] == [7]
        assert repository.last_measured(session, CAMPAIGN) == 5


def test_nothing_measured_is_position_zero(small: Database) -> None:
    """A surrogate is not fitted to nothing."""
    with small.read() as session:
        assert repository.last_measured(session, CAMPAIGN) == 0
        assert repository.fit(session, CAMPAIGN) is None


def test_a_twin_is_the_first_with_that_object(small: Database) -> None:
    """A molecule that comes again is not paid for again."""
    draft = Draft("decode")
    histories.candidate(draft, 1, key="CCO", duplicate_of=None)
    histories.candidate(draft, 2, key="CCO", duplicate_of=1)
    histories.candidate(draft, 3, key="C\0")
    histories.write(small, draft)
    with small.read() as session:
        found = [repository.twin(session, CAMPAIGN, key) for key in ("CCO", "C\0", "CC")]
        assert repository.twin(session, OTHER, "CCO") is None
    assert [None if one is None else one.number for one in found] == [1, 3, None]


@pytest.mark.parametrize(("maximize", "order"), [(True, [4, 1, 3]), (False, [5, 1, 3])])
def test_the_best_are_feasible_distinct_and_first_of_equals(
    small: Database, maximize: bool, order: list[int]
) -> None:
    """What is shown as the result must be what was asked for."""
    draft = Draft("record")
    rows: list[dict[str, Any]] = [
        {"objective": 2.0, "feasible": True},
        {"objective": 9.0, "feasible": False},
        {"objective": 2.0, "feasible": True},
        {"objective": 3.0, "feasible": True},
        {"objective": 1.0, "feasible": True},
        {"objective": 9.0, "feasible": True, "duplicate_of": 1},
        {"objective": None, "feasible": True},
        {"objective": None, "feasible": None},
    ]
    for number, columns in enumerate(rows, 1):
        histories.candidate(draft, number, **columns)
    histories.write(small, draft)
    with small.read() as session:
        best = repository.best(session, CAMPAIGN, 3, maximize=maximize)
    assert [one.number for one in best] == order


def test_pending_is_what_a_result_may_still_come_of(small: Database) -> None:
    """A proposer that forgot one would propose it again."""
    draft = Draft("decode")
    states = ["queued", "submitted", "parked", "succeeded", "failed", "timed out"]
    for number, state in enumerate(states, 1):
        histories.candidate(draft, number)
        histories.job(draft, number, number, state=state)
    histories.candidate(draft, 7, source="asked")
    histories.candidate(draft, 8, source="asked")
    histories.measurement(draft, 1, 8)
    histories.candidate(draft, 9, source="asked", valid=False)
    histories.candidate(draft, 10, source="asked", duplicate_of=1)
    histories.candidate(draft, 11)
    histories.write(small, draft)
    with small.read() as session:
        pending = repository.pending(session, CAMPAIGN)
        counts = repository.job_counts(session, CAMPAIGN)
        assert repository.open_jobs(session, CAMPAIGN) == 3
        assert repository.candidates_with_jobs(session, CAMPAIGN) == 6
    assert [one.number for one in pending] == [1, 2, 3, 7]
    assert counts == {JobState(state): 1 for state in states}


@pytest.mark.parametrize(
    ("reference", "ordinal"),
    [
        ("small", 2),
        ("small#1", 1),
        ("small#2", 2),
        (OTHER, 2),
        ("small#3", None),
        ("small#", None),
        ("small#one", None),
        ("small#99999999999999999999", None),
        ("other", None),
        ("", None),
        ("s\0", None),
        ("\udcff", None),
    ],
)
def test_a_campaign_is_found_by_what_people_type(
    small: Database, reference: str, ordinal: int | None
) -> None:
    """The newest of a name, one by number, or one by UUID; anything else is nothing."""
    histories.begin(small, OTHER, ordinal=2)
    with small.read() as session:
        found = repository.find(session, reference)
        assert [one.ordinal for one in repository.campaigns(session)] == [1, 2]
    assert (None if found is None else found.ordinal) == ordinal


def test_numbers_go_on_within_a_campaign(small: Database) -> None:
    """A number that was given twice would join two histories."""
    draft = Draft("tell")
    histories.candidate(draft, 1)
    histories.candidate(draft, 2)
    histories.write(small, draft)
    with small.read() as session:
        assert repository.next_number(session, Candidate, CAMPAIGN) == 3
        assert repository.next_number(session, Job, CAMPAIGN) == 1
        assert repository.next_number(session, Candidate, OTHER) == 1
        assert repository.position(session, CAMPAIGN) == 2
        assert repository.position(session, OTHER) == 0


def test_jobs_are_found_by_key_evaluator_candidate_and_round(database: Database) -> None:
    """A result is for one job and no other."""
    histories.everything(database)
    with database.read() as session:
        key = f"{CAMPAIGN}/2/bench/2"
        job = repository.job_by_key(session, key)
        assert job is not None
        assert (job.number, job.candidate) == (2, 2)
        assert repository.job_by_key(session, "no such key") is None
        assert [one.number for one in repository.jobs_of_round(session, CAMPAIGN, 1)] == [1, 2]
        assert [one.number for one in repository.jobs_of_candidate(session, CAMPAIGN, 2)] == [2]
        assert repository.jobs(session, CAMPAIGN, evaluator="another") == []
        waiting = repository.jobs(session, CAMPAIGN, [JobState.SUBMITTED], evaluator="bench")
        assert [one.number for one in waiting] == [2]
        assert repository.attempt(session, job).reference == "run 2"
        pairs = repository.attempts(session, CAMPAIGN, "submitted")
        assert [(attempt.job, one.number) for attempt, one in pairs] == [(2, 2)]
        assert [one.number for one in repository.rounds(session, CAMPAIGN, "decoded")] == [1]
        members = repository.candidates(session, CAMPAIGN, round=1)
        assert [one.number for one in members] == [1, 2]
        assert repository.revision(session, CAMPAIGN, 1).reason == ""
        assert repository.chains(session) == sorted([CAMPAIGN, "system"])


def test_all_campaigns_are_seen_at_once(database: Database) -> None:
    """A list of campaigns that asked for each of thousands would take seconds."""
    histories.everything(database)
    histories.begin(database, CAMPAIGN.replace("1", "9"), name="other")
    with database.read() as session:
        other, one = sorted(repository.standings(session), key=lambda found: found.last_at)
        assert [found.campaign.id for found in repository.standings(session, 1)] == [CAMPAIGN]
        assert repository.campaign_count(session) == 2
    assert (one.campaign.id, one.best, one.open_jobs, one.last_at) == (CAMPAIGN, 0.5, 1, 8)
    assert (other.campaign.name, other.best, other.open_jobs) == ("other", None, 0)
    assert other.resolved == {}

"""Jobs and campaigns go only where the drawings say."""

from __future__ import annotations

from itertools import product

import pytest

from db.states import OPEN, TRANSITIONS, CampaignState, JobState, move

S = JobState
ENDED = {S.SUCCEEDED, S.FAILED, S.CANCELLED, S.REJECTED, S.TIMED_OUT}


def test_every_state_is_drawn() -> None:
    """A state without a line in the table would end a job by accident."""
    assert set(TRANSITIONS) == set(JobState)


@pytest.mark.parametrize(("old", "new"), list(product(JobState, JobState)))
def test_a_job_moves_only_as_drawn(old: JobState, new: JobState) -> None:
    """A result that was rejected must not come back as measured."""
    if new in TRANSITIONS[old]:
        assert move("j", old, new) is new
    else:
        with pytest.raises(ValueError, match=f"^job j cannot go from {old} to {new}$"):
            move("j", old, new)


def test_a_job_is_open_until_it_has_ended() -> None:
    """A campaign waits for open jobs and for no others."""
    assert set(JobState) - ENDED == OPEN
    assert {state for state in JobState if state.open} == OPEN


def test_what_has_ended_stays_so_but_for_a_late_result() -> None:
    """Only a time-out may still turn out well."""
    after = {state: TRANSITIONS[state] for state in ENDED if TRANSITIONS[state]}
    assert after == {S.TIMED_OUT: {S.SUCCEEDED}}


@pytest.mark.parametrize("state", sorted(OPEN))
def test_every_open_job_can_end_and_can_be_cancelled(state: JobState) -> None:
    """Else a job could stay open for ever, and its campaign with it."""
    reached = {state}
    while further := {new for old in reached for new in TRANSITIONS[old]} - reached:
        reached |= further
    assert reached & ENDED
    assert S.CANCELLED in TRANSITIONS[state]


def test_a_job_is_not_sent_twice_without_a_word_in_between() -> None:
    """Whatever was submitted goes back to the queue before it is submitted again."""
    before = {old for old in JobState if S.SUBMITTING in TRANSITIONS[old]}
    assert before == {S.QUEUED}


def test_a_campaign_is_over_when_finished_or_stopped() -> None:
    """A paused one can be resumed."""
    assert {state for state in CampaignState if state.over} == {
        CampaignState.FINISHED,
        CampaignState.STOPPED,
    }

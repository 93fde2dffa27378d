"""States of campaigns and jobs, and the transitions between them."""

from __future__ import annotations

from enum import StrEnum


class CampaignState(StrEnum):
    """Life of a campaign.

    ::

        running <-> paused
           |          |
           +----+-----+
                |
        finished (by a stop rule or a budget) | stopped (by a person)
    """

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"

    @property
    def over(self) -> bool:
        """Whether nothing more will happen in it."""
        return self in (CampaignState.FINISHED, CampaignState.STOPPED)


class JobState(StrEnum):
    """Life of a job.

    ::

        draft -> awaiting approval -> queued -> submitting -> submitted -> running
                        |               ^ |         |             |           |
                        v               | +<--------+-- retry ----+-----------+
                     rejected           |           |             |           |
                                        |           v             v           v
                                        +------- parked     succeeded | failed | timed out
        any open state -> cancelled

    ``parked`` is doubtful: whether the evaluator ran it is unknown and a person must say. A retry
    goes back to ``queued``; a result that comes after a time-out still makes it ``succeeded``.
    """

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting approval"
    QUEUED = "queued"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    PARKED = "parked"

    @property
    def open(self) -> bool:
        """Whether a result may still be expected."""
        return self in OPEN


S = JobState
TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    S.DRAFT: frozenset({S.AWAITING_APPROVAL, S.QUEUED, S.CANCELLED}),
    S.AWAITING_APPROVAL: frozenset({S.QUEUED, S.REJECTED, S.CANCELLED}),
    S.QUEUED: frozenset({S.SUBMITTING, S.CANCELLED}),
    S.SUBMITTING: frozenset({S.QUEUED, S.SUBMITTED, S.PARKED, S.FAILED, S.CANCELLED}),
    S.SUBMITTED: frozenset(
        {S.RUNNING, S.QUEUED, S.SUCCEEDED, S.FAILED, S.TIMED_OUT, S.REJECTED, S.CANCELLED, S.PARKED}
    ),
    S.RUNNING: frozenset(
        {S.QUEUED, S.SUCCEEDED, S.FAILED, S.TIMED_OUT, S.REJECTED, S.CANCELLED, S.PARKED}
    ),
    S.PARKED: frozenset({S.QUEUED, S.SUBMITTED, S.FAILED, S.CANCELLED}),
    S.TIMED_OUT: frozenset({S.SUCCEEDED}),
    S.SUCCEEDED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
    S.REJECTED: frozenset(),
}
del S

OPEN = frozenset(
    {
        JobState.QUEUED,
        JobState.SUBMITTING,
        JobState.SUBMITTED,
        JobState.RUNNING,
        JobState.AWAITING_APPROVAL,
        JobState.DRAFT,
        JobState.PARKED,
    }
)
"""States in which a result may still be expected."""


def move(job: str, old: JobState, new: JobState) -> JobState:
    """The new state.

    Raises:
        ValueError: the table has no such transition.
    """
    if new not in TRANSITIONS[JobState(old)]:
        raise ValueError(f"job {job} cannot go from {old!s} to {new!s}")
    return new

"""How attempts, jobs and rounds end; drafted by whichever entry ends them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from db import repository
from db.ledger import Draft
from db.models import Candidate, Job
from db.session import now
from db.states import CampaignState, JobState
from orchestrator.lab import Lab
from orchestrator.verbs import drafted, gates
from orchestrator.verbs.retries import retry_or_fail

RAN = "ran: "
"""Begins the reason of an attempt that was in doubt and, as a person said, ran."""


def end_attempt(draft: Draft, job: Job, state: str, reason: str) -> None:
    """Draft the end of a job's newest attempt."""
    draft.set(
        "attempt",
        job=job.number,
        number=job.attempts,
        state=state,
        reason=reason,
        ended_at=now(),
    )


def fail(
    session: Session,
    draft: Draft,
    lab: Lab,
    jobs: Sequence[Job],
    reason: str,
    *,
    transient: bool,
) -> None:
    """Draft the failure of the newest attempts of jobs, and what follows from it."""
    for job in jobs:
        end_attempt(draft, job, "failed", reason)
        retry_or_fail(session, draft, lab, job, reason, transient=transient)
    follow(session, draft, lab, jobs)


def follow(session: Session, draft: Draft, lab: Lab, jobs: Sequence[Job]) -> None:
    """Draft what follows once jobs end with this entry: gates, rounds, a pause."""
    gates.settle(session, draft, lab, [job.candidate for job in jobs])
    close_rounds(session, draft, lab.campaign, jobs)
    pause_if_failing(session, draft, lab)


def close_rounds(session: Session, draft: Draft, campaign: str, jobs: Sequence[Job]) -> None:
    """Draft the closing of rounds whose last open jobs end with this entry."""
    ending = drafted.job_states(draft)
    rounds = {session.get_one(Candidate, (campaign, job.candidate)).round for job in jobs}
    for round in sorted(number for number in rounds if number is not None):
        members = repository.jobs_of_round(session, campaign, round)
        more = {row["candidate"] for row in draft.rows["new"].get("job", [])}
        if more.isdisjoint(job.candidate for job in members) and all(
            not ending.get(job.number, JobState(job.state)).open for job in members
        ):
            draft.set("round", number=round, state="closed")


def pause_if_failing(session: Session, draft: Draft, lab: Lab) -> None:
    """Draft a pause, where this entry ends a job without a result and too many ended that way."""
    bad = (JobState.FAILED, JobState.TIMED_OUT)
    failed = [row for row in draft.rows["set"].get("job", []) if row.get("state") in bad]
    state = repository.campaign(session, lab.campaign).state
    if not failed or state != CampaignState.RUNNING:
        return
    counts = repository.job_counts(session, lab.campaign)
    count = sum(counts.get(state, 0) for state in bad) + len(failed)
    ended = count + counts.get(JobState.SUCCEEDED, 0)
    limits = lab.spec.failures
    if ended >= limits.after and count >= limits.share * ended:
        reason = f"{count} of {ended} jobs failed, the last with: {failed[-1]['reason']}"
        draft.set("campaign", id=lab.campaign, state=str(CampaignState.PAUSED), reason=reason)

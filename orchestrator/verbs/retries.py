"""Whether a job whose attempt failed is tried again, and when."""

from __future__ import annotations

from sqlalchemy.orm import Session

from db import repository
from db.ledger import Draft
from db.models import Job
from db.session import MICROSECONDS, now
from db.states import CampaignState, JobState, move
from orchestrator.lab import Lab


def retry_or_fail(
    session: Session, draft: Draft, lab: Lab, job: Job, reason: str, *, transient: bool
) -> None:
    """Draft the job's return to the queue, with back-off, or its failure."""
    limits = lab.part(job.evaluator)
    stopped = CampaignState(repository.campaign(session, lab.campaign).state).over
    if transient and job.attempts < limits.attempts and not stopped:
        wait = limits.backoff * 2 ** (job.attempts - 1)
        state = move(job.key, job.state, JobState.QUEUED)
        later = now() + int(wait * MICROSECONDS)
        draft.set("job", number=job.number, state=str(state), reason=reason, not_before=later)
    else:
        state = move(job.key, job.state, JobState.FAILED)
        draft.set("job", number=job.number, state=str(state), reason=reason)

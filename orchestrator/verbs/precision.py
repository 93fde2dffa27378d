"""Further replicates, until the mean of a measure is known as well as the spec wants it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from db import repository
from db.ledger import Draft
from db.models import Job
from db.states import CampaignState, JobState
from orchestrator.lab import Lab
from orchestrator.verbs import drafted, replicates, valuing
from orchestrator.verbs.candidates import draft_job


def ask_again(session: Session, draft: Draft, lab: Lab, ending: Sequence[Job]) -> None:
    """Draft one more job for each candidate whose replicates have ended and leave too much doubt.

    Args:
        ending: jobs that end with this draft.
    """
    if CampaignState(repository.campaign(session, lab.campaign).state).over:
        return
    states = drafted.job_states(draft)
    for candidate, name in dict.fromkeys((job.candidate, job.evaluator) for job in ending):
        wanted = lab.part(name).precision
        if wanted is None:
            continue
        jobs = [
            job
            for job in repository.jobs_of_candidate(session, lab.campaign, candidate)
            if job.evaluator == name
        ]
        if any(states.get(job.number, JobState(job.state)).open for job in jobs):
            continue
        known = replicates.reduce(valuing.standing(session, draft, lab, candidate))
        last = max(job.replicate for job in jobs)
        if last < wanted.most and any(
            measure not in known or _error(known[measure]) > error
            for measure, error in wanted.error.items()
        ):
            draft_job(session, draft, lab, candidate, name, last + 1, JobState.QUEUED)


def _error(one: replicates.Reduced) -> float:
    """Standard error of the mean; without any bound where there is but one value without one."""
    return float("inf") if one.std is None else one.std

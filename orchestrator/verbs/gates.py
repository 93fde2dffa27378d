"""Cheap gates before dear assays: who is asked only where the measures before it allow it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from db import repository
from db.ledger import Draft
from db.models import Candidate, Job
from db.states import JobState, move
from orchestrator.lab import Lab
from orchestrator.spec.model import Constraint
from orchestrator.verbs import drafted, replicates, valuing


def settle(session: Session, draft: Draft, lab: Lab, candidates: Iterable[int]) -> None:
    """Draft what becomes of jobs behind a gate, now that these candidates' measures changed.

    A job waits as a draft until every measure of its gate is there, or can no longer come.
    """
    if not any(part.when for part in lab.spec.evaluators):
        return
    for candidate in dict.fromkeys(candidates):
        jobs = repository.jobs_of_candidate(session, lab.campaign, candidate)
        if not any(job.state == JobState.DRAFT for job in jobs):
            continue
        known = replicates.values(
            replicates.reduce(valuing.standing(session, draft, lab, candidate))
        )
        ended = _ended(draft, lab, candidate, jobs)
        approved = _approved(session, lab, candidate, jobs)
        for job in jobs:  # in the order of the spec: a gate that closes closes those behind it
            if job.state == JobState.DRAFT:
                _settle(draft, lab, job, known, ended, approved=approved)


def _approved(session: Session, lab: Lab, candidate: int, jobs: Iterable[Job]) -> bool:
    """Whether a person has approved a candidate: by choosing it, or so that some of it went on."""
    row = session.get(Candidate, (lab.campaign, candidate))
    waits = (JobState.DRAFT, JobState.AWAITING_APPROVAL, JobState.CANCELLED, JobState.REJECTED)
    return (row is not None and row.source == "edited") or any(
        lab.approves(lab.part(job.evaluator)) and (job.attempts or job.state not in waits)
        for job in jobs
    )


def _settle(
    draft: Draft,
    lab: Lab,
    job: Job,
    known: dict[str, float],
    ended: set[str],
    *,
    approved: bool,
) -> None:
    part = lab.part(job.evaluator)
    if any(gate.measure not in ended for gate in part.when):
        return
    found = [
        refusal(gate, known[gate.measure])
        if gate.measure in known
        else f"{gate.measure} was not measured"
        for gate in part.when
    ]
    if reason := "; ".join(one for one in found if one):
        state = move(job.key, job.state, JobState.CANCELLED)
        draft.set("job", number=job.number, state=str(state), reason=reason)
        ended.update(part.measures)
    else:
        asks = lab.approves(part) and not approved
        onward = JobState.AWAITING_APPROVAL if asks else JobState.QUEUED
        draft.set("job", number=job.number, state=str(move(job.key, job.state, onward)))


def _ended(draft: Draft, lab: Lab, candidate: int, jobs: Iterable[Job]) -> set[str]:
    """Measures of which no job of the candidate is open any more, once the draft is written."""
    states = drafted.job_states(draft)
    open_at = {job.evaluator for job in jobs if states.get(job.number, JobState(job.state)).open}
    more = draft.rows["new"].get("job", [])
    open_at |= {row["evaluator"] for row in more if row["candidate"] == candidate}
    return {
        name for part in lab.spec.evaluators if part.name not in open_at for name in part.measures
    }


def refusal(gate: Constraint, value: float) -> str:
    """Why a value does not pass; empty where it does."""
    if gate.min is not None and value < gate.min:
        return f"{gate.measure} is {value:.4g}, below {gate.min:g}"
    if gate.max is not None and value > gate.max:
        return f"{gate.measure} is {value:.4g}, above {gate.max:g}"
    return ""

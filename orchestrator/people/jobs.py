"""What people say to jobs: take it, cancel it, send it again, it ran after all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy.orm import Session

from adapters.messages import plain
from adapters.protocol import Entering, Ticket
from db import repository
from db.ledger import Actor, Draft, append
from db.models import Job
from db.session import Database, now
from db.states import JobState, move
from orchestrator import opening, wiring
from orchestrator.errors import Conflict, NotFound, require_reason
from orchestrator.lab import Lab
from orchestrator.verbs import endings

UNDER_WAY = (JobState.SUBMITTED, JobState.RUNNING)
"""States of a job that an evaluator has."""


def take(database: Database, reference: str, number: int, actor: Actor) -> Job:
    """Say that somebody is at it, so that nobody else begins it.

    Raises:
        Conflict: it is not waiting for a person, or somebody has taken it.
    """
    lab = wiring.lab(database, opening.campaign(database, reference).id, actor=actor)
    who = actor.on_behalf_of or actor.id
    with lab.write() as session:
        job = find(session, lab.campaign, number, [JobState.SUBMITTED])
        if not isinstance(lab.evaluators.get(job.evaluator), Entering):
            raise Conflict(f"{job.evaluator} is asked by the loop, not by people")
        if job.state == JobState.RUNNING:
            raise Conflict(f"job {number} is {job.reason}")
        if job.state != JobState.SUBMITTED:
            raise Conflict(f"job {number} is {job.state}", "`assayloop jobs list` shows what waits")
        draft = Draft("start", {"by": who})
        state = move(job.key, job.state, JobState.RUNNING)
        draft.set("job", number=number, state=str(state), reason=f"taken by {who}")
        lab.append(session, draft)
    return job


def cancel(
    database: Database, reference: str, numbers: Sequence[int], actor: Actor, reason: str
) -> list[str]:
    """End jobs whatever they are doing; one that an evaluator has is taken back if it can be.

    A result that comes all the same is kept, and does not count.

    Returns:
        A word on each evaluator that could not take its jobs back.

    Raises:
        BadInput: nobody says why.
        Conflict: a job has ended.
    """
    require_reason(reason)
    lab = wiring.lab(database, opening.campaign(database, reference).id, actor=actor)
    taken_back: dict[str, list[Ticket]] = {}
    with lab.write() as session:
        draft = Draft("cancel", {"reason": reason})
        jobs = [find(session, lab.campaign, number) for number in numbers]
        for job in jobs:
            if not JobState(job.state).open:
                raise Conflict(f"job {job.number} is {job.state} and cannot be cancelled")
            if job.state in UNDER_WAY:
                reference = repository.attempt(session, job).reference
                taken_back.setdefault(job.evaluator, []).append(Ticket(job.key, reference))
            if job.attempts and job.state != JobState.QUEUED:
                endings.end_attempt(draft, job, "cancelled", reason)
            state = move(job.key, job.state, JobState.CANCELLED)
            draft.set("job", number=job.number, state=str(state), reason=reason)
        endings.follow(session, draft, lab, jobs)
        lab.append(session, draft)
    return [word for name, ones in taken_back.items() if (word := _take_back(lab, name, ones))]


def _take_back(lab: Lab, name: str, tickets: Sequence[Ticket]) -> str:
    """Ask an evaluator to stop; what it says where it cannot."""
    evaluator = lab.evaluators.get(name)
    if evaluator is None:
        return f"{name} is not installed here and goes on with {len(tickets)} jobs"
    if not evaluator.capabilities.cancellable:
        return f"{name} cannot be stopped and goes on with {len(tickets)} jobs"
    try:
        evaluator.cancel(tickets)
    except Exception as error:  # a stranger's adapter may raise anything
        return f"{name} could not be told: {plain(str(error)) or type(error).__name__}"
    return ""


def requeue(database: Database, reference: str, number: int, actor: Actor, reason: str) -> None:
    """Send a job again that an evaluator has: the plate fell, the run was aborted.

    Raises:
        BadInput: nobody says why.
        Conflict: no evaluator has it.
    """
    require_reason(reason)
    lab = wiring.lab(database, opening.campaign(database, reference).id, actor=actor)
    with lab.write() as session:
        job = find(session, lab.campaign, number)
        if job.state not in UNDER_WAY:
            raise Conflict(
                f"job {number} is {job.state}, and only what an evaluator has is sent again",
                "`assayloop jobs resolve` settles what is parked",
            )
        attempt = repository.attempt(session, job)
        if attempt.state != "submitted":
            raise Conflict(f"a result of job {number} has come and waits to be recorded")
        draft = Draft("requeue", {"reason": reason})
        endings.end_attempt(draft, job, "cancelled", reason)
        state = move(job.key, job.state, JobState.QUEUED)
        draft.set("job", number=number, state=str(state), reason=reason)
        lab.append(session, draft)
    evaluator = lab.evaluators.get(job.evaluator)
    if evaluator is not None and evaluator.capabilities.cancellable:
        with suppress(Exception):
            evaluator.cancel([Ticket(job.key, attempt.reference)])


def resolve(
    database: Database, reference: str, job: int, actor: Actor, *, ran: bool, reason: str
) -> JobState:
    """Settle a parked job: it ran (its result is awaited), or it did not (it is queued again).

    Raises:
        Conflict: the job is not parked.
    """
    require_reason(reason)
    row = opening.campaign(database, reference)
    with database.write(row.id) as session:
        found = find(session, row.id, job, [JobState.PARKED])
        if found.state != JobState.PARKED:
            raise Conflict(f"job {job} is {found.state}, not parked")
        draft = Draft("resolve", {"reason": reason, "ran": ran})
        if ran:
            state = move(found.key, found.state, JobState.SUBMITTED)
            said = f"{endings.RAN}{reason}"
            draft.set("attempt", job=job, number=found.attempts, state="submitted", reason=said)
        else:
            state = move(found.key, found.state, JobState.QUEUED)
            endings.end_attempt(draft, found, "failed", f"did not run: {reason}")
        draft.set("job", number=job, state=str(state), reason=reason)
        append(session, row.id, actor, draft, now())
    return state


def find(
    session: Session, campaign: str, number: int, likely: Sequence[JobState] | None = None
) -> Job:
    """The job of that number.

    Args:
        likely: States of the jobs that are named where it is not there.

    Raises:
        NotFound: there is none.
    """
    found = repository.numbered(session, Job, campaign, number)
    if found is None:
        known = repository.jobs(session, campaign, likely)
        raise NotFound("job", str(number), [str(one.number) for one in known[:20]])
    return found

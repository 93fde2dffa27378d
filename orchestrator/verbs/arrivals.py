"""Results that come later: stored byte for byte before they are read and acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from adapters.messages import plain
from adapters.protocol import Delivery, Evaluator, Ticket
from db import repository
from db.ledger import Draft
from db.models import Attempt, Job
from db.session import now
from db.states import JobState, move
from orchestrator.verbs.endings import close_rounds, end_attempt, fail, pause_if_failing
from orchestrator.wiring import Parts

WAITING = (JobState.SUBMITTED, JobState.RUNNING, JobState.TIMED_OUT)
"""States in which an evaluator may still deliver; a late result is kept too."""


def collect(parts: Parts, name: str, evaluator: Evaluator) -> int:
    """Store what has arrived for submitted jobs, then acknowledge it."""
    with parts.database.read() as session:
        waiting = repository.jobs(session, parts.campaign, WAITING, evaluator=name)
        attempts = {job.key: repository.attempt(session, job) for job in waiting}
    awaited = {
        key: attempt
        for key, attempt in attempts.items()
        if attempt.state in ("submitted", "timed out")
    }
    if not awaited:
        return 0
    tickets = [Ticket(key, attempt.reference) for key, attempt in awaited.items()]
    arrived = receive(parts, evaluator, tickets)
    for delivery in arrived or ():
        for key in _deliver(parts, evaluator, delivery, awaited):
            del awaited[key]
    lost = [job for job in waiting if job.key in awaited and JobState(job.state).open]
    if arrived is not None and evaluator.capabilities.synchronous and lost:
        _lose(parts, lost)
        return len(tickets)
    return len(tickets) - len(awaited)


def receive(
    parts: Parts, evaluator: Evaluator, tickets: Sequence[Ticket]
) -> Sequence[Delivery] | None:
    """What has arrived; None where the evaluator cannot say, which its open jobs then tell.

    Raises:
        LeaseLost: another driver took the campaign over; the evaluator was not asked.
    """
    parts.require_lease()
    try:
        return evaluator.receive(tickets)
    except Exception as error:  # a stranger's adapter may raise anything
        reason = f"its result cannot be fetched: {plain(str(error)) or type(error).__name__}"
    keys = {ticket.job for ticket in tickets}
    with parts.write() as session:
        rows = repository.jobs(session, parts.campaign, [JobState.SUBMITTED, JobState.RUNNING])
        changed = [job for job in rows if job.key in keys and job.reason != reason]
        draft = Draft("unreachable", {"reason": reason})
        for job in changed:
            draft.set("job", number=job.number, reason=reason)
        if changed:
            parts.append(session, draft)
    return None


def acknowledge(evaluator: Evaluator, delivery: Delivery) -> None:
    """Let the evaluator forget a delivery; one that cannot hands it over again, and no harm."""
    with suppress(Exception):
        evaluator.acknowledge(delivery)


def _deliver(
    parts: Parts, evaluator: Evaluator, delivery: Delivery, attempts: dict[str, Attempt]
) -> Sequence[str]:
    """Store one delivery, whoever it is for; what answers no open job is kept with that reason."""
    known = [key for key in dict.fromkeys(answered(evaluator, delivery)) if key in attempts]
    at = now()
    with parts.write() as session:
        draft = Draft("deliver", {"answers": known, "reference": delivery.reference})
        sha256 = draft.attach(delivery.body, delivery.media_type)
        if not known:
            draft.about |= {
                "delivery": sha256,
                "refused": "answers no job that is open in this campaign",
            }
        receipt = repository.last_receipt(session, parts.campaign) + 1
        for key in known:
            draft.set(
                "attempt",
                job=attempts[key].job,
                number=attempts[key].number,
                state="delivered",
                delivery=sha256,
                receipt=receipt,
                delivered_at=at,
            )
        parts.append(session, draft)
    acknowledge(evaluator, delivery)
    return known


def answered(evaluator: Evaluator, delivery: Delivery) -> Sequence[str]:
    """Keys of the jobs that a delivery answers; nothing where it cannot be read."""
    if delivery.jobs:
        return delivery.jobs
    try:
        return [outcome.job for outcome in evaluator.parse(delivery)]
    except Exception:  # a stranger's adapter may raise anything
        return []


def _lose(parts: Parts, jobs: Sequence[Job]) -> None:
    """Fail jobs that a synchronous evaluator has no result for: none will ever come."""
    reason = "the evaluator gave no result"
    with parts.write() as session:
        draft = Draft("lose", {"reason": reason})
        fail(session, draft, parts, jobs, reason, transient=False)
        parts.append(session, draft)


def expire(parts: Parts) -> int:
    """Time out submitted jobs past their deadline. A result that comes later is still kept."""
    at = now()
    with parts.database.read() as session:
        open_jobs = repository.jobs(session, parts.campaign, [JobState.SUBMITTED, JobState.RUNNING])
        late = [
            job
            for job in open_jobs
            if job.deadline is not None
            and job.deadline < at
            and repository.attempt(session, job).state == "submitted"
        ]
    if not late:
        return 0
    with parts.write() as session:
        draft = Draft("expire")
        for job in late:
            state = move(job.key, job.state, JobState.TIMED_OUT)
            draft.set("job", number=job.number, state=str(state), reason="no result in time")
            end_attempt(draft, job, "timed out", "no result in time")
        close_rounds(session, draft, parts.campaign, late)
        pause_if_failing(session, draft, parts)
        parts.append(session, draft)
    return len(late)

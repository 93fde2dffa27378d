"""Results that come later: stored byte for byte before they are read and acknowledged.

A driver takes them in at every pass; so does whoever receives while nobody drives, a web hook, say,
or a person who enters a result. Both write the same entries, and neither minds the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from adapters.messages import plain
from adapters.protocol import (
    Delivery,
    Evaluator,
    EvaluatorError,
    Progressing,
    Refusing,
    Ticket,
)
from db import artifacts, repository
from db.ledger import Draft
from db.models import Attempt, Job
from db.session import now
from db.states import JobState, move
from orchestrator.lab import Lab
from orchestrator.verbs.endings import end_attempt, fail, follow

WAITING = (JobState.SUBMITTED, JobState.RUNNING, JobState.TIMED_OUT)
"""States in which an evaluator is asked for results; a late one is kept too. A job in doubt is not
asked for, but what comes of it by itself settles it."""

SENT = (JobState.SUBMITTED, JobState.RUNNING)
"""States of a job of which the evaluator has said that it has it."""

AWAITED = ("submitted", "timed out")
"""States of an attempt that a delivery can answer; of a parked job, ``submitting`` too."""


UNKNOWN = "answers no job that is open in this campaign"


@dataclass(frozen=True)
class Taken:
    """What became of a delivery."""

    jobs: tuple[str, ...]
    """Keys of the jobs that it answers."""
    refused: str = ""
    """Why nothing was taken from it; its bytes are kept all the same."""


def collect(lab: Lab, name: str, evaluator: Evaluator) -> int:
    """Store what has arrived for submitted jobs, then acknowledge it.

    Returns:
        Number of jobs whose state changed.

    Raises:
        LeaseLost: another driver took the campaign over; the evaluator was not asked.
    """
    with lab.database.read() as session:
        waiting = repository.jobs(session, lab.campaign, WAITING, evaluator=name)
        attempts = {job.key: repository.attempt(session, job) for job in waiting}
    awaited = {job.key: attempts[job.key] for job in waiting if _awaits(job, attempts[job.key])}
    if not awaited:
        return 0
    asked = [Ticket(key, attempt.reference) for key, attempt in awaited.items()]
    arrived = receive(lab, evaluator, asked)
    answered: set[str] = set()
    for delivery in arrived or ():
        answered.update(take(lab, name, evaluator, delivery).jobs)
    lost = [
        job
        for job in waiting
        if job.key in awaited and job.key not in answered and job.state in SENT
    ]
    if arrived is not None and evaluator.capabilities.synchronous and lost:
        _lose(lab, lost)
        return len(asked)
    return len(answered) + _note_started(lab, evaluator, lost, awaited)


def receive(lab: Lab, evaluator: Evaluator, asked: Sequence[Ticket]) -> Sequence[Delivery] | None:
    """What has arrived; None where the evaluator cannot say, which its open jobs then tell.

    Raises:
        LeaseLost: another driver took the campaign over; the evaluator was not asked.
    """
    lab.require_lease()
    try:
        return evaluator.receive(asked)
    except Exception as error:  # a stranger's adapter may raise anything
        reason = f"its result cannot be fetched: {plain(str(error)) or type(error).__name__}"
    keys = {ticket.job for ticket in asked}
    with lab.write() as session:
        rows = repository.jobs(session, lab.campaign, [JobState.SUBMITTED, JobState.RUNNING])
        changed = [job for job in rows if job.key in keys and job.reason != reason]
        draft = Draft("unreachable", {"reason": reason})
        for job in changed:
            draft.set("job", number=job.number, reason=reason)
        if changed:
            lab.append(session, draft)
    return None


def take(lab: Lab, name: str, evaluator: Evaluator, delivery: Delivery) -> Taken:
    """Store one delivery, whoever it is for, and let the evaluator know.

    What answers no open job is kept with that reason. One that was stored already, by another
    process or before a crash, is not stored again.
    """
    at = now()
    with lab.database.read() as session:
        known = () if delivery.jobs else tickets(session, lab, name)
    keys, unreadable = answers(evaluator, replace(delivery, tickets=tuple(known)))
    with lab.write() as session:
        draft = Draft("deliver", {"answers": [], "reference": delivery.reference})
        sha256 = draft.attach(delivery.body, delivery.media_type)
        attempts = [_attempt(session, lab, key) for key in dict.fromkeys(keys)]
        mine = [one for one in attempts if one is not None]
        open_ones = [(job, one) for job, one in mine if _awaits(job, one)]
        if open_ones or not mine or any(one.delivery != sha256 for _, one in mine):
            draft.about["answers"] = [job.key for job, _ in open_ones]
            if not open_ones and not mine and artifacts.known(session, lab.campaign, sha256):
                # Whoever stored it died before the evaluator knew.
                refuse(evaluator, delivery, unreadable or UNKNOWN)
                return Taken((), unreadable or UNKNOWN)
            if not open_ones:
                refused = unreadable or UNKNOWN
                draft.about |= {"delivery": sha256, "refused": refused}
            receipt = repository.last_receipt(session, lab.campaign) + 1
            for job, attempt in open_ones:
                if job.state == JobState.PARKED:  # so it ran
                    state = move(job.key, job.state, JobState.SUBMITTED)
                    draft.set("job", number=job.number, state=str(state), reason="its result came")
                draft.set(
                    "attempt",
                    job=attempt.job,
                    number=attempt.number,
                    state="delivered",
                    delivery=sha256,
                    receipt=receipt,
                    delivered_at=at,
                )
            lab.append(session, draft)
    refused = str(draft.about.get("refused", ""))
    if refused:
        refuse(evaluator, delivery, refused)
    else:
        acknowledge(evaluator, delivery)
    return Taken(tuple(job.key for job, _ in open_ones), refused)


def _awaits(job: Job, attempt: Attempt) -> bool:
    """Whether a delivery can answer a job."""
    doubtful = job.state == JobState.PARKED and attempt.state == "submitting"
    return doubtful or attempt.state in AWAITED


def _attempt(session: Session, lab: Lab, key: str) -> tuple[Job, Attempt] | None:
    """A job of this campaign that was sent, and its newest attempt."""
    job = repository.job_by_key(session, key)
    if job is None or job.campaign != lab.campaign or not job.attempts:
        return None
    return job, repository.attempt(session, job)


def tickets(
    session: Session, lab: Lab, name: str, *, receipt: int | None = None
) -> tuple[Ticket, ...]:
    """Tickets of all that an evaluator was sent, as they stood when a delivery came.

    So what names but a barcode and a well finds its job; and a delivery that is read again is read
    with the same tickets.

    Args:
        receipt: the delivery's; by default, it comes now.
    """
    sent = repository.sent_to(session, lab.campaign, name)
    at = [one.delivered_at for one, _ in sent if receipt is not None and one.receipt == receipt]
    when = now() if not at or at[0] is None else at[0]
    return tuple(
        Ticket(job.key, attempt.reference, _closed(attempt, receipt, when))
        for attempt, job in sent
        if attempt.submitted_at is not None and attempt.submitted_at <= when
    )


def _closed(attempt: Attempt, receipt: int | None, when: int) -> str:
    """Why nothing was awaited for an attempt at a time; empty where something was."""
    if attempt.receipt is not None and (receipt is None or attempt.receipt < receipt):
        return "answered already"
    if attempt.state in ("cancelled", "failed") and (attempt.ended_at or when) < when:
        return attempt.state
    return ""


def acknowledge(evaluator: Evaluator, delivery: Delivery) -> None:
    """Let the evaluator forget a delivery; one that cannot hands it over again, and no harm."""
    with suppress(Exception):
        evaluator.acknowledge(delivery)


def refuse(evaluator: Evaluator, delivery: Delivery, reason: str) -> None:
    """Let the evaluator know that nothing was taken from a delivery, which is stored."""
    if isinstance(evaluator, Refusing):
        with suppress(Exception):
            evaluator.refuse(delivery, reason)
    else:
        acknowledge(evaluator, delivery)


def answers(evaluator: Evaluator, delivery: Delivery) -> tuple[Sequence[str], str]:
    """Keys of the jobs that a delivery answers; none, and why, where it cannot be read."""
    if delivery.jobs:
        return delivery.jobs, ""
    try:
        return [outcome.job for outcome in evaluator.parse(delivery)], ""
    except EvaluatorError as error:
        return [], plain(str(error))
    except Exception as error:  # a stranger's adapter may raise anything
        return [], plain(f"it cannot be read: {type(error).__name__}: {error}")


def _note_started(
    lab: Lab, evaluator: Evaluator, jobs: Sequence[Job], attempts: dict[str, Attempt]
) -> int:
    """Mark jobs that run, as far as the evaluator says so; once each, whatever it says later."""
    waiting = [job for job in jobs if job.state == JobState.SUBMITTED]
    if not waiting or not isinstance(evaluator, Progressing):
        return 0
    asked = [Ticket(job.key, attempts[job.key].reference) for job in waiting]
    try:
        said = evaluator.progress(asked)
    except Exception:  # a stranger's adapter may raise anything, and nothing hangs on this
        return 0
    with lab.write() as session:
        draft = Draft("start")
        for job in repository.jobs(session, lab.campaign, [JobState.SUBMITTED]):
            if job.key in said:
                state = move(job.key, job.state, JobState.RUNNING)
                what = plain(str(said[job.key]))
                draft.set("job", number=job.number, state=str(state), reason=what)
        started = len(draft.rows["set"].get("job", []))
        if started:
            lab.append(session, draft)
    return started


def _lose(lab: Lab, jobs: Sequence[Job]) -> None:
    """Fail jobs that a synchronous evaluator has no result for: none will ever come."""
    reason = "the evaluator gave no result"
    with lab.write() as session:
        draft = Draft("lose", {"reason": reason})
        fail(session, draft, lab, jobs, reason, transient=False)
        lab.append(session, draft)


def expire(lab: Lab) -> int:
    """Time out submitted jobs past their deadline. A result that comes later is still kept."""
    at = now()
    with lab.database.read() as session:
        open_jobs = repository.jobs(session, lab.campaign, [JobState.SUBMITTED, JobState.RUNNING])
        late = [
            job
            for job in open_jobs
            if job.deadline is not None
            and job.deadline < at
            and repository.attempt(session, job).state == "submitted"
        ]
    if not late:
        return 0
    with lab.write() as session:
        draft = Draft("expire")
        for job in late:
            state = move(job.key, job.state, JobState.TIMED_OUT)
            draft.set("job", number=job.number, state=str(state), reason="no result in time")
            end_attempt(draft, job, "timed out", "no result in time")
        follow(session, draft, lab, late)
        lab.append(session, draft)
    return len(late)

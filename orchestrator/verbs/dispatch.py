"""Evaluate, in detail: intent, ticket and outcome are separate commits, one each a ``submit``.

The world outside is between them. A job and its idempotency key are committed before the evaluator
is called; what a process that died in between left behind is asked again with the same key where
the evaluator is idempotent, and otherwise parked for a person to settle, never sent twice in
silence. Deliveries are stored byte for byte before they are read and acknowledged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from adapters import protocol
from adapters.messages import plain
from adapters.protocol import Delivery, Evaluator, EvaluatorError, Sample, Ticket
from db import artifacts, repository
from db.ledger import Draft
from db.models import Batch, Candidate, Job
from db.session import MICROSECONDS, now
from db.states import CampaignState, JobState, move
from orchestrator.verbs.arrivals import acknowledge, answered, receive
from orchestrator.verbs.endings import fail
from orchestrator.wiring import Parts


@dataclass(frozen=True)
class Intent:
    """A batch that is committed and about to be submitted."""

    number: int
    jobs: tuple[Job, ...]
    batch: protocol.Batch


# Intent ---------------------------------------------------------------------------------------


def intend(parts: Parts, name: str, evaluator: Evaluator) -> Intent | None:
    """Commit the intent to submit the next queued jobs of an evaluator; None if there are none."""
    at = now()
    with parts.database.read() as session:
        if not _due(session, parts, name, at):
            return None
    with parts.write() as session:
        campaign = repository.campaign(session, parts.campaign)
        jobs = _due(session, parts, name, at)[: evaluator.capabilities.batch_size]
        if not jobs or campaign.state != CampaignState.RUNNING:
            return None
        number = repository.next_number(session, Batch, parts.campaign)
        draft = Draft("submit", {"evaluator": name})
        draft.new("batch", number=number, evaluator=name, key=f"{parts.campaign}/batch/{number}")
        for position, job in enumerate(jobs):
            _begin(parts, draft, job, number, position, at)
        draft.set(
            "campaign",
            id=parts.campaign,
            evaluations=campaign.evaluations + _first_sent(session, jobs),
            cost=campaign.cost + sum(job.cost for job in jobs),
        )
        parts.append(session, draft)
    return _intent(parts, name, number)


def _due(session: Session, parts: Parts, name: str, at: int) -> list[Job]:
    queued = repository.jobs(session, parts.campaign, [JobState.QUEUED], evaluator=name)
    return [job for job in queued if job.not_before is None or job.not_before <= at]


def _begin(parts: Parts, draft: Draft, job: Job, batch: int, position: int, at: int) -> None:
    timeout = parts.part(job.evaluator).timeout
    draft.set(
        "job",
        number=job.number,
        state=str(move(job.key, job.state, JobState.SUBMITTING)),
        attempts=job.attempts + 1,
        batch=batch,
        position=str(position),
        not_before=None,
        deadline=None if timeout is None else at + int(timeout * MICROSECONDS),
    )
    draft.new(
        "attempt",
        job=job.number,
        number=job.attempts + 1,
        batch=batch,
        state="submitting",
        reason="",
        reference="",
        delivery=None,
        receipt=None,
        started_at=at,
        submitted_at=None,
        delivered_at=None,
        ended_at=None,
    )


def _first_sent(session: Session, jobs: Sequence[Job]) -> int:
    """How many candidates are sent to an evaluator for the first time."""
    count = 0
    for candidate in {job.candidate for job in jobs}:
        others = repository.jobs_of_candidate(session, jobs[0].campaign, candidate)
        count += all(job.attempts == 0 for job in others)
    return count


def _intent(parts: Parts, name: str, number: int) -> Intent:
    """The committed batch of that number, as the evaluator is to see it."""
    with parts.database.read() as session:
        batch = session.get_one(Batch, (parts.campaign, number))
        rows = repository.jobs(session, parts.campaign, [JobState.SUBMITTING], evaluator=name)
        jobs = tuple(job for job in rows if job.batch == number)
        sent = tuple(
            protocol.Job(
                key=job.key,
                sample=_sample(session, parts, job),
                measures=parts.part(name).measures,
                replicate=job.replicate,
            )
            for job in jobs
        )
    return Intent(number, jobs, protocol.Batch(batch.key, sent))


def _sample(session: Session, parts: Parts, job: Job) -> Sample:
    candidate = session.get_one(Candidate, (parts.campaign, job.candidate))
    content: str | bytes | None = candidate.object
    if candidate.artifact is not None:
        content = artifacts.get(session, parts.campaign, candidate.artifact)
    assert content is not None, f"candidate {job.candidate} has a job and no object"
    return Sample(parts.space.sample_kind, content)


# Ticket and outcome ---------------------------------------------------------------------------


def submit(parts: Parts, intent: Intent, evaluator: Evaluator) -> int:
    """Call the evaluator with a committed intent, and commit what it answered.

    A synchronous evaluator delivers at once, and its tickets and deliveries are one commit.
    """
    capabilities = evaluator.capabilities
    try:
        tickets = evaluator.submit(intent.batch)
    except Exception as error:
        # An EvaluatorError says that nothing was taken; of any other, only an idempotent
        # evaluator lets us believe that asking again does no harm.
        if not (capabilities.idempotent or isinstance(error, EvaluatorError)):
            _park(parts, intent.jobs, f"the evaluator broke while it was being asked: {error!r}")
        else:
            _refuse(parts, intent.jobs, error)
        return len(intent.jobs)
    arrived = receive(parts, evaluator, tickets) if capabilities.synchronous else None
    stored = [(delivery, answered(evaluator, delivery)) for delivery in arrived or ()]
    _ticket(parts, intent, tickets, stored)
    for delivery, _ in stored:
        acknowledge(evaluator, delivery)
    return len(intent.jobs)


def _ticket(
    parts: Parts,
    intent: Intent,
    tickets: Sequence[Ticket],
    arrived: Sequence[tuple[Delivery, Sequence[str]]],
) -> None:
    references = {ticket.job: ticket.reference for ticket in tickets}
    at = now()
    with parts.write() as session:
        draft = Draft("deliver" if arrived else "ticket", {"batch": intent.number})
        first = repository.last_receipt(session, parts.campaign) + 1
        stored = _attach(draft, arrived, first)
        for job in intent.jobs:
            sha256, receipt = stored.get(job.key, (None, None))
            draft.set(
                "attempt",
                job=job.number,
                number=job.attempts,
                state="submitted" if sha256 is None else "delivered",
                reference=references.get(job.key, ""),
                submitted_at=at,
                delivery=sha256,
                receipt=receipt,
                delivered_at=None if sha256 is None else at,
            )
            state = move(job.key, job.state, JobState.SUBMITTED)
            draft.set("job", number=job.number, state=str(state))
        parts.append(session, draft)


def _attach(
    draft: Draft, arrived: Sequence[tuple[Delivery, Sequence[str]]], first: int
) -> dict[str, tuple[str, int]]:
    """Store deliveries with the entry; artifact and receipt of each job's delivery, by key.

    Of two deliveries for one job the first counts; the other is kept.
    """
    stored: dict[str, tuple[str, int]] = {}
    for receipt, (delivery, jobs) in enumerate(arrived, first):
        sha256 = draft.attach(delivery.body, delivery.media_type)
        stored = dict.fromkeys(jobs, (sha256, receipt)) | stored
    return stored


def _refuse(parts: Parts, jobs: Sequence[Job], error: Exception) -> None:
    """The evaluator took nothing: the attempt failed; the jobs wait for the next or have failed."""
    reason = plain(str(error)) or type(error).__name__
    transient = isinstance(error, EvaluatorError) and error.transient
    with parts.write() as session:
        draft = Draft("refuse", {"reason": reason})
        fail(session, draft, parts, jobs, reason, transient=transient)
        parts.append(session, draft)


# What a dead driver left behind ---------------------------------------------------------------


def recover(parts: Parts, name: str, evaluator: Evaluator) -> int:
    """Settle the intents whose outcome was never committed."""
    with parts.database.read() as session:
        doubtful = repository.jobs(session, parts.campaign, [JobState.SUBMITTING], evaluator=name)
    if not doubtful:
        return 0
    if not evaluator.capabilities.idempotent:
        _park(parts, doubtful, "the driver stopped while the evaluator was being asked")
        return len(doubtful)
    for number in sorted({job.batch for job in doubtful if job.batch is not None}):
        submit(parts, _intent(parts, name, number), evaluator)
    return len(doubtful)


def _park(parts: Parts, jobs: Sequence[Job], why: str) -> None:
    reason = f"{why}; whether it ran is unknown"
    with parts.write() as session:
        draft = Draft("park", {"reason": reason})
        for job in jobs:
            state = move(job.key, job.state, JobState.PARKED)
            draft.set("job", number=job.number, state=str(state), reason=reason)
        parts.append(session, draft)

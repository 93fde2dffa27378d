"""Evaluate, in detail: intent, ticket and outcome are separate commits, one each a ``submit``.

The world outside is between them. A job and its idempotency key are committed before the evaluator
is called; what a process that died in between left behind is asked again with the same key where
the evaluator is idempotent, and otherwise parked for a person to settle, never sent twice in
silence. Deliveries are stored byte for byte before they are read and acknowledged.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.messages import plain
from adapters.protocol import Delivery, Evaluator, EvaluatorError, Ticket
from db import repository
from db.ledger import Draft
from db.models import Job
from db.session import now
from db.states import JobState, move
from orchestrator.verbs.arrivals import acknowledge, answers, receive
from orchestrator.verbs.batches import Intent, committed
from orchestrator.verbs.endings import fail
from orchestrator.wiring import Parts

# Ticket and outcome ---------------------------------------------------------------------------


def submit(parts: Parts, intent: Intent, evaluator: Evaluator) -> int:
    """Call the evaluator with a committed intent, and commit what it answered.

    A synchronous evaluator delivers at once, and its tickets and deliveries are one commit.

    Raises:
        LeaseLost: another driver took the campaign over; the evaluator was not asked.
    """
    capabilities = evaluator.capabilities
    parts.require_lease()
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
    stored = [(delivery, answers(evaluator, delivery)[0]) for delivery in arrived or ()]
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
        submit(parts, committed(parts, name, number), evaluator)
    return len(doubtful)


def _park(parts: Parts, jobs: Sequence[Job], why: str) -> None:
    reason = f"{why}; whether it ran is unknown"
    with parts.write() as session:
        draft = Draft("park", {"reason": reason})
        for job in jobs:
            state = move(job.key, job.state, JobState.PARKED)
            draft.set("job", number=job.number, state=str(state), reason=reason)
        parts.append(session, draft)

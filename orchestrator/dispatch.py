"""Evaluate, in detail: intent, ticket and outcome are separate commits, one each a ``submit``.

The world outside is between them. A job and its idempotency key are committed before the evaluator
is called; what a process that died in between left behind is asked again with the same key where
the evaluator is idempotent, and otherwise parked for a person to settle, never sent twice in
silence. Deliveries are stored byte for byte before they are read and acknowledged.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.orm import Session

from adapters import protocol
from adapters.messages import plain
from adapters.protocol import Delivery, Evaluator, EvaluatorError, Sample, Ticket
from db import artifacts, repository
from db.ledger import Draft
from db.models import Attempt, Batch, Candidate, Job
from db.session import now
from db.states import CampaignState, JobState, move
from orchestrator.spec import EvaluatorSpec
from orchestrator.wiring import Parts

MICROSECONDS = 1_000_000
WAITING = (JobState.SUBMITTED, JobState.RUNNING, JobState.TIMED_OUT)
"""States in which an evaluator may still deliver; a late result is kept too."""


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
    timeout = part(parts, job.evaluator).timeout
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
                measures=part(parts, name).measures,
                replicate=job.replicate,
            )
            for job in jobs
        )
    return Intent(number, jobs, protocol.Batch(batch.key, sent))


def part(parts: Parts, name: str) -> EvaluatorSpec:
    """What the spec says of an evaluator."""
    return next(one for one in parts.spec.evaluators if one.use == name)


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
    arrived = _receive(parts, evaluator, tickets) if capabilities.synchronous else None
    stored = [(delivery, _answered(evaluator, delivery)) for delivery in arrived or ()]
    _ticket(parts, intent, tickets, stored)
    for delivery, _ in stored:
        _acknowledge(evaluator, delivery)
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
        for job in jobs:
            end_attempt(draft, job, "failed", reason)
            retry_or_fail(session, draft, parts, job, reason, transient=transient)
        close_rounds(session, draft, parts.campaign, jobs)
        pause_if_failing(session, draft, parts)
        parts.append(session, draft)


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


def retry_or_fail(
    session: Session, draft: Draft, parts: Parts, job: Job, reason: str, *, transient: bool
) -> None:
    """Draft the job's return to the queue, with back-off, or its failure."""
    limits = part(parts, job.evaluator)
    stopped = CampaignState(repository.campaign(session, parts.campaign).state).over
    if transient and job.attempts < limits.attempts and not stopped:
        wait = limits.backoff * 2 ** (job.attempts - 1)
        state = move(job.key, job.state, JobState.QUEUED)
        later = now() + int(wait * MICROSECONDS)
        draft.set("job", number=job.number, state=str(state), reason=reason, not_before=later)
    else:
        state = move(job.key, job.state, JobState.FAILED)
        draft.set("job", number=job.number, state=str(state), reason=reason)


def close_rounds(session: Session, draft: Draft, campaign: str, jobs: Sequence[Job]) -> None:
    """Draft the closing of rounds whose last open jobs end with this entry."""
    ending = {
        row["number"]: JobState(row["state"])
        for row in draft.rows["set"].get("job", [])
        if "state" in row
    }
    rounds = {session.get_one(Candidate, (campaign, job.candidate)).round for job in jobs}
    for round in sorted(number for number in rounds if number is not None):
        members = repository.jobs_of_round(session, campaign, round)
        if all(not ending.get(job.number, JobState(job.state)).open for job in members):
            draft.set("round", number=round, state="closed")


def pause_if_failing(session: Session, draft: Draft, parts: Parts) -> None:
    """Draft a pause, where this entry ends a job without a result and too many ended that way."""
    bad = (JobState.FAILED, JobState.TIMED_OUT)
    failed = [row for row in draft.rows["set"].get("job", []) if row.get("state") in bad]
    state = repository.campaign(session, parts.campaign).state
    if not failed or state != CampaignState.RUNNING:
        return
    counts = repository.job_counts(session, parts.campaign)
    count = sum(counts.get(state, 0) for state in bad) + len(failed)
    ended = count + counts.get(JobState.SUCCEEDED, 0)
    limits = parts.spec.failures
    if ended >= limits.after and count >= limits.share * ended:
        reason = f"{count} of {ended} jobs failed, the last with: {failed[-1]['reason']}"
        draft.set("campaign", id=parts.campaign, state=str(CampaignState.PAUSED), reason=reason)


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


# Results that come later ----------------------------------------------------------------------


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
    arrived = _receive(parts, evaluator, tickets)
    for delivery in arrived or ():
        for key in _deliver(parts, evaluator, delivery, awaited):
            del awaited[key]
    lost = [job for job in waiting if job.key in awaited and JobState(job.state).open]
    if arrived is not None and evaluator.capabilities.synchronous and lost:
        _lose(parts, lost)
        return len(tickets)
    return len(tickets) - len(awaited)


def _receive(
    parts: Parts, evaluator: Evaluator, tickets: Sequence[Ticket]
) -> Sequence[Delivery] | None:
    """What has arrived; None where the evaluator cannot say, which its open jobs then tell."""
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


def _acknowledge(evaluator: Evaluator, delivery: Delivery) -> None:
    """Let the evaluator forget a delivery; one that cannot hands it over again, and no harm."""
    with suppress(Exception):
        evaluator.acknowledge(delivery)


def _deliver(
    parts: Parts, evaluator: Evaluator, delivery: Delivery, attempts: dict[str, Attempt]
) -> Sequence[str]:
    """Store one delivery, whoever it is for; what answers no open job is kept with that reason."""
    answered = [key for key in dict.fromkeys(_answered(evaluator, delivery)) if key in attempts]
    at = now()
    with parts.write() as session:
        draft = Draft("deliver", {"answers": answered, "reference": delivery.reference})
        sha256 = draft.attach(delivery.body, delivery.media_type)
        if not answered:
            draft.about |= {
                "delivery": sha256,
                "refused": "answers no job that is open in this campaign",
            }
        receipt = repository.last_receipt(session, parts.campaign) + 1
        for key in answered:
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
    _acknowledge(evaluator, delivery)
    return answered


def _answered(evaluator: Evaluator, delivery: Delivery) -> Sequence[str]:
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
        for job in jobs:
            end_attempt(draft, job, "failed", reason)
            retry_or_fail(session, draft, parts, job, reason, transient=False)
        close_rounds(session, draft, parts.campaign, jobs)
        pause_if_failing(session, draft, parts)
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

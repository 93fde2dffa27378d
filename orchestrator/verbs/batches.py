"""The batch of jobs that goes to an evaluator together, committed before it is called.

A batch holds as many jobs as the evaluator takes at a time (a plate has so many wells). What is
committed is the intent to submit it; what the evaluator answers is :mod:`.dispatch`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from adapters import protocol
from adapters.protocol import Evaluator, Sample
from db import artifacts, repository
from db.ledger import Draft
from db.models import Batch, Candidate, Job
from db.session import MICROSECONDS, now
from db.states import CampaignState, JobState, move
from orchestrator.wiring import Parts

UNDER_WAY = (JobState.SUBMITTING, JobState.SUBMITTED, JobState.RUNNING)
"""States of a job that an evaluator has, or is being given."""


@dataclass(frozen=True)
class Intent:
    """A batch that is committed and about to be submitted."""

    number: int
    jobs: tuple[Job, ...]
    batch: protocol.Batch


def intend(parts: Parts, name: str, evaluator: Evaluator) -> Intent | None:
    """Commit the intent to submit the next queued jobs of an evaluator; None if there are none."""
    at = now()
    with parts.database.read() as session:
        if not _due(session, parts, name, at):
            return None
    with parts.write() as session:
        campaign = repository.campaign(session, parts.campaign)
        room = min(evaluator.capabilities.batch_size, _room(session, parts, name, evaluator, at))
        jobs = _due(session, parts, name, at)[: max(room, 0)]
        if not jobs or campaign.state != CampaignState.RUNNING:
            return None
        number = repository.next_number(session, Batch, parts.campaign)
        draft = Draft("submit", {"evaluator": name})
        key = f"{parts.campaign}/batch/{number}"
        draft.new("batch", number=number, evaluator=name, key=key, barcode=barcode(key))
        for position, job in enumerate(jobs):
            _begin(parts, draft, job, number, position, at)
        draft.set(
            "campaign",
            id=parts.campaign,
            evaluations=campaign.evaluations + _first_sent(session, jobs),
            cost=campaign.cost + sum(job.cost for job in jobs) + evaluator.capabilities.batch_cost,
        )
        parts.append(session, draft)
    return committed(parts, name, number)


def _due(session: Session, parts: Parts, name: str, at: int) -> list[Job]:
    queued = repository.jobs(session, parts.campaign, [JobState.QUEUED], evaluator=name)
    return [job for job in queued if job.not_before is None or job.not_before <= at]


def _room(session: Session, parts: Parts, name: str, evaluator: Evaluator, at: int) -> int:
    """How many jobs more may be sent there now: by what it takes, and by what the spec allows."""
    part, takes = parts.part(name), evaluator.capabilities
    room = takes.batch_size
    if part.rate is not None:
        since = at - int(part.rate.per * MICROSECONDS)
        room = part.rate.jobs - repository.sent_since(session, parts.campaign, name, since)
    limits = [limit for limit in (part.in_flight, takes.in_flight) if limit is not None]
    if limits:
        under_way = repository.jobs(session, parts.campaign, UNDER_WAY, evaluator=name)
        room = min(room, min(limits) - len(under_way))
    return room


def barcode(key: str) -> str:
    """A short barcode from a batch's key: what Code 128 and any reader take, unique in practice.

    60 bits of SHA-256 in base 32 (Crockford's alphabet, which has no I, L, O and U).
    """
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 4
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(55, -1, -5))


_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


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


def committed(parts: Parts, name: str, number: int) -> Intent:
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
                label=str(job.candidate) + (f"/{job.replicate}" if job.replicate > 1 else ""),
            )
            for job in jobs
        )
    return Intent(number, jobs, protocol.Batch(batch.key, sent, batch.barcode))


def _sample(session: Session, parts: Parts, job: Job) -> Sample:
    candidate = session.get_one(Candidate, (parts.campaign, job.candidate))
    content: str | bytes | None = candidate.object
    if candidate.artifact is not None:
        content = artifacts.get(session, parts.campaign, candidate.artifact)
    assert content is not None, f"candidate {job.candidate} has a job and no object"
    return Sample(parts.space.sample_kind, content, ", ".join(map(str, candidate.external_ids)))

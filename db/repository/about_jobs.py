"""Questions about jobs, their attempts and deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from db.models import Attempt, Candidate, Job
from db.states import OPEN, JobState


def jobs(
    session: Session,
    campaign_id: str,
    states: Iterable[JobState] | None = None,
    *,
    evaluator: str | None = None,
) -> Sequence[Job]:
    """Jobs of a campaign in some states, in order."""
    query = select(Job).where(Job.campaign == campaign_id).order_by(Job.number)
    if states is not None:
        query = query.where(Job.state.in_([str(state) for state in states]))
    if evaluator is not None:
        query = query.where(Job.evaluator == evaluator)
    return session.scalars(query).all()


def jobs_of_candidate(session: Session, campaign_id: str, candidate: int) -> Sequence[Job]:
    """All jobs of a candidate."""
    return session.scalars(
        select(Job)
        .where(Job.campaign == campaign_id, Job.candidate == candidate)
        .order_by(Job.number)
    ).all()


def jobs_of_round(session: Session, campaign_id: str, round: int) -> Sequence[Job]:
    """Jobs of all candidates of a round."""
    return session.scalars(
        select(Job)
        .join(
            Candidate,
            and_(Candidate.campaign == Job.campaign, Candidate.number == Job.candidate),
        )
        .where(Job.campaign == campaign_id, Candidate.round == round)
        .order_by(Job.number)
    ).all()


def job_by_key(session: Session, key: str) -> Job | None:
    """The job of an idempotency key."""
    return session.scalars(select(Job).where(Job.key == key)).first()


def job_counts(session: Session, campaign_id: str) -> dict[JobState, int]:
    """Number of jobs a state."""
    rows = session.execute(
        select(Job.state, func.count()).where(Job.campaign == campaign_id).group_by(Job.state)
    )
    return {JobState(state): count for state, count in rows}


def open_jobs(session: Session, campaign_id: str) -> int:
    """Jobs of which a result may still come."""
    return session.scalar(count_of_open_jobs().where(Job.campaign == campaign_id)) or 0


def campaigns_with_jobs(session: Session, states: Iterable[JobState]) -> Sequence[str]:
    """UUIDs of the campaigns that have a job in one of these states, in order."""
    query = select(Job.campaign).where(Job.state.in_([str(state) for state in states]))
    return session.scalars(query.distinct().order_by(Job.campaign)).all()


def count_of_open_jobs() -> Select[tuple[int]]:
    """The query that counts such jobs, of all campaigns."""
    return select(func.count(Job.number)).where(Job.state.in_([str(state) for state in OPEN]))


def attempts(session: Session, campaign_id: str, state: str) -> Sequence[tuple[Attempt, Job]]:
    """Attempts in a state, each with its job, in the order of jobs."""
    rows = session.execute(
        select(Attempt, Job)
        .join(Job, and_(Job.campaign == Attempt.campaign, Job.number == Attempt.job))
        .where(Attempt.campaign == campaign_id, Attempt.state == state)
        .order_by(Attempt.job, Attempt.number)
    )
    return [(attempt, job) for attempt, job in rows]


def attempt(session: Session, job: Job) -> Attempt:
    """The newest attempt of a job that has one."""
    return session.get_one(Attempt, (job.campaign, job.number, job.attempts))


def sent_since(session: Session, campaign_id: str, evaluator: str, since: int) -> int:
    """Attempts at an evaluator that were begun after a time."""
    query = (
        select(func.count())
        .select_from(Attempt)
        .join(Job, and_(Job.campaign == Attempt.campaign, Job.number == Attempt.job))
        .where(
            Attempt.campaign == campaign_id,
            Job.evaluator == evaluator,
            Attempt.started_at > since,
        )
    )
    return session.scalar(query) or 0


def sent_to(session: Session, campaign_id: str, evaluator: str) -> Sequence[tuple[Attempt, Job]]:
    """Attempts that an evaluator has taken, each with its job, in the order of batches."""
    rows = session.execute(
        select(Attempt, Job)
        .join(Job, and_(Job.campaign == Attempt.campaign, Job.number == Attempt.job))
        .where(
            Attempt.campaign == campaign_id,
            Job.evaluator == evaluator,
            Attempt.submitted_at.is_not(None),
        )
        .order_by(Attempt.batch, Attempt.job, Attempt.number)
    )
    return [(attempt, job) for attempt, job in rows]


def last_receipt(session: Session, campaign_id: str) -> int:
    """Number of the last delivery that answered a job, 0 for none."""
    last = select(func.max(Attempt.receipt)).where(Attempt.campaign == campaign_id)
    return session.scalar(last) or 0

"""Questions about candidates."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Text, and_, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from db.columns import canonical, storable
from db.models import Candidate, Job, Measurement
from db.states import OPEN, JobState


def candidates(
    session: Session, campaign_id: str, *, round: int | None = None
) -> Sequence[Candidate]:
    """Candidates of a campaign or of one round, in order."""
    query = select(Candidate).where(Candidate.campaign == campaign_id).order_by(Candidate.number)
    if round is not None:
        query = query.where(Candidate.round == round)
    return session.scalars(query).all()


def candidates_called(session: Session, campaign_id: str, external: str) -> Sequence[Candidate]:
    """Candidates that people know by that external ID, in order."""
    stored = type_coerce(Candidate.external_ids, Text)
    found = session.scalars(
        select(Candidate)
        .where(Candidate.campaign == campaign_id)
        .where(stored.contains(canonical(external), autoescape=True))
        .order_by(Candidate.number)
    )
    return [one for one in found if storable(external) in one.external_ids]


def twin(session: Session, campaign_id: str, key: str) -> Candidate | None:
    """The first candidate with that canonical key."""
    return session.scalars(
        select(Candidate)
        .where(Candidate.campaign == campaign_id, Candidate.key == storable(key))
        .where(Candidate.duplicate_of.is_(None))
        .order_by(Candidate.number)
        .limit(1)
    ).first()


def best(session: Session, campaign_id: str, count: int, *, maximize: bool) -> Sequence[Candidate]:
    """The best feasible candidates by objective, distinct objects, earlier first among equals."""
    order = Candidate.objective.desc() if maximize else Candidate.objective.asc()
    return session.scalars(
        select(Candidate)
        .where(Candidate.campaign == campaign_id, Candidate.feasible.is_(True))
        .where(Candidate.objective.is_not(None), Candidate.duplicate_of.is_(None))
        .order_by(order, Candidate.number)
        .limit(count)
    ).all()


def candidates_with_jobs(session: Session, campaign_id: str) -> int:
    """Candidates that were, or are to be, sent to an evaluator."""
    never = (str(JobState.CANCELLED), str(JobState.REJECTED))
    sent = select(func.count(func.distinct(Job.candidate))).where(
        Job.campaign == campaign_id, (Job.attempts > 0) | Job.state.not_in(never)
    )
    return session.scalar(sent) or 0


def pending(session: Session, campaign_id: str) -> Sequence[Candidate]:
    """Candidates with a point whose result is still to come: open jobs, or asked and not told."""
    has_open_job = (
        select(Job.number)
        .where(Job.campaign == Candidate.campaign, Job.candidate == Candidate.number)
        .where(Job.state.in_([str(state) for state in OPEN]))
        .exists()
    )
    measured = (
        select(Measurement.number)
        .where(
            Measurement.campaign == Candidate.campaign,
            Measurement.candidate == Candidate.number,
        )
        .exists()
    )
    awaited = and_(
        Candidate.source == "asked",
        Candidate.valid.is_(True),
        Candidate.duplicate_of.is_(None),
        ~measured,
    )
    return session.scalars(
        select(Candidate)
        .where(Candidate.campaign == campaign_id, Candidate.point.is_not(None))
        .where(or_(has_open_job, awaited))
        .order_by(Candidate.number)
    ).all()

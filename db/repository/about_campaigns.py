"""Questions about campaigns and what was computed for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import and_, desc, func, select
from sqlalchemy.orm import Session

from db.columns import storable
from db.models import Base, Campaign, CampaignRevision, Candidate, Fit, Job, LedgerEntry, Round
from db.repository.about_jobs import count_of_open_jobs

Row = TypeVar("Row", bound=Base)


def campaigns(session: Session) -> Sequence[Campaign]:
    """All campaigns, oldest first."""
    return session.scalars(select(Campaign).order_by(Campaign.created_at, Campaign.id)).all()


def campaign_count(session: Session) -> int:
    """How many there are."""
    return session.scalars(select(func.count()).select_from(Campaign)).one()


class Standing(NamedTuple):
    """How far a campaign is."""

    campaign: Campaign
    resolved: Any
    """Its spec, all keys; None where the revision that it names is not there."""
    best: float | None
    """Objective of the best candidate."""
    open_jobs: int
    last_at: int
    """Time of its last entry."""


def standings(session: Session, last: int | None = None) -> Sequence[Standing]:
    """How far campaigns are, oldest first; in one query, for there may be thousands.

    Args:
        session: Where they are.
        last: Only so many, those where something happened last.
    """
    open_jobs = count_of_open_jobs().where(Job.campaign == Campaign.id).scalar_subquery()
    newest = (
        select(LedgerEntry.at)
        .where(LedgerEntry.chain == Campaign.id)
        .order_by(LedgerEntry.sequence.desc())
        .limit(1)
        .scalar_subquery()
    )
    active = select(Campaign.id, newest.label("at"))
    if last is not None:
        active = active.order_by(desc("at"), Campaign.id).limit(last)
    shown = active.subquery()
    current = and_(
        CampaignRevision.campaign == Campaign.id, CampaignRevision.revision == Campaign.revision
    )
    best = and_(Candidate.campaign == Campaign.id, Candidate.number == Campaign.best)
    rows = session.execute(
        select(Campaign, CampaignRevision.resolved, Candidate.objective, open_jobs, shown.c.at)
        .join(shown, shown.c.id == Campaign.id)
        .outerjoin(CampaignRevision, current)
        .outerjoin(Candidate, best)
        .order_by(Campaign.created_at, Campaign.id)
    )
    return [Standing(*row) for row in rows.tuples()]


def find(session: Session, reference: str) -> Campaign | None:
    """A campaign by ``NAME`` (the newest of that name), ``NAME#2`` or its UUID."""
    reference = storable(reference)  # from a command line, it may be no text at all
    name, numbered, ordinal = reference.partition("#")
    query = select(Campaign).where(Campaign.name == name).order_by(Campaign.ordinal.desc())
    if numbered:
        known = ordinal.isdecimal() and len(ordinal) < 19
        query = query.where(Campaign.ordinal == (int(ordinal) if known else 0))
    return session.scalars(query.limit(1)).first() or session.get(Campaign, reference)


def campaign(session: Session, campaign_id: str) -> Campaign:
    """A campaign that exists."""
    return session.get_one(Campaign, campaign_id)


def revision(session: Session, campaign_id: str, number: int) -> CampaignRevision:
    """One spec of a campaign."""
    return session.get_one(CampaignRevision, (campaign_id, number))


def next_number(session: Session, model: type[Base], campaign_id: str) -> int:
    """The next free number of a table within a campaign; the chain must be held."""
    columns = model.__table__.columns
    last = session.scalar(
        select(func.max(columns["number"])).where(columns["campaign"] == campaign_id)
    )
    return (last or 0) + 1


def numbered(session: Session, model: type[Row], campaign_id: str, number: int) -> Row | None:
    """The row of that number in a campaign; None where there is none, whatever the number."""
    return session.get(model, (campaign_id, number)) if 0 < number < 2**63 else None


def rounds(session: Session, campaign_id: str, state: str) -> Sequence[Round]:
    """Rounds in a state, in order."""
    return session.scalars(
        select(Round)
        .where(Round.campaign == campaign_id, Round.state == state)
        .order_by(Round.number)
    ).all()


def fit(session: Session, campaign_id: str) -> Fit | None:
    """The newest fit, or None."""
    return session.scalars(
        select(Fit).where(Fit.campaign == campaign_id).order_by(Fit.number.desc()).limit(1)
    ).first()

"""Every question that the rest asks the tables. Rows that come back are read only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Select, Text, and_, func, or_, select, tuple_, type_coerce
from sqlalchemy.orm import Session, aliased

from db.columns import canonical, storable
from db.models import (
    Attempt,
    Base,
    Campaign,
    CampaignRevision,
    Candidate,
    Fit,
    Job,
    LedgerEntry,
    Measurement,
    MeasurementFlag,
    Round,
)
from db.states import OPEN, JobState

DOUBTS = ("suspect", "retracted")
"""Kinds of flags under which a measurement no longer stands."""

Row = TypeVar("Row", bound=Base)


def campaigns(session: Session) -> Sequence[Campaign]:
    """All campaigns, oldest first."""
    return session.scalars(select(Campaign).order_by(Campaign.created_at, Campaign.id)).all()


class Standing(NamedTuple):
    """How far a campaign is."""

    campaign: Campaign
    resolved: Any
    """Its spec, all keys."""
    best: float | None
    """Objective of the best candidate."""
    open_jobs: int
    last_at: int
    """Time of its last entry."""


def standings(session: Session) -> Sequence[Standing]:
    """How far all campaigns are, oldest first; in one query, for there may be thousands."""
    open_jobs = _open_jobs().where(Job.campaign == Campaign.id).scalar_subquery()
    last = (
        select(LedgerEntry.at)
        .where(LedgerEntry.chain == Campaign.id)
        .order_by(LedgerEntry.sequence.desc())
        .limit(1)
        .scalar_subquery()
    )
    current = and_(
        CampaignRevision.campaign == Campaign.id, CampaignRevision.revision == Campaign.revision
    )
    best = and_(Candidate.campaign == Campaign.id, Candidate.number == Campaign.best)
    rows = session.execute(
        select(Campaign, CampaignRevision.resolved, Candidate.objective, open_jobs, last)
        .join(CampaignRevision, current)
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


def position(session: Session, chain: str) -> int:
    """Number of the last entry of a chain, 0 for none."""
    last = session.scalar(select(func.max(LedgerEntry.sequence)).where(LedgerEntry.chain == chain))
    return last or 0


def position_at(session: Session, chain: str, at: int) -> int:
    """Number of the last entry of a chain that was written by a time, 0 for none."""
    last = select(func.max(LedgerEntry.sequence)).where(LedgerEntry.chain == chain)
    return session.scalar(last.where(LedgerEntry.at <= at)) or 0


def rounds(session: Session, campaign_id: str, state: str) -> Sequence[Round]:
    """Rounds in a state, in order."""
    return session.scalars(
        select(Round)
        .where(Round.campaign == campaign_id, Round.state == state)
        .order_by(Round.number)
    ).all()


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
    return session.scalar(_open_jobs().where(Job.campaign == campaign_id)) or 0


def _open_jobs() -> Select[tuple[int]]:
    return select(func.count(Job.number)).where(Job.state.in_([str(state) for state in OPEN]))


def candidates_with_jobs(session: Session, campaign_id: str) -> int:
    """Candidates that were, or are to be, sent to an evaluator."""
    return (
        session.scalar(
            select(func.count(func.distinct(Job.candidate))).where(Job.campaign == campaign_id)
        )
        or 0
    )


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


def last_receipt(session: Session, campaign_id: str) -> int:
    """Number of the last delivery that answered a job, 0 for none."""
    last = select(func.max(Attempt.receipt)).where(Attempt.campaign == campaign_id)
    return session.scalar(last) or 0


def measurements(
    session: Session,
    campaign_id: str,
    *,
    position: int | None = None,
    candidates: Iterable[int] | None = None,
) -> Sequence[Measurement]:
    """Measurements that stand at a ledger position (now, by default), in order.

    One that a later row supersedes, or flags as suspect or retracted, does not stand.
    """
    later = aliased(Measurement)
    superseded = select(later.number).where(
        later.campaign == Measurement.campaign, later.supersedes == Measurement.number
    )
    flagged = select(MeasurementFlag.number).where(
        MeasurementFlag.campaign == Measurement.campaign,
        MeasurementFlag.measurement == Measurement.number,
        MeasurementFlag.kind.in_(DOUBTS),
    )
    query = select(Measurement).where(Measurement.campaign == campaign_id)
    if position is not None:
        query = query.where(Measurement.entry <= position)
        superseded = superseded.where(later.entry <= position)
        flagged = flagged.where(MeasurementFlag.entry <= position)
    if candidates is not None:
        query = query.where(Measurement.candidate.in_(list(candidates)))
    query = query.where(~superseded.exists(), ~flagged.exists())
    return session.scalars(query.order_by(Measurement.candidate, Measurement.number)).all()


def measured(
    session: Session, query: Select[tuple[Candidate]]
) -> Iterator[tuple[Candidate, list[Measurement]]]:
    """The candidates of a query, each with its measurements that stand; streamed."""
    for part in session.scalars(query.execution_options(yield_per=500)).partitions():
        found: dict[int, list[Measurement]] = {one.number: [] for one in part}
        for row in measurements(session, part[0].campaign, candidates=found):
            found[row.candidate].append(row)
        for one in part:
            yield one, found[one.number]


def successor(session: Session, campaign_id: str, number: int) -> Measurement | None:
    """The measurement that supersedes another."""
    return session.scalars(
        select(Measurement).where(
            Measurement.campaign == campaign_id, Measurement.supersedes == number
        )
    ).first()


def flags(session: Session, campaign_id: str) -> Sequence[MeasurementFlag]:
    """What was said later of measurements, in their order."""
    return session.scalars(
        select(MeasurementFlag)
        .where(MeasurementFlag.campaign == campaign_id)
        .order_by(MeasurementFlag.measurement, MeasurementFlag.number)
    ).all()


def fallen(session: Session, campaign_id: str) -> dict[int, int]:
    """Measurements that stand no longer, each with the entry that first said so, by number."""
    corrected = select(Measurement.supersedes, Measurement.entry).where(
        Measurement.campaign == campaign_id, Measurement.supersedes.is_not(None)
    )
    doubted = select(MeasurementFlag.measurement, MeasurementFlag.entry).where(
        MeasurementFlag.campaign == campaign_id, MeasurementFlag.kind.in_(DOUBTS)
    )
    found: dict[int, int] = {}
    for query in (corrected, doubted):
        for number, entry in session.execute(query).tuples():
            found[number] = min(entry, found.get(number, entry))
    return found


def last_measured(session: Session, campaign_id: str) -> int:
    """Number of the last entry that changed which measurements stand, 0 for none."""
    newest: list[Any] = [
        session.scalar(select(func.max(model.entry)).where(model.campaign == campaign_id))
        for model in (Measurement, MeasurementFlag)
    ]
    return max((entry for entry in newest if entry is not None), default=0)


def fit(session: Session, campaign_id: str) -> Fit | None:
    """The newest fit, or None."""
    return session.scalars(
        select(Fit).where(Fit.campaign == campaign_id).order_by(Fit.number.desc()).limit(1)
    ).first()


def entries(session: Session, chain: str) -> Iterable[LedgerEntry]:
    """The entries of a chain, in order, streamed."""
    return session.scalars(
        select(LedgerEntry)
        .where(LedgerEntry.chain == chain)
        .order_by(LedgerEntry.sequence)
        .execution_options(yield_per=500)
    )


def heads(session: Session) -> Sequence[LedgerEntry]:
    """The last entry of every chain, by the chain."""
    last = select(LedgerEntry.chain, func.max(LedgerEntry.sequence)).group_by(LedgerEntry.chain)
    place = tuple_(LedgerEntry.chain, LedgerEntry.sequence)
    query = select(LedgerEntry).where(place.in_(last)).order_by(LedgerEntry.chain)
    return session.scalars(query).all()


def chains(session: Session) -> Sequence[str]:
    """All chains that have an entry."""
    return session.scalars(select(LedgerEntry.chain).distinct().order_by(LedgerEntry.chain)).all()

"""Questions about measurements, and which of them stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from db.models import Candidate, Measurement, MeasurementFlag

DOUBTS = ("suspect", "retracted")
"""Kinds of flags under which a measurement no longer stands."""


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

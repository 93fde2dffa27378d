"""Measurements that came late or fell, what was learnt from them, and those that people gave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import repository
from db.models import Campaign, Measurement, MeasurementFlag
from orchestrator.history.explain.candidate_page import Section
from orchestrator.history.explain.deviations.said import at, written
from orchestrator.history.explain.taint import taint
from orchestrator.spec.words import quantity, ranges


def late(session: Session, campaign: Campaign) -> Section:
    """One row a job: it may give ten numbers."""
    jobs: dict[int | None, list[tuple[MeasurementFlag, Measurement]]] = {}
    for flag, row in _flagged(session, campaign):
        if flag.kind == "late":
            jobs.setdefault(row.job, []).append((flag, row))
    rows = [
        (
            str(job or ""),
            str(came[0][1].candidate),
            ranges(sorted(row.number for _, row in came)),
            at(came[0][1].received_at),
            came[0][0].reason,
        )
        for job, came in jobs.items()
    ]
    return Section(
        "Late results",
        columns=("job", "candidate", "measurements", "received (UTC)", "why"),
        rows=rows,
        note="They came after their job had timed out. They are kept, and they count.",
    )


def _measured(row: Measurement) -> tuple[str, ...]:
    return (str(row.number), str(row.candidate), row.name, quantity(row.value, row.unit))


def _flagged(session: Session, campaign: Campaign) -> Sequence[tuple[MeasurementFlag, Measurement]]:
    query = (
        select(MeasurementFlag, Measurement)
        .join(
            Measurement,
            (Measurement.campaign == MeasurementFlag.campaign)
            & (Measurement.number == MeasurementFlag.measurement),
        )
        .where(MeasurementFlag.campaign == campaign.id)
        .order_by(MeasurementFlag.entry, MeasurementFlag.measurement)
    )
    return list(session.execute(query).tuples())


def _given(session: Session, campaign: Campaign) -> Sequence[Measurement]:
    """Measurements that no evaluator gave."""
    query = (
        select(Measurement)
        .where(Measurement.campaign == campaign.id, Measurement.source != "evaluator")
        .order_by(Measurement.number)
    )
    return session.scalars(query).all()


def corrections(session: Session, campaign: Campaign) -> Section:
    """Values that were replaced by others."""
    rows = []
    for row in _given(session, campaign):
        old = row.supersedes and session.get(Measurement, (campaign.id, row.supersedes))
        if old:
            was, now = quantity(old.value, old.unit), quantity(row.value, row.unit)
            who = written(session, campaign.id, row.entry)
            numbers = f"{old.number} by {row.number}"
            rows.append((numbers, str(row.candidate), row.name, was, now, *who, row.provenance))
    return Section(
        "Corrections",
        columns=(
            "measurement",
            "candidate",
            "measure",
            "was",
            "is now",
            "when (UTC)",
            "who",
            "reason",
        ),
        rows=rows,
        note="A value that was measured was replaced by another. The old one is kept, and counts "
        "no longer.",
    )


def doubts(session: Session, campaign: Campaign) -> Section:
    """One row an entry: an instrument may be in doubt for a month."""
    entries: dict[tuple[int, str, str], list[Measurement]] = {}
    for flag, row in _flagged(session, campaign):
        if flag.kind in repository.DOUBTS:
            entries.setdefault((flag.entry, flag.kind, flag.reason), []).append(row)
    rows = [
        (
            ranges(sorted(row.number for row in marked)),
            ranges(sorted({row.candidate for row in marked})),
            kind,
            *written(session, campaign.id, entry),
            reason,
        )
        for (entry, kind, reason), marked in entries.items()
    ]
    return Section(
        "Flags",
        columns=("measurements", "candidates", "said to be", "when (UTC)", "who", "reason"),
        rows=rows,
        note="Somebody said that these measurements are suspect or retracted. They count no "
        "longer.",
    )


def tainted(session: Session, campaign: Campaign) -> Section:
    """What had been learnt from before it fell."""
    found = taint(session, campaign)
    rows = [
        (
            *_measured(one.measurement),
            one.said,
            ranges(one.used.fits),
            ranges(one.used.rounds),
            ranges(one.used.candidates),
        )
        for one in found.tainted
        if one.used.fits
    ]
    now = (
        f"Still open: fit {found.newest}, the newest, is one of them."
        if found.goes_on
        else f"Fit {found.newest}, the newest, is none of them: it was made of what stands."
    )
    return Section(
        "Taint",
        columns=(
            "measurement",
            "candidate",
            "measure",
            "value then",
            "later",
            "fits",
            "rounds",
            "candidates",
        ),
        rows=rows,
        note="What was corrected or flagged had been learnt from before: by these fits, with which "
        f"these rounds proposed these candidates. {now}",
    )


def by_hand(session: Session, campaign: Campaign) -> Section:
    """Values that no evaluator gave."""
    rows = list(_hand_rows(session, campaign))
    return Section(
        "Values entered by people",
        columns=("measurement", "candidate", "measure", "value", "when (UTC)", "who", "from"),
        rows=rows,
        note="No evaluator gave these values: somebody told or imported them.",
    )


def _hand_rows(session: Session, campaign: Campaign) -> Iterator[tuple[str, ...]]:
    for row in _given(session, campaign):
        if row.supersedes is None:
            yield (*_measured(row), *written(session, campaign.id, row.entry), row.provenance)

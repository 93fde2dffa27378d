"""Taint: what was computed from measurements while they stood, and they stand no longer.

A fit that begins after a correction begins afresh and not from the hyperparameters before it, see
:func:`orchestrator.loop.refit`; so what is listed here ends with the last fit before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import repository
from db.models import Campaign, LedgerEntry, Measurement, MeasurementFlag
from orchestrator.history.explain.uses_of_measurements import Used, Uses


@dataclass(frozen=True)
class Tainted:
    """A measurement that stands no longer, and where it went before."""

    measurement: Measurement
    said: str
    """What was first said of it: corrected, suspect or retracted."""
    reason: str
    entry: LedgerEntry
    """The entry that said so."""
    successor: Measurement | None
    """The measurement that supersedes it now."""
    used: Used


@dataclass(frozen=True)
class Taint:
    """All that was computed in a campaign from what stands no longer."""

    tainted: tuple[Tainted, ...]
    """In the order of measurements."""
    used: Used
    """Where any of them went."""
    newest: int | None
    """The newest fit, which the next proposal would be made with; None while there is none."""

    @property
    def goes_on(self) -> bool:
        """Whether the next proposal would be made with a tainted fit."""
        return self.newest in self.used.fits


def taint(session: Session, campaign: Campaign) -> Taint:
    """What was computed from measurements that stand no longer."""
    uses, fallen = Uses(session, campaign.id), repository.fallen(session, campaign.id)
    rows = [session.get_one(Measurement, (campaign.id, number)) for number in sorted(fallen)]
    newest = repository.fit(session, campaign.id)
    return Taint(
        tainted=tuple(_tainted(session, row, fallen[row.number], uses) for row in rows),
        used=uses.of(rows),
        newest=None if newest is None else newest.number,
    )


def _tainted(session: Session, row: Measurement, entry: int, uses: Uses) -> Tainted:
    successor = repository.successor(session, row.campaign, row.number)
    if successor is not None and successor.entry == entry:
        said, reason = "corrected", successor.provenance
    else:
        flag = _flags(session, row, entry)[0]
        said, reason = flag.kind, flag.reason
    return Tainted(
        measurement=row,
        said=said,
        reason=reason,
        entry=session.get_one(LedgerEntry, (row.campaign, entry)),
        successor=successor,
        used=uses.of([row]),
    )


def _flags(session: Session, row: Measurement, entry: int) -> Sequence[MeasurementFlag]:
    return session.scalars(
        select(MeasurementFlag).where(
            MeasurementFlag.campaign == row.campaign,
            MeasurementFlag.measurement == row.number,
            MeasurementFlag.entry == entry,
            MeasurementFlag.kind.in_(repository.DOUBTS),
        )
    ).all()

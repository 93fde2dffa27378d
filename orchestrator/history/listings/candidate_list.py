"""Candidates of a campaign as a listing: by state, source, round, value and time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, not_, select
from sqlalchemy.orm import Session

from db.models import Campaign, Candidate, LedgerEntry, Measurement
from orchestrator.errors import BadInput

_MEASURED = (
    select(Measurement.number)
    .where(Measurement.campaign == Candidate.campaign, Measurement.candidate == Candidate.number)
    .exists()
)
STATES: dict[str, ColumnElement[bool]] = {
    "undecoded": Candidate.valid.is_(None),
    "invalid": Candidate.valid.is_(False),
    "duplicate": Candidate.duplicate_of.is_not(None),
    "measured": _MEASURED,
    "filtered": Candidate.reason != "",
    "waiting": Candidate.valid.is_(True),
}
"""What a candidate is: the first of these that holds."""


def in_state(state: str) -> ColumnElement[bool]:
    """The condition that a candidate is in a state.

    Raises:
        BadInput: there is no such state.
    """
    if state not in STATES:
        raise BadInput.of("--state", f"{state!r} is no state", f"one of {', '.join(STATES)}")
    names = list(STATES)
    before = names[: names.index(state)]
    return and_(*(not_(STATES[name]) for name in before), STATES[state])


def measured_between(measure: str, low: float | None, high: float | None) -> ColumnElement[bool]:
    """The condition that a measure of a candidate was measured, with a value between these."""
    query = select(Measurement.number).where(
        Measurement.campaign == Candidate.campaign,
        Measurement.candidate == Candidate.number,
        Measurement.name == measure,
    )
    if low is not None:
        query = query.where(Measurement.value >= low)
    if high is not None:
        query = query.where(Measurement.value <= high)
    return query.exists()


def candidates(
    session: Session,
    campaign: Campaign,
    conditions: Sequence[ColumnElement[bool]],
    last: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Candidates that fulfil all conditions, in order; streamed.

    Args:
        session: Where the campaign is.
        campaign: Whose.
        conditions: What they, or the entries that made them, fulfil.
        last: Only so many, the last ones.
    """
    query = (
        select(Candidate, _MEASURED)
        .join(
            LedgerEntry,
            and_(LedgerEntry.chain == Candidate.campaign, LedgerEntry.sequence == Candidate.entry),
        )
        .where(Candidate.campaign == campaign.id, *conditions)
    )
    if last is not None:
        newest = session.execute(query.order_by(Candidate.number.desc()).limit(last)).all()
        for one, measured in reversed(newest):
            yield _row(one, measured)
        return
    ordered = query.order_by(Candidate.number).execution_options(yield_per=500)
    for one, measured in session.execute(ordered):
        yield _row(one, measured)


def _row(one: Candidate, measured: bool) -> dict[str, Any]:
    return {
        "candidate": one.number,
        "round": one.round,
        "source": one.source,
        "state": _state(one, measured),
        "object": one.object,
        "artifact": one.artifact,
        "external_ids": one.external_ids,
        "objective": one.objective,
        "feasible": one.feasible,
        "duplicate_of": one.duplicate_of,
        "reason": one.reason,
        "entry": one.entry,
    }


def _state(one: Candidate, measured: bool) -> str:
    """The first of :data:`STATES` that holds."""
    if one.valid is None:
        return "undecoded"
    if not one.valid:
        return "invalid"
    if one.duplicate_of is not None:
        return "duplicate"
    if measured:
        return "measured"
    return "filtered" if one.reason else "waiting"

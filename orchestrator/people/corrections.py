"""Later words on measurements: a corrected value, a doubt, a retraction.

A measurement is never changed. A correction is a further measurement that supersedes it; a flag is
a row that points at it. Either is one ledger entry, which also holds what follows from it: the
objective of the candidates and the best of the campaign. Data sets that are made afterwards see
what stands then; what was computed before can be listed, see
:mod:`orchestrator.history.explain.taint`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import repository
from db.ledger import Draft, Row
from db.models import Measurement
from db.session import now
from orchestrator import moments
from orchestrator.errors import BadInput, Conflict, NotFound, require_reason
from orchestrator.people import ask_tell
from orchestrator.people.ask_tell import Told
from orchestrator.verbs import recording, valuing
from orchestrator.wiring import Parts


@dataclass(frozen=True)
class Period:
    """What one evaluator measured during some time, both ends included."""

    evaluator: str
    start: int
    end: int
    """Microseconds UTC, as ``start``: of the measuring, or of the receipt where that is unknown."""


def find(session: Session, campaign_id: str, number: int) -> Measurement:
    """One measurement of a campaign.

    Raises:
        NotFound: it has none of that number.
    """
    row = repository.numbered(session, Measurement, campaign_id, number)
    if row is None:
        last = repository.next_number(session, Measurement, campaign_id) - 1
        raise NotFound("measurement", str(number), [f"1 to {last}"] if last else [])
    return row


def correct(parts: Parts, measurement: int, told: Told, reason: str) -> int:
    """Supersede a measurement by a corrected one.

    Args:
        parts: of the campaign, by its newest spec.
        measurement: number of the one that is wrong; it must not have been superseded.
        told: the whole new value: a standard deviation that is not given is not known.
        reason: why, kept with the entry and as the provenance of the new measurement.

    Returns:
        Number of the measurement that stands from now on.

    Raises:
        BadInput: the value is no measurement, or no reason is given.
        NotFound: there is no such measurement.
        Conflict: it was superseded, it stands with that very value, or the campaign was revised.
    """
    require_reason(reason)
    with parts.database.read() as session:
        name = find(session, parts.campaign, measurement).name
    ((_, reading),) = ask_tell.checked(parts, {name: told})
    with parts.write() as session:
        parts.require_newest(session)
        old = find(session, parts.campaign, measurement)
        said = recording.in_unit(reading, old.unit)
        _refuse_idle(session, old, said["value"], said["std"])
        number = repository.next_number(session, Measurement, parts.campaign)
        draft = Draft("correct", {"reason": reason, "measurement": measurement})
        draft.new(
            "measurement",
            number=number,
            candidate=old.candidate,
            job=old.job,
            attempt=old.attempt,
            evaluator="",
            **said,
            censoring=old.censoring,
            measured_at=old.measured_at,
            received_at=now(),
            source="corrected",
            provenance=reason,
            delivery=None,
            place="",
            instrument=old.instrument,
            operator=old.operator,
            lot=old.lot,
            supersedes=measurement,
        )
        settle(session, draft, parts, [old.candidate])
    return number


def flag(
    parts: Parts,
    kind: str,
    reason: str,
    *,
    measurements: Sequence[int] = (),
    period: Period | None = None,
) -> list[int]:
    """Say that measurements are suspect or retracted: they no longer count.

    Args:
        parts: of the campaign, by its newest spec.
        kind: ``suspect`` or ``retracted``.
        reason: why, kept with every flag.
        measurements: their numbers; or else
        period: all of one evaluator during some time. What somebody corrected is that person's
            word and not the evaluator's: it is flagged by number only.

    Returns:
        Numbers of those that were flagged; one that had that flag gets no second one.

    Raises:
        BadInput: the kind is unknown, no reason is given, or the evaluator measured nothing then.
        NotFound: there is no such measurement.
        Conflict: all had that flag, or the campaign was revised.
    """
    require_reason(reason)
    if kind not in repository.DOUBTS:
        known = " or ".join(repository.DOUBTS)
        raise BadInput.of("--kind", f"{kind!r} is no kind of doubt", f"say {known}")
    with parts.write() as session:
        parts.require_newest(session)
        if period is not None:
            rows = _during(session, parts, period)
        else:
            rows = [find(session, parts.campaign, one) for one in dict.fromkeys(measurements)]
        flags = repository.flags(session, parts.campaign)
        already = {one.measurement for one in flags if one.kind == kind}
        fresh = [row for row in rows if row.number not in already]
        if not fresh:
            raise Conflict(f"nothing is left to flag: what is meant is {kind} already")
        about: Row = {"reason": reason, "kind": kind}
        if period is not None:
            about |= {"evaluator": period.evaluator, "from": period.start, "to": period.end}
        draft, counts = Draft("flag", about), Counter(one.measurement for one in flags)
        for row in fresh:
            number = counts[row.number] + 1
            draft.new(
                "measurement_flag", measurement=row.number, number=number, kind=kind, reason=reason
            )
        settle(session, draft, parts, [row.candidate for row in fresh])
    return [row.number for row in fresh]


def _during(session: Session, parts: Parts, period: Period) -> Sequence[Measurement]:
    at = func.coalesce(Measurement.measured_at, Measurement.received_at)
    mine = (Measurement.campaign == parts.campaign, Measurement.evaluator == period.evaluator)
    rows = session.scalars(
        select(Measurement)
        .where(*mine, at >= period.start, at <= period.end)
        .order_by(Measurement.number)
    ).all()
    if not rows:
        first, last = session.execute(select(func.min(at), func.max(at)).where(*mine)).one()
        known = sorted(
            session.scalars(
                select(Measurement.evaluator)
                .where(Measurement.campaign == parts.campaign, Measurement.evaluator != "")
                .distinct()
            )
        )
        if first is None:
            raise NotFound("evaluator with measurements", period.evaluator, known)
        span = f"what it measured lies between {moments.shown(first)} and {moments.shown(last)}"
        raise BadInput.of("--from/--to", f"{period.evaluator} measured nothing then", span)
    return rows


def _refuse_idle(session: Session, old: Measurement, value: float, std: float | None) -> None:
    """Refuse to correct what does not stand, or what says the same and is not in doubt."""
    later = repository.successor(session, old.campaign, old.number)
    if later is not None:
        what = f"measurement {old.number} was corrected by measurement {later.number}"
        raise Conflict(what, "correct that one")
    standing = repository.measurements(session, old.campaign, candidates=[old.candidate])
    stands = any(one.number == old.number for one in standing)
    if stands and (value, std) == (old.value, old.std):
        raise Conflict(f"measurement {old.number} has that value already")


def settle(session: Session, draft: Draft, parts: Parts, candidates: Sequence[int]) -> None:
    """Draft what follows for candidates and campaign, and write the entry."""
    for candidate in dict.fromkeys(candidates):
        valuing.value_candidate(session, draft, parts, candidate)
    valuing.settle_campaign(session, draft, parts)
    parts.append(session, draft)

"""Record, in detail: from the bytes of a delivery to measurements and the objective."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from sqlalchemy.orm import Session

from adapters.checks import refusals
from adapters.messages import plain
from adapters.protocol import (
    Censoring,
    Delivery,
    EvaluatorError,
    Outcome,
    OutcomeStatus,
    Reading,
)
from adapters.units import convert, convert_std
from db import artifacts, repository
from db.ledger import Draft
from db.models import Artifact, Job, Measurement
from db.session import MICROSECONDS
from db.states import JobState, move
from orchestrator.latent.protocol import SpaceError
from orchestrator.verbs import arrivals, candidates, drafted, endings, precision, valuing
from orchestrator.verbs.retries import retry_or_fail
from orchestrator.wiring import Parts

CLOCK_SKEW = 60 * MICROSECONDS
"""By how much an instrument's clock may be ahead of ours before a measurement says so."""


def unread(parts: Parts) -> list[tuple[Delivery, list[str]]]:
    """Deliveries that are stored and not recorded yet, each with the keys of its jobs.

    In the order in which they came; jobs in order within each. Two may have the same bytes.
    """
    with parts.database.read() as session:
        waiting = [
            (attempt, job)
            for attempt, job in repository.attempts(session, parts.campaign, "delivered")
            if job.evaluator in parts.evaluators  # a revision may have dropped it
        ]
        found = []
        for _, members in groupby(
            sorted(waiting, key=lambda pair: (pair[0].receipt, pair[0].job)),
            key=lambda pair: pair[0].receipt,
        ):
            answered = list(members)
            sha256, keys = answered[0][0].delivery, [job.key for _, job in answered]
            assert sha256 is not None
            row = session.get_one(Artifact, (parts.campaign, sha256))
            body = artifacts.get(session, parts.campaign, sha256)
            found.append((Delivery(sha256, body, row.media_type, tuple(keys)), keys))
    return found


def parse(parts: Parts, delivery: Delivery, jobs: Sequence[str]) -> dict[str, Outcome]:
    """What a delivery says of each of these jobs; a failed outcome where it says nothing."""
    name = jobs[0].split("/")[2]
    evaluator = parts.evaluators[name]
    if not evaluator.capabilities.synchronous:
        with parts.database.read() as session:
            tickets = arrivals.tickets(session, parts, name, receipt=_receipt(session, jobs[0]))
        delivery = replace(delivery, tickets=tickets)
    reason = "the delivery does not mention this job"
    try:
        outcomes = {outcome.job: outcome for outcome in evaluator.parse(delivery)}
    except EvaluatorError as error:
        outcomes, reason = {}, f"the delivery cannot be read: {error}"
    except Exception as error:  # a stranger's adapter may raise anything
        outcomes, reason = {}, f"the delivery cannot be read: {type(error).__name__}: {error}"
    failed = OutcomeStatus.FAILED
    return {key: outcomes.get(key, Outcome(key, failed, reason=reason)) for key in jobs}


def _receipt(session: Session, key: str) -> int | None:
    job = repository.job_by_key(session, key)
    assert job is not None
    return repository.attempt(session, job).receipt


def record(parts: Parts, delivery: Delivery, outcomes: Mapping[str, Outcome]) -> None:
    """Write what one delivery says: measurements, objectives, budgets and stop rules.

    Args:
        outcomes: by the key of the job; those jobs all wait for this delivery to be recorded.
    """
    with parts.write() as session:
        jobs = []
        for key in outcomes:
            job = repository.job_by_key(session, key)
            assert job is not None
            if repository.attempt(session, job).state == "delivered":
                jobs.append(job)  # else somebody cancelled it meanwhile
        if not jobs:
            return
        keys = [job.key for job in jobs]
        about = {"job": keys[0]} if len(keys) == 1 else {"jobs": keys}
        draft = Draft("record", about | {"delivery": delivery.reference})
        for job in jobs:
            _end(session, draft, parts, job, delivery, outcomes[job.key])
        measured = [row["candidate"] for row in draft.rows["new"].get("measurement", ())]
        for number in dict.fromkeys(measured):
            valuing.value_candidate(session, draft, parts, number)
        precision.ask_again(session, draft, parts, jobs)
        endings.follow(session, draft, parts, jobs)
        valuing.settle_campaign(session, draft, parts)
        parts.append(session, draft)


def _end(
    session: Session, draft: Draft, parts: Parts, job: Job, delivery: Delivery, outcome: Outcome
) -> None:
    """Draft the end of one job: its measurements, or why there are none."""
    readings, reason = _kept(parts, job.evaluator, outcome)
    if readings:
        _measure(session, draft, parts, job, delivery, readings, outcome.suspect)
        if outcome.realised is not None:
            _realise(draft, parts, job, outcome.realised)
        state = move(job.key, job.state, JobState.SUCCEEDED)
        draft.set("job", number=job.number, state=str(state), reason="")
        endings.end_attempt(draft, job, "succeeded", "")
        return
    doubtful = outcome.status is OutcomeStatus.DOUBTFUL and job.state != JobState.TIMED_OUT
    if doubtful and not repository.attempt(session, job).reason.startswith(endings.RAN):
        state = move(job.key, job.state, JobState.PARKED)
        reason = f"{reason}; whether it ran is unknown"
        draft.set("job", number=job.number, state=str(state), reason=reason)
        endings.end_attempt(draft, job, "doubtful", reason)
        return
    if doubtful:  # somebody has said already that it ran, and asking once more would say no more
        reason = f"it ran, and its result is lost: {reason}"
    endings.end_attempt(draft, job, "failed", reason)
    if job.state == JobState.TIMED_OUT:
        return  # it has ended, and a failure that comes late changes nothing
    if outcome.status is OutcomeStatus.REJECTED:
        state = move(job.key, job.state, JobState.REJECTED)
        draft.set("job", number=job.number, state=str(state), reason=reason)
    else:
        transient = outcome.transient and not doubtful
        retry_or_fail(session, draft, parts, job, reason, transient=transient)


def _realise(draft: Draft, parts: Parts, job: Job, content: str | bytes) -> None:
    """Draft the point of what was measured in truth, where the space can say it."""
    said = content if isinstance(content, str) else draft.attach(content, parts.space.media_type)
    draft.about.setdefault("realised", {})[str(job.candidate)] = said
    try:
        (point,) = parts.space.encode([content])
    except SpaceError as error:
        draft.about.setdefault("not encoded", {})[str(job.candidate)] = plain(str(error))
        return
    draft.set("candidate", number=job.candidate, realised=candidates.stored_point(point))


def _kept(parts: Parts, name: str, outcome: Outcome) -> tuple[list[Reading], str]:
    """The readings to keep, those that were asked for; or none, and why."""
    if outcome.status is not OutcomeStatus.SUCCEEDED:
        return [], plain(str(outcome.reason)) or "the evaluator gives no reason"
    capabilities = parts.evaluators[name].capabilities
    wanted = parts.part(name).measures
    try:
        asked = [_typed(one) for one in outcome.readings if one.name in wanted]
    except Exception as error:  # a stranger's adapter may have put anything there
        return [], f"the outcome cannot be used: {plain(str(error))}"
    wrong = refusals(capabilities, wanted, asked)
    wrong += [
        f"measure {one.name!r} is {one.value}, which is no measurement"
        for one in asked
        if not math.isfinite(one.value)
    ]
    return ([], "; ".join(wrong)) if wrong else (asked, "")


def sound(parts: Parts, key: str, outcome: Outcome) -> list[Reading]:
    """The readings of a job's outcome that would be kept; none if any of them is wrong."""
    return _kept(parts, key.split("/")[2], outcome)[0]


def _typed(reading: Reading) -> Reading:
    """A reading whose fields have the types that they promise.

    Raises:
        ValueError, TypeError, OverflowError: one of them cannot be had.
    """
    at = reading.measured_at
    if at is not None:
        int(at).to_bytes(8, signed=True)  # times are 64 bits everywhere
    return Reading(
        name=reading.name,
        value=float(reading.value),
        unit=str(reading.unit),
        std=None if reading.std is None else float(reading.std),
        censoring=Censoring(reading.censoring),
        measured_at=None if at is None else int(at),
        place=str(reading.place),
        instrument=str(reading.instrument),
        operator=str(reading.operator),
        lot=str(reading.lot),
    )


def _measure(
    session: Session,
    draft: Draft,
    parts: Parts,
    job: Job,
    delivery: Delivery,
    readings: Sequence[Reading],
    suspect: str,
) -> None:
    """Draft the measurements of a job, and the doubts about them that came along."""
    capabilities = parts.evaluators[job.evaluator].capabilities
    attempt = repository.attempt(session, job)
    number = drafted.next_number(session, draft, Measurement, parts.campaign)
    doubts = [("late", "arrived after the job had timed out")]
    doubts = doubts if job.state == JobState.TIMED_OUT else []
    doubts += [("suspect", plain(suspect))] if suspect else []
    doubts += _clock(readings, attempt.delivered_at)
    for reading in readings:
        measure = capabilities.measure(reading.name)
        assert measure is not None
        draft.new(
            "measurement",
            number=number,
            candidate=job.candidate,
            job=job.number,
            attempt=attempt.number,
            evaluator=job.evaluator,
            **said(reading, measure.unit),
            received_at=attempt.delivered_at,
            source="evaluator",
            provenance="",
            delivery=delivery.reference,
            supersedes=None,
        )
        for order, (kind, reason) in enumerate(doubts, 1):
            draft.new(
                "measurement_flag", measurement=number, number=order, kind=kind, reason=reason
            )
        number += 1


def _clock(readings: Sequence[Reading], received_at: int | None) -> list[tuple[str, str]]:
    """A word on an instrument whose clock is ahead of ours."""
    ahead = [
        one.measured_at - received_at
        for one in readings
        if one.measured_at is not None and received_at is not None
    ]
    most = max(ahead, default=0)
    if most <= CLOCK_SKEW:
        return []
    seconds = most / MICROSECONDS
    return [("clock", f"measured {seconds:.0f} s after it was received, by the instrument's clock")]


def said(reading: Reading, unit: str) -> dict[str, Any]:
    """All columns of a measurement that a reading says, in the unit that its measure is kept in."""
    return in_unit(reading, unit) | {
        "censoring": str(reading.censoring),
        "measured_at": reading.measured_at,
        "place": reading.place,
        "instrument": reading.instrument,
        "operator": reading.operator,
        "lot": reading.lot,
    }


def in_unit(reading: Reading, unit: str) -> dict[str, Any]:
    """Name, value, unit and deviation of a reading, in the unit that its measure is kept in."""
    std = None if reading.std is None else convert_std(reading.std, reading.unit, unit)
    value = convert(reading.value, reading.unit, unit)
    return {"name": reading.name, "value": value, "unit": unit, "std": std}

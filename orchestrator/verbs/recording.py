"""Record, in detail: from the bytes of a delivery to measurements and the objective."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
from db.models import Artifact, Candidate, Job, Measurement
from db.states import JobState, move
from orchestrator.verbs import endings, replicates, stopping
from orchestrator.verbs.retries import retry_or_fail
from orchestrator.wiring import Parts


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
    evaluator = parts.evaluators[jobs[0].split("/")[2]]
    reason = "the delivery does not mention this job"
    try:
        outcomes = {outcome.job: outcome for outcome in evaluator.parse(delivery)}
    except EvaluatorError as error:
        outcomes, reason = {}, f"the delivery cannot be read: {error}"
    except Exception as error:  # a stranger's adapter may raise anything
        outcomes, reason = {}, f"the delivery cannot be read: {type(error).__name__}: {error}"
    failed = OutcomeStatus.FAILED
    return {key: outcomes.get(key, Outcome(key, failed, reason=reason)) for key in jobs}


def record(parts: Parts, key: str, delivery: Delivery, outcome: Outcome) -> None:
    """Write one outcome: measurements, the candidate's objective, budgets and stop rules."""
    with parts.write() as session:
        job = repository.job_by_key(session, key)
        assert job is not None
        readings, reason = _readings(parts, job, outcome)
        draft = Draft("record", {"job": key, "delivery": delivery.reference})
        if readings:
            _measure(session, draft, parts, job, delivery, readings)
            state = move(job.key, job.state, JobState.SUCCEEDED)
            draft.set("job", number=job.number, state=str(state), reason="")
            endings.end_attempt(draft, job, "succeeded", "")
        else:
            _end_without(session, draft, parts, job, outcome, reason)
        endings.close_rounds(session, draft, parts.campaign, [job])
        settle_campaign(session, draft, parts)
        endings.pause_if_failing(session, draft, parts)
        parts.append(session, draft)


def _end_without(
    session: Session, draft: Draft, parts: Parts, job: Job, outcome: Outcome, reason: str
) -> None:
    """Draft the end of an attempt that gave no readings, and what becomes of its job."""
    attempt = repository.attempt(session, job)
    doubtful = outcome.status is OutcomeStatus.DOUBTFUL and job.state != JobState.TIMED_OUT
    if doubtful and not attempt.reason:
        state = move(job.key, job.state, JobState.PARKED)
        reason = f"{reason}; whether it ran is unknown"
        draft.set("job", number=job.number, state=str(state), reason=reason)
        endings.end_attempt(draft, job, "doubtful", reason)
        return
    if doubtful:  # somebody has said already that it ran, and asking once more would say no more
        reason = f"it ran, and its result is lost: {reason}"
    endings.end_attempt(draft, job, "failed", reason)
    if job.state == JobState.TIMED_OUT:
        pass  # it has ended, and a failure that comes late changes nothing
    elif outcome.status is OutcomeStatus.REJECTED:
        state = move(job.key, job.state, JobState.REJECTED)
        draft.set("job", number=job.number, state=str(state), reason=reason)
    else:
        transient = outcome.transient and not doubtful
        retry_or_fail(session, draft, parts, job, reason, transient=transient)


def _readings(parts: Parts, job: Job, outcome: Outcome) -> tuple[list[Reading], str]:
    """The readings to keep, those that were asked for; or none, and why."""
    if outcome.status is not OutcomeStatus.SUCCEEDED:
        return [], plain(str(outcome.reason)) or "the evaluator gives no reason"
    capabilities = parts.evaluators[job.evaluator].capabilities
    wanted = parts.part(job.evaluator).measures
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
    )


def _measure(
    session: Session,
    draft: Draft,
    parts: Parts,
    job: Job,
    delivery: Delivery,
    readings: Sequence[Reading],
) -> None:
    """Draft the measurements of a job, and what its candidate is worth now."""
    capabilities = parts.evaluators[job.evaluator].capabilities
    attempt = repository.attempt(session, job)
    number = repository.next_number(session, Measurement, parts.campaign)
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
            **in_unit(reading, measure.unit),
            censoring=str(reading.censoring),
            measured_at=reading.measured_at,
            received_at=attempt.delivered_at,
            source="evaluator",
            provenance="",
            delivery=delivery.reference,
            place=reading.place,
            supersedes=None,
        )
        if job.state == JobState.TIMED_OUT:
            draft.new(
                "measurement_flag",
                measurement=number,
                number=1,
                kind="late",
                reason="arrived after the job had timed out",
            )
        number += 1
    value_candidate(session, draft, parts, job.candidate)


def in_unit(reading: Reading, unit: str) -> dict[str, Any]:
    """Name, value, unit and deviation of a reading, in the unit that its measure is kept in."""
    std = None if reading.std is None else convert_std(reading.std, reading.unit, unit)
    value = convert(reading.value, reading.unit, unit)
    return {"name": reading.name, "value": value, "unit": unit, "std": std}


def value_candidate(session: Session, draft: Draft, parts: Parts, number: int) -> None:
    """Draft a candidate's objective by the measurements that stand once the draft is written."""
    candidate = session.get(Candidate, (parts.campaign, number))
    if candidate is not None:
        log_prior = candidate.log_prior
    else:  # told with this very entry
        (log_prior,) = (
            row["log_prior"] for row in draft.rows["new"]["candidate"] if row["number"] == number
        )
    values = replicates.values(replicates.reduce(_standing(session, draft, parts, number)))
    objective = parts.objective.value(values, math.nan if log_prior is None else log_prior)
    if objective is None and (candidate is None or candidate.objective is None):
        return
    draft.set(
        "candidate",
        number=number,
        objective=objective,
        feasible=None if objective is None else parts.objective.feasible(values),
        objective_revision=None if objective is None else parts.revision,
    )


def _standing(session: Session, draft: Draft, parts: Parts, number: int) -> list[Measurement]:
    """The measurements of a candidate that stand once the draft is written, in order."""
    drafted = draft.rows["new"].get("measurement", [])
    flags = draft.rows["new"].get("measurement_flag", [])
    gone = {row["supersedes"] for row in drafted}
    gone |= {row["measurement"] for row in flags if row["kind"] in repository.DOUBTS}
    stored = repository.measurements(session, parts.campaign, candidates=[number])
    return [one for one in stored if one.number not in gone] + [
        Measurement(name=row["name"], value=row["value"], unit=row["unit"], std=row["std"])
        for row in drafted
        if row["candidate"] == number and row["number"] not in gone
    ]


def progress(session: Session, parts: Parts) -> stopping.Progress:
    """What the campaign has used and reached; what is queued counts as used."""
    campaign = repository.campaign(session, parts.campaign)
    queued = repository.jobs(session, parts.campaign, [JobState.QUEUED])
    prices = (
        one.replicates * parts.evaluators[one.name].capabilities.cost
        for one in parts.spec.evaluators
    )
    return stopping.Progress(
        evaluations=repository.candidates_with_jobs(session, parts.campaign),
        cost=campaign.cost + sum(job.cost for job in queued),
        price=sum(prices),
        driver_seconds=campaign.driver_seconds,
        best=_best_value(session, parts, campaign.best),
        since_best=campaign.since_best,
    )


def _best_value(session: Session, parts: Parts, number: int | None) -> float | None:
    if number is None:
        return None
    return session.get_one(Candidate, (parts.campaign, number)).objective


def settle_campaign(session: Session, draft: Draft, parts: Parts) -> None:
    """Draft the campaign's own row: the best, and the driver's time."""
    campaign = repository.campaign(session, parts.campaign)
    best, since = campaign.best, campaign.since_best
    rows = draft.rows["set"].get("candidate", [])
    valued = {row["number"]: row for row in rows if "objective" in row}
    for number in valued:
        before = session.get(Candidate, (parts.campaign, number))
        known = before is not None and before.objective is not None
        since = since if known else since + 1
    if valued:
        best = best_with(session, parts, valued)
    changes: dict[str, object] = {"best": best, "since_best": since if best == campaign.best else 0}
    if parts.grip is not None:
        changes["driver_seconds"] = campaign.driver_seconds + parts.lap()
    draft.set("campaign", id=parts.campaign, **changes)


def best_with(session: Session, parts: Parts, rows: Mapping[int, Mapping[str, Any]]) -> int | None:
    """The best candidate, once the objectives of some, by number, are what drafted rows say."""
    maximize = parts.objective.maximize
    leaders = repository.best(session, parts.campaign, len(rows) + 1, maximize=maximize)
    others = [(one.objective, one.number) for one in leaders if one.number not in rows]
    drafted = [(row["objective"], number) for number, row in rows.items() if row["feasible"]]
    sign = -1 if maximize else 1
    ranked = sorted(
        (sign * value, number) for value, number in others[:1] + drafted if value is not None
    )
    return ranked[0][1] if ranked else None

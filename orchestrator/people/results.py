"""Results that people bring: typed in for one job, or a whole table; and their second pair of eyes.

What they bring is a delivery like any other: stored as it came, under their name, and recorded by
the next pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from adapters.checks import refusals
from adapters.protocol import Delivery, Entering, Evaluator, EvaluatorError, Reading, Sample, Ticket
from db import artifacts, repository
from db.ledger import Actor, Draft
from db.models import Attempt, Candidate, Job
from db.session import Database, now
from db.states import JobState
from orchestrator import opening, wiring
from orchestrator.errors import BadInput, Conflict
from orchestrator.lab import Lab
from orchestrator.people import jobs
from orchestrator.people.ask_tell import Told
from orchestrator.verbs import arrivals

WAITING = (JobState.SUBMITTED, JobState.RUNNING)
"""States of a job to which a person can bring a result."""

UNCONFIRMED = "unconfirmed"
"""State of an attempt whose result a second person has to confirm."""


@dataclass(frozen=True)
class Preview:
    """What a table would change."""

    rows: Sequence[tuple[Job, Sequence[Reading]]]
    """Each job that it answers, with its readings."""


def enter(
    database: Database,
    reference: str,
    number: int,
    values: Mapping[str, Told],
    actor: Actor,
    *,
    note: str = "",
    measured_at: int | None = None,
    instrument: str = "",
    lot: str = "",
) -> bool:
    """Bring the result of one job.

    Args:
        measured_at: microseconds UTC, where it was not just now.

    Returns:
        Whether it counts; if not, another account has to confirm it.

    Raises:
        BadInput: a value is no measurement, or one that was asked for is missing.
        Conflict: nobody waits for a result of that job.
    """
    lab = wiring.lab(database, opening.campaign(database, reference).id, actor=actor)
    with lab.database.read() as session:
        job = jobs.find(session, lab.campaign, number, WAITING)
        attempt = _open_attempt(session, job)
    evaluator = _by_hand(lab, job.evaluator)
    who = actor.on_behalf_of or actor.id
    readings = [
        _reading(evaluator, name, told, measured_at, who, instrument, lot)
        for name, told in values.items()
    ]
    _require_sound(evaluator, lab.part(job.evaluator).measures, readings)
    assert isinstance(evaluator, Entering)
    delivery = evaluator.entered(job.key, readings, note)
    if not evaluator.confirmed:
        arrivals.take(lab, job.evaluator, evaluator, delivery)
        return True
    with lab.write() as session:
        attempt = _open_attempt(session, jobs.find(session, lab.campaign, number))
        draft = Draft("enter", {"by": who, "note": note})
        sha256 = draft.attach(delivery.body, delivery.media_type)
        draft.set(
            "attempt",
            job=number,
            number=attempt.number,
            state=UNCONFIRMED,
            delivery=sha256,
            reason=f"entered by {who}",
        )
        lab.append(session, draft)
    return False


def confirm(
    database: Database, reference: str, number: int, actor: Actor, *, agree: bool, reason: str
) -> None:
    """Say, as another than who entered it, that a result is right; or that it is not.

    Raises:
        Conflict: nothing waits to be confirmed, or the same person entered it.
        BadInput: it is refused without a reason.
    """
    lab = wiring.lab(database, opening.campaign(database, reference).id, actor=actor)
    who = actor.on_behalf_of or actor.id
    if not agree and not reason.strip():
        raise BadInput.of("--reason", "is missing", "say what is wrong with the result")
    with lab.write() as session:
        job = jobs.find(session, lab.campaign, number)
        attempt = repository.attempt(session, job) if job.attempts else None
        if attempt is None or attempt.state != UNCONFIRMED:
            raise Conflict(f"no result of job {number} waits to be confirmed")
        if attempt.reason == f"entered by {who}":
            raise Conflict(f"{who} entered it", "somebody else has to confirm it")
        draft = Draft("confirm", {"by": who, "agrees": agree, "reason": reason})
        if agree:
            draft.set(
                "attempt",
                job=number,
                number=attempt.number,
                state="delivered",
                receipt=repository.last_receipt(session, lab.campaign) + 1,
                delivered_at=now(),
                reason=f"{attempt.reason}, confirmed by {who}",
            )
        else:
            draft.set(
                "attempt", job=number, number=attempt.number, state="submitted", delivery=None
            )
            draft.set("job", number=number, reason=f"not confirmed by {who}: {reason}")
        lab.append(session, draft)


def sheet(database: Database, reference: str, evaluator: str | None, actor: Actor) -> bytes:
    """A table of the open jobs of an evaluator, to fill in.

    Raises:
        BadInput: no evaluator of the campaign is a person, or the one named is not.
    """
    lab = wiring.lab(database, opening.campaign(database, reference).id, actor=actor)
    name = _named(lab, evaluator)
    with lab.database.read() as session:
        rows = [
            (job, attempt)
            for job in repository.jobs(session, lab.campaign, WAITING, evaluator=name)
            if (attempt := repository.attempt(session, job)).state in arrivals.AWAITED
        ]
        asked = [Ticket(job.key, attempt.reference) for job, attempt in rows]
        samples = {job.key: _sample(session, lab, job) for job, _ in rows}
    made = _by_hand(lab, name)
    assert isinstance(made, Entering)
    return made.sheet(asked, samples)


def bring(
    database: Database,
    reference: str,
    evaluator: str | None,
    table: bytes,
    actor: Actor,
    *,
    accept_good_rows: bool,
    dry_run: bool,
) -> Preview:
    """Bring a filled table.

    Args:
        dry_run: Change nothing, only say what it would change.

    Returns:
        What it changes.

    Raises:
        BadInput: a row is wrong; nothing of the table is taken then, and its bytes are kept.
    """
    lab = wiring.lab(database, opening.campaign(database, reference).id, actor=actor)
    name = _named(lab, evaluator)
    made = _by_hand(lab, name)
    assert isinstance(made, Entering)
    try:
        delivery = made.filled(table, accept_good_rows=accept_good_rows)
    except EvaluatorError as error:
        raise BadInput.of("FILE", str(error)) from None
    preview = _preview(lab, name, made, delivery)
    if not dry_run:
        if made.confirmed:
            what = f"each result of {name} is confirmed by a second person"
            raise BadInput.of("FILE", what, "enter them one by one by `assayloop result enter`")
        arrivals.take(lab, name, made, delivery)
    return preview


def _preview(lab: Lab, name: str, evaluator: Evaluator, delivery: Delivery) -> Preview:
    with lab.database.read() as session:
        known = arrivals.tickets(session, lab, name)
        try:
            outcomes = evaluator.parse(replace(delivery, tickets=known))
        except EvaluatorError as error:
            raise BadInput.of("FILE", str(error)) from None
        rows = []
        for outcome in outcomes:
            job = repository.job_by_key(session, outcome.job)
            assert job is not None, "the tickets are those of jobs"
            _require_sound(evaluator, lab.part(name).measures, outcome.readings)
            rows.append((job, outcome.readings))
    return Preview(rows)


def _open_attempt(session: Session, job: Job) -> Attempt:
    if job.state not in WAITING:
        raise Conflict(f"job {job.number} is {job.state}, and no result of it is awaited")
    attempt = repository.attempt(session, job)
    if attempt.state == UNCONFIRMED:
        raise Conflict(f"a result of job {job.number} waits to be confirmed")
    if attempt.state not in arrivals.AWAITED:
        raise Conflict(f"a result of job {job.number} is there already")
    return attempt


def _named(lab: Lab, evaluator: str | None) -> str:
    """The evaluator that is meant: the only person among them, unless one is named."""
    people = [name for name, one in lab.evaluators.items() if isinstance(one, Entering)]
    if evaluator is None and len(people) == 1:
        return people[0]
    if evaluator not in people:
        what = (
            f"{evaluator!r} is no evaluator whose results people enter"
            if evaluator
            else "is missing"
        )
        raise BadInput.of("--evaluator", what, f"there are: {', '.join(people) or 'none'}")
    return evaluator


def _by_hand(lab: Lab, name: str) -> Evaluator:
    made = lab.evaluators.get(name)
    if made is None:
        raise Conflict(f"evaluator {name} is not installed here")
    if not isinstance(made, Entering):
        raise Conflict(
            f"results of {name} come by themselves", "`assayloop tell` adds what else was measured"
        )
    return made


def _reading(
    evaluator: Evaluator,
    name: str,
    told: Told,
    measured_at: int | None,
    who: str,
    instrument: str,
    lot: str,
) -> Reading:
    measure = evaluator.capabilities.measure(name)
    known = ", ".join(one.name for one in evaluator.capabilities.measures)
    if measure is None:
        raise BadInput.of(name, "is no measure of this evaluator", f"its measures are {known}")
    return Reading(
        name=name,
        value=told.value,
        unit=measure.unit if told.unit is None else told.unit,
        std=told.std,
        censoring=told.censoring,
        measured_at=measured_at,
        instrument=instrument,
        operator=who,
        lot=lot,
    )


def _require_sound(
    evaluator: Evaluator, wanted: Sequence[str], readings: Sequence[Reading]
) -> None:
    asked = [one for one in readings if one.name in wanted]
    if wrong := refusals(evaluator.capabilities, wanted, asked):
        raise BadInput.of("result", "; ".join(wrong))


def _sample(session: Session, lab: Lab, job: Job) -> Sample:
    candidate = session.get_one(Candidate, (lab.campaign, job.candidate))
    content: str | bytes = candidate.object or ""
    if candidate.artifact is not None:
        content = artifacts.get(session, lab.campaign, candidate.artifact)
    return Sample("", content, ", ".join(map(str, candidate.external_ids)))

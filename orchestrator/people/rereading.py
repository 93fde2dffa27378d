"""Stored deliveries read once more: by another recipe of reduction, another decimal, a new release.

The bytes are the record, and what was read of them is not: where they say something else now, a
measurement is superseded by what they say, and the reason is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from adapters.protocol import Delivery, OutcomeStatus, Reading
from db import artifacts, repository
from db.ledger import Draft
from db.models import Artifact, Attempt, Job, Measurement
from orchestrator.errors import Conflict, NotFound, require_reason
from orchestrator.people import corrections
from orchestrator.verbs import recording
from orchestrator.wiring import Parts


@dataclass(frozen=True)
class Change:
    """A measurement that its delivery contradicts, as it is read now."""

    measurement: Measurement
    reading: Reading
    suspect: str
    """Why it is not believed; empty where it is."""

    @property
    def words(self) -> str:
        """What was and what is, for a person."""
        old, new = self.measurement, self.reading
        doubt = f", suspect: {self.suspect}" if self.suspect else ""
        return f"{old.name} of candidate {old.candidate}: {old.value:g} -> {new.value:g}{doubt}"


def compare(parts: Parts, evaluator: str | None = None) -> list[Change]:
    """What the stored deliveries say now, where that is not what was recorded.

    Only measurements that stand, or are flagged suspect, and that nobody corrected by hand.

    Args:
        parts: of the campaign, by its newest spec.
        evaluator: only deliveries of this one.

    Raises:
        NotFound: the campaign has no such evaluator.
    """
    if evaluator is not None and evaluator not in parts.evaluators:
        raise NotFound("evaluator", evaluator, list(parts.evaluators))
    with parts.database.read() as session:
        rows = _rows(session, parts, evaluator)
        suspects = {
            flag.measurement: flag.reason
            for flag in repository.flags(session, parts.campaign)
            if flag.kind == "suspect"
        }
        found = []
        for (sha256, _), members in rows.items():
            readings = _read(session, parts, sha256, members)
            for row, job in members:
                new = readings.get((job.key, row.name))
                if new is not None and _differs(row, *new, suspects.get(row.number, "")):
                    found.append(Change(row, *new))
    return sorted(found, key=lambda change: change.measurement.number)


def correct(parts: Parts, changes: Sequence[Change], reason: str) -> int:
    """Supersede measurements by what their deliveries say now, in one entry.

    Returns:
        How many.

    Raises:
        BadInput: nobody says why.
        Conflict: nothing changes, or the campaign was revised.
    """
    require_reason(reason)
    if not changes:
        raise Conflict("what is stored says what was recorded", "nothing is to be corrected")
    with parts.write() as session:
        parts.require_newest(session)
        numbers = [change.measurement.number for change in changes]
        draft = Draft("correct", {"reason": reason, "read again": numbers})
        first = repository.next_number(session, Measurement, parts.campaign)
        for number, change in enumerate(changes, first):
            _supersede(draft, parts, number, change, reason)
        candidates = [change.measurement.candidate for change in changes]
        corrections.settle(session, draft, parts, candidates)
    return len(changes)


def _rows(
    session: Session, parts: Parts, evaluator: str | None
) -> Mapping[tuple[str, int], list[tuple[Measurement, Job]]]:
    """Measurements with their jobs, by the delivery that they came of: its artifact and receipt."""
    superseded = {
        one.supersedes for one in session.query(Measurement).filter_by(campaign=parts.campaign)
    }
    found: dict[tuple[str, int], list[tuple[Measurement, Job]]] = {}
    for row in session.query(Measurement).filter_by(campaign=parts.campaign):
        if row.delivery is None or row.job is None or row.number in superseded:
            continue
        if row.evaluator not in parts.evaluators or evaluator not in (None, row.evaluator):
            continue
        job = session.get_one(Job, (parts.campaign, row.job))
        attempt = session.get_one(Attempt, (parts.campaign, row.job, row.attempt))
        if attempt.receipt is not None:
            found.setdefault((row.delivery, attempt.receipt), []).append((row, job))
    return found


def _read(
    session: Session, parts: Parts, sha256: str, members: Sequence[tuple[Measurement, Job]]
) -> dict[tuple[str, str], tuple[Reading, str]]:
    """Readings of a stored delivery by job and measure, each with why it is not believed."""
    artifact = session.get_one(Artifact, (parts.campaign, sha256))
    body = artifacts.get(session, parts.campaign, sha256)
    keys = list(dict.fromkeys(job.key for _, job in members))
    delivery = Delivery(sha256, body, artifact.media_type, tuple(keys))
    outcomes = recording.parse(parts, delivery, keys)
    return {
        (key, reading.name): (reading, outcome.suspect)
        for key, outcome in outcomes.items()
        if outcome.status is OutcomeStatus.SUCCEEDED
        for reading in recording.sound(parts, key, outcome)
    }


def _differs(row: Measurement, reading: Reading, suspect: str, was_suspect: str) -> bool:
    said = recording.in_unit(reading, row.unit)
    now = (said["value"], said["std"], str(reading.censoring), bool(suspect))
    return now != (row.value, row.std, row.censoring, bool(was_suspect))


def _supersede(draft: Draft, parts: Parts, number: int, change: Change, reason: str) -> None:
    old, reading = change.measurement, change.reading
    draft.new(
        "measurement",
        number=number,
        candidate=old.candidate,
        job=old.job,
        attempt=old.attempt,
        evaluator=old.evaluator,
        **recording.said(reading, old.unit),
        received_at=old.received_at,
        source="corrected",
        provenance=f"read again: {reason}",
        delivery=old.delivery,
        supersedes=old.number,
    )
    if change.suspect:
        draft.new(
            "measurement_flag", measurement=number, number=1, kind="suspect", reason=change.suspect
        )

"""Ask for candidates and tell what somebody measured: the loop with a person for an evaluator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from adapters.checks import refusals
from adapters.messages import plain
from adapters.protocol import Capabilities, Censoring, Measure, Reading
from db import repository
from db.ledger import Draft
from db.models import Candidate, Measurement
from db.session import now
from db.states import CampaignState
from orchestrator import loop
from orchestrator.errors import BadInput, Conflict
from orchestrator.latent.protocol import Decoded, SpaceError
from orchestrator.verbs import candidates, drafted, gates, recording, valuing
from orchestrator.wiring import Parts

WITHOUT_POINT = "has no point"
"""What the reason begins with of a candidate that the model cannot encode."""


@dataclass(frozen=True)
class Told:
    """One value that somebody tells."""

    value: float
    std: float | None = None
    unit: str | None = None
    """The evaluator's unit, where None."""
    censoring: Censoring = Censoring.NONE
    """Whether the value is a detection limit, and on which side of it the true one lies."""


def ask(parts: Parts, count: int) -> int:
    """Propose candidates that no evaluator is sent; tell what comes of them.

    Returns:
        Number of the round that holds them.

    Raises:
        Conflict: the campaign is over, or was revised since its parts were wired.
    """
    if count < 1:
        raise BadInput.of("count", f"{count} candidates cannot be asked for", "ask for 1 or more")
    refuse_unfit(parts)
    with parts.database.read() as session:
        waiting = repository.rounds(session, parts.campaign, "proposed")
    for row in waiting:  # of a driver that was stopped between two verbs
        loop.decode(parts, row.number)
    loop.refit(parts)
    round = loop.open_round(parts, count, source="asked")
    loop.decode(parts, round)
    return round


def tell(
    parts: Parts,
    values: Mapping[str, Told],
    *,
    provenance: str,
    candidate: int | None = None,
    content: str | bytes | None = None,
    external_ids: Sequence[str] = (),
) -> int:
    """Record what somebody measured of a candidate, or of an object that was never proposed.

    Args:
        provenance: where the values come from; kept with each of them.
        candidate: number of the candidate; or else
        content: the object, which becomes a candidate if it is none yet.
        external_ids: what people call it.

    Returns:
        Number of the candidate.

    Raises:
        BadInput: a value is no measurement, or there is no such candidate or object.
        Conflict: the campaign is over, or was revised since its parts were wired.
    """
    if not provenance.strip():
        raise BadInput.of("provenance", "is empty", "say where the values come from")
    if (candidate is None) == (content is None):
        raise BadInput.of("tell", "name a candidate or give an object", "exactly one of them")
    readings = checked(parts, values)
    refuse_unfit(parts)
    with parts.write() as session:
        draft = Draft("tell", {"provenance": provenance})
        if content is not None:
            number = add_object(session, draft, parts, content, external_ids)
        else:
            assert candidate is not None
            number = _known(session, parts, candidate)
        add_measurements(session, draft, parts, number, readings, source="told")
        valuing.value_candidate(session, draft, parts, number)
        gates.settle(session, draft, parts, [number])
        valuing.settle_campaign(session, draft, parts)
        parts.append(session, draft)
    return number


def add_measurements(
    session: Session,
    draft: Draft,
    parts: Parts,
    candidate: int,
    readings: Sequence[tuple[str, Reading]],
    *,
    source: str,
    delivery: str | None = None,
) -> None:
    """Draft measurements that nobody was asked for, each with the unit to keep it in.

    Args:
        delivery: artifact that holds them, where they came as a file.
    """
    first = drafted.next_number(session, draft, Measurement, parts.campaign)
    for number, (unit, reading) in enumerate(readings, first):
        draft.new(
            "measurement",
            number=number,
            candidate=candidate,
            job=None,
            attempt=None,
            evaluator="",
            **recording.said(reading, unit),
            received_at=now(),
            source=source,
            provenance=draft.about["provenance"],
            delivery=delivery,
            supersedes=None,
        )


def refuse_unfit(parts: Parts) -> None:
    """Refuse a campaign that is over, and parts that were wired by an old spec."""
    with parts.database.read() as session:
        campaign = repository.campaign(session, parts.campaign)
        parts.require_newest(session)
    if CampaignState(campaign.state).over:
        raise Conflict(f"{campaign.name}#{campaign.ordinal} is {campaign.state}")


def checked(parts: Parts, values: Mapping[str, Told]) -> list[tuple[str, Reading]]:
    """Readings with the unit to keep them in, checked as an evaluator's would be.

    Raises:
        BadInput: a value is no measurement, or of no measure of the campaign.
    """
    if not values:
        raise BadInput.of("tell", "no value is given", "give at least one measure")
    found = []
    for name, told in values.items():
        capabilities = giver(parts, name)
        measure = capabilities.measure(name)
        assert measure is not None
        unit = measure.unit if told.unit is None else told.unit
        value = _number(name, told.value)
        std = None if told.std is None else _number(f"{name}, standard deviation", told.std)
        reading = Reading(name, value, unit, std, told.censoring)
        wrong = refusals(capabilities, [name], [reading])
        if not math.isfinite(reading.value):
            wrong.append(f"measure {name!r} is {reading.value}, which is no measurement")
        if wrong:
            raise BadInput.of(name, "; ".join(wrong), _FORM)
        found.append((measure.unit, reading))
    return found


_FORM = "give a number such as 0.71, or leave the measure out where there is no value"


def _number(place: str, given: object) -> float:
    """What somebody gave for a number, numbers of numpy and other libraries among them.

    Raises:
        BadInput: it is text, a truth value, a list or None; names the place and what is right.
    """
    what = f"{given!r:.200} is no number"
    if isinstance(given, str):
        raise BadInput.of(place, what, _number_in(given))
    if isinstance(given, bytes) or type(given).__name__ in ("bool", "bool_"):
        raise BadInput.of(place, what, _FORM)
    if getattr(given, "ndim", 0):
        raise BadInput.of(place, f"{what} but several", "tell one value a measure, or its mean")
    try:
        return float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        several = isinstance(given, Sequence | Set | Mapping)
        form = "tell one value a measure, or (value, standard deviation)" if several else _FORM
        raise BadInput.of(place, what, form) from None


def _number_in(text: str) -> str:
    """What is right instead of a text that a number was written in."""
    try:
        found = float(text.strip().replace(",", "."))
    except ValueError:
        return _FORM
    return f"give the number {found!r}, not text" if math.isfinite(found) else _FORM


def measure(parts: Parts, name: str) -> Measure | None:
    """A measure that the campaign asks for, as the evaluator that gives it declares it."""
    return giver(parts, name).measure(name) if name in parts.spec.measures else None


def giver(parts: Parts, name: str) -> Capabilities:
    """What the evaluator can do that gives a measure of the campaign.

    Raises:
        BadInput: it is none.
    """
    for part in parts.spec.evaluators:
        if name in part.measures:
            return parts.evaluators[part.name].capabilities
    known = ", ".join(parts.spec.measures)
    raise BadInput.of(name, "is no measure of this campaign", f"its measures are {known}")


def _known(session: Session, parts: Parts, candidate: int) -> int:
    row = repository.numbered(session, Candidate, parts.campaign, candidate)
    if row is None:
        raise BadInput.of("candidate", f"there is no candidate {candidate}")
    return row.duplicate_of or row.number


def add_object(
    session: Session,
    draft: Draft,
    parts: Parts,
    content: str | bytes,
    external_ids: Sequence[str] = (),
    *,
    source: str = "told",
    edited_from: int | None = None,
) -> int:
    """The candidate of that object; drafted where it is new.

    Returns:
        Its number.

    Raises:
        BadInput: it is no object of the space.
    """
    (decoded,) = parts.space.read([content])
    if not decoded.valid:
        raise BadInput.of("object", f"{content!r} is no object of this space: {decoded.reason}")
    told = [(decoded, external_ids)]
    (number,) = add_objects(session, draft, parts, told, source=source, edited_from=edited_from)
    return number


def add_objects(
    session: Session,
    draft: Draft,
    parts: Parts,
    told: Sequence[tuple[Decoded, Sequence[str]]],
    *,
    source: str,
    edited_from: int | None = None,
) -> list[int]:
    """The candidates of objects that the space has read, each with what people call it.

    Returns:
        Their numbers; equal objects have the same.
    """
    numbers: dict[str, int] = {}
    called: dict[int, list[str]] = {}
    fresh: list[Decoded] = []
    first = repository.next_number(session, Candidate, parts.campaign)
    for one, names in told:
        if one.key not in numbers:
            twin = repository.twin(session, parts.campaign, one.key)
            if twin is None:
                numbers[one.key] = first + len(fresh)
                fresh.append(one)
            else:
                numbers[one.key] = twin.number
                called[twin.number] = list(twin.external_ids)
        number = numbers[one.key]
        called[number] = list(dict.fromkeys([*called.get(number, []), *names]))
    for one, (point, log_prior, reason) in zip(fresh, _encoded(parts, fresh), strict=True):
        number = numbers[one.key]
        draft.new(
            "candidate",
            **candidates.BLANK
            | candidates.settled(draft, parts, one)
            | {
                "number": number,
                "round": None,
                "source": source,
                "edited_from": edited_from,
                "external_ids": called[number],
                "point": None,
                "mean": None,
                "std": None,
                "acquisition": None,
                "realised": point,
                "log_prior": log_prior,
                "reason": reason,
            },
        )
    for number, names in called.items():
        row = session.get(Candidate, (parts.campaign, number))
        if row is not None and names != row.external_ids:
            draft.set("candidate", number=number, external_ids=names)
    return [numbers[one.key] for one, _ in told]


def _encoded(
    parts: Parts, objects: Sequence[Decoded]
) -> list[tuple[list[float] | None, float | None, str]]:
    """Where objects lie, and their log prior there; or why they lie nowhere.

    What somebody measured is kept even where the model cannot write it. No surrogate that reads
    points learns from it.
    """
    contents = [one.content for one in objects if one.content is not None]
    assert len(contents) == len(objects), "a valid object has a content"
    if not contents:
        return []
    try:
        points = parts.space.encode(contents)
    except SpaceError as error:
        if len(objects) == 1:
            return [(None, None, f"{WITHOUT_POINT}: {plain(str(error))}")]
        return [found for one in objects for found in _encoded(parts, [one])]
    if not np.isfinite(points).all():
        if len(objects) == 1:
            return [(None, None, f"{WITHOUT_POINT}: the model encodes it to nothing finite")]
        return [found for one in objects for found in _encoded(parts, [one])]
    log_prior = parts.space.log_prior(points)
    return [
        ([float(x) for x in point], float(prior), "")
        for point, prior in zip(points, log_prior, strict=True)
    ]

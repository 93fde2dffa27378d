"""What a report says: key figures, the spec in words, the best candidates, the table of all."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from db.models import Candidate
from db.states import OPEN, JobState
from orchestrator.latent.protocol import Space, SpaceError
from orchestrator.report.known import Known
from orchestrator.spec import words
from orchestrator.spec.words import number, quantity
from orchestrator.wiring import Parts

_THUMBNAIL = 2048
"""Largest object, in bytes, that the table of all candidates shows as a picture."""


def key_figures(parts: Parts, known: Known) -> list[tuple[str, str, str]]:
    """Label, value and remark of each."""
    campaign, limit = known.campaign, parts.spec.budget.evaluations
    best = next((one for one in known.best if one.number == campaign.best), None)
    spared = {
        "invalid": sum(one.valid is False for one in known.candidates),
        "duplicate": sum(one.duplicate_of is not None for one in known.candidates),
        "filtered": sum(one.reason.startswith("filtered") for one in known.candidates),
    }
    remarks = [f"{count} {what}" for what, count in spared.items() if count]
    open_jobs = sum(job.state in OPEN for jobs in known.jobs.values() for job in jobs)
    used = [f"of {limit}"] if limit is not None else []
    used += [f"{open_jobs} job{'s' * (open_jobs > 1)} open"] if open_jobs else []
    return [
        (
            f"best {objective_label(parts)}",
            number(None if best is None else best.objective),
            "nothing feasible yet" if best is None else f"candidate {best.number}",
        ),
        ("evaluations", str(campaign.evaluations), ", ".join(used)),
        ("rounds", str(campaign.rounds), ""),
        ("candidates", str(len(known.candidates)), ", ".join(remarks)),
        ("driver time", words.seconds(campaign.driver_seconds), ""),
    ]


def summary(parts: Parts, known: Known) -> list[tuple[str, list[str]]]:
    """The spec in words: term and lines."""
    spec, space = parts.spec, parts.space
    lines = [
        ("Objective", [words.objective(spec.objective)]),
        ("Constraints", [words.constraint(one) for one in spec.objective.constraints]),
        ("Space", list(_space_lines(parts))),
        (
            "Evaluators",
            [
                f"{_evaluator(parts, part.name)}: "
                + ", ".join(part.measures)
                + (f"; {part.replicates} replicates" if part.replicates > 1 else "")
                for part in spec.evaluators
            ],
        ),
        ("Proposer", [words.proposer(spec.proposer)]),
        ("Filters", list(_filter_lines(known))),
        ("Surrogate", list(_surrogate_lines(parts, known))),
        ("Budget", [words.budget(spec.budget)]),
        ("Stops at", [words.stop_rule(rule) for rule in spec.stop]),
        ("Seed", [str(spec.seed)]),
    ]
    if known.revision.revision > 1:
        lines.append(("Revision", [f"{known.revision.revision}: {known.revision.reason}"]))
    if space.model_hash:
        lines.append(("Model", [f"SHA-256 {space.model_hash}"]))
    return [(term, said) for term, said in lines if said]


def _space_lines(parts: Parts) -> Iterator[str]:
    spec, dim = parts.spec.space, parts.space.dim
    model = f", model {spec.model}" if spec.model else ""
    yield f"{spec.kind}{model}, {dim} dimension{'s' if dim > 1 else ''}"
    for one in spec.parameters:
        yield f"{one.name} from {number(one.lower)} to {quantity(one.upper, one.unit)}"


def _filter_lines(known: Known) -> Iterator[str]:
    """Each filter, with the share of the decoded objects that passed it."""
    for one in known.passed:
        share = f"{one.passed} of {one.of} passed ({one.share:.0%})" if one.of else "asked of none"
        yield f"{one.name}: {share}"


def _surrogate_lines(parts: Parts, known: Known) -> Iterator[str]:
    spec = parts.spec.surrogate
    yield f"{spec.kind}, fitted at the {spec.at} points"
    if known.without_point:
        what = "candidate has" if known.without_point == 1 else "candidates have"
        yield f"{known.without_point} measured {what} no point and is left out"


def _evaluator(parts: Parts, name: str) -> str:
    """Its name, and its version where it is installed."""
    made = parts.evaluators.get(name)
    return name if made is None else f"{name} {made.capabilities.version}"


def objective_label(parts: Parts) -> str:
    """The measure, with its unit, where it is the objective as it stands."""
    term, *others = parts.spec.objective.terms
    if others or term.weight != 1 or term.transform.kind != "identity":
        return "objective"
    return f"{term.measure} ({unit})" if (unit := _unit(parts, term.measure)) else term.measure


def _unit(parts: Parts, measure: str) -> str:
    found = (one.capabilities.measure(measure) for one in parts.evaluators.values())
    return next((one.unit for one in found if one is not None), "")


def card(parts: Parts, known: Known, one: Candidate) -> dict[str, Any]:
    """One of the best: picture, text and values; those the objective reads come first."""
    content = known.contents.get(one.number)
    spec = parts.spec.objective
    read = {term.measure for term in spec.terms} | {one.measure for one in spec.constraints}
    measured = known.measured.get(one.number, {})
    values = [
        (name, quantity(value.value, value.unit), number(value.std) if value.std else "")
        for name in parts.spec.measures
        if (value := measured.get(name)) is not None
    ]
    return {
        "number": one.number,
        "round": one.round,
        "picture": None if content is None else picture(parts.space, content),
        "text": content if isinstance(content, str) else None,
        # A picture of parameters is their table, which says all that the text would.
        "spelled_out": parts.space.media_type == "application/json",
        "objective": number(one.objective),
        "read": [value for value in values if value[0] in read],
        "others": [value for value in values if value[0] not in read],
    }


def picture(space: Space, content: str | bytes) -> str | None:
    """A data URI: what is inside an image element runs no script, whoever drew it."""
    try:
        drawn = space.render(content)
    except SpaceError:
        return None
    return _uri(drawn.media_type, drawn.data)


def _uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def row(parts: Parts, known: Known, one: Candidate) -> dict[str, Any]:
    """A line of the table of all candidates."""
    content = known.contents.get(one.number)
    return {
        "number": one.number,
        "round": one.round,
        "source": one.source,
        "picture": _thumbnail(parts.space.media_type, content),
        "text": content if isinstance(content, str) else one.artifact and one.artifact[:12],
        "objective": number(one.objective),
        "feasible": {None: "–", True: "yes", False: "no"}[one.feasible],
        "why": _why_no_objective(known, one),
    }


def _thumbnail(media_type: str, content: str | bytes | None) -> str | None:
    """A small image as it is, for a line of the table."""
    if not isinstance(content, bytes) or len(content) > _THUMBNAIL:
        return None
    return _uri(media_type, content) if media_type.startswith("image/") else None


def _why_no_objective(known: Known, one: Candidate) -> str:
    if one.objective is not None:
        return ""
    if one.valid is None:
        return "not decoded yet"
    if not one.valid:
        return f"invalid: {one.reason}"
    if one.duplicate_of is not None:
        return f"duplicate of {one.duplicate_of}"
    jobs = [job for job in known.jobs.get(one.number, ()) if job.state != JobState.SUCCEEDED]
    said = [f"{job.evaluator} {job.state}" + f": {job.reason}" * bool(job.reason) for job in jobs]
    if one.source == "asked" and one.number not in known.measured:
        said.append("asked for, not told yet")
    elif not said and known.jobs.get(one.number) and one.number not in known.measured:
        said.append("nothing that was measured of it stands")
    return one.reason or "; ".join(said) or "undefined for what was measured"

"""What candidates are worth by the measurements that stand, and how the campaign stands by them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from db import repository
from db.ledger import Draft
from db.models import Candidate, Measurement
from db.states import JobState
from orchestrator.lab import Lab
from orchestrator.verbs import replicates, stopping
from orchestrator.wiring import Parts


def value_candidate(session: Session, draft: Draft, parts: Parts, number: int) -> None:
    """Draft a candidate's objective by the measurements that stand once the draft is written."""
    candidate = session.get(Candidate, (parts.campaign, number))
    if candidate is not None:
        log_prior = candidate.log_prior
    else:  # told with this very entry
        (log_prior,) = (
            row["log_prior"] for row in draft.rows["new"]["candidate"] if row["number"] == number
        )
    values = replicates.values(replicates.reduce(standing(session, draft, parts, number)))
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


def standing(session: Session, draft: Draft, lab: Lab, number: int) -> list[Measurement]:
    """The measurements of a candidate that stand once the draft is written, in order."""
    drafted = draft.rows["new"].get("measurement", [])
    flags = draft.rows["new"].get("measurement_flag", [])
    gone = {row["supersedes"] for row in drafted}
    gone |= {row["measurement"] for row in flags if row["kind"] in repository.DOUBTS}
    stored = repository.measurements(session, lab.campaign, candidates=[number])
    return [one for one in stored if one.number not in gone] + [
        Measurement(
            name=row["name"],
            value=row["value"],
            unit=row["unit"],
            std=row["std"],
            censoring=row["censoring"],
        )
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
    if valued:
        best = best_with(session, parts, valued)
    for number in valued:
        before = session.get(Candidate, (parts.campaign, number))
        known = before is not None and before.objective is not None
        since = since if known else since + 1
        if number == best != campaign.best:
            since = 0
    if best != campaign.best and best not in valued:
        since = 0
    changes: dict[str, object] = {"best": best, "since_best": since}
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

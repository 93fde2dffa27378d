"""What a campaign has reached, in the shape that scripts rely on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import artifacts, repository
from db.models import Artifact, Campaign, Candidate, Measurement
from db.session import Database
from orchestrator import private_files
from orchestrator.spec import stored
from orchestrator.verbs import replicates

SUFFIXES = {"image/png": ".png", "image/svg+xml": ".svg", "application/json": ".json"}

TOGETHER = 500
"""Candidates that one query asks for: a database takes only so many parameters."""


def status(row: Campaign, open_jobs: int) -> dict[str, Any]:
    """Where one campaign stands."""
    return {
        "name": f"{row.name}#{row.ordinal}",
        "status": str(row.state),
        "reason": row.reason,
        "rounds": row.rounds,
        "evaluations": row.evaluations,
        "open_jobs": open_jobs,
    }


def show(
    database: Database, row: Campaign, top: int, folder: Path, *, kept: Database | None = None
) -> dict[str, Any]:
    """Where one campaign stands, and its best candidates.

    Args:
        database: Where the campaign is.
        row: The campaign.
        top: How many of the best.
        folder: Where artifacts are put that are shown by path; made if needed.
        kept: Where the bytes of artifacts are, if elsewhere.
    """
    with database.read() as session, (kept or database).read() as bytes_of:
        spec = stored.spec(repository.revision(session, row.id, row.revision))
        maximize = spec.objective.direction == "maximize"
        leaders = repository.best(session, row.id, top, maximize=maximize)
        measured = _measured(session, row.id, [candidate.number for candidate in leaders])
        return status(row, repository.open_jobs(session, row.id)) | {
            "without_point": without_point(session, row.id),
            "filters": [vars(one) for one in passed(session, row.id, spec.space.filters)],
            "best": [
                _best(bytes_of, candidate, measured.get(candidate.number, []), folder)
                for candidate in leaders
            ],
        }


def without_point(session: Session, campaign: str) -> int:
    """Measured candidates that the model cannot encode, so that no surrogate learns from them."""
    measured = select(Measurement.candidate).where(Measurement.campaign == campaign)
    query = select(func.count()).where(
        Candidate.campaign == campaign,
        Candidate.source == "told",
        Candidate.valid.is_(True),
        Candidate.point.is_(None),
        Candidate.realised.is_(None),
        Candidate.number.in_(measured),
    )
    return session.scalar(query) or 0


@dataclass(frozen=True)
class Passed:
    """How many of the objects that were decoded passed a filter of the spec."""

    name: str
    passed: int
    of: int

    @property
    def share(self) -> float:
        """Between 0 and 1; NaN of none."""
        return self.passed / self.of if self.of else math.nan


def passed(session: Session, campaign: str, filters: Sequence[str]) -> list[Passed]:
    """Of each filter, how many of the decoded objects passed it.

    What is no object by a filter's own word (:class:`orchestrator.latent.protocol.Particular`) did
    not pass it, and is not among those that the others judged.
    """
    if not filters:
        return []
    query = select(Candidate.filters, Candidate.reason).where(
        Candidate.campaign == campaign, Candidate.round.is_not(None), Candidate.valid.is_not(None)
    )
    counts = {name: [0, 0] for name in filters}
    for judged, reason in session.execute(query).tuples():
        for name in filters:
            if name in judged:
                counts[name][0] += bool(judged[name])
                counts[name][1] += 1
        if reason.startswith("unusual valence") and "usual_valences" in counts:
            counts["usual_valences"][1] += 1
    return [Passed(name, *count) for name, count in counts.items()]


def _measured(
    session: Session, campaign: str, candidates: list[int]
) -> dict[int, list[Measurement]]:
    """What stands of each candidate, by its number."""
    found: dict[int, list[Measurement]] = {}
    for first in range(0, len(candidates), TOGETHER):
        wanted = candidates[first : first + TOGETHER]
        for one in repository.measurements(session, campaign, candidates=wanted):
            found.setdefault(one.candidate, []).append(one)
    return found


def _best(
    bytes_of: Session, candidate: Candidate, rows: list[Measurement], folder: Path
) -> dict[str, Any]:
    point = candidate.point if candidate.point is not None else candidate.realised
    return {
        "candidate": candidate.number,
        "round": candidate.round,
        "latent": None if point is None else list(point),
        "object": content(bytes_of, candidate, folder),
        "objective": candidate.objective,
        "measurements": {
            name: {"value": one.value, "unit": one.unit, "std": one.std}
            for name, one in replicates.reduce(rows).items()
        },
    }


def content(session: Session, candidate: Candidate, folder: Path) -> str | None:
    """An object's text, or the path of its artifact, put on disk."""
    if candidate.artifact is None:
        return candidate.object
    return str(put_on_disk(session, candidate.campaign, candidate.artifact, folder))


def put_on_disk(session: Session, chain: str, sha256: str, folder: Path) -> Path:
    """Write an artifact under its hash, unless it is there; returns the path."""
    row = session.get_one(Artifact, (chain, sha256))
    path = folder / f"{sha256}{SUFFIXES.get(row.media_type, '')}"
    if not path.exists():
        private_files.make_folder(folder)
        partial = path.with_suffix(".part")
        with private_files.overwrite(partial) as file:
            file.write(artifacts.get(session, chain, sha256))
        partial.replace(path)
    return path

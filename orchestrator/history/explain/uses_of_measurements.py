"""What was computed from measurements: the fits that read them, and the proposals of those fits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import repository
from db.models import CampaignRevision, Candidate, Fit, Job, Measurement, Round
from orchestrator.objective import Objective
from orchestrator.spec import stored


@dataclass(frozen=True)
class Used:
    """Where some measurements went, each by its number, in order."""

    fits: tuple[int, ...]
    """Fits whose data held one of them."""
    rounds: tuple[int, ...]
    """Rounds that were proposed with one of these fits."""
    candidates: tuple[int, ...]
    """Candidates of these rounds."""
    jobs: tuple[int, ...]
    """Jobs of these candidates."""


class Uses:
    """The computations of one campaign, read once; see :meth:`of`."""

    def __init__(self, session: Session, campaign: str) -> None:
        def rows(model: type, *names: str) -> list[tuple[int, ...]]:
            columns = [getattr(model, name) for name in names]
            query = select(*columns).where(model.campaign == campaign)  # type: ignore[attr-defined]
            return [tuple(row) for row in session.execute(query.order_by(columns[0]))]

        self._fits = rows(Fit, "number", "position", "revision")
        self._rounds = rows(Round, "number", "fit")
        self._candidates = rows(Candidate, "number", "round")
        self._jobs = rows(Job, "number", "candidate")
        self._fallen = repository.fallen(session, campaign)
        self._read = {
            revision.revision: {outcome.measure for outcome in _objective(revision).outcomes}
            for revision in session.scalars(
                select(CampaignRevision).where(CampaignRevision.campaign == campaign)
            )
        }

    def of(self, measurements: Iterable[Measurement]) -> Used:
        """Where measurements went while they stood.

        A fit read what stood at its ledger position, of the measures that its revision's
        objective and constraints are made of.
        """
        fits = {
            number
            for one in measurements
            for number, position, revision in self._fits
            if one.entry <= position < self._fallen.get(one.number, position + 1)
            and one.name in self._read[revision]
        }
        rounds = {number for number, fit in self._rounds if fit in fits}
        candidates = {number for number, round in self._candidates if round in rounds}
        jobs = {number for number, candidate in self._jobs if candidate in candidates}
        return Used(*(tuple(sorted(found)) for found in (fits, rounds, candidates, jobs)))


def _objective(revision: CampaignRevision) -> Objective:
    return Objective(stored.spec(revision).objective)

"""What a surrogate is fitted to: the measurements that stand at a ledger position."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from db import repository
from db.models import Candidate, Measurement
from orchestrator.latent.protocol import Points
from orchestrator.objective import Objective
from orchestrator.surrogates.protocol import Data


@dataclass(frozen=True)
class Reduced:
    """One measure of one candidate, over its replicates."""

    value: float
    unit: str
    std: float | None
    """Standard deviation of ``value``: as reported, or the standard error of the replicates."""


def reduce(measurements: Iterable[Measurement]) -> dict[str, Reduced]:
    """Each measure of one candidate as the mean of its replicates, in order of measurement."""
    grouped: dict[str, list[Measurement]] = defaultdict(list)
    for row in measurements:
        grouped[row.name].append(row)
    return {name: _mean(rows) for name, rows in grouped.items()}


def _mean(rows: Sequence[Measurement]) -> Reduced:
    values = [row.value for row in rows]
    if len(rows) == 1:
        return Reduced(values[0], rows[0].unit, rows[0].std)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Reduced(float(np.mean(values)), rows[0].unit, error)


def values(reduced: Mapping[str, Reduced]) -> dict[str, float]:
    """The values by measure."""
    return {name: one.value for name, one in reduced.items()}


def data(
    session: Session, campaign_id: str, objective: Objective, *, position: int, at: str, dim: int
) -> Data:
    """The data set at a ledger position, in the order of candidates.

    A duplicate contributes its twin's values at its own point. A candidate that nobody proposed
    has no point of its own and stands at the one that its object encodes to.

    Args:
        at: ``proposed`` or ``realised``, the spec's choice of point.
        dim: number of coordinates of the space, for an empty data set.
    """
    by_candidate: dict[int, list[Measurement]] = defaultdict(list)
    for row in repository.measurements(session, campaign_id, position=position):
        by_candidate[row.candidate].append(row)
    points, outcomes, spreads = [], [], []
    for candidate in repository.candidates(session, campaign_id):
        point = where(candidate, at)
        rows = by_candidate.get(candidate.duplicate_of or candidate.number)
        if point is None or rows is None or candidate.entry > position:
            continue
        reduced = reduce(rows)
        points.append(point)
        outcomes.append(objective.outcome_values(values(reduced)))
        spreads.append(_spread(objective, reduced))
    columns = len(objective.outcomes)
    return Data(
        points=np.array(points, dtype=np.float64).reshape(-1, dim),
        values=np.array(outcomes, dtype=np.float64).reshape(-1, columns),
        std=np.array(spreads, dtype=np.float64).reshape(-1, columns),
        outcomes=objective.labels,
    )


def points(candidates: Sequence[Candidate], at: str, dim: int) -> Points:
    """The points of candidates that have one, ``n x d``, where the surrogate reads them."""
    found = [where(candidate, at) for candidate in candidates]
    return np.array([p for p in found if p is not None], dtype=np.float64).reshape(-1, dim)


def where(candidate: Candidate, at: str) -> tuple[float, ...] | None:
    """The point of a candidate where the surrogate reads it; None if it has none yet."""
    if at == "realised" and candidate.realised is not None:
        return candidate.realised
    return candidate.point if candidate.point is not None else candidate.realised


def _spread(objective: Objective, reduced: Mapping[str, Reduced]) -> list[float]:
    missing = Reduced(math.nan, "", None)
    found = []
    for outcome in objective.outcomes:
        one = reduced.get(outcome.measure, missing)
        std = math.nan if one.std is None else one.std
        found.append(float(outcome.spread(one.value, std)))
    return found

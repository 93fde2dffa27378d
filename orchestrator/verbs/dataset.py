"""What a surrogate is fitted to: the measurements that stand at a ledger position."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy.orm import Session

from db import repository
from db.models import Candidate, Measurement
from orchestrator.latent.protocol import Points
from orchestrator.objective import Objective
from orchestrator.surrogates.protocol import Data
from orchestrator.verbs.replicates import Reduced, reduce, values


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
    points, outcomes, spreads, sides = [], [], [], []
    for candidate in repository.candidates(session, campaign_id):
        point = where(candidate, at)
        rows = by_candidate.get(candidate.duplicate_of or candidate.number)
        if point is None or rows is None or candidate.entry > position:
            continue
        reduced = reduce(rows)
        points.append(point)
        outcomes.append(objective.outcome_values(values(reduced)))
        spreads.append(_spread(objective, reduced))
        sides.append(_sides(objective, reduced))
    columns = len(objective.outcomes)
    return Data(
        points=np.array(points, dtype=np.float64).reshape(-1, dim),
        values=np.array(outcomes, dtype=np.float64).reshape(-1, columns),
        std=np.array(spreads, dtype=np.float64).reshape(-1, columns),
        outcomes=objective.labels,
        sides=np.array(sides, dtype=np.float64) if any(map(any, sides)) else None,
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


def _sides(objective: Objective, reduced: Mapping[str, Reduced]) -> list[int]:
    """On which side of each outcome the true one lies, where it is a detection limit."""
    return [
        0 if one is None or not one.side else outcome.side(one.value, one.side)
        for outcome in objective.outcomes
        for one in [reduced.get(outcome.measure)]
    ]


def _spread(objective: Objective, reduced: Mapping[str, Reduced]) -> list[float]:
    missing = Reduced(math.nan, "", None)
    found = []
    for outcome in objective.outcomes:
        one = reduced.get(outcome.measure, missing)
        std = math.nan if one.std is None else one.std
        found.append(float(outcome.spread(one.value, std)))
    return found

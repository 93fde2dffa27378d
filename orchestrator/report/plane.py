"""The objective of campaigns all over their plane, beside what their surrogates believe.

The evaluators are asked at the cells of a grid, behind the campaign's back: nothing is recorded.
So this is for evaluators that answer at once and cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.protocol import Batch, Evaluator, Job, Sample
from adapters.units import convert
from orchestrator.errors import BadInput
from orchestrator.latent.digits import DigitsSpace
from orchestrator.latent.protocol import Points, Space, SpaceError
from orchestrator.plots.figures import Evaluations, Field
from orchestrator.plots.landscape import cells, mosaic
from orchestrator.plots.style import Floats
from orchestrator.report.drawings import (
    acquisition_field,
    believed,
    colours_of,
    evaluations_of,
    mean_field,
    names_of,
    std_field,
)
from orchestrator.report.known import Known
from orchestrator.wiring import Parts

_SIDE = 48
"""Cells a side at which evaluators are asked; what is drawn interpolates."""
Readings = list[dict[str, float]]
"""Values by measure, at each cell; empty where nothing valid was decoded or measured."""


@dataclass(frozen=True, eq=False)
class Plane:
    """All that is drawn of one campaign."""

    name: str
    """As ``digit-four#1``."""
    coordinates: tuple[str, str]
    """What they are called."""
    bounds: Floats
    """Shape ``2 x 2``."""
    objective: Mapping[str, Field]
    """By how it was found: read off the point by the space's own model, where that can, and
    measured on the decoded object. All have the same scale."""
    believed: Mapping[str, Field]
    """Mean, standard deviation and acquisition of the newest fit; empty where there is none."""
    pictures: NDArray[np.uint8] | None
    """What the plane decodes to, where that is images."""
    evaluations: Evaluations


def look(campaigns: Sequence[Parts]) -> list[Plane]:
    """Survey some campaigns; those of one space and the same evaluators ask them once.

    Raises:
        BadInput: a space has not two dimensions, or an evaluator does not answer at once for free.
    """
    asked: dict[str, Readings] = {}
    return [_plane(parts, asked) for parts in campaigns]


def _plane(parts: Parts, asked: dict[str, Readings]) -> Plane:
    with parts.database.read() as session:
        known = Known.read(session, parts)
    name = f"{known.campaign.name}#{known.campaign.ordinal}"
    if parts.space.dim != 2:
        what = f"its space has {parts.space.dim} dimensions; a landscape is of two"
        raise BadInput.of(name, what)
    key = f"{parts.spec.space!r} {parts.spec.evaluators!r}"
    if key not in asked:
        asked[key] = _measured(parts, name)
    evaluations, bounds = evaluations_of(parts, known), parts.space.bounds
    across, up = names_of(parts)
    return Plane(
        name=name,
        coordinates=(across, up),
        bounds=bounds,
        objective=_objective(parts, asked[key], evaluations),
        believed=_believed(parts, known, evaluations),
        pictures=mosaic(parts.space),
        evaluations=evaluations,
    )


def _objective(parts: Parts, measured: Readings, evaluations: Evaluations) -> dict[str, Field]:
    points = cells(parts.space.bounds, _SIDE)
    found = {"decoded and measured": measured}
    if (read := _read_off(parts.space, points)) is not None:
        found = {"read off the latent point": read} | found
    priors = parts.space.log_prior(points)
    values = {way: _values(parts, readings, priors) for way, readings in found.items()}
    every = np.concatenate([one.ravel() for one in values.values()])
    limits = (
        (float(np.nanmin(every)), float(np.nanmax(every))) if np.isfinite(every).any() else None
    )
    colours = colours_of(evaluations)
    return {
        way: Field(field, parts.space.bounds, evaluations.label, colours, limits)
        for way, field in values.items()
    }


def _values(parts: Parts, readings: Readings, priors: Floats) -> Floats:
    """The objective in the cells, ``s x s``; NaN where it has none."""
    values = [
        parts.objective.value(one, prior)
        for one, prior in zip(readings, priors.tolist(), strict=True)
    ]
    return np.array(values, dtype=np.float64).reshape(_SIDE, _SIDE)


def _read_off(space: Space, points: Points) -> Readings | None:
    """Measures that the space's own model predicts of points; None where it has no such head."""
    if not isinstance(space, DigitsSpace):
        return None
    try:
        rows = space.class_probabilities(points)
    except SpaceError:
        return None
    return [{f"p_{digit}": float(p) for digit, p in enumerate(row)} for row in rows]


def _measured(parts: Parts, name: str) -> Readings:
    decoded = parts.space.decode(cells(parts.space.bounds, _SIDE), np.random.default_rng(0))
    samples = {
        index: Sample(parts.space.sample_kind, one.content)
        for index, one in enumerate(decoded)
        if one.valid and one.content is not None
    }
    readings: Readings = [{} for _ in decoded]
    for evaluator_name, evaluator in parts.evaluators.items():
        able = evaluator.capabilities
        if not able.synchronous or able.cost:
            what = f"evaluator {evaluator_name} does not answer at once and for free"
            raise BadInput.of(name, f"{what}; it will not be asked at {len(samples)} points")
        wanted = parts.part(evaluator_name).measures
        jobs = [Job(str(index), sample, wanted) for index, sample in samples.items()]
        for start in range(0, len(jobs), able.batch_size):
            batch = Batch(f"landscape/{start}", tuple(jobs[start : start + able.batch_size]))
            for index, values in _answers(evaluator, batch):
                readings[index] |= values
    return readings


def _answers(evaluator: Evaluator, batch: Batch) -> list[tuple[int, dict[str, float]]]:
    found = []
    units = {measure.name: measure.unit for measure in evaluator.capabilities.measures}
    for delivery in evaluator.receive(evaluator.submit(batch)):
        for outcome in evaluator.parse(delivery):
            values = {
                one.name: convert(one.value, one.unit, units[one.name])
                for one in outcome.readings
                if one.name in batch.jobs[0].measures
            }
            found.append((int(outcome.job), values))
        evaluator.acknowledge(delivery)
    return found


def _believed(parts: Parts, known: Known, evaluations: Evaluations) -> dict[str, Field]:
    seen = believed(parts, known)
    if seen is None:
        return {}
    bounds = parts.space.bounds
    found = {
        "surrogate: mean": mean_field(seen, bounds, evaluations),
        "surrogate: deviation": std_field(seen, bounds, evaluations),
    }
    acquisition = acquisition_field(seen, bounds)
    return found if acquisition is None else found | {"acquisition": acquisition}

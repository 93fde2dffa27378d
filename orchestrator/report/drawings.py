"""What a report draws: the course of the campaign, the model's honesty, and the space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from orchestrator.plots import figures
from orchestrator.plots.figures import Evaluations, Field
from orchestrator.plots.landscape import Landscape, mosaic, principal_plane, survey
from orchestrator.plots.style import Floats, svg
from orchestrator.report.known import Known
from orchestrator.report.words import objective_label
from orchestrator.spec.words import number
from orchestrator.wiring import Parts

_DEPTH = 12.0
"""Natural logarithms below its maximum at which the picture of the acquisition ends: what promises
160,000 times less is no rival."""


@dataclass(frozen=True)
class Drawing:
    """A figure of the page."""

    title: str
    caption: str
    svg: Markup


def drawings(parts: Parts, known: Known) -> list[Drawing]:
    """All figures that the campaign has the data for, in the order of the page."""
    evaluations = evaluations_of(parts, known)
    if not len(evaluations.objective):
        return []
    found = [*_course(evaluations), *_space(parts, known, evaluations)]
    return [
        Drawing(title, caption, Markup(svg(figure, letter, f"{title}. {caption}")))  # noqa: S704
        for letter, (title, caption, figure) in zip(ascii_lowercase, found, strict=False)
    ]


_Found = Iterator[tuple[str, str, Figure]]
"""Title, caption, figure."""


def evaluations_of(parts: Parts, known: Known) -> Evaluations:
    """The candidates that have an objective, where the surrogate reads them."""
    rows = [one for one in known.candidates if one.objective is not None]
    nowhere = (np.nan,) * parts.space.dim
    at_object = parts.spec.surrogate.at == "realised"
    points = [
        (one.realised if at_object else one.point) or one.realised or one.point or nowhere
        for one in rows
    ]
    return Evaluations(
        objective=_column([one.objective for one in rows]),
        feasible=np.array([bool(one.feasible) for one in rows], dtype=np.bool_),
        mean=_column([one.mean for one in rows]),
        std=_column([one.std for one in rows]),
        points=np.array(points, dtype=np.float64).reshape(-1, parts.space.dim),
        maximize=parts.objective.maximize,
        label=objective_label(parts),
    )


def _column(values: Sequence[float | None]) -> Floats:
    return np.array(values, dtype=np.float64)  # None becomes NaN


def _course(evaluations: Evaluations) -> _Found:
    count = len(evaluations.objective)
    best = evaluations.running_best[-1]
    reached = "None is feasible." if np.isnan(best) else f"The best is {number(best)}."
    yield (
        "Best so far",
        f"{count} evaluations in order, {int(evaluations.predicted.sum())} of them at points that "
        f"the model chose. {reached}",
        figures.best_so_far(evaluations),
    )
    if predicted := int(evaluations.predicted.sum()):
        inside = int((evaluations.inside & evaluations.predicted).sum())
        yield (
            "Predicted against measured",
            f"{inside} of {predicted} objectives ({inside / predicted:.0%}) lie in the 95 % "
            "interval that was predicted when the point was chosen.",
            figures.predicted_against_measured(evaluations),
        )


def _space(parts: Parts, known: Known, evaluations: Evaluations) -> _Found:
    """The space with what is known of it."""
    bounds, dim = parts.space.bounds, parts.space.dim
    if dim > 2:
        yield from _projected(parts, evaluations)
        return
    across, up = [*names_of(parts), evaluations.label][:2]
    if dim == 1:
        xy = np.stack([evaluations.points[:, 0], evaluations.objective], axis=1)
        caption = "The objective over the only coordinate."
        yield "Evaluations in the space", caption, figures.scatter(xy, evaluations, (across, up))
        return
    if (seen := believed(parts, known)) is not None:
        yield from _fields(seen, bounds, evaluations, (across, up))
    else:
        caption = "Coloured by objective."
        if known.fit is not None:
            caption += " The surrogate cannot be shown: its fit cannot be rebuilt here."
        shown = figures.scatter(evaluations.points, evaluations, (across, up))
        yield "Evaluations in the space", caption, shown
    if (decoded := mosaic(parts.space)) is not None:
        yield (
            "What the space decodes to",
            "Each picture is the decoded middle of its cell; the star is the best candidate.",
            figures.pictures(decoded, bounds, evaluations, (across, up)),
        )


def believed(parts: Parts, known: Known) -> Landscape | None:
    """What the newest fit says of a plane; None without one, or where it cannot be rebuilt."""
    if known.fit is None or known.data is None:
        return None
    try:
        fit = parts.surrogate.restore(known.fit.state, known.data, parts.space.bounds)
        return survey(parts.problem, fit, known.data, known.pending)
    except ValueError:  # of another release's or package's surrogate
        return None


def names_of(parts: Parts) -> list[str]:
    """What the coordinates are called, with their units."""
    given = [f"{p.name} ({p.unit})" if p.unit else p.name for p in parts.spec.space.parameters]
    return given or [f"latent coordinate {axis + 1}" for axis in range(parts.space.dim)]


def _fields(
    seen: Landscape, bounds: Floats, evaluations: Evaluations, names: tuple[str, str]
) -> _Found:
    yield (
        "Surrogate: mean",
        "The objective as the newest fit expects it; brighter is better. White circles are "
        "evaluations, white crosses infeasible ones, the star is the best.",
        figures.field(mean_field(seen, bounds, evaluations), evaluations, names),
    )
    yield (
        "Surrogate: standard deviation",
        "How unsure the newest fit is; brighter is less sure.",
        figures.field(std_field(seen, bounds, evaluations), evaluations, names),
    )
    if (acquisition := acquisition_field(seen, bounds)) is not None:
        yield (
            "Acquisition",
            "Logarithm of the improvement that one more evaluation is expected to bring; brighter "
            f"is more. Cut {_DEPTH:.0f} below its maximum.",
            figures.field(acquisition, evaluations, names),
        )


def mean_field(seen: Landscape, bounds: Floats, evaluations: Evaluations) -> Field:
    """The surrogate's mean, the better the brighter."""
    return Field(seen.mean, bounds, evaluations.label, colours_of(evaluations))


def std_field(seen: Landscape, bounds: Floats, evaluations: Evaluations) -> Field:
    """Its standard deviation."""
    return Field(seen.std, bounds, f"standard deviation of {evaluations.label}", "cividis")


def acquisition_field(seen: Landscape, bounds: Floats) -> Field | None:
    """The acquisition, cut far below its maximum; None where it has none."""
    highest = seen.acquisition.max()
    if not np.isfinite(highest):
        return None
    deep = np.maximum(seen.acquisition, highest - _DEPTH)
    return Field(deep, bounds, "log expected improvement", "magma")


def colours_of(evaluations: Evaluations) -> str:
    """The colour map in which what is better is brighter."""
    return "viridis" if evaluations.maximize else "viridis_r"


def _projected(parts: Parts, evaluations: Evaluations) -> _Found:
    placed = ~np.isnan(evaluations.points[:, 0])
    if placed.sum() < 3:
        return
    rows = evaluations.of(placed)
    lower, upper = parts.space.bounds
    xy, shares = principal_plane(rows.points / (upper - lower))
    first, second = (
        f"principal component {axis + 1} ({share:.0%})" for axis, share in enumerate(shares)
    )
    yield (
        "Evaluations in the space",
        f"Projected from {parts.space.dim} dimensions on the two in which they differ most, with "
        "the share of their variance along each; coloured by objective.",
        figures.scatter(xy, rows, (first, second)),
    )

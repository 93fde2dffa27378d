"""Figures of a campaign, drawn from plain arrays; :mod:`orchestrator.plots.style` has the looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from orchestrator.plots.landscape import centres
from orchestrator.plots.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    Floats,
    canvas,
    colour_bar,
    legend,
    name_axes,
    plane,
)

_WHITE, _BLACK, _BEST = "#ffffff", "#101010", "#ff6d00"
"""Colours on top of a field, which looks alike in the light and in the dark."""
_Z95 = 1.959964
"""Standard deviations on either side of the mean of a normal that hold 95 % of it."""


@dataclass(frozen=True, eq=False)
class Evaluations:
    """The n candidates that have an objective, in candidate order.

    Raises:
        ValueError: the shapes do not belong together.
    """

    objective: Floats
    """In the spec's own direction, shape n."""
    feasible: NDArray[np.bool_]
    """Whether every constraint holds, shape n."""
    mean: Floats
    """What was predicted when the point was chosen, shape n; NaN where nothing was."""
    std: Floats
    """Standard deviation of the prediction, shape n; NaN where there was none."""
    points: Floats
    """Shape ``n x d``."""
    maximize: bool
    """Whether larger is better."""
    label: str
    """Of an axis that shows the objective, its unit included."""

    def __post_init__(self) -> None:
        shape = self.objective.shape
        columns = (self.feasible, self.mean, self.std)
        if any(column.shape != shape for column in columns) or self.points.shape[:1] != shape:
            raise ValueError("every column of evaluations has n entries, points n x d")

    def of(self, rows: NDArray[np.bool_]) -> Evaluations:
        """Some of them: where ``rows``, shape n, holds."""
        return Evaluations(
            self.objective[rows],
            self.feasible[rows],
            self.mean[rows],
            self.std[rows],
            self.points[rows],
            self.maximize,
            self.label,
        )

    @property
    def predicted(self) -> NDArray[np.bool_]:
        """Whether a model predicted the objective when the point was chosen, shape n."""
        return np.isfinite(self.mean) & np.isfinite(self.std)

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Whether the objective lies in the 95 % interval that was predicted, shape n."""
        return np.abs(self.objective - self.mean) <= _Z95 * self.std

    @property
    def best(self) -> int | None:
        """Index of the best feasible one, the earliest among equals; None if none is feasible."""
        if not self.feasible.any():
            return None
        sign = 1 if self.maximize else -1
        return int(np.argmax(np.where(self.feasible, sign * self.objective, -np.inf)))

    @property
    def running_best(self) -> Floats:
        """Best feasible objective of the first k, shape n; NaN while none is feasible."""
        pick = np.fmax if self.maximize else np.fmin
        return np.asarray(pick.accumulate(np.where(self.feasible, self.objective, np.nan)))


@dataclass(frozen=True, eq=False)
class Field:
    """One quantity over a plane."""

    values: Floats
    """Shape ``s x s`` at the centres of s x s cells; row 0 is the lowest, column 0 the left one."""
    bounds: Floats
    """Shape ``2 x 2``: lower and upper limit of both coordinates."""
    label: str
    """What is shown, with its unit."""
    colours: str
    """Name of a matplotlib colour map."""
    limits: tuple[float, float] | None = None
    """Values of its ends, for fields that are to be compared; those of the field by default."""


def best_so_far(evaluations: Evaluations) -> Figure:
    """Every evaluation as a point, and the best feasible objective so far as a line."""
    figure, axes = canvas()
    number = np.arange(1.0, len(evaluations.objective) + 1)
    axes.step(
        number, evaluations.running_best, where="post", color=ORANGE, lw=1.8, label="best so far"
    )
    good, predicted = evaluations.feasible, evaluations.predicted
    for chosen, face, label in (
        (good & ~predicted, PAPER, "without model"),
        (good & predicted, BLUE, "by the model"),
    ):
        _dots(axes, number[chosen], evaluations.objective[chosen], face, label)
    _crosses(axes, number[~good], evaluations.objective[~good])
    axes.set_xlim(0, len(number) + 1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    name_axes(axes, "evaluation", evaluations.label)
    legend(figure)
    return figure


def predicted_against_measured(evaluations: Evaluations) -> Figure:
    """What was predicted, with 95 % intervals, against what was measured; one at least was."""
    figure, axes = canvas()
    rows = evaluations.predicted
    measured, mean = evaluations.objective[rows], evaluations.mean[rows]
    ends = np.concatenate([measured, mean])
    limits = [float(ends.min()), float(ends.max())]
    axes.plot(limits, limits, color=ORANGE, lw=1.2, zorder=1, label="equal")
    axes.errorbar(
        measured,
        mean,
        yerr=_Z95 * evaluations.std[rows],
        fmt="none",
        ecolor=MUTED,
        elinewidth=0.8,
        alpha=0.6,
        zorder=2,
    )
    good = evaluations.feasible[rows]
    _dots(axes, measured[good], mean[good], BLUE, "feasible")
    _crosses(axes, measured[~good], mean[~good])
    name_axes(axes, f"measured {evaluations.label}", "predicted, with 95 % interval")
    legend(figure)
    return figure


def field(shown: Field, evaluations: Evaluations, names: tuple[str, str]) -> Figure:
    """A field with contours, the evaluations on top and the best marked.

    Args:
        shown: what to draw.
        evaluations: their points are ``n x 2``.
        names: of the two coordinates.
    """
    figure, axes = plane(shown.bounds, names)
    colour_bar(figure, axes, paint(axes, shown, evaluations), shown.label)
    return figure


def paint(axes: Axes, shown: Field, evaluations: Evaluations) -> AxesImage:
    """What :func:`field` shows, in given axes and without a scale of colours."""
    lowest, highest = shown.limits or (None, None)
    image = axes.imshow(
        shown.values,
        extent=_extent(shown.bounds),
        origin="lower",
        cmap=shown.colours,
        vmin=lowest,
        vmax=highest,
        interpolation="bilinear",
        aspect="auto",
    )
    if shown.values.min() < shown.values.max():
        axes.contour(
            *(centres(shown.bounds[:, axis], len(shown.values)) for axis in (0, 1)),
            shown.values,
            levels=9,
            colors=_WHITE,
            linewidths=0.5,
            linestyles="solid",
            alpha=0.4,
        )
    good = evaluations.feasible
    x, y = evaluations.points.T
    axes.plot(x[good], y[good], "o", ms=3.6, color=_BLACK, markerfacecolor=_WHITE, mew=0.8)
    axes.plot(x[~good], y[~good], "x", ms=4.5, color=_WHITE, mew=1.2)
    _star(axes, evaluations)
    return image


def pictures(
    mosaic: NDArray[np.uint8], bounds: Floats, evaluations: Evaluations, names: tuple[str, str]
) -> Figure:
    """What a plane decodes to, each picture where its point lies, and the best point marked.

    Args:
        mosaic: grey values of the pictures side by side, ``height x width``, top row first.
        bounds: limits of the plane, ``2 x 2``.
        evaluations: their points are ``n x 2``.
        names: of the two coordinates.
    """
    figure, axes = plane(bounds, names)
    paint_pictures(axes, mosaic, bounds, evaluations)
    return figure


def paint_pictures(
    axes: Axes, mosaic: NDArray[np.uint8], bounds: Floats, evaluations: Evaluations
) -> None:
    """What :func:`pictures` shows, in given axes."""
    axes.imshow(
        mosaic, extent=_extent(bounds), cmap="gray", vmin=0, vmax=255, aspect="auto",
        interpolation="none",
    )  # fmt: skip
    _star(axes, evaluations)


def scatter(xy: Floats, evaluations: Evaluations, names: tuple[str, str]) -> Figure:
    """The evaluations in a plane, coloured by objective.

    Args:
        xy: where they stand, ``n x 2``.
        evaluations: give the colours.
        names: of the two coordinates.
    """
    figure, axes = canvas(square=True)
    good, best = evaluations.feasible, evaluations.best
    shown = axes.scatter(
        xy[good, 0],
        xy[good, 1],
        c=evaluations.objective[good],
        cmap="viridis" if evaluations.maximize else "viridis_r",
        s=20,
        linewidths=0.4,
        edgecolors=INK,
        zorder=3,
        label="feasible",
    )
    _crosses(axes, xy[~good, 0], xy[~good, 1])
    if best is not None:
        x, y = xy[best]
        axes.plot(x, y, "*", ms=12, color=ORANGE, mec=PAPER, mew=0.8, ls="", zorder=4, label="best")
        colour_bar(figure, axes, shown, evaluations.label)
    name_axes(axes, *names)
    legend(figure)
    return figure


def _extent(bounds: Floats) -> tuple[float, float, float, float]:
    (left, bottom), (right, top) = bounds.tolist()
    return left, right, bottom, top


def _dots(axes: Axes, x: Floats, y: Floats, face: str, label: str) -> None:
    if len(x):
        axes.plot(x, y, "o", ms=4, color=BLUE, markerfacecolor=face, mew=0.9, zorder=3, label=label)


def _crosses(axes: Axes, x: Floats, y: Floats) -> None:
    if len(x):
        axes.plot(x, y, "x", ms=4.5, color=MUTED, mew=1.1, zorder=3, label="infeasible")


def _star(axes: Axes, evaluations: Evaluations) -> None:
    if (best := evaluations.best) is not None:
        x, y = evaluations.points[best]
        axes.plot(x, y, "*", ms=13, color=_BEST, mec=_WHITE, mew=1)

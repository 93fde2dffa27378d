"""Figures of the planes of campaigns: one in detail, or several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestrator.plots.figures import Field, paint, paint_pictures
from orchestrator.plots.style import colour_bar, name_axes, panels, title
from orchestrator.report.plane import Plane

_COLUMNS = 5
"""Campaigns side by side."""


def detail(plane: Plane) -> Figure:
    """The objective and what the plane decodes to above what the surrogate believes of it."""
    above = [*plane.objective.items(), *([] if plane.pictures is None else [("decoded", None)])]
    rows = [row for row in (above, list(plane.believed.items())) if row]
    figure, grid = panels(len(rows), max(map(len, rows)), side=3.3)
    figure.set_layout_engine("compressed")  # it knows that the panels are square
    figure.set_size_inches(figure.get_figwidth(), 0.87 * figure.get_figheight())  # and bars beside
    for row, axes_of_row in zip(rows, grid, strict=True):
        for (text, field), axes in zip(row, axes_of_row, strict=False):
            _panel(figure, axes, text, field, plane)
        for axes in axes_of_row[len(row) :]:
            axes.set_axis_off()
    return figure


def _panel(figure: Figure, axes: Axes, text: str, field: Field | None, plane: Plane) -> None:
    axes.grid(visible=False)
    if field is not None:
        colour_bar(figure, axes, paint(axes, field, plane.evaluations), field.label)
    elif plane.pictures is not None:
        paint_pictures(axes, plane.pictures, plane.bounds, plane.evaluations)
    axes.set_xlim(*plane.bounds[:, 0])
    axes.set_ylim(*plane.bounds[:, 1])
    name_axes(axes, *plane.coordinates)
    title(axes, text)


def overview(planes: Sequence[Plane]) -> Figure:
    """The objective of each campaign, found in all ways below each other, small and without axes.

    The ways of one campaign have one scale of colours.
    """
    bands = list(_bands(planes))
    figure, grid = panels(len(bands), min(_COLUMNS, len(planes)), side=1.9)
    for (text, members), row in zip(bands, grid, strict=True):
        for axes in row:
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
            axes.spines[:].set_visible(False)
        for (field, plane), axes in zip(members, row, strict=False):
            paint(axes, field, plane.evaluations)
            axes.set_xlim(*plane.bounds[:, 0])
            axes.set_ylim(*plane.bounds[:, 1])
            title(axes, plane.name)
        name_axes(row[0], "", text)
    return figure


def _bands(planes: Sequence[Plane]) -> Iterator[tuple[str, list[tuple[Field, Plane]]]]:
    """Rows of panels: of up to five campaigns each way to the objective that all of them have."""
    ways = [way for way in planes[0].objective if all(way in plane.objective for plane in planes)]
    for start in range(0, len(planes), _COLUMNS):
        part = planes[start : start + _COLUMNS]
        for way in ways:
            yield way, [(plane.objective[way], plane) for plane in part]

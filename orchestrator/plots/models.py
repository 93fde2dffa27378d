"""Figures of trained models, drawn from plain arrays, with the looks of :mod:`.style`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import chi

from orchestrator.plots.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    Floats,
    canvas,
    colour_bar,
    name_axes,
    panels,
)
from orchestrator.plots.style import legend as add_legend
from orchestrator.plots.style import title as set_title

Images = NDArray[np.uint8]
_DIGITS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e0b000",
    "#56b4e9", "#8c510a", "#5e3c99", "#b2182b", "#4d4d4d",
)  # fmt: skip
"""Colours of the ten digits: Okabe and Ito's, and four more that stand apart from them."""


@dataclass(frozen=True, eq=False)
class Map:
    """One quantity over a plane: at points, or in the cells of a grid."""

    title: str
    label: str
    """The quantity, with its unit."""
    values: Floats
    """Of points, shape n; of cells ``s x s``, row 0 the lowest; NaN cells stay empty."""
    points: Floats | None = None
    """Shape ``n x 2``; None for cells."""


def latent_planes(
    planes: Sequence[tuple[str, Floats]], labels: NDArray[np.int64], limit: float
) -> Figure:
    """Where images encode to, side by side, coloured by the digit that they show.

    Args:
        planes: name of a model and its latent means, ``n x 2``.
        labels: 0 to 9, shape n.
        limit: half the side of the square that is drawn.
    """
    figure, (row,) = panels(1, len(planes), side=3.6 if len(planes) > 1 else 4.4)
    for axes, (name, means) in zip(row, planes, strict=True):
        for digit, colour in enumerate(_DIGITS):
            x, y = means[labels == digit].T
            shown = axes.plot(x, y, "o", ms=1.4, mew=0, alpha=0.6, color=colour, label=str(digit))
            shown[0].set_rasterized(True)
        axes.set_xlim(-limit, limit)
        axes.set_ylim(-limit, limit)
        name_axes(axes, "z1", "z2")
        set_title(axes, name)
    handles, names = row[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", frameon=False, markerscale=5,
        ncols=10 if len(planes) > 1 else 5,
        handletextpad=0.1, columnspacing=1.0, fontsize=9.5, labelcolor=INK,
    )  # fmt: skip
    return figure


def maps(panels_shown: Sequence[Map], limit: float, names: tuple[str, str]) -> Figure:
    """Quantities over one plane, side by side.

    Args:
        panels_shown: at least one.
        limit: half the side of the square that is drawn.
        names: of both axes.
    """
    figure, (row,) = panels(1, len(panels_shown), side=3.9)
    figure.set_layout_engine("compressed")  # it knows that the panels are square
    for axes, shown in zip(row, panels_shown, strict=True):
        axes.grid(visible=False)
        drawn: ScalarMappable
        if shown.points is None:
            square = (-limit, limit, -limit, limit)
            drawn = axes.imshow(shown.values, origin="lower", extent=square, cmap="viridis")
        else:
            x, y = shown.points.T
            drawn = axes.scatter(x, y, c=shown.values, s=3, lw=0, cmap="viridis", rasterized=True)
        axes.set_xlim(-limit, limit)
        axes.set_ylim(-limit, limit)
        name_axes(axes, *names)
        set_title(axes, shown.title)
        colour_bar(figure, axes, drawn, shown.label)
    return figure


def property_planes(
    planes: Sequence[tuple[str, Floats, Floats]], values: NDArray[np.float32], label: str
) -> Figure:
    """Two principal components of latent points, side by side, coloured by a property.

    Args:
        planes: name of a model, its points ``n x 2``, and the share of the variance along each of
            the two axes.
        values: of the property, shape n.
        label: what the property is called.
    """
    figure, (row,) = panels(1, len(planes), side=3.8)
    for axes, (name, points, shares) in zip(row, planes, strict=True):
        shown = axes.scatter(
            points[:, 0], points[:, 1], c=values, s=5, lw=0, alpha=0.8, cmap="viridis"
        )
        shown.set_rasterized(True)
        name_axes(axes, *(f"component {i + 1} ({share:.0%})" for i, share in enumerate(shares)))
        set_title(axes, name)
    colour_bar(figure, row[-1], shown, label)
    return figure


def reconstructions(before: Images, after: Images, columns: int = 12) -> Figure:
    """Images over what becomes of them when encoded and decoded; both ``n x h x w``."""
    rows = [
        np.hstack(list(part[start : start + columns]))
        for start in range(0, len(before) - columns + 1, columns)
        for part in (before, after)
    ]
    pairs = [np.vstack(rows[i : i + 2]) for i in range(0, len(rows), 2)]
    gap = np.full((6, pairs[0].shape[1]), 255, dtype=np.uint8)
    stacked = [part for pair in pairs for part in (255 - pair, gap)][:-1]
    return mosaic(np.vstack(stacked), "input above, encoded and decoded below")


def strips(
    labels: Sequence[str], columns: int, *, height: float
) -> tuple[Figure, list[list[Axes]]]:
    """Rows of empty panels, each row below its label.

    Args:
        labels: one a row.
        columns: panels a row.
        height: of a panel, in inches; it is 1 wide.
    """
    figure = Figure(figsize=(columns, (height + 0.28) * len(labels)), layout="constrained")
    rows = figure.subfigures(len(labels), 1, squeeze=False)[:, 0]
    found = []
    for part, label in zip(rows, labels, strict=True):
        part.suptitle(label, size=9.5, color=INK, x=0.01, ha="left")
        found.append(list(part.subplots(1, columns, squeeze=False)[0]))
    return figure, found


def mosaic(picture: Images, text: str) -> Figure:
    """One grey picture, ``height x width``, with a line above it."""
    height, width = picture.shape
    inches = 6.0
    figure = Figure(figsize=(inches, inches * height / width + 0.35), layout="constrained")
    axes = figure.subplots()
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="none")
    axes.set_axis_off()
    set_title(axes, text)
    return figure


def named_images(shown: Sequence[tuple[Images, str]], text: str, columns: int = 12) -> Figure:
    """Grey images, dark on light, each below its name.

    Args:
        shown: image ``h x w`` and name.
        text: a line above them.
        columns: images side by side.
    """
    rows = max(1, -(-len(shown) // columns))
    figure = Figure(figsize=(0.66 * columns, 0.84 * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axes in grid:
        axes.set_axis_off()
    for (image, name), axes in zip(shown, grid, strict=False):
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=255, interpolation="none")
        axes.set_title(name, size=7.5, color=INK, pad=2)
    figure.suptitle(text, size=9.5, color=INK)
    return figure


def distributions(
    names: Sequence[str], data: Floats, drawn: Floats, labels: tuple[str, str]
) -> Figure:
    """Densities of some quantities, of data and of draws over each other.

    Args:
        names: of the k quantities.
        data: shape ``n x k``.
        drawn: shape ``m x k``.
        labels: what data and draws are called.
    """
    figure, (row,) = panels(1, len(names), side=3.0)
    for axes, name, before, after in zip(row, names, data.T, drawn.T, strict=True):
        low, high = np.quantile(np.concatenate([before, after]), [0.001, 0.999]).tolist()
        edges = np.linspace(low, high, 41)
        for values, colour, label in zip((before, after), (MUTED, BLUE), labels, strict=True):
            axes.hist(
                values, bins=edges.tolist(), density=True, color=colour, alpha=0.5, label=label
            )
        axes.set_yticks([])
        name_axes(axes, name, "")
    handles, texts = row[0].get_legend_handles_labels()
    figure.legend(
        handles, texts, loc="outside upper left", ncols=2, frameon=False, fontsize=9.5,
        labelcolor=INK,
    )  # fmt: skip
    return figure


def losses(rows: Sequence[Mapping[str, float]]) -> Figure:
    """Terms of the loss by epoch, each in a panel of its own since their scales differ.

    Args:
        rows: lines of a training's log, at least one.
    """
    names = [name for name in rows[0] if name not in ("epoch", "step")]
    figure, (row,) = panels(1, len(names), side=2.8)
    epochs = [line["epoch"] for line in rows]
    for axes, name in zip(row, names, strict=True):
        axes.plot(epochs, [line[name] for line in rows], color=BLUE, lw=1.6)
        name_axes(axes, "epoch", "")
        set_title(axes, name)
    return figure


def norms(drawn: Floats, means: Floats) -> Figure:
    """How far from the origin images are encoded, against the density of N(0, I)'s norms, chi(d).

    In many dimensions the normal lies on a thin shell of radius √d, a "soap bubble". The draws of
    the posteriors are to lie there too; their means lie nearer to the origin.

    Args:
        drawn: a draw of each image's posterior, ``n x d``.
        means: the posteriors' means, ``n x d``.
    """
    figure, axes = canvas()
    dim = drawn.shape[1]
    lengths = np.linalg.norm(drawn, axis=1), np.linalg.norm(means, axis=1)
    x = np.linspace(0, max(chi.ppf(1 - 1e-4, dim), *(one.max() for one in lengths)), 121)
    for found, colour, label in zip(lengths, (BLUE, MUTED), ("draws", "means"), strict=True):
        axes.hist(found, bins=x.tolist(), density=True, color=colour, alpha=0.55, label=label)
    axes.plot(x, chi.pdf(x, dim), color=ORANGE, lw=1.8, label=f"chi({dim}) density")
    name_axes(axes, "norm of the latent point", "density")
    add_legend(figure)
    return figure

"""What the figures look like, and how one becomes part of a page.

Figures are made with matplotlib's object-oriented interface, without pyplot's global state, and
drawn small, so that their text can still be read on a telephone. Points are coloured after Okabe
and Ito (jfly.uni-koeln.de/color), fields by matplotlib's perceptually uniform maps; both can be
told apart with any kind of colour vision.
"""

from __future__ import annotations

import html
import io
import re
import textwrap
import warnings
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from orchestrator import private_files
from orchestrator.settings import Settings

Floats = NDArray[np.float64]

INK, MUTED, LINE, PAPER = "#1f2328", "#59636e", "#d1d9e0", "#fdfdfe"
BLUE, ORANGE = "#0072b2", "#d55e00"
VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    PAPER: "paper",
    BLUE: "blue",
    ORANGE: "orange",
}
"""Colours of figures that the page may change, and the CSS variable of each."""

_WIDE, _SQUARE = (4.8, 3.3), (4.8, 4.1)
"""Width and height in inches, of 72 CSS pixels each; the second leaves room for a colour bar."""
_TEXT = 9.5
"""Size of all text, in points of the figure."""
_RASTER_DPI = 144
"""Of the images in a figure: two pixels for each of CSS, as many screens have."""


def canvas(*, square: bool = False) -> tuple[Figure, Axes]:
    """An empty figure with a light grid."""
    # "compressed" is the constrained layout that knows of a fixed aspect.
    figure = Figure(
        figsize=_SQUARE if square else _WIDE, layout="compressed" if square else "constrained"
    )
    axes = figure.subplots()
    axes.set_box_aspect(1 if square else None)
    _plain(axes)
    return figure, axes


def panels(rows: int, columns: int, *, side: float = 2.4) -> tuple[Figure, list[list[Axes]]]:
    """An empty figure of square panels with light grids, ``rows x columns``.

    Args:
        rows: at least 1.
        columns: at least 1.
        side: of a panel, in inches.
    """
    figure = Figure(figsize=(side * columns, side * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).tolist()
    for axes in (one for row in grid for one in row):
        axes.set_box_aspect(1)
        _plain(axes)
    return figure, grid


def title(axes: Axes, text: str) -> None:
    """What a panel shows, above it."""
    axes.set_title(_short(text), size=_TEXT, color=INK, parse_math=False)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
        axes.spines[side].set_linewidth(0.8)
    axes.tick_params(labelsize=_TEXT, colors=INK, color=MUTED, width=0.8, length=3)
    axes.grid(visible=True, color=LINE, lw=0.6)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_offset_text().set(size=_TEXT, color=INK)


def plane(bounds: Floats, names: tuple[str, str]) -> tuple[Figure, Axes]:
    """An empty figure of a plane, without grid, with limits ``2 x 2``."""
    figure, axes = canvas(square=True)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_xlim(*bounds[:, 0])
    axes.set_ylim(*bounds[:, 1])
    name_axes(axes, *names)
    return figure, axes


def name_axes(axes: Axes, across: str, up: str) -> None:
    """Label both axes; names are anybody's text, so that a dollar sign begins no formula."""
    axes.set_xlabel(_short(across), size=_TEXT, color=INK, parse_math=False)
    axes.set_ylabel(_short(up), size=_TEXT, color=INK, parse_math=False)


def legend(figure: Figure) -> None:
    """A legend of whatever is labelled, in one line above the axes."""
    figure.legend(
        loc="outside upper left",
        ncols=4,
        fontsize=_TEXT,
        frameon=False,
        labelcolor=INK,
        handletextpad=0.2,
        handlelength=1.4,
        columnspacing=1.2,
        borderaxespad=0,
    )


def colour_bar(figure: Figure, axes: Axes, shown: ScalarMappable, label: str) -> None:
    """A scale of colours beside the axes."""
    bar = figure.colorbar(shown, ax=axes, pad=0.02, fraction=0.06, aspect=24)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=_TEXT, colors=INK, width=0.6, length=2.5)
    bar.ax.yaxis.get_offset_text().set(size=_TEXT, color=INK)
    bar.set_label(_short(label), size=_TEXT, color=INK, parse_math=False)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as a PNG image of 256 colours, a fifth of the bytes that all of them take.

    The colours are chosen so that the one furthest off is still near: the most frequent ones would
    tear the scale of a smooth field.

    Args:
        figure: what to draw.
        path: file; its folder is made if missing.

    Raises:
        OSError: it cannot be written.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_RASTER_DPI)
    image = Image.open(buffer).convert("RGB")
    if Settings.read().owns(path):
        private_files.make_folder(path.parent)
        private_files.reserve(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    near = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    near.save(path, optimize=True)
    return path


def svg(figure: Figure, name: str, alternative: str) -> str:
    """A figure as an SVG element for the inside of a page, which may hold several.

    Text is paths. Identifiers are numbered after ``name``, which no other figure of the page has;
    colours of :data:`VARIABLES` become CSS variables, with the colour itself as default.

    Args:
        figure: what to draw.
        name: letters only.
        alternative: what a person is told who does not see the figure.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with warnings.catch_warnings():
        # A letter that the font lacks shows as a box, which says enough.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(buffer, format="svg", transparent=True, dpi=_RASTER_DPI, metadata=nothing)
    text = buffer.getvalue()
    # Labels stand in comments; a style element would rule the whole page.
    text = re.sub(r"<!--.*?-->|<style.*?</style>", "", text[text.index("<svg") :], flags=re.DOTALL)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var(--{variable}, {colour})")
    return re.sub(
        r'<svg (.*?)width="[^"]*" height="[^"]*"',
        lambda found: f'<svg role="img" aria-label="{html.escape(alternative)}" {found[1]}',
        _renamed(text, name),
        count=1,
    )


def _renamed(text: str, name: str) -> str:
    """SVG whose identifiers begin with a name; those that nothing refers to are left out."""
    used = dict.fromkeys(re.findall(r'(?:href="|url\()#([^")]+)', text))
    ids = {old: f"{name}{number}" for number, old in enumerate(used)}
    text = re.sub(
        r' id="([^"]+)"', lambda found: f' id="{ids[found[1]]}"' if found[1] in ids else "", text
    )
    return re.sub(r'(href="|url\()#([^")]+)', lambda found: f"{found[1]}#{ids[found[2]]}", text)


def _short(label: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in label)
    return textwrap.shorten(printable, 48, placeholder=" …")

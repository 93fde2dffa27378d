"""Objects of spaces as small pictures in the panels of a figure."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, PathPatch, Polygon
from matplotlib.path import Path
from PIL import Image

from orchestrator.latent import automaton_drawing, chemistry
from orchestrator.latent.protocol import Space, SpaceError
from orchestrator.latent.transitions import parse, reset_lengths
from orchestrator.plots.style import INK, MUTED, title

_PIXELS = (330, 264)
"""Of a molecule; its panel is smaller."""


def show(axes: Axes, space: Space, content: str | bytes | None) -> None:
    """Draws an object into a panel, without axes; of None it says that it is invalid.

    Raises:
        SpaceError: there is no way to draw objects of this kind.
    """
    axes.set_axis_off()
    if content is None:
        axes.text(0.5, 0.5, "invalid", ha="center", va="center", size=8, color=MUTED)
    elif space.sample_kind == "automaton":
        _automaton(axes, content)
    elif space.sample_kind == "molecule":
        _image(axes, chemistry.draw_png(chemistry.parse(_text(content)), *_PIXELS))
    elif isinstance(content, bytes) and space.media_type == "image/png":
        _image(axes, content)
    else:
        raise SpaceError(f"figures show images, molecules and automata, not {space.sample_kind}")


def _text(content: str | bytes) -> str:
    return content.decode() if isinstance(content, bytes) else content


def _image(axes: Axes, png: bytes) -> None:
    image = np.asarray(Image.open(io.BytesIO(png)))
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=255, interpolation="antialiased")


def _automaton(axes: Axes, content: str | bytes) -> None:
    """The automaton with the length of its shortest reset word."""
    (table,) = tables = parse(content)
    for arrow in automaton_drawing.arrows(table):
        colour = automaton_drawing.COLOURS[arrow.letter]
        line = Path(np.array(arrow.corners), [Path.MOVETO, *[Path.CURVE4] * 3])
        dashes = "--" if arrow.letter else "-"
        axes.add_patch(PathPatch(line, fill=False, ec=colour, lw=0.8, ls=dashes))
        axes.add_patch(Polygon(np.array(arrow.head), fc=colour, lw=0))
    for state, (x, y) in enumerate(automaton_drawing.middles(len(table)).tolist()):
        axes.add_patch(Circle((x, y), automaton_drawing.STATE, fc="white", ec=INK, lw=0.7))
        axes.text(x, y, str(state), ha="center", va="center_baseline", size=4.5, color=INK)
    axes.set(xlim=(0, automaton_drawing.SIZE), ylim=(automaton_drawing.SIZE - 20, -10))
    axes.set_aspect("equal")
    title(axes, f"reset by {reset_lengths(tables)[0]}")
    axes.title.set(size=6.5, color=MUTED, y=0.9)

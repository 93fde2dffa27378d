"""An automaton as a drawing: its states on a circle, an arrow for each transition, as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.latent.transitions import reset_lengths

SIZE = 280
"""Width and height, in pixels."""
STATE = 13.0
"""Radius of a state."""
_RING, _HEAD = 88.0, 8.0
"""Radius of the circle of states, and length of an arrow's head, in pixels."""
COLOURS = ("#0072b2", "#d55e00")
"""Of a and of b, whose line is dashed: told apart with any kind of colour vision, and in grey."""
_DASHES = ("", ' stroke-dasharray="5 3"')

Vector = NDArray[np.float64]
"""Shape 2, in pixels, y downwards."""


@dataclass(frozen=True, eq=False)
class Arrow:
    """A transition."""

    letter: int
    """0 for a, 1 for b."""
    corners: list[Vector]
    """Four, of the cubic curve that is its line."""
    head: list[Vector]
    """Three, of the triangle at its end."""


def arrows(table: NDArray[np.int64]) -> list[Arrow]:
    """The transitions of a table ``n x 2``, those under a first."""
    outward, centres = _outward(len(table)), middles(len(table))
    found = []
    for letter in (0, 1):
        for state, target in enumerate(table[:, letter].tolist()):
            # Where both letters lead to one state, b takes the wider bend.
            wide = letter == 1 and target == table[state, 0]
            if state == target:
                corners = _loop(centres[state], outward[state], wide)
            else:
                corners = _bend(centres[state], centres[target], wide)
            found.append(Arrow(letter, corners, _head(corners)))
    return found


def middles(states: int) -> NDArray[np.float64]:
    """Centres of the states, ``n x 2``, on a circle, the first on top."""
    return np.array([SIZE / 2, SIZE / 2 - 6]) + _RING * _outward(states)


def _outward(states: int) -> NDArray[np.float64]:
    turns = 2 * math.pi * np.arange(states) / states
    return np.stack([np.sin(turns), -np.cos(turns)], axis=1)


def svg(table: NDArray[np.int64]) -> bytes:
    """A drawing of a table ``n x 2``: a is a blue line, b an orange dashed one."""
    parts = [_arrow(one) for one in arrows(table)]
    parts += [_circle(centre, str(state)) for state, centre in enumerate(middles(len(table)))]
    parts += [_legend(int(reset_lengths(table[None])[0]))]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE}" height="{SIZE}" '
        f'viewBox="0 0 {SIZE} {SIZE}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{SIZE}" height="{SIZE}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    ).encode()


def _bend(start: Vector, end: Vector, wide: bool) -> list[Vector]:
    """Four corners of a cubic curve to another state; the way back bends to the other side."""
    way = end - start
    aside = np.array([way[1], -way[0]]) * (0.42 if wide else 0.2)
    first, second = start + 0.3 * way + aside, end - 0.3 * way + aside
    return _trimmed([start, first, second, end])


def _loop(centre: Vector, outward: Vector, wide: bool) -> list[Vector]:
    """Four corners of a cubic curve out of a state and back into it."""
    across = np.array([-outward[1], outward[0]])
    reach = (5.2 if wide else 3.6) * STATE
    spread = 0.8 * reach
    controls = [centre + reach * outward + side * spread * across for side in (-1, 1)]
    return _trimmed([centre, *controls, centre])


def _trimmed(corners: list[Vector]) -> list[Vector]:
    """The curve from border to border of the two states, the head's place left free."""
    start, first, second, end = corners
    leave, arrive = _unit(first - start), _unit(end - second)
    return [start + STATE * leave, first, second, end - (STATE + _HEAD) * arrive]


def _head(corners: list[Vector]) -> list[Vector]:
    along = _unit(corners[3] - corners[2])
    across = np.array([-along[1], along[0]]) * 0.42 * _HEAD
    return [corners[3] + _HEAD * along, corners[3] + across, corners[3] - across]


def _arrow(arrow: Arrow) -> str:
    colour, dashes = COLOURS[arrow.letter], _DASHES[arrow.letter]
    start, *rest = map(_pair, arrow.corners)
    return (
        f'<path d="M{start} C{" ".join(rest)}" fill="none" stroke="{colour}" stroke-width="1.6"'
        f'{dashes}/><path d="M{" L".join(map(_pair, arrow.head))} Z" fill="{colour}"/>'
    )


def _circle(centre: Vector, label: str) -> str:
    x, y = _pair(centre).split(",")
    return (
        f'<circle cx="{x}" cy="{y}" r="{STATE:.0f}" fill="#ffffff" stroke="#1f2328" '
        f'stroke-width="1.4"/><text x="{x}" y="{y}" dy="0.36em" text-anchor="middle" '
        f'fill="#1f2328">{label}</text>'
    )


def _legend(length: int) -> str:
    reset = f"shortest reset word: {length} letters" if length else "no reset word"
    lines = [
        f'<path d="M{x} {SIZE - 12} h22" stroke="{colour}" stroke-width="1.6"{dashes}/>'
        f'<text x="{x + 27}" y="{SIZE - 8}" fill="#1f2328">{letter}</text>'
        for x, letter, colour, dashes in zip((10, 56), "ab", COLOURS, _DASHES, strict=True)
    ]
    return "".join(lines) + (
        f'<text x="{SIZE - 10}" y="{SIZE - 8}" text-anchor="end" fill="#1f2328">{reset}</text>'
    )


def _unit(vector: Vector) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector))


def _pair(point: Vector) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"

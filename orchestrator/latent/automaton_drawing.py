"""An automaton as a drawing: its states on a circle, an arrow for each transition, as SVG."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from orchestrator.latent.transitions import reset_lengths

_SIZE = 280
_RING, _STATE, _HEAD = 88.0, 13.0, 8.0
"""Radius of the circle of states, of one state, and length of an arrow's head, in pixels."""
_STYLES = (("#0072b2", ""), ("#d55e00", ' stroke-dasharray="5 3"'))
"""Colour and line of a and of b: told apart with any kind of colour vision, and in grey."""

Vector = NDArray[np.float64]
"""Shape 2, in pixels, y downwards."""


def svg(table: NDArray[np.int64]) -> bytes:
    """A drawing of a table ``n x 2``: a is a blue line, b an orange dashed one."""
    turns = 2 * math.pi * np.arange(len(table)) / len(table)
    outward = np.stack([np.sin(turns), -np.cos(turns)], axis=1)
    middle = np.array([_SIZE / 2, _SIZE / 2 - 6])
    centres = middle + _RING * outward
    parts = []
    for letter, (colour, dashes) in enumerate(_STYLES):
        for state, target in enumerate(table[:, letter].tolist()):
            # Where both letters lead to one state, b takes the wider bend.
            wide = letter == 1 and target == table[state, 0]
            if state == target:
                corners = _loop(centres[state], outward[state], wide)
            else:
                corners = _bend(centres[state], centres[target], wide)
            parts.append(_arrow(corners, colour, dashes))
    parts += [_circle(centre, str(state)) for state, centre in enumerate(centres)]
    parts += [_legend(int(reset_lengths(table[None])[0]))]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_SIZE}" height="{_SIZE}" '
        f'viewBox="0 0 {_SIZE} {_SIZE}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{_SIZE}" height="{_SIZE}" fill="#ffffff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
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
    reach = (5.2 if wide else 3.6) * _STATE
    spread = 0.8 * reach
    controls = [centre + reach * outward + side * spread * across for side in (-1, 1)]
    return _trimmed([centre, *controls, centre])


def _trimmed(corners: list[Vector]) -> list[Vector]:
    """The curve from border to border of the two states, the head's place left free."""
    start, first, second, end = corners
    leave, arrive = _unit(first - start), _unit(end - second)
    return [start + _STATE * leave, first, second, end - (_STATE + _HEAD) * arrive]


def _arrow(corners: list[Vector], colour: str, dashes: str) -> str:
    along = _unit(corners[3] - corners[2])
    across = np.array([-along[1], along[0]]) * 0.42 * _HEAD
    head = (corners[3] + _HEAD * along, corners[3] + across, corners[3] - across)
    start, *rest = map(_pair, corners)
    return (
        f'<path d="M{start} C{" ".join(rest)}" fill="none" stroke="{colour}" stroke-width="1.6"'
        f'{dashes}/><path d="M{" L".join(map(_pair, head))} Z" fill="{colour}"/>'
    )


def _circle(centre: Vector, label: str) -> str:
    x, y = _pair(centre).split(",")
    return (
        f'<circle cx="{x}" cy="{y}" r="{_STATE:.0f}" fill="#ffffff" stroke="#1f2328" '
        f'stroke-width="1.4"/><text x="{x}" y="{y}" dy="0.36em" text-anchor="middle" '
        f'fill="#1f2328">{label}</text>'
    )


def _legend(length: int) -> str:
    reset = f"shortest reset word: {length} letters" if length else "no reset word"
    lines = [
        f'<path d="M{x} {_SIZE - 12} h22" stroke="{colour}" stroke-width="1.6"{dashes}/>'
        f'<text x="{x + 27}" y="{_SIZE - 8}" fill="#1f2328">{letter}</text>'
        for x, letter, (colour, dashes) in zip((10, 56), "ab", _STYLES, strict=True)
    ]
    return "".join(lines) + (
        f'<text x="{_SIZE - 10}" y="{_SIZE - 8}" text-anchor="end" fill="#1f2328">{reset}</text>'
    )


def _unit(vector: Vector) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector))


def _pair(point: Vector) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"

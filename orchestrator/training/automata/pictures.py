"""Figures of models of automata: where reset lengths lie in the latent space, and what decodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from orchestrator.latent import gaussian
from orchestrator.latent.automata import LIMIT, AutomataSpace
from orchestrator.latent.protocol import Points
from orchestrator.latent.registry import Model
from orchestrator.latent.transitions import parse, reset_lengths
from orchestrator.plots.models import Map, maps
from orchestrator.training.automata import data as automaton_data

_SEED, _DRAWS, _CELL = 20261121, 40_000, 150
"""Automata are drawn anew, by another seed than the recipe's, and few of each kind."""
_CELLS = 100
"""Cells a side of what is decoded."""
_NAMES = ("where reset words grow fastest", "principal component of the rest")


def latent_maps(models: Sequence[Model], data: Path | None) -> Iterator[tuple[str, Figure]]:
    """Of each model a plane through its latent space, encoded and decoded.

    The first axis is the direction in which reset lengths of encoded automata rise fastest, by
    least squares; the second is the principal component of what is left.
    """
    shown = (
        automaton_data.drawn(_SEED, _DRAWS, _CELL) if data is None else automaton_data.read(data)
    )
    words = [automaton_data.word(tokens) for tokens in shown.tokens]
    for model in models:
        space = AutomataSpace(str(model.folder))
        means = space.encode(words)
        axes = plane(means, shown.lengths)
        seen = means @ axes
        yield (
            f"{model.name}-latent",
            maps(
                [
                    Map("encoded automata", "reset length", shown.lengths.astype(float), seen),
                    Map("the same", "number of states", shown.states.astype(float), seen),
                    Map(
                        "decoded on this plane; white: invalid",
                        "reset length",
                        _decoded(space, axes),
                    ),
                ],
                LIMIT,
                _NAMES,
            ),
        )


def plane(means: Points, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Two orthonormal axes, ``d x 2``, of points ``n x d`` that have these reset lengths."""
    centred = means - means.mean(axis=0)
    slope = np.linalg.lstsq(centred, lengths - lengths.mean(), rcond=None)[0]
    first = slope / np.linalg.norm(slope)
    rest = centred - np.outer(centred @ first, first)
    second = np.linalg.svd(rest, full_matrices=False)[2][0]
    return np.stack([first, second], axis=1)


def _decoded(space: AutomataSpace, axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reset lengths of what the plane through the origin decodes to; NaN where it is invalid."""
    along = LIMIT * (2 * (np.arange(_CELLS) + 0.5) / _CELLS - 1)
    grid = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
    points = np.clip(grid @ axes.T, *gaussian.box(LIMIT, space.dim))
    found = space.decode(points, np.random.default_rng(0))
    lengths = [float(reset_lengths(parse(one.key))[0]) if one.valid else np.nan for one in found]
    return np.array(lengths).reshape(_CELLS, _CELLS)

"""Ways between objects of a latent space, compared over many pairs and drawn for one."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from orchestrator.latent.interpolation import linear, passed, polar, spherical
from orchestrator.latent.protocol import Decoded, Points, Space, SpaceError
from orchestrator.latent.registry import Model
from orchestrator.plots.models import strips
from orchestrator.plots.objects import show
from orchestrator.training import all_models

_TRIES = 20
"""Draws for each end that is needed, before the decoder is said to give nothing."""


@dataclass(frozen=True)
class Along:
    """What lies between the ends, on average over all pairs."""

    way: str
    valid: float
    """Share of the points that decode to an object."""
    new: float
    """Share of the points that decode to an object that is at neither end."""
    unseen: float | None
    """Share of the points that decode to an object that the model was not trained on; None where
    its training data are not known."""
    distinct: float
    """Different objects on one way."""


@dataclass(frozen=True, eq=False)
class Ways:
    """All ways between the same pairs of points."""

    space: Space
    points: dict[str, Points]
    """Shape ``p x n x d`` by the name of the way."""
    objects: dict[str, list[list[Decoded]]]
    """What they decode to, p lists of n."""


def between(space: Space, *, pairs: int, points: int, passes: int, seed: int) -> Ways:
    """All four ways between pairs of draws from the prior, each of which decodes to an object.

    Args:
        space: decodes and encodes.
        pairs: p, how many.
        points: n, of each way, both ends included; at least 3.
        passes: how often the points of the last way are decoded and encoded.
        seed: of the draws.

    Raises:
        SpaceError: nothing is between the ends, or hardly any draw decodes to an object.
    """
    if points < 3:
        raise SpaceError(f"between two ends lies at least one point, not {points - 2}")
    rng = np.random.default_rng(seed)
    ends = list(zip(*np.split(_ends(space, 2 * pairs, rng), 2), strict=True))
    found = {
        name: np.stack([way(start, end, points) for start, end in ends])
        for name, way in (("linear", linear), ("polar", polar), ("spherical", spherical))
    }
    flat = found["linear"].reshape(-1, space.dim)
    through = passed(space, flat, passes=passes, rng=rng)
    name = f"linear, {passes} pass{'es' if passes != 1 else ''}"
    found[name] = through.reshape(pairs, points, space.dim)
    return Ways(space, found, {name: _decoded(space, one, rng) for name, one in found.items()})


def _ends(space: Space, n: int, rng: np.random.Generator) -> Points:
    drawn = space.sample_prior(_TRIES * n, rng)
    good: list[int] = []
    for start in range(0, len(drawn), n):
        decoded = space.decode(drawn[start : start + n], rng)
        good += [start + i for i, one in enumerate(decoded) if one.valid]
        if len(good) >= n:
            return drawn[good[:n]]
    raise SpaceError(f"of {len(drawn)} draws from the prior only {len(good)} decode to an object")


def _decoded(space: Space, points: Points, rng: np.random.Generator) -> list[list[Decoded]]:
    pairs, n, dim = points.shape
    objects = space.decode(points.reshape(-1, dim), rng)
    return [objects[i * n : (i + 1) * n] for i in range(pairs)]


def compare(ways: Ways, seen: Container[str] | None) -> list[Along]:
    """The shares along each way, both ends left out.

    Args:
        ways: of at least one pair.
        seen: canonical keys of what the model was trained on, where that is known.
    """
    return [_along(name, objects, seen) for name, objects in ways.objects.items()]


def _along(name: str, objects: list[list[Decoded]], seen: Container[str] | None) -> Along:
    inner = [[one.key for one in way[1:-1] if one.valid] for way in objects]
    count = sum(len(way) - 2 for way in objects)
    pairs = [(key, way) for keys, way in zip(inner, objects, strict=True) for key in keys]
    new = sum(key not in (way[0].key, way[-1].key) for key, way in pairs)
    unseen = None if seen is None else sum(key not in seen for key, _ in pairs) / count
    distinct = sum(len({one.key for one in way if one.valid}) for way in objects) / len(objects)
    return Along(name, len(pairs) / count, new / count, unseen, distinct)


def picture(ways: Ways, measured: Sequence[Along]) -> Figure:
    """The four ways of one pair below each other, with what was measured over all pairs.

    Of all pairs it is the one whose ends are farthest apart.
    """
    labels = [f"{one.way}: {one.valid:.1%} valid, {one.new:.1%} new" for one in measured]
    lines = ways.points["linear"]
    shown = int(np.linalg.norm(lines[:, -1] - lines[:, 0], axis=1).argmax())
    rows = [[one.content for one in objects[shown]] for objects in ways.objects.values()]
    height = 0.75 if ways.space.sample_kind == "molecule" else 1.0
    figure, panels = strips(labels, len(rows[0]), height=height)
    for row, axes_of_row in zip(rows, panels, strict=True):
        for content, axes in zip(row, axes_of_row, strict=True):
            show(axes, ways.space, content)
    return figure


def trained_on(model: Model, data: Path | None, cache: Path) -> frozenset[str] | None:
    """Canonical keys of what a model was trained on; None where that is not known.

    Automata are drawn again, unless they are kept; molecules are read from their file. Images are
    never those of the training, pixel by pixel, so that nothing is read of them.

    Raises:
        SpaceError: the data cannot be read, or are not those that the model was trained on.
    """
    card, task = model.card, model.card.get("task")
    if task == "automata":
        from orchestrator.training.automata import data as automaton_data

        automata = automaton_data.load(data, seed=int(card["training"]["seed"]), cache=cache)
        all_models.check_data(model, automata.sha256)
        return frozenset(automaton_data.word(tokens) for tokens in automata.tokens)
    if task == "molecules" and data is not None:
        return frozenset(all_models.molecules_of(model, data, cache).smiles)
    return None

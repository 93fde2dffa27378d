"""Planes to look at: what a surrogate believes over two dimensions, and projections of more."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.latent.protocol import Points, Space
from orchestrator.proposers.protocol import Problem
from orchestrator.surrogates.protocol import Data, Fit, Floats

_SIDE = 72
"""Cells a side at which the surrogate is asked; what is drawn interpolates."""
_PICTURES = 15
"""Decoded pictures a side."""
_SAMPLES = 256
"""Posterior samples of an objective that is not linear."""


@dataclass(frozen=True, eq=False)
class Landscape:
    """The surrogate over a plane; arrays are ``s x s``, row 0 the lowest, column 0 the left one."""

    mean: Floats
    """Of the composed objective, exact terms included, in the spec's own direction."""
    std: Floats
    """Its standard deviation."""
    acquisition: Floats
    """Log expected improvement."""


def survey(problem: Problem, fit: Fit, data: Data, pending: Points) -> Landscape:
    """Ask a fit all over a space of two dimensions.

    Args:
        problem: gives the plane, and the objective with its exact terms.
        fit: the surrogate of the outcomes.
        data: what it was fitted to.
        pending: points whose results are not known yet, ``p x 2``.

    Raises:
        ValueError: nothing usable has been measured.
    """
    import torch

    from orchestrator.proposers.acquisition import moments
    from orchestrator.proposers.gp import GPProposer

    points = cells(problem.space.bounds, _SIDE)
    draws = np.random.default_rng(0).standard_normal((_SAMPLES, len(data.outcomes)))
    mean, std = moments(fit.model, problem, torch.tensor(points), torch.tensor(draws)).numpy()
    acquisition = GPProposer().acquisition(problem, fit, data, pending, points)
    sign = 1.0 if problem.objective.maximize else -1.0
    shape = (_SIDE, _SIDE)
    return Landscape((sign * mean).reshape(shape), std.reshape(shape), acquisition.reshape(shape))


def mosaic(space: Space) -> NDArray[np.uint8] | None:
    """What a space of two dimensions decodes to, as grey pictures side by side, top row first.

    Returns:
        Shape ``height x width``; None where objects are no PNG images, or not of one size.
    """
    from PIL import Image

    if space.media_type != "image/png":
        return None
    decoded = space.decode(cells(space.bounds, _PICTURES), np.random.default_rng(0))
    tiles = [
        np.asarray(Image.open(io.BytesIO(one.content)).convert("L"))
        for one in decoded
        if isinstance(one.content, bytes)
    ]
    if len(tiles) < len(decoded) or len({tile.shape for tile in tiles}) > 1:
        return None
    lowest_last = range(len(tiles) - _PICTURES, -1, -_PICTURES)
    return np.vstack([np.hstack(tiles[start : start + _PICTURES]) for start in lowest_last])


def centres(limits: Floats, side: int) -> Floats:
    """Centres of ``side`` equal cells between two limits, shape side."""
    lower, upper = limits
    return np.asarray(lower + (np.arange(side) + 0.5) * (upper - lower) / side)


def cells(bounds: Floats, side: int) -> Floats:
    """Centres of side x side cells of a plane, ``side² x 2``; the first coordinate runs fastest."""
    x, y = np.meshgrid(centres(bounds[:, 0], side), centres(bounds[:, 1], side))
    return np.stack([x.ravel(), y.ravel()], axis=1)


def principal_plane(points: Floats) -> tuple[Floats, Floats]:
    """Projection on the two directions in which points differ most (Pearson 1901).

    The sign of a direction, which is arbitrary, is such that its largest component is positive.

    Args:
        points: ``n x d``, n and d at least 2, in coordinates of comparable scales.

    Returns:
        Coordinates, ``n x 2``, and the share of the variance along each, shape 2.
    """
    centred = points - points.mean(axis=0)
    _, widths, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    axes *= np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])[:, None]
    total = float((widths**2).sum()) or 1.0
    return centred @ axes.T, widths[:2] ** 2 / total

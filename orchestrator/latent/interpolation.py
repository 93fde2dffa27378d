"""Ways from one latent point to another, and what objects lie along them.

In d dimensions the standard normal lies on a thin shell of radius √d, and halfway along a straight
line between two independent draws the norm is √(d/2), where the prior has next to no mass. The
polar and the spherical way stay on the shell (White 2016, arXiv:1609.04468).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orchestrator.latent.gaussian import check_points
from orchestrator.latent.protocol import Points, Space, SpaceError
from orchestrator.latent.realise import realised

_STRAIGHT = 1e-8
"""Sine of an angle below which an arc is no different from a line, in float64."""


def linear(start: ArrayLike, end: ArrayLike, n: int) -> Points:
    """The straight line: ``(1 − t) start + t end`` at equal steps of t from 0 to 1.

    Args:
        start: shape d.
        end: shape d.
        n: number of points, both ends included; at least 2.

    Returns:
        Points ``n x d``, of which the first and the last are the ends.

    Raises:
        SpaceError: the ends are no finite points of one space, or n is below 2.
    """
    ends, t = _checked(start, end, n)
    return np.asarray((1 - t) * ends[0] + t * ends[1])


def polar(start: ArrayLike, end: ArrayLike, n: int) -> Points:
    """``√(1 − t) start + √t end``: of two independent draws of N(0, I), each point is one too.

    Arguments, result and errors are those of :func:`linear`.
    """
    ends, t = _checked(start, end, n)
    return np.asarray(np.sqrt(1 - t) * ends[0] + np.sqrt(t) * ends[1])


def spherical(start: ArrayLike, end: ArrayLike, n: int) -> Points:
    """Along the arc between the ends' directions, at equal steps of the angle.

    Shoemake 1985, doi:10.1145/325165.325242. Between ends of one norm all points have that norm.
    Where an end is the origin, or both have one direction, it is the straight line. Arguments,
    result and errors are those of :func:`linear`.

    Raises:
        SpaceError: also where the ends are opposite, for then every arc is as short.
    """
    ends, t = _checked(start, end, n)
    norms = np.linalg.norm(ends, axis=1)
    if not norms.all():
        return linear(start, end, n)
    a, b = ends / norms[:, None]
    # Of arccos(a · b) half of the digits would be lost where the ends nearly have one direction.
    angle = 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    if np.sin(angle) > _STRAIGHT:
        arc = np.sin((1 - t) * angle) * ends[0] + np.sin(t * angle) * ends[1]
        return np.asarray(arc / np.sin(angle))
    if angle < 1:
        return linear(start, end, n)
    raise SpaceError("the ends are opposite to each other: there is no shortest arc between them")


def linear_with_passes(
    space: Space,
    start: ArrayLike,
    end: ArrayLike,
    n: int,
    *,
    passes: int,
    rng: np.random.Generator,
) -> Points:
    """The straight line, each point of which is then decoded and encoded again some times.

    That draws the points to where the model's objects lie. A point that decodes to no object, or to
    one that cannot be encoded, stays where it is.

    Args:
        space: decodes and encodes.
        start: shape d.
        end: shape d.
        n: number of points, both ends included, which are passed through too; at least 2.
        passes: how many times; with 0 it is :func:`linear`.
        rng: for the decoder.

    Returns:
        Points ``n x d``.

    Raises:
        SpaceError: as for :func:`linear`; or the ends are not of the space, or passes are negative.
    """
    return passed(space, linear(start, end, n), passes=passes, rng=rng)


def passed(space: Space, points: Points, *, passes: int, rng: np.random.Generator) -> Points:
    """Points ``n x d`` after they were decoded and encoded again some times.

    Arguments and errors are those of :func:`linear_with_passes`.
    """
    if passes < 0:
        raise SpaceError(f"the number of passes must be 0 or more, not {passes}")
    points = check_points(points, space.dim)
    for _ in range(passes):
        found = realised(space, space.decode(points, rng))
        points = np.where(np.isfinite(found), found, points)
    return points


@dataclass(frozen=True)
class Shares:
    """What the points of a way decode to."""

    valid: float
    """Share of the points that decode to an object."""
    new: float
    """Share of the points that decode to an object that was not known."""
    distinct: int
    """Number of different objects."""


def shares(space: Space, points: Points, known: Container[str], rng: np.random.Generator) -> Shares:
    """Decodes the points of a way, ``n x d``, and counts.

    Args:
        space: decodes.
        points: at least one.
        known: canonical keys of known objects, such as those of both ends or of the training data.
        rng: for the decoder.

    Raises:
        SpaceError: the points have another shape, or there are none.
    """
    if not len(points):
        raise SpaceError("a way has at least one point; this one has none")
    keys = [one.key for one in space.decode(points, rng) if one.valid]
    new = sum(key not in known for key in keys)
    return Shares(len(keys) / len(points), new / len(points), len(set(keys)))


def _checked(start: ArrayLike, end: ArrayLike, n: int) -> tuple[Points, NDArray[np.float64]]:
    """Both ends, ``2 x d``, and the parameter t, ``n x 1``."""
    first, last = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    if first.ndim != 1 or first.shape != last.shape:
        raise SpaceError(
            f"both ends of a way must have the shape d of one space, not {first.shape} and "
            f"{last.shape}"
        )
    ends = np.stack([first, last])
    if not np.isfinite(ends).all():
        raise SpaceError("both ends of a way must be finite; a coordinate is NaN or infinite")
    if n < 2:
        raise SpaceError(f"a way has at least its two ends, not {n} points")
    return ends, np.linspace(0.0, 1.0, n)[:, None]

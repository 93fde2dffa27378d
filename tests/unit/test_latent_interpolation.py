"""Ways between latent points: where they lead, and what a user finds along them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from orchestrator.latent.digits import DigitsSpace
from orchestrator.latent.interpolation import (
    linear,
    linear_with_passes,
    polar,
    shares,
    spherical,
)
from orchestrator.latent.protocol import Decoded, Points, SpaceError

Way = Callable[..., Points]
WAYS: Sequence[Way] = (linear, polar, spherical)
A, B = np.array([1.0, -2.0, 0.5]), np.array([0.0, 1.5, 2.0])


@pytest.fixture(scope="module")
def digits() -> DigitsSpace:
    return DigitsSpace()


@pytest.mark.parametrize("way", WAYS)
def test_a_way_leads_from_its_start_to_its_end(way: Way) -> None:
    points = way(A, B, 7)
    assert points.shape == (7, 3)
    np.testing.assert_allclose(points[[0, -1]], [A, B], atol=1e-12)
    np.testing.assert_allclose(way(B, A, 7)[::-1], points, atol=1e-12)


def test_halfway_is_where_each_way_says() -> None:
    np.testing.assert_allclose(linear(A, B, 3)[1], (A + B) / 2)
    np.testing.assert_allclose(polar(A, B, 3)[1], (A + B) / np.sqrt(2))
    quarter = spherical([2, 0], [0, 2], 4)
    turns = np.deg2rad([0, 30, 60, 90])
    np.testing.assert_allclose(quarter, 2 * np.stack([np.cos(turns), np.sin(turns)], 1), atol=1e-12)


def test_only_the_straight_line_leaves_the_shell_on_which_the_prior_lies() -> None:
    dim = 2_000
    start, end = np.random.default_rng(0).standard_normal((2, dim))
    halfway = {way: np.linalg.norm(way(start, end, 3)[1]) / np.sqrt(dim) for way in WAYS}
    assert halfway[linear] == pytest.approx(np.sqrt(0.5), rel=0.05)
    assert halfway[polar] == pytest.approx(1, rel=0.05)
    assert halfway[spherical] == pytest.approx(1, rel=0.05)


def test_an_arc_is_a_line_where_there_is_no_angle() -> None:
    for end in (3 * A, np.zeros(3), A * (1 + 1e-12)):
        np.testing.assert_allclose(spherical(A, end, 5), linear(A, end, 5), atol=1e-9)
    nearly = A + 1e-6 * B
    np.testing.assert_allclose(spherical(A, nearly, 5), linear(A, nearly, 5), atol=1e-10)


def test_ends_between_which_there_is_no_way_are_refused() -> None:
    with pytest.raises(SpaceError, match="opposite"):
        spherical(A, -2 * A, 5)
    for way in WAYS:
        with pytest.raises(SpaceError, match=r"shape d of one space, not \(3,\) and \(2,\)"):
            way(A, B[:2], 5)
        with pytest.raises(SpaceError, match="finite"):
            way(A, [np.nan, 0, 0], 5)
        with pytest.raises(SpaceError, match="not 1 points"):
            way(A, B, 1)


@pytest.mark.slow
def test_passes_draw_points_to_where_the_objects_of_the_model_lie(digits: DigitsSpace) -> None:
    rng = np.random.default_rng(0)
    start, end = [-2.5, 3.0], [3.0, -2.0]

    def moved(points: Points) -> Points:
        return digits.encode([one.content or "" for one in digits.decode(points, rng)])

    def passed(passes: int) -> Points:
        return linear_with_passes(digits, start, end, 9, passes=passes, rng=rng)

    np.testing.assert_array_equal(passed(0), linear(start, end, 9))
    np.testing.assert_array_equal(passed(2), moved(moved(linear(start, end, 9))))
    # Where a point comes to rest, its object encodes to itself.
    steps = [np.linalg.norm(moved(passed(k)) - passed(k)) for k in (0, 5)]
    assert steps[1] < 0.5 * steps[0]
    with pytest.raises(SpaceError, match="n x 2"):
        linear_with_passes(digits, A, B, 9, passes=1, rng=rng)
    with pytest.raises(SpaceError, match="0 or more, not -1"):
        passed(-1)


class HalfPlane(DigitsSpace):
    """Right of the middle nothing valid is decoded, as where a decoder writes what is no object."""

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        return [
            Decoded(None, "", False, "no object") if x > 0 else one
            for x, one in zip(points[:, 0], super().decode(points, rng), strict=True)
        ]


def test_points_without_an_object_stay_in_place_and_are_counted() -> None:
    space, rng = HalfPlane(), np.random.default_rng(0)
    line = linear([-2, 1], [2, 1], 8)
    passed = linear_with_passes(space, [-2, 1], [2, 1], 8, passes=1, rng=rng)
    stays = line[:, 0] > 0
    np.testing.assert_array_equal((passed == line).all(axis=1), stays)
    first = space.decode(line[:1], rng)[0].key
    found = shares(space, line[[0, 0, 1, 2, 3, 4, 5, 6]], {first}, rng)
    assert (found.valid, found.new, found.distinct) == (5 / 8, 3 / 8, 4)
    with pytest.raises(SpaceError, match="has none"):
        shares(space, np.empty((0, 2)), set(), rng)

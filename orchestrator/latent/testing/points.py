"""Checks of a space's coordinates: bounds, prior, shapes, and that decoding is a function."""

from __future__ import annotations

import re

import numpy as np

from orchestrator.latent.protocol import Decoded, Points, Space, SpaceError
from orchestrator.latent.testing.bench import Bench, drawn, fail, guarded, opened, random, require


class PointChecks(Bench):
    """Points: where they lie, how likely they are, and what they decode to."""

    def test_the_space_says_what_it_is(self) -> None:
        """Nonsense here would surface in the middle of somebody's campaign."""
        space = opened(type(self))
        require(isinstance(space, Space), f"{space!r} lacks methods or properties of Space")
        require(space.sample_kind, "sample_kind is empty; name what evaluators are given")
        require("/" in space.media_type, f"media_type {space.media_type!r} is no media type")
        require(space.dim >= 1, f"dim is {space.dim}; a space has a coordinate at least")
        shape = np.shape(space.bounds)
        require(shape == (2, space.dim), f"bounds have the shape {shape}, not 2 x {space.dim}")
        low, high = space.bounds
        good = np.isfinite(space.bounds).all() and (low < high).all()
        require(good, f"bounds must be finite, the lower below the upper; they are {space.bounds}")

    def test_the_model_has_one_hash(self) -> None:
        """Points are stored with it: another one would mean that they are of another model."""
        first, second = opened(type(self)).model_hash, self.space().model_hash
        require(first == second, f"model_hash differs between two instances: {first}, {second}")
        right = first == "" or re.fullmatch("[0-9a-f]{64}", first)
        require(right, f"model_hash {first!r} is neither empty nor a SHA-256 in hexadecimal")

    def test_prior_draws_lie_inside_the_bounds_and_repeat_with_the_seed(self) -> None:
        """A campaign starts from them, and is replayed from its seed."""
        space = opened(type(self))
        points = space.sample_prior(200, np.random.default_rng(4))
        _require_points("sample_prior(200)", points, 200, space.dim)
        inside = (points >= space.bounds[0]).all() and (points <= space.bounds[1]).all()
        require(inside, "sample_prior drew points outside the bounds; truncate the prior to them")
        again = space.sample_prior(200, np.random.default_rng(4))
        require(np.array_equal(points, again), "one seed gave two draws; use only the generator")
        other = space.sample_prior(200, np.random.default_rng(5))
        require(not np.array_equal(points, other), "two seeds gave one draw; use the generator")

    def test_log_prior_is_that_of_the_draws(self) -> None:
        """It steers proposals to where the model knows objects."""
        space = opened(type(self))
        points, _ = drawn(type(self))
        values = space.log_prior(points)
        require(values.shape == (len(points),), f"log_prior of n points has shape {values.shape}")
        require(np.isfinite(values).all(), "log_prior is not finite inside the bounds")
        alone = np.concatenate([space.log_prior(point[None]) for point in points[:5]])
        require(np.allclose(alone, values[:5]), "log_prior of a point depends on the others")
        low, high = space.bounds
        anywhere = random().uniform(low, high, size=points.shape)
        typical, chance = values.mean(), space.log_prior(anywhere).mean()
        require(
            typical >= chance - 1e-9,
            f"log_prior is {typical:.4g} on draws from the prior and {chance:.4g} on points from "
            "anywhere: it is not the density that sample_prior draws from",
        )

    def test_decoding_does_not_depend_on_the_company(self) -> None:
        """Otherwise a resumed campaign, or a replayed proposal, would find other objects."""
        space = opened(type(self))
        points, together = drawn(type(self))
        require(len(together) == len(points), f"{len(points)} points gave {len(together)} objects")
        _require_same("in reverse order", space.decode(points[::-1], random())[::-1], together)
        for part in (slice(0, 1), slice(len(points) - 1, len(points)), slice(0, 7)):
            _require_same(
                f"as {len(points[part])} of {len(points)}",
                space.decode(points[part], random()),
                together[part],
            )

    def test_decoding_is_the_same_after_a_restart_and_with_another_generator(self) -> None:
        """An object is written down once, and its point must always lead to it."""
        points, before = drawn(type(self))
        other = self.space().decode(points[:9], np.random.default_rng(7))
        _require_same("decoded by a new instance, with another generator", other, before[:9])

    def test_odd_points_never_raise(self) -> None:
        """One stray point must not take a round with it."""
        space = opened(type(self))
        points = np.array(drawn(type(self))[0][:5])
        expected = drawn(type(self))[1][4]
        points[0, 0], points[1, -1], points[2], points[3] = np.nan, np.inf, 1e6, -1e9
        found = guarded("decode of odd points", space.decode, points, random())
        for one, what in zip(found[:2], ("NaN", "infinity"), strict=True):
            require(not one.valid, f"a point with {what} gave a valid object; call it invalid")
        _require_same("beside odd points", found[4:], (expected,))
        for one in found:
            require_sound(one)

    def test_points_of_a_wrong_shape_are_refused_with_the_right_one(self) -> None:
        """Silent broadcasting would search another space than the spec's."""
        space = opened(type(self))
        for points in (np.zeros((2, space.dim + 1)), np.zeros(space.dim)):
            for name in ("decode", "log_prior"):
                try:
                    if name == "decode":
                        space.decode(points, random())
                    else:
                        space.log_prior(points)
                except SpaceError as error:
                    right = f"n x {space.dim}" in str(error)
                    require(right, f"{name} refused a wrong shape without n x {space.dim}: {error}")
                else:
                    fail(f"{name} took points of shape {points.shape}; raise SpaceError")

    def test_no_points_give_no_objects(self) -> None:
        """A round may have none."""
        space = opened(type(self))
        found = guarded("decode of no points", space.decode, np.empty((0, space.dim)), random())
        require(list(found) == [], f"no points decoded to {found!r}")
        _require_points("encode of no objects", guarded("encode", space.encode, []), 0, space.dim)


def require_sound(one: Decoded) -> None:
    """A valid object has content and key and no reason; an invalid one a reason alone."""
    if one.valid:
        require(one.content is not None and one.key, f"{one!r} is valid without content or key")
        require(one.reason == "", f"{one!r} is valid, and has a reason why it is not")
    else:
        require(one.reason, f"{one!r} is invalid without a reason; say why, for a person")
        require(one.content is None and not one.key, f"{one!r} is invalid, with content or key")


def _require_points(what: str, points: Points, n: int, dim: int) -> None:
    shape, kind = np.shape(points), np.asarray(points).dtype
    require(shape == (n, dim), f"{what} gave the shape {shape}, not {n} x {dim}")
    require(kind == np.float64, f"{what} gave {kind}, not float64")


def _require_same(how: str, found: list[Decoded], expected: tuple[Decoded, ...]) -> None:
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        require(
            one == other,
            f"point {index} {how} gives {one!r}, and gave {other!r}; decode must be a function of "
            "the point alone: no draws, and blocks of one fixed size for a network",
        )

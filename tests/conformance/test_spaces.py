"""What every latent space must do, whoever wrote it: the contract of ``orchestrator.latent``."""

from __future__ import annotations

import contextlib
import hashlib

import numpy as np
import pytest

from orchestrator.latent import registry
from orchestrator.latent.protocol import Decoded, Points, Space, SpaceError

KINDS = ("automata", "digits", "molecules")


@pytest.fixture(scope="module", params=KINDS)
def space(request: pytest.FixtureRequest) -> Space:
    """Each built-in latent space with its shipped weights, through the door for plugins."""
    return registry.open_space(request.param)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261121)


def test_the_space_has_the_methods_and_values_of_the_protocol(space: Space) -> None:
    assert isinstance(space, Space)
    assert space.bounds.shape == (2, space.dim)
    assert (space.bounds[0] < space.bounds[1]).all()
    assert len(space.model_hash) == len(hashlib.sha256().hexdigest())
    assert "/" in space.media_type


def test_prior_draws_lie_inside_the_bounds_and_repeat_with_the_seed(space: Space) -> None:
    points = space.sample_prior(500, np.random.default_rng(4))
    assert points.shape == (500, space.dim)
    assert points.dtype == np.float64
    assert (points >= space.bounds[0]).all()
    assert (points <= space.bounds[1]).all()
    assert np.array_equal(points, space.sample_prior(500, np.random.default_rng(4)))
    assert not np.array_equal(points, space.sample_prior(500, np.random.default_rng(5)))


def test_log_prior_is_a_density_that_falls_away_from_its_mode(space: Space) -> None:
    points = np.linspace(0, 1, 5)[:, None] * space.bounds[1]
    values = space.log_prior(points)
    assert values.shape == (5,)
    assert np.isfinite(values).all()
    assert (np.diff(values) < 0).all()


def test_decoding_repeats_bit_for_bit_and_does_not_depend_on_the_company(
    space: Space, rng: np.random.Generator
) -> None:
    """Otherwise a resumed campaign, or a replayed proposal, would find other objects."""
    points = space.sample_prior(70, rng)
    together = space.decode(points, rng)
    assert together == space.decode(points, rng)
    alone = [space.decode(points[i : i + 1], rng)[0] for i in (0, 1, 63, 64, 69)]
    assert alone == [together[i] for i in (0, 1, 63, 64, 69)]


def test_objects_encode_to_points_that_decode_close_to_them(
    space: Space, rng: np.random.Generator
) -> None:
    """A space whose encoder and decoder disagree would refit its model at wrong points."""
    decoded = space.decode(space.sample_prior(40, rng), rng)
    first = _encoded(space, decoded)
    points = first[~np.isnan(first).any(axis=1)]
    assert len(points) >= 30
    again = _encoded(space, space.decode(points, rng))
    moved = np.nanmedian(np.linalg.norm(again - points, axis=1))
    apart = np.median(np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1))
    assert moved < 0.8 * apart


def _encoded(space: Space, decoded: list[Decoded]) -> Points:
    """The objects' points; NaN where a decoder wrote what its encoder has no word for."""
    points = np.full((len(decoded), space.dim), np.nan)
    for row, one in zip(points, decoded, strict=True):
        if one.content is not None:
            with contextlib.suppress(SpaceError):
                row[:] = space.encode([one.content])[0]
    return points


def test_encoding_does_not_depend_on_the_company(space: Space, rng: np.random.Generator) -> None:
    contents = space.decode(space.sample_prior(9, rng), rng)
    points = _encoded(space, contents)
    good = np.flatnonzero(~np.isnan(points).any(axis=1))
    together = space.encode([contents[i].content or "" for i in good])
    assert np.array_equal(together, points[good])


def test_given_objects_are_read_as_they_would_have_been_decoded(
    space: Space, rng: np.random.Generator
) -> None:
    """An object that somebody tells must be found a duplicate of the same one decoded."""
    decoded = [d for d in space.decode(space.sample_prior(20, rng), rng) if d.valid]
    assert space.read([d.content for d in decoded if d.content is not None]) == decoded
    (wrong,) = space.read(["not-an-object!"])
    assert not wrong.valid
    assert "not-an-object!" in wrong.reason
    assert wrong.content is None


def test_valid_objects_have_keys_and_invalid_ones_reasons(
    space: Space, rng: np.random.Generator
) -> None:
    for decoded in space.decode(space.sample_prior(60, rng), rng):
        assert decoded.valid == bool(decoded.key) == (decoded.content is not None)
        assert decoded.valid == (decoded.reason == "")


def test_odd_points_never_raise(space: Space, rng: np.random.Generator) -> None:
    points = np.zeros((4, space.dim))
    points[0, 0], points[1, 0], points[2] = np.nan, np.inf, 1e6
    decoded = space.decode(points, rng)
    assert [d.valid for d in decoded[:2]] == [False, False]
    assert "not finite" in decoded[0].reason
    assert decoded[3] == space.decode(points[3:], rng)[0]


def test_points_of_a_wrong_shape_are_refused_with_both_shapes(
    space: Space, rng: np.random.Generator
) -> None:
    for points in (np.zeros((2, space.dim + 1)), np.zeros(space.dim)):
        with pytest.raises(SpaceError, match=rf"n x {space.dim}"):
            space.decode(points, rng)
        with pytest.raises(SpaceError, match=rf"n x {space.dim}"):
            space.log_prior(points)


def test_no_points_give_no_objects(space: Space, rng: np.random.Generator) -> None:
    assert space.decode(np.empty((0, space.dim)), rng) == []
    assert space.encode([]).shape == (0, space.dim)


def test_what_is_no_object_of_the_space_is_quoted(space: Space) -> None:
    for wrong in ("not-an-object!", b"\x00\x01\x02"):
        with pytest.raises(SpaceError) as error:
            space.encode([wrong])
        quoted = wrong if isinstance(wrong, str) else repr(wrong)[2:-1]
        assert quoted in str(error.value)


def test_objects_are_drawn(space: Space, rng: np.random.Generator) -> None:
    content = next(d.content for d in space.decode(space.sample_prior(9, rng), rng) if d.valid)
    assert content is not None
    picture = space.render(content)
    start = {"image/png": b"\x89PNG", "image/svg+xml": b"<?xml"}[picture.media_type]
    assert picture.data.startswith(start)
    assert picture == space.render(content)

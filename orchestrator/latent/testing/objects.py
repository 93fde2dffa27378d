"""Checks of a space's objects: keys, reading, encoding, filters, pictures."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np

from orchestrator.latent.protocol import Decoded, Points, Space, SpaceError
from orchestrator.latent.testing.bench import (
    Bench,
    drawn,
    fail,
    guarded,
    opened,
    random,
    require,
    valid,
)
from orchestrator.latent.testing.points import require_sound

STARTS = {"image/png": (b"\x89PNG",), "image/svg+xml": (b"<?xml", b"<svg")}
"""What a picture begins with, by its media type."""
WRONG = ("not-an-object!", b"\x00\x01\x02", "", "☃")


class ObjectChecks(Bench):
    """Objects: what points decode to, and what people give."""

    def test_valid_objects_have_keys_and_invalid_ones_reasons(self) -> None:
        """A candidate is shown with one of the two."""
        _, found = drawn(type(self))
        for one in found:
            require_sound(one)
        share = len(valid(type(self))) / len(found)
        reasons = sorted({one.reason for one in found if not one.valid})[:3]
        require(
            share >= self.fewest_valid,
            f"{share:.0%} of draws from the prior are valid; below {self.fewest_valid:.0%} a "
            f"campaign searches noise ({reasons}); lower fewest_valid if you know why",
        )

    def test_equal_objects_have_equal_keys(self) -> None:
        """Else a campaign pays for one object twice, or takes two for one."""
        found = valid(type(self))
        keys = {one.content: one.key for one in found}
        pairs = len(set(keys.values()))
        require(
            all(one.key == keys[one.content] for one in found) and pairs == len(keys),
            f"{len(keys)} different objects have {pairs} different keys; derive the key from the "
            "canonical form of the object alone",
        )

    def test_given_objects_are_read_as_they_would_have_been_decoded(self) -> None:
        """An object that somebody tells must be found a duplicate of the same one decoded."""
        space, found = opened(type(self)), valid(type(self))
        read = guarded("read", space.read, [one.content for one in found if one.content])
        for one, other in zip(read, found, strict=True):
            require(one == other, f"{other!r} was decoded, and is read as {one!r}")

    def test_what_is_no_object_is_refused_with_a_reason(self) -> None:
        """A typing error in a told result is named, and stops nothing else."""
        space = opened(type(self))
        for wrong in WRONG:
            (read,) = guarded(f"read of {wrong!r}", space.read, [wrong])
            require(not read.valid, f"{wrong!r} was read as a valid object")
            require_sound(read)
            try:
                space.encode([wrong])
            except SpaceError as error:
                quoted = WRONG[0] in str(error) or wrong != WRONG[0]
                require(quoted, f"encode refused {wrong!r} with {error}; quote what is wrong")
            except Exception as error:
                fail(f"encode of {wrong!r} raised {error!r}; raise SpaceError, which quotes it")
            else:
                fail(f"encode took {wrong!r}; raise SpaceError, which quotes it")

    def test_encoding_does_not_depend_on_the_company(self) -> None:
        """A surrogate refitted later must see the same points."""
        space, found = opened(type(self)), valid(type(self))
        points = encoded(space, found)
        known = np.flatnonzero(~np.isnan(points).any(axis=1))
        require(len(known), "none of the objects that it decoded can be encoded")
        contents = [content for i in known if (content := found[i].content) is not None]
        together = np.asarray(space.encode(contents))
        require(
            together.shape == (len(known), space.dim) and together.dtype == np.float64,
            f"encode of {len(known)} objects gave {together.dtype} of shape {together.shape}, not "
            f"float64 of {len(known)} x {space.dim}",
        )
        require(np.isfinite(together).all(), "encode gave what is not finite")
        same = np.array_equal(together, points[known])
        require(same, "objects encode differently together and alone; use blocks of one size")

    def test_objects_encode_to_points_that_decode_close_to_them(self) -> None:
        """A space whose encoder and decoder disagree would refit its model at wrong points."""
        space = opened(type(self))
        points = encoded(space, valid(type(self))[:40])
        points = points[~np.isnan(points).any(axis=1)]
        require(len(points) > 2, f"{len(points)} of the objects drawn can be encoded; too few")
        again = encoded(space, space.decode(points, random()))
        kept = ~np.isnan(again).any(axis=1)
        require(kept.any(), "no object comes back from encoding and decoding")
        moved = np.median(np.linalg.norm(again[kept] - points[kept], axis=1))
        apart = np.median(np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1))
        require(
            moved < self.drift * apart,
            f"objects come back from decoding and encoding {moved:.3g} away, while different ones "
            f"are {apart:.3g} apart: encode and decode do not belong together",
        )

    def test_filters_say_yes_or_no(self) -> None:
        """A spec may ask for them by name."""
        space, found = opened(type(self)), valid(type(self))
        for name, passes in space.filters.items():
            for one in found[:5]:
                answer = guarded(f"filter {name!r}", passes, one.content or "")
                require(answer in (True, False), f"filter {name!r} gave {answer!r}, no bool")

    def test_objects_are_drawn(self) -> None:
        """Reports show each candidate."""
        space = opened(type(self))
        for one in valid(type(self))[:3]:
            picture = guarded("render", space.render, one.content or "")
            starts = STARTS.get(picture.media_type)
            kinds = " or ".join(STARTS)
            require(starts, f"render gave {picture.media_type!r}; reports show {kinds}")
            right = starts and picture.data.startswith(starts)
            require(right, f"render gave no {picture.media_type}: {picture.data[:20]!r}")
            require(picture == space.render(one.content or ""), "render gave two pictures of one")


def encoded(space: Space, decoded: Sequence[Decoded]) -> Points:
    """The objects' points, each encoded alone; NaN where one has no point of its own.

    A decoder may write what its encoder has no word for.
    """
    points = np.full((len(decoded), space.dim), np.nan)
    for row, one in zip(points, decoded, strict=True):
        if one.content is not None:
            with contextlib.suppress(SpaceError):
                row[:] = space.encode([one.content])[0]
    return points

"""Our own spaces pass the kit that we ship, and broken ones fail it with a word that helps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestrator.latent import gaussian, registry
from orchestrator.latent.protocol import Decoded, Points, Rendering, Space, SpaceError
from orchestrator.latent.testing import SpaceConformance


class TestAutomata(SpaceConformance):
    def space(self) -> Space:
        return registry.open_space("automata")


class TestDigits(SpaceConformance):
    def space(self) -> Space:
        return registry.open_space("digits")


class TestMolecules(SpaceConformance):
    def space(self) -> Space:
        return registry.open_space("molecules")


class Words(gaussian.NormalPrior):
    """A sound space of one coordinate, whose objects are its tenths as text."""

    sample_kind = "word"
    media_type = "text/plain"
    dim = 1
    bounds = gaussian.box(3.0, 1)
    model_hash = hashlib.sha256(b"").hexdigest()
    filters: Mapping[str, Callable[[str | bytes], bool]] = {"positive": lambda one: float(one) > 0}

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        return [self.one(point) for point in gaussian.check_points(points, 1)[:, 0].tolist()]

    def one(self, value: float) -> Decoded:
        if not abs(value) < 1e3:
            return Decoded(None, "", False, "too far out")
        return Decoded(f"{value:.1f}", f"{value:.1f}", True)

    def read(self, objects: Sequence[str | bytes]) -> list[Decoded]:
        return [self._read(item) for item in objects]

    def _read(self, item: str | bytes) -> Decoded:
        try:
            return self.one(float(item))
        except ValueError:
            return Decoded(None, "", False, f"no number: {item!r}")

    def encode(self, objects: Sequence[str | bytes]) -> Points:
        read = self.read(objects)
        for one in read:
            if one.content is None:
                raise SpaceError(one.reason)
        return np.array([[float(one.content or 0)] for one in read]).reshape(-1, 1)

    def render(self, content: str | bytes) -> Rendering:
        return Rendering("image/svg+xml", f"<svg><text>{content!r}</text></svg>".encode())


class TestWords(SpaceConformance):
    def space(self) -> Space:
        return Words()


class Drawing(Words):
    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        return super().decode(points + rng.normal(size=np.shape(points)), rng)


class Sociable(Words):
    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        return super().decode(points + len(points), rng)


class Raising(Words):
    def one(self, value: float) -> Decoded:
        return Decoded(f"{int(value * 10) / 10}", f"{int(value * 10) / 10}", True)


class Keyless(Words):
    def one(self, value: float) -> Decoded:
        found = super().one(value)
        return replace(found, key="same") if found.valid else found


class Spelling(Words):
    def _read(self, item: str | bytes) -> Decoded:
        found = super()._read(item)
        return replace(found, key=f" {found.key}") if found.valid else found


class Silent(Words):
    def one(self, value: float) -> Decoded:
        return super().one(value) if abs(value) < 1e3 else Decoded(None, "", False)


class Backwards(Words):
    def encode(self, objects: Sequence[str | bytes]) -> Points:
        return np.asarray(5 - super().encode(objects))


class Elsewhere(Words):
    def log_prior(self, points: Points) -> NDArray[np.float64]:
        return np.asarray(-super().log_prior(points))


class Broadcasting(Words):
    def log_prior(self, points: Points) -> NDArray[np.float64]:
        return gaussian.log_density(points)


class Restless(Words):
    def __init__(self) -> None:
        self.model_hash = hashlib.sha256(str(id(self)).encode()).hexdigest()


class Photographing(Words):
    def render(self, content: str | bytes) -> Rendering:
        return Rendering("image/jpeg", b"")


@pytest.mark.parametrize(
    ("broken", "check", "said"),
    [
        (Drawing, "decoding_does_not_depend_on_the_company", "a function of the point alone"),
        (Sociable, "decoding_does_not_depend_on_the_company", "in reverse order|as 1 of 70"),
        (Raising, "odd_points_never_raise", "raised ValueError"),
        (Keyless, "equal_objects_have_equal_keys", "have 1 different keys"),
        (Spelling, "given_objects_are_read", "is read as"),
        (Silent, "odd_points_never_raise", "invalid without a reason"),
        (Backwards, "objects_encode_to_points", "do not belong together"),
        (Elsewhere, "log_prior_is_that_of_the_draws", "not the density"),
        (Broadcasting, "points_of_a_wrong_shape", "raise SpaceError"),
        (Restless, "the_model_has_one_hash", "differs between two instances"),
        (Photographing, "objects_are_drawn", "reports show image/png"),
    ],
)
def test_a_broken_space_fails_with_a_word_that_helps(
    broken: Callable[[], Any], check: str, said: str
) -> None:
    """Whoever writes a space finds the mistake by the message."""

    class Kit(SpaceConformance):
        def space(self) -> Space:
            made: Space = broken()
            return made

    (name,) = [one for one in dir(Kit) if one.startswith(f"test_{check}")]
    with pytest.raises(pytest.fail.Exception, match=said):
        getattr(Kit(), name)()

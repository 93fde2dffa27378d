"""What the checks of the kit share: the space on the bench, and what was drawn from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from typing import NoReturn, ParamSpec, TypeVar

import numpy as np
import pytest

from orchestrator.latent.protocol import Decoded, Points, Space

P = ParamSpec("P")
T = TypeVar("T")


class Bench(ABC):
    """Supplies the space; each test of the kit decodes or encodes a few points of it."""

    draws: int = 70
    """Points drawn from the prior: more than one block of those that a network sees at once."""
    fewest_valid: float = 0.5
    """Share of these that decode to something valid, at least."""
    drift: float = 0.8
    """How far an object may come back from decoding and encoding, in distances between objects."""

    @abstractmethod
    def space(self) -> Space:
        """A new instance each time, as after a restart."""


@cache
def opened(supply: type[Bench]) -> Space:
    """One instance for all tests of a class: weights are read once."""
    return supply().space()


@cache
def drawn(supply: type[Bench]) -> tuple[Points, tuple[Decoded, ...]]:
    """Points from the prior, and what they decode to together."""
    space = opened(supply)
    points = guarded("sample_prior", space.sample_prior, supply.draws, random())
    points.setflags(write=False)
    return points, tuple(guarded("decode", space.decode, points, random()))


def valid(supply: type[Bench]) -> list[Decoded]:
    """The valid ones among what was drawn, with content."""
    return [one for one in drawn(supply)[1] if one.valid and one.content is not None]


def random() -> np.random.Generator:
    """The same generator each time."""
    return np.random.default_rng(20261121)


def fail(message: str) -> NoReturn:
    """Fail the test with a message that says what is wrong and what would be right."""
    pytest.fail(message, pytrace=False)


def require(condition: object, message: str) -> None:
    """Fail the test with this message unless the condition holds."""
    if not condition:
        fail(message)


def guarded(what: str, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of an act during which nothing may be raised."""
    try:
        return act(*args, **kwargs)
    except Exception as error:
        fail(f"{what} raised {type(error).__name__}: {error}; it must not raise")

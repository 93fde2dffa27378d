"""A surrogate knows that a value beyond a detection limit lies beyond it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from orchestrator.objective import Outcome
from orchestrator.spec.objective import Clip, Gaussian, Identity, NegLog
from orchestrator.surrogates.censoring import _beyond
from orchestrator.surrogates.gp import GPSurrogate
from orchestrator.surrogates.protocol import Data

BOUNDS = np.array([[0.0], [1.0]])
X = np.linspace(0, 1, 15).reshape(-1, 1)


def truth(x: np.ndarray) -> np.ndarray:
    """A peak that rises far above what the instrument can show."""
    return 2 * np.exp(-(((x - 0.5) / 0.2) ** 2))


def data(limit: float = 1.0, *, censored: bool = True, sign: float = 1.0) -> Data:
    values = sign * truth(X)
    beyond = sign * values > limit
    shown = np.where(beyond, sign * limit, values)
    sides = np.where(beyond, sign, 0.0) if censored else None
    return Data(X, shown, np.full_like(X, np.nan), ("y",), sides)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_it_predicts_beyond_the_limit_and_nearer_to_the_truth(sign: float) -> None:
    """On either side; taken for exact values, the limits hide the peak."""
    exact = GPSurrogate().fit(data(censored=False, sign=sign), BOUNDS, None)
    aware = GPSurrogate().fit(data(sign=sign), BOUNDS, None)
    peak = np.array([[0.5]])
    assert sign * aware.predict(peak)[0][0, 0] > 1.3
    assert sign * exact.predict(peak)[0][0, 0] < 1.2
    inside = np.linspace(0, 1, 101).reshape(-1, 1)
    errors = [
        np.abs(fit.predict(inside)[0] - sign * truth(inside)).mean() for fit in (exact, aware)
    ]
    assert errors[1] < 0.8 * errors[0]
    # It is less sure of what it has not seen.
    assert aware.predict(peak)[1][0, 0] > 2 * exact.predict(peak)[1][0, 0]


def test_a_stored_fit_comes_back_bit_for_bit() -> None:
    fit = GPSurrogate().fit(data(), BOUNDS, None)
    again = GPSurrogate().restore(json.loads(json.dumps(fit.state)), data(), BOUNDS)
    points = np.random.default_rng(1).uniform(size=(20, 1))
    for one, other in zip(fit.predict(points), again.predict(points), strict=True):
        assert one.tobytes() == other.tobytes()
    warm = GPSurrogate().fit(data(), BOUNDS, fit.state)
    assert warm.state["full"] == fit.state["full"]


def test_data_without_limits_are_what_they_were() -> None:
    """Histories that were written before replay to the same hash."""
    plain = data(censored=False)
    assert plain.hash == data(limit=9).hash or data(limit=9).sides is not None
    assert plain.hash != data().hash
    with pytest.raises(ValueError, match="sides"):
        Data(X, X, X, ("y",), np.zeros((2, 1)))


@pytest.mark.parametrize("edge", [-8.0, -1.0, 0.0, 3.0])
def test_the_moments_are_those_of_draws_that_are_cut_off(edge: float) -> None:
    """Against numerical integration, far in the tail too."""
    grid = np.linspace(min(edge, 0) - 12, edge, 400_001)
    weights = np.exp(-0.5 * (grid**2 - edge**2 if edge < 0 else grid**2))
    weights /= weights.sum()
    mean = float((weights * grid).sum())
    variance = float((weights * (grid - mean) ** 2).sum())
    zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    for side in (-1.0, 1.0):
        limit = torch.tensor([-side * edge], dtype=torch.float64)
        moment, spread = _beyond(zero, one, limit, side * one)
        assert float(moment) == pytest.approx(-side * mean, rel=1e-4, abs=1e-4)
        assert float(spread) == pytest.approx(variance, rel=1e-3, abs=1e-5)


def test_a_transform_turns_the_side_where_it_falls() -> None:
    assert Outcome("y", Identity(kind="identity")).side(2.0, 1) == 1
    assert Outcome("y", NegLog(kind="neg_log")).side(2.0, 1) == -1
    assert Outcome("y", Clip(kind="clip", lower=0, upper=1)).side(2.0, 1) == 0
    assert Outcome("y", Gaussian(kind="gaussian", mean=0, std=1)).side(2.0, 1) == 0

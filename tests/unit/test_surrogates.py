"""If these fail, predictions are wrong, or a stored fit gives another posterior than it did."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import gpytorch
import numpy as np
import pytest
import torch
from botorch.models import SingleTaskGP
from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.priors import LogNormalPrior

from orchestrator.surrogates.evidence import Hyperparameters, log_posterior, typical
from orchestrator.surrogates.gp import GPSurrogate
from orchestrator.surrogates.protocol import Data, Floats, Surrogate

BOUNDS = np.array([[-2.0, 0.0, -1.0], [2.0, 5.0, 1.0]])


def data(n: int = 30, *, scale: float = 1.0, columns: int = 2, std: float = np.nan) -> Data:
    points = np.random.default_rng(3).uniform(BOUNDS[0], BOUNDS[1], (n, 3))
    smooth = np.sin(points[:, 0]) + 0.3 * points[:, 1] * points[:, 2]
    values = scale * np.stack([smooth, points[:, 1] ** 2], axis=1)[:, :columns]
    return Data(points, values, np.full(values.shape, std), ("a", "b")[:columns])


def predicted(found: Data, at: Floats, previous: dict[str, Any] | None = None) -> Floats:
    return np.stack(GPSurrogate().fit(found, BOUNDS, previous).predict(at))


def test_it_is_a_surrogate() -> None:
    assert isinstance(GPSurrogate(), Surrogate)


def test_it_learns_a_smooth_function_and_knows_how_well() -> None:
    held_out = np.random.default_rng(4).uniform(BOUNDS[0], BOUNDS[1], (200, 3))
    truth = np.sin(held_out[:, 0]) + 0.3 * held_out[:, 1] * held_out[:, 2]
    mean, std = predicted(data(80), held_out)[:, :, 0]
    assert np.sqrt(np.mean((mean - truth) ** 2)) < 0.1 * truth.std()
    assert 0.8 < np.mean(np.abs(mean - truth) < 2 * std) <= 1.0


def test_evidence_and_its_gradient_agree_with_gpytorch() -> None:
    x = torch.tensor(np.random.default_rng(0).uniform(size=(25, 3)))
    y = torch.sin(4 * x.sum(-1))
    theta = np.log([0.3, 0.8, 1.5, 0.02])
    none = torch.zeros(25, dtype=torch.float64)
    value, slope, mean = log_posterior(theta, x, y, none)
    numeric = [
        (log_posterior(theta + h, x, y, none)[0] - log_posterior(theta - h, x, y, none)[0]) / 2e-6
        for h in 1e-6 * np.eye(4)
    ]
    assert slope == pytest.approx(numeric, rel=1e-5)

    kernel = get_covar_module_with_dim_scaled_prior(3, use_rbf_kernel=False)
    likelihood = GaussianLikelihood(noise_prior=LogNormalPrior(-6.0, 2.0))
    model = SingleTaskGP(
        x, y[:, None], covar_module=kernel, likelihood=likelihood, outcome_transform=None
    ).double()
    model.covar_module.lengthscale = torch.tensor(np.exp(theta[:-1]))
    model.likelihood.noise = torch.tensor(np.exp(theta[-1:]))
    model.mean_module.constant.data.fill_(mean)
    model.train()
    evidence = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)
    theirs = evidence(model(x), y).item() * 25
    # They count the constants of the normal densities: of the data, and of the four priors.
    constants = (25 + 4) / 2 * math.log(2 * math.pi) + 3 * math.log(math.sqrt(3)) + math.log(2)
    assert value == pytest.approx(theirs + constants)


def test_the_posterior_agrees_with_gpytorch() -> None:
    found = data(20, columns=1)
    fit = GPSurrogate().fit(found, BOUNDS, None)
    hyper = fit.state["outcomes"]["a"]
    kernel = get_covar_module_with_dim_scaled_prior(3, use_rbf_kernel=False)
    spread = found.values.std()
    x = (found.points - BOUNDS[0]) / (BOUNDS[1] - BOUNDS[0])
    y = (found.values - found.values.mean()) / spread
    theirs = SingleTaskGP(
        torch.tensor(x), torch.tensor(y), covar_module=kernel, outcome_transform=None
    ).double()
    theirs.covar_module.lengthscale = torch.tensor(hyper["lengthscales"])
    theirs.likelihood.noise = torch.tensor([hyper["noise"]])
    theirs.mean_module.constant.data.fill_(hyper["mean"])
    at = np.random.default_rng(5).uniform(BOUNDS[0], BOUNDS[1], (4, 3, 3))
    expected = theirs.posterior(torch.tensor((at - BOUNDS[0]) / (BOUNDS[1] - BOUNDS[0])))
    ours = fit.model.posterior(torch.tensor(at))
    assert torch.allclose(ours.mean, found.values.mean() + spread * expected.mean)  # type: ignore[attr-defined]
    (single,) = ours.posteriors  # type: ignore[attr-defined]
    assert torch.allclose(
        single.distribution.covariance_matrix,
        spread**2 * expected.distribution.covariance_matrix,  # type: ignore[union-attr]
        atol=1e-9,
    )


def test_worlds_are_conditioned_each_on_its_own_values() -> None:
    (model,) = GPSurrogate().fit(data(20, columns=1), BOUNDS, None).model.models
    at = torch.tensor(np.random.default_rng(6).uniform(BOUNDS[0], BOUNDS[1], (2, 3)))
    results = torch.tensor([[[0.1], [0.2]], [[-1.0], [1.0]], [[0.0], [0.5]]], dtype=torch.float64)
    together = model.condition_on_observations(at, results)  # type: ignore[operator]
    assert together.batch_shape == (3,)
    tests = torch.tensor(np.random.default_rng(7).uniform(BOUNDS[0], BOUNDS[1], (5, 3, 2, 3)))
    joint, shared = together.posterior(tests), together.posterior(tests[:, :1])
    for world in range(3):
        alone = model.condition_on_observations(at, results[world])  # type: ignore[operator]
        assert torch.allclose(joint.mean[:, world], alone.posterior(tests[:, world]).mean)
        assert torch.allclose(shared.mean[:, world], alone.posterior(tests[:, 0]).mean)
        assert torch.allclose(shared.variance[:, world], alone.posterior(tests[:, 0]).variance)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_units_do_not_matter(scale: float) -> None:
    at = np.random.default_rng(8).uniform(BOUNDS[0], BOUNDS[1], (10, 3))
    assert predicted(data(scale=scale), at) / scale == pytest.approx(
        predicted(data(), at), rel=1e-3
    )


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_handful_of_points_is_enough_to_predict(n: int) -> None:
    assert np.isfinite(predicted(data(n), BOUNDS)).all()


def test_equal_values_duplicates_and_gaps_are_survived() -> None:
    base = data(20)
    points = np.concatenate([base.points, base.points[:5]])
    values = np.concatenate([base.values, base.values[:5] + 0.1])
    values[:, 1] = 0.1 * 3
    values[3, 0] = np.nan
    values[4] = np.nan
    found = predicted(Data(points, values, np.full(values.shape, np.nan), base.outcomes), BOUNDS)
    assert np.isfinite(found).all()
    assert found[0, :, 1] == pytest.approx(0.3)


def test_a_known_standard_deviation_is_believed() -> None:
    base = data(20, columns=1)
    noisy = Data(base.points, base.values, np.full(base.values.shape, 2.0), base.outcomes)
    sure, unsure = predicted(base, base.points[:5]), predicted(noisy, base.points[:5])
    assert (unsure[1] > 2 * sure[1]).all()


def test_a_warm_start_costs_few_iterations_and_a_full_fit_comes_when_the_data_have_grown() -> None:
    first = GPSurrogate().fit(data(20), BOUNDS, None)
    warm = GPSurrogate().fit(data(24), BOUNDS, first.state)
    grown = GPSurrogate().fit(data(60), BOUNDS, warm.state)
    assert [fit.state["full"] for fit in (first, warm, grown)] == [20, 20, 60]


def test_a_previous_fit_of_other_outcomes_is_not_used() -> None:
    other = GPSurrogate().fit(data(20, columns=1), BOUNDS, None)
    fresh = GPSurrogate().fit(data(20), BOUNDS, None)
    assert GPSurrogate().fit(data(20), BOUNDS, other.state).state == fresh.state


@pytest.mark.slow
def test_a_stored_fit_gives_the_same_bits_in_another_process() -> None:
    found = data(40)
    fit = GPSurrogate().fit(found, BOUNDS, None)
    stored = json.dumps(fit.state)
    code = (
        "import json, sys, numpy as np, torch; torch.set_num_threads(int(sys.argv[2]))\n"
        "from orchestrator.surrogates.gp import GPSurrogate\n"
        "from orchestrator.surrogates.protocol import Data\n"
        "read = json.loads(sys.argv[1]); f = lambda key: np.array(read[key])\n"
        "data = Data(f('points'), f('values'), np.full(f('values').shape, np.nan), ('a', 'b'))\n"
        "fit = GPSurrogate().restore(json.loads(read['state']), data, f('bounds'))\n"
        "print(json.dumps([a.tolist() for a in fit.predict(f('points') + 0.01)]))\n"
    )
    passed = {
        "points": found.points.tolist(),
        "values": found.values.tolist(),
        "bounds": BOUNDS.tolist(),
        "state": stored,
    }
    command = [sys.executable, "-c", code, json.dumps(passed), str(torch.get_num_threads())]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    here = [a.tolist() for a in fit.predict(found.points + 0.01)]
    assert json.loads(answer.stdout) == here


def test_a_state_is_refused_for_other_data() -> None:
    fit = GPSurrogate().fit(data(10), BOUNDS, None)
    with pytest.raises(ValueError, match="these data"):
        GPSurrogate().restore(fit.state, data(11), BOUNDS)


def test_the_hash_names_the_data_and_not_the_bits_of_a_nan() -> None:
    one, same, other = data(5), data(5), data(6)
    same.std[:] = -np.nan
    assert one.hash == same.hash != other.hash
    assert Data(one.points, one.values, one.std, ("b", "a")).hash != one.hash


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="n x m"):
        Data(np.zeros((2, 3)), np.zeros((2, 1)), np.zeros((2, 1)), ("a", "b"))


def test_the_prior_lengthscale_grows_with_the_dimension() -> None:
    four, one = typical(4), typical(1)
    assert isinstance(one, Hyperparameters)
    assert four.lengthscales[0] == pytest.approx(2 * one.lengthscales[0])

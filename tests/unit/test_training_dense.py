"""Dense VAEs of digits: the bounds that a card states are those of the literature."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm

from orchestrator.latent import registry
from orchestrator.latent.dense_networks import DenseVae
from orchestrator.latent.protocol import SpaceError
from orchestrator.training.data import DigitData
from orchestrator.training.digits.dense_autoencoders import DenseTask
from orchestrator.training.recipes import RECIPES
from orchestrator.training.run import train
from orchestrator.training.variational import divergence, log_ratio, sample

_RNG = np.random.default_rng(0)
IMAGES = _RNG.integers(0, 256, (40, 28, 28), dtype=np.uint8)
LABELS = np.arange(40) % 10
DATA = DigitData(IMAGES, LABELS, IMAGES, LABELS, "0" * 64)


def blank_task(name: str, latent: int, posterior_mean: float) -> DenseTask:
    """A network that decodes every point to grey 1/2, so that bounds are known exactly."""
    recipe = RECIPES[name]
    task = DenseTask(replace(recipe, network={**recipe.network, "latent": latent}), DATA)
    with torch.no_grad():
        for parameter in task.network.parameters():
            parameter.zero_()
        last = task.network.encoder[-1]
        assert isinstance(last, torch.nn.Linear)
        last.bias[:latent] = posterior_mean
    task.network.eval()
    return task


def test_the_elbo_is_the_likelihood_less_the_divergence() -> None:
    found = blank_task("digits-200", latent=3, posterior_mean=2.0).evaluate()
    blank = -(28**2) * math.log(2)
    assert found["test_kl_nats"] == pytest.approx(3 * 2.0)
    assert found["test_elbo_nats"] == pytest.approx(blank - 3 * 2.0, abs=1e-2)
    assert found["test_elbo_grey_nats"] == pytest.approx(blank - 3 * 2.0, abs=1e-2)
    assert found["active_units"] == 0


def test_importance_weights_close_the_gap_of_a_bad_posterior() -> None:
    """The decoder ignores the points: log p(x) is that of a blank page, whatever the encoder."""
    found = blank_task("digits-200", latent=1, posterior_mean=1.0).evaluate()
    assert found["test_elbo_nats"] == pytest.approx(-(28**2) * math.log(2) - 0.5, abs=1e-2)
    assert found["test_iw_bound_nats"] == pytest.approx(-(28**2) * math.log(2), abs=0.05)


def test_grey_values_are_read_as_a_normal_of_the_learned_deviation() -> None:
    task = blank_task("digits-200-gaussian", latent=2, posterior_mean=0.0)
    assert task.network.log_std is not None
    with torch.no_grad():
        task.network.log_std.fill_(math.log(0.3))
    density = norm.logpdf(IMAGES / 255, 0.5, 0.3).sum(axis=(1, 2)).mean()
    found = task.evaluate()
    assert found["std"] == pytest.approx(0.3)
    assert found["test_elbo_nats"] == pytest.approx(density, rel=1e-5)
    assert found["test_iw_bound_nats"] == pytest.approx(density, rel=1e-5)


def test_evaluation_draws_the_same_whatever_was_drawn_before() -> None:
    task = DenseTask(RECIPES["digits-200"], DATA)
    task.network.eval()
    once = task.evaluate()
    torch.manual_seed(123)
    assert task.evaluate() == once
    assert once["test_iw_bound_nats"] > once["test_elbo_nats"]


def test_divergence_and_ratio_are_those_of_normals() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.randn(2, 20_000, 3)
    points = sample(mean, log_variance)
    std = np.exp(0.5 * log_variance.numpy())
    ratio = norm.logpdf(points.numpy()) - norm.logpdf(points.numpy(), mean.numpy(), std)
    found = log_ratio(points, mean, log_variance)
    np.testing.assert_allclose(found.numpy(), ratio.sum(axis=1), rtol=1e-3, atol=1e-3)
    # The divergence is the mean of the ratio's negative.
    assert divergence(mean, log_variance).mean().item() == pytest.approx(
        -found.mean().item(), rel=0.05
    )


@pytest.mark.slow
def test_a_dense_model_opens_the_space_of_digits(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "noise.npz",
        images=IMAGES,
        labels=LABELS,
        test_images=IMAGES,
        test_labels=LABELS,
    )
    train("digits-200", data=tmp_path / "noise.npz", out=tmp_path / "own", epochs=1, cache=tmp_path)
    space = registry.open_space("digits", "own", tmp_path)
    assert space.dim == 200
    rng = np.random.default_rng(0)
    decoded = space.decode(space.sample_prior(3, rng), rng)
    assert space.encode([one.content or "" for one in decoded]).shape == (3, 200)
    with pytest.raises(SpaceError, match=r"trained for molecules; needed: digits-vae or"):
        registry.open_space("digits", "zinc-selfies")


def test_dropout_is_off_once_trained() -> None:
    network = DenseVae(latent=2, dropout=0.5).eval()
    images = torch.from_numpy(IMAGES / 255.0).float()
    torch.testing.assert_close(network.encode(images), network.encode(images))

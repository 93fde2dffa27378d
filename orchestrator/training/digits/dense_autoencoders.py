"""Training of dense VAEs of digits, and the bounds on the likelihood of images it never saw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from orchestrator.latent.dense_networks import DenseVae
from orchestrator.latent.digits import LIMIT
from orchestrator.training.data import DigitData
from orchestrator.training.digits.classifiers import BLOCK, DigitsTask
from orchestrator.training.recipes import Recipe
from orchestrator.training.variational import ACTIVE, divergence, log_ratio, sample

SAMPLES = 100
"""Of the posterior, in the importance-weighted bound."""
_SEED = 0
"""Of what is drawn on the test images."""


class DenseTask(DigitsTask):
    """Negative ELBO, in nats an image.

    ``weights``: ``binarise`` is 1 where each image is drawn anew every time it is seen, a pixel of
    grey value g being 1 with probability g, and 0 where the grey values are the data.
    """

    def __init__(self, recipe: Recipe, data: DigitData) -> None:
        super().__init__(data)
        self.recipe = recipe
        self.network = DenseVae(**recipe.network)  # type: ignore[arg-type]

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of images, one sample of the posterior each."""
        images = self.images[batch]
        if self.recipe.weights["binarise"]:
            images = torch.bernoulli(images)
        mean, log_variance = self.network.encode(images)
        points = sample(mean, log_variance)
        reconstruction = -self.network.log_likelihood(points, images).mean()
        kl = divergence(mean, log_variance).mean()
        return reconstruction + kl, {"reconstruction": reconstruction.item(), "kl": kl.item()}

    def evaluate(self) -> dict[str, Any]:
        """On the test images, always with the same draws: bounds in nats an image.

        ``test_elbo_nats`` has one sample of the posterior, ``test_iw_bound_nats`` is the
        importance-weighted bound with 100 (Burda et al. 2016, arXiv:1509.00519). Where training
        binarised, so do they, and ``test_elbo_grey_nats`` is of the grey values themselves.
        """
        rng = torch.Generator().manual_seed(_SEED)
        binarise = bool(self.recipe.weights["binarise"])
        grey = self.test_images
        with torch.inference_mode():
            images = torch.bernoulli(grey, generator=rng) if binarise else grey
            mean, log_variance = self._posterior(images)
            kl = divergence(mean, log_variance)
            found = {
                "test_elbo_nats": self._elbo(images, rng),
                "test_iw_bound_nats": self._importance_weighted(images, rng),
                "test_kl_nats": kl.mean().item(),
            }
            if binarise:
                found["test_elbo_grey_nats"] = self._elbo(grey, rng)
            if self.network.log_std is not None:
                found["std"] = self.network.log_std.exp().item()
            found["active_units"] = int((mean.var(dim=0) > ACTIVE).sum())
            found["test_means_inside_box"] = (mean.abs() <= LIMIT).all(dim=1).double().mean().item()
            return found

    def _posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        means, log_variances = zip(
            *map(self.network.encode, torch.split(images, BLOCK)), strict=True
        )
        return torch.cat(means), torch.cat(log_variances)

    def _elbo(self, images: Tensor, rng: torch.Generator) -> float:
        total = 0.0
        for block in torch.split(images, BLOCK):
            mean, log_variance = self.network.encode(block)
            likelihood = self.network.log_likelihood(sample(mean, log_variance, rng), block)
            total += (likelihood - divergence(mean, log_variance)).sum().item()
        return total / len(images)

    def _importance_weighted(self, images: Tensor, rng: torch.Generator) -> float:
        total = 0.0
        for block in torch.split(images, BLOCK // SAMPLES):
            block = block.repeat_interleave(SAMPLES, dim=0)
            mean, log_variance = self.network.encode(block)
            points = sample(mean, log_variance, rng)
            weights = self.network.log_likelihood(points, block)
            weights = (weights + log_ratio(points, mean, log_variance)).view(-1, SAMPLES)
            total += (weights.logsumexp(dim=1) - math.log(SAMPLES)).sum().item()
        return total / len(images)

    def card(self) -> Mapping[str, Any]:
        """The network's arguments."""
        return {"network": dict(self.recipe.network)}

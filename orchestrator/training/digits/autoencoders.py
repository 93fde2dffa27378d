"""Training of the plane of digits: a convolutional VAE, alone or with a head on the latent mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from orchestrator.latent.digit_networks import SPREAD, DigitVae
from orchestrator.training.data import DigitData
from orchestrator.training.digits.classifiers import BLOCK, DigitsTask
from orchestrator.training.recipes import Recipe
from orchestrator.training.variational import divergence, sample


class AutoencoderTask(DigitsTask):
    """Negative ELBO, and the loss of the head on the latent mean, weighted by the recipe.

    ``weights``: ``vae`` for the negative ELBO in nats an image (Bernoulli likelihood on grey
    values), ``predictor`` for the head: the cross entropy in nats an image of a classifier, or the
    squared error of a regressor of the digit as a number, in variances of the digits.
    """

    def __init__(self, recipe: Recipe, data: DigitData) -> None:
        super().__init__(data)
        self.recipe = recipe
        self.network = DigitVae(**recipe.network)  # type: ignore[arg-type]

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of images, one sample of the posterior each."""
        images = self.images[batch]
        mean, log_variance = self.network.encode(images)
        reconstruction = reconstruction_nats(
            self.network.decode(sample(mean, log_variance)), images
        )
        kl = divergence(mean, log_variance).mean()
        terms = {"reconstruction": reconstruction, "kl": kl}
        loss = self.recipe.weights["vae"] * (reconstruction + kl)
        if self.network.head_kind != "none":
            terms["predictor"] = self._head_loss(mean, self.labels[batch])
            loss = loss + self.recipe.weights["predictor"] * terms["predictor"]
        return loss, {name: term.item() for name, term in terms.items()}

    def _head_loss(self, mean: Tensor, labels: Tensor) -> Tensor:
        read = self.network.predict(mean)
        if self.network.head_kind == "classifier":
            return functional.cross_entropy(read, labels)
        return functional.mse_loss(read[:, 0], labels.float()) / (SPREAD * SPREAD)

    def evaluate(self) -> dict[str, Any]:
        """On the test images: the head, the share of means in the box, the terms of the ELBO."""
        means, read, totals = [], [], np.zeros(2)
        with torch.inference_mode():
            for start in range(0, len(self.test_images), BLOCK):
                images = self.test_images[start : start + BLOCK]
                mean, log_variance = self.network.encode(images)
                means.append(mean)
                read.append(self.network.predict(mean))
                reconstruction = functional.binary_cross_entropy_with_logits(
                    self.network.decode(mean), images, reduction="sum"
                )
                kl = divergence(mean, log_variance).sum()
                totals += reconstruction.item(), kl.item()
        inside = (torch.cat(means).abs() <= 4).all(dim=1).double().mean().item()
        reconstruction_nats, kl_nats = totals / len(self.test_images)
        return {
            **self._head_figures(torch.cat(read)),
            "test_means_inside_box": inside,
            "test_reconstruction_nats": float(reconstruction_nats),
            "test_kl_nats": float(kl_nats),
        }

    def _head_figures(self, read: Tensor) -> dict[str, float]:
        labels = self.test_labels
        match self.network.head_kind:
            case "classifier":
                right = (read.argmax(dim=1) == labels).double().mean()
                return {"test_head_accuracy": right.item()}
            case "regressor":
                error = ((read[:, 0].double() - labels) ** 2).mean()
                return {"test_head_r2": (1 - error / labels.double().var(correction=0)).item()}
            case "none":
                return {}

    def card(self) -> Mapping[str, Any]:
        """The network's arguments."""
        return {"network": dict(self.recipe.network)}


def reconstruction_nats(logits: Tensor, images: Tensor) -> Tensor:
    """Cross entropy of grey images ``n x 1 x 28 x 28``, the sum over pixels, the mean over images.

    ``logits`` of the grey values have the same shape.
    """
    total = functional.binary_cross_entropy_with_logits(logits, images, reduction="sum")
    return total / len(images)

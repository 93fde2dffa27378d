"""Training of what campaigns over digits are compared with: models that are told the labels.

A conditional VAE (Sohn et al. 2015), and latent constraints (Engel et al. 2018, arXiv:1711.05772)
in the space that campaigns search.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from adapters.mnist_classifier.network import load
from orchestrator.latent import registry
from orchestrator.latent.asked_digits import Maker, conditional, constrained, frozen_space
from orchestrator.latent.constraint_networks import LatentConstraints
from orchestrator.latent.digit_networks import CLASSES, ConditionalDigitVae
from orchestrator.latent.digits import DEFAULT_MODEL
from orchestrator.training.data import DigitData
from orchestrator.training.digits.autoencoders import reconstruction_nats
from orchestrator.training.digits.classifiers import (
    BLOCK,
    SECOND,
    DigitsTask,
    load_second_classifier,
)
from orchestrator.training.recipes import Recipe
from orchestrator.training.variational import divergence, sample

DRAWS = 100
"""From the prior for each digit, in the evaluation."""
_SEED = 0
"""Of what the evaluation draws."""


class ConditionalTask(DigitsTask):
    """Negative ELBO of the images given their digits, in nats an image.

    The likelihood is a Bernoulli one of grey values, as in the planes without labels.
    """

    def __init__(self, recipe: Recipe, data: DigitData) -> None:
        super().__init__(data)
        self.recipe = recipe
        self.network = ConditionalDigitVae(**recipe.network)  # type: ignore[arg-type]

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of images, one sample of the posterior each."""
        reconstruction, kl = self._terms(self.images[batch], self.labels[batch])
        return reconstruction + kl, {"reconstruction": reconstruction.item(), "kl": kl.item()}

    def _terms(
        self, images: Tensor, digits: Tensor, rng: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.network.encode(images, digits)
        logits = self.network.decode(sample(mean, log_variance, rng), digits)
        return reconstruction_nats(logits, images), divergence(mean, log_variance).mean()

    def evaluate(self) -> dict[str, Any]:
        """On test images the ELBO with one sample a posterior; of prior draws what they show."""
        rng = torch.Generator().manual_seed(_SEED)
        totals = np.zeros(2)
        with torch.inference_mode():
            for part in torch.split(torch.arange(len(self.test_images)), BLOCK):
                terms = self._terms(self.test_images[part], self.test_labels[part], rng)
                totals += len(part) * np.array([term.item() for term in terms])
        reconstruction, kl = totals / len(self.test_images)
        return {
            "test_elbo_nats": -float(reconstruction + kl),
            "test_kl_nats": float(kl),
            **read_as_asked(conditional(self.network), self.network.latent),
        }

    def card(self) -> Mapping[str, Any]:
        """The network's arguments."""
        return {"network": dict(self.recipe.network)}


class ConstraintsTask(DigitsTask):
    """Cross entropies of the critic and of the actor, in nats a point, learned at once.

    The critic is to say yes to encoded images with their digit, and no to encoded images with
    another one, to draws from the prior, and to what the actor makes of these. The actor is to be
    told yes. ``weights``: ``distance`` for the actor's penalty on the log of one plus the squared
    distance that it moves a draw.
    """

    def __init__(self, recipe: Recipe, data: DigitData) -> None:
        super().__init__(data)
        self.recipe = recipe
        self.network = LatentConstraints(**recipe.network)  # type: ignore[arg-type]
        self._space = frozen_space(DEFAULT_MODEL)
        self._means, self._log_variances = self._posteriors(self.images)

    def _posteriors(self, images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            parts = [self._space.encode(block) for block in torch.split(images, BLOCK)]
        means, log_variances = zip(*parts, strict=True)
        return torch.cat(means), torch.cat(log_variances)

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of encoded images, and as many draws from the prior."""
        digits = self.labels[batch]
        encoded = sample(self._means[batch], self._log_variances[batch])
        drawn = torch.randn_like(encoded)
        asked = torch.randint(CLASSES, digits.shape)
        moved = self.network.move(drawn, asked)
        judge = self.network.judge
        refused = torch.stack(
            [
                _cross_entropy(judge(encoded, _others(digits)), 0),
                _cross_entropy(judge(drawn, asked), 0),
                _cross_entropy(judge(moved.detach(), asked), 0),
            ]
        )
        critic = _cross_entropy(judge(encoded, digits), 1) + refused.mean()
        actor = _cross_entropy(self.network.advise(moved, asked), 1)
        distance = torch.log1p(((moved - drawn) ** 2).sum(dim=1)).mean()
        terms = {"critic": critic, "actor": actor, "distance": distance}
        loss = critic + actor + self.recipe.weights["distance"] * distance
        return loss, {name: term.item() for name, term in terms.items()}

    def evaluate(self) -> dict[str, Any]:
        """What the critic says of test images, and what draws show once they are moved.

        ``test_accepted`` and ``test_refused`` are shares of encoded test images with their digit
        and with another one.
        """
        torch.manual_seed(_SEED)
        with torch.inference_mode():
            means, _ = self._posteriors(self.test_images)
            right = self.network.judge(means, self.test_labels) > 0
            wrong = self.network.judge(means, _others(self.test_labels)) < 0
        return {
            **read_as_asked(constrained(self.network, self._space), self.network.latent),
            "test_accepted": right.double().mean().item(),
            "test_refused": wrong.double().mean().item(),
        }

    def card(self) -> Mapping[str, Any]:
        """The network's arguments, and the space that its points are of."""
        card, _ = registry.load(DEFAULT_MODEL)
        space = {"space": DEFAULT_MODEL, "space_sha256": card["weights_sha256"]}
        return {"network": dict(self.recipe.network), **space}


def read_as_asked(make: Maker, latent: int) -> dict[str, Any]:
    """Shares of images made from prior draws that a classifier reads as the digit asked for.

    The classifier is the second one, which no campaign asks. Its weights lie with the benchmarks
    and not in the package; where they are not at hand, it is the evaluator. ``read_by`` says which.
    """
    rng = torch.Generator().manual_seed(_SEED)
    digits = torch.arange(CLASSES).repeat_interleave(DRAWS)
    with torch.inference_mode():
        _, images = make(torch.randn(len(digits), latent, generator=rng), digits)
    second = SECOND.exists()
    classifier = load_second_classifier(SECOND) if second else load()
    classes = classifier.probabilities(images.numpy()).argmax(axis=1)
    right = (classes == digits.numpy()).reshape(CLASSES, DRAWS).mean(axis=1)
    return {
        "read_as_asked": float(right.mean()),
        "read_as_asked_by_digit": {str(digit): float(one) for digit, one in enumerate(right)},
        "read_by": "digits-cnn-second" if second else "digits-cnn",
    }


def _others(digits: Tensor) -> Tensor:
    """For each digit another one, all nine alike."""
    return (digits + torch.randint(1, CLASSES, digits.shape)) % CLASSES


def _cross_entropy(logits: Tensor, truth: int) -> Tensor:
    return functional.binary_cross_entropy_with_logits(
        logits, torch.full_like(logits, float(truth))
    )

"""Training of the adversarial autoencoder of SMILES (Makhzani et al. 2015, arXiv:1511.05644).

A discriminator learns to tell the encoder's points from draws from the prior; the encoder learns to
reconstruct and to be taken for the prior. No divergence is computed, and no point is sampled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from orchestrator.training.recipes import Recipe
from orchestrator.training.smiles.autoencoders import SmilesTask
from orchestrator.training.smiles.data import SmilesData
from orchestrator.training.trainer import rate

_WIDTH = 512


class Discriminator(nn.Module):
    """Tells points from draws of the prior, by their coordinates and the squares of these.

    The prior's mass lies on a shell; from the coordinates alone a network learns that late.
    """

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * latent, _WIDTH),
            nn.LeakyReLU(0.2),
            nn.Linear(_WIDTH, _WIDTH),
            nn.LeakyReLU(0.2),
            nn.Linear(_WIDTH, 1),
        )

    def forward(self, points: Tensor) -> Tensor:
        """Logit that points ``n x d`` are of the prior, ``n x 1``."""
        logits: Tensor = self.layers(torch.cat([points, points**2 - 1], dim=1))
        return logits


class AdversarialTask(SmilesTask):
    """Reconstruction, and how clearly the discriminator sees that points are not of the prior.

    ``weights``: ``adversarial`` for the latter in nats; ``discriminator_rate``, the discriminator's
    own learning rate at its peak. The discriminator takes its step before each of the
    autoencoder's. It is part of the training, not of the model.
    """

    def __init__(self, recipe: Recipe, data: SmilesData) -> None:
        super().__init__(recipe, data)
        self.discriminator = Discriminator(self.network.latent)
        self._optimiser = torch.optim.Adam(
            self.discriminator.parameters(),
            lr=recipe.weights["discriminator_rate"],
            # Less momentum than usual, since its opponent moves (Radford et al. 2016).
            betas=(0.5, 0.999),
        )

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of molecules, after a step of the discriminator on the same batch."""
        points, _ = self.network.encode(self.tokens[batch])
        for group in self._optimiser.param_groups:
            # Slower as the autoencoder gets slower, or the discriminator wins in the last epochs.
            group["lr"] = self.recipe.weights["discriminator_rate"] * rate(done)
        discriminator = self._step(points.detach())
        reconstruction = self._reconstruction(points, batch)
        adversarial = _entropy(self.discriminator(points), of_prior=True)
        loss = reconstruction + self.recipe.weights["adversarial"] * adversarial
        return loss, {
            "reconstruction": reconstruction.item(),
            "adversarial": adversarial.item(),
            "discriminator": discriminator,
        }

    def _step(self, points: Tensor) -> float:
        # This also drops the gradients that the autoencoder's last step left.
        self._optimiser.zero_grad(set_to_none=True)
        drawn = torch.randn_like(points)
        loss = 0.5 * (
            _entropy(self.discriminator(points), of_prior=False)
            + _entropy(self.discriminator(drawn), of_prior=True)
        )
        if torch.is_grad_enabled():  # not where the loss is only looked at
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
        return loss.item()

    def evaluate(self) -> dict[str, Any]:
        """As of the others, and how well points match the prior.

        Those of training molecules say how well the training did what it is for; those of held-out
        scaffolds have also moved away from these.
        """
        from orchestrator.training.smiles.metrics import means, two_sample_accuracy

        found = super().evaluate()
        share = self.training[:: max(1, len(self.training) // len(self.held_out))]
        for of, rows in (("held_out", self.held_out), ("training", share)):
            points = means(self.network, self.data.tokens[rows])
            found[f"prior_match_accuracy_{of}"] = two_sample_accuracy(points, self.recipe.seed)
        return found

    def state_dict(self) -> dict[str, Any]:
        """The discriminator and its optimiser."""
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with that discriminator."""
        self.discriminator.load_state_dict(state["discriminator"])
        self._optimiser.load_state_dict(state["optimiser"])


def _entropy(logits: Tensor, *, of_prior: bool) -> Tensor:
    truth = torch.full_like(logits, float(of_prior))
    return functional.binary_cross_entropy_with_logits(logits, truth)

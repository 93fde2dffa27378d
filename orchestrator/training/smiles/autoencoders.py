"""Training of autoencoders of one-hot SMILES: plain, variational, with a property head."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from orchestrator.latent.protocol import SpaceError
from orchestrator.latent.smiles_networks import SmilesAutoencoder
from orchestrator.training.recipes import Recipe
from orchestrator.training.smiles.data import SmilesData
from orchestrator.training.variational import divergence, sample


class SmilesTask:
    """Reconstruction in nats a molecule, and what the recipe's weights add to it.

    ``weights``: ``kl`` for the divergence from the prior in nats, reached after the share
    ``warm_up`` of the training; ``property`` for the head, whose loss is the squared error of
    standardised QED and the cross entropy of each outcome over those molecules for which it was
    measured, in nats, averaged over the outcomes. The head reads the posterior's sample, so that
    what it needs must stand out of the posterior's noise.
    """

    def __init__(self, recipe: Recipe, data: SmilesData) -> None:
        self.recipe = recipe
        self.data = data
        self.data_sha256 = data.sha256
        self.training, self.held_out = data.split()
        self.outcome_names = data.outcome_names if "property" in recipe.weights else ()
        self._arguments: dict[str, Any] = {
            "vocabulary": len(data.alphabet),
            "length": data.tokens.shape[1],
            **recipe.network,
            "outcomes": len(self.outcome_names),
        }
        self.network = SmilesAutoencoder(**self._arguments)
        self.tokens = torch.from_numpy(data.tokens.astype(np.int64))
        self.lengths = torch.from_numpy(data.lengths)
        self.qed_mean = float(data.qed[self.training].mean())
        self.qed_std = float(data.qed[self.training].std())
        self.qed = torch.from_numpy((data.qed - self.qed_mean) / self.qed_std)
        self.outcomes = torch.from_numpy(data.outcomes)

    def data_counts(self) -> dict[str, int]:
        """Molecules for training and held out, and lines that were none."""
        counts = {"training": len(self.training), "held_out": len(self.held_out)}
        return counts | {"skipped": sum(self.data.skipped.values())}

    def batches(self, size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """All training molecules once, shuffled."""
        order = rng.permutation(self.training)
        return np.array_split(order, max(1, len(order) // size))

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of molecules, one sample of the posterior each."""
        weights = self.recipe.weights
        mean, log_variance = self.network.encode(self.tokens[batch])
        points = mean
        terms: dict[str, Tensor] = {}
        factors = {"reconstruction": 1.0}
        if log_variance is not None:
            points = sample(mean, log_variance)
            terms["kl"] = divergence(mean, log_variance).mean()
            factors["kl"] = weights["kl"] * min(1.0, 0.005 + done / weights["warm_up"])
        terms["reconstruction"] = self._reconstruction(points, batch)
        if self.network.head is not None:
            terms |= self._properties(points, batch)
            factors |= dict.fromkeys(("qed", "outcomes"), weights["property"])
        loss = torch.stack([factors[name] * term for name, term in terms.items()]).sum()
        return loss, {name: term.item() for name, term in terms.items()}

    def _reconstruction(self, points: Tensor, batch: NDArray[np.int64]) -> Tensor:
        """Cross entropy of the tokens up to the first end: what follows is never read."""
        lengths = self.lengths[batch]
        longest = int(lengths.max())
        tokens = self.tokens[batch, :longest]
        logits = self.network.logits(points, tokens)
        written = torch.arange(longest) < lengths.unsqueeze(1)
        entropy = functional.cross_entropy(logits[written], tokens[written], reduction="sum")
        return entropy / len(batch)

    def _properties(self, points: Tensor, batch: NDArray[np.int64]) -> dict[str, Tensor]:
        read = self.network.predict(points)
        outcomes = self.outcomes[batch]
        known = ~outcomes.isnan()
        entropy = functional.binary_cross_entropy_with_logits(
            read[:, 1:], outcomes.nan_to_num(), reduction="none"
        )
        of_each = (entropy * known).sum(dim=0) / known.sum(dim=0).clamp(min=1)
        return {
            "qed": functional.mse_loss(read[:, 0], self.qed[batch]),
            "outcomes": of_each.mean(),
        }

    def evaluate(self) -> dict[str, Any]:
        """On the held-out scaffolds and on draws from the prior."""
        from orchestrator.training.smiles.metrics import metrics

        found = metrics(self.network, self.data, self.training, self.held_out, self.recipe.seed)
        if self.network.head is not None:
            found |= self._head_metrics()
        return found

    def _head_metrics(self) -> dict[str, Any]:
        from orchestrator.training.smiles.metrics import head_metrics, means

        points = means(self.network, self.data.tokens[self.held_out])
        with torch.inference_mode():
            read = self.network.predict(torch.from_numpy(points).float()).double().numpy()
        read[:, 0] = read[:, 0] * self.qed_std + self.qed_mean
        return head_metrics(
            read,
            self.data.qed[self.held_out],
            self.data.outcomes[self.held_out],
            self.outcome_names,
        )

    def card(self) -> Mapping[str, Any]:
        """The network's arguments, the tokens, what the head's outputs are, and where codes lie.

        The latter where no divergence held them near the standard normal: in units of their
        deviation, a search knows how far it goes.
        """
        card: dict[str, Any] = {
            "network": self._arguments,
            "tokens": list(self.data.alphabet.tokens),
            "outcomes": list(self.outcome_names),
            "qed": {"mean": self.qed_mean, "std": self.qed_std},
        }
        if self.network.posterior == "point":
            from orchestrator.training.smiles.metrics import means

            codes = means(self.network, self.data.tokens[self.training])
            # A latent that never varies would make points far from the data of what is noise.
            std = np.maximum(codes.std(axis=0), 1e-3)
            card["codes"] = {"mean": codes.mean(axis=0).tolist(), "std": std.tolist()}
        return card


def check_outcomes(recipe: Recipe, data: SmilesData, path: Path) -> None:
    """Refuses data without outcomes to a recipe whose property head needs them.

    Raises:
        SpaceError: there are none.
    """
    if "property" in recipe.weights and not data.outcome_names:
        raise SpaceError(
            f"recipe {recipe.name} needs outcomes of assays, and {path} has none; name a CSV file "
            "with columns of 0, 1 and empty cells beside smiles, or train smiles-vae"
        )

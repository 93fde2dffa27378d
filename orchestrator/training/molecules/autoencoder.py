"""Training of the molecule autoencoder, and the figures that say how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from orchestrator.latent.molecule_networks import MoleculeVae, shifted
from orchestrator.training.molecules.data import MoleculeData
from orchestrator.training.recipes import Recipe
from orchestrator.training.variational import divergence, sample

MERGES = 400
"""Merges of neighbouring SELFIES tokens: on ZINC-250k they shorten the mean sequence from 38 to
12.5 tokens, end token included, and every later merge shortens it by less than a hundredth."""
HELD_OUT = 10_000


class MoleculeTask:
    """Negative ELBO with a weighted divergence, and squared errors of the property head.

    ``weights``: ``kl`` for the divergence in nats, reached after the share ``warm_up`` of the
    training; ``property`` for the sum of squared errors of the three standardised properties. The
    head reads the posterior's sample while training, not its mean: what it needs must then stand
    out of the posterior's noise, so that properties vary over the space at the scale of the prior.
    The language model shares nothing with the rest and learns the same sequences beside it.
    """

    def __init__(self, recipe: Recipe, data: MoleculeData) -> None:
        self.recipe = recipe
        self.data = data
        self.data_sha256 = data.sha256
        self.training, self.held_out = data.split(HELD_OUT)
        self.network = MoleculeVae(len(data.vocabulary), **recipe.network)  # type: ignore[arg-type]
        properties = torch.from_numpy(data.properties)
        self.network.mean_properties.copy_(properties[self.training].mean(dim=0))
        self.network.std_properties.copy_(properties[self.training].std(dim=0))
        centred = properties - self.network.mean_properties
        self.targets = centred / self.network.std_properties
        self.tokens = torch.from_numpy(data.tokens.astype(np.int64))

    def data_counts(self) -> dict[str, int]:
        """Molecules for training and held out, and lines that were none."""
        counts = {"training": len(self.training), "held_out": len(self.held_out)}
        return counts | {"skipped": sum(self.data.skipped.values())}

    def batches(self, size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """All training molecules once, in batches of equal sequence length, shuffled."""
        return self.data.batches(self.training, size, rng)

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of molecules of one sequence length, one sample of the posterior each."""
        weights = self.recipe.weights
        tokens = self.tokens[batch, : int(self.data.lengths[batch[0]])]
        mean, log_variance = self.network.encode(tokens)
        points = sample(mean, log_variance)
        logits = self.network.logits(points, tokens)
        fluent, _ = self.network.language(shifted(tokens))
        terms = {
            "reconstruction": _entropy(logits, tokens),
            "language": _entropy(fluent, tokens),
            "kl": divergence(mean, log_variance).sum(),
        }
        factors = {"kl": weights["kl"] * min(1.0, 0.005 + done / weights["warm_up"])}
        if self.network.head is not None:
            errors = self.network.properties(points) - self.targets[batch]
            terms["property"], factors["property"] = (errors**2).sum(), weights["property"]
        # Divided by the nominal size, so that the small batches of rare lengths weigh less.
        total = torch.stack([factors.get(name, 1.0) * term for name, term in terms.items()]).sum()
        scaled = {name: term.item() / len(batch) for name, term in terms.items()}
        return total / self.recipe.batch, scaled

    def evaluate(self) -> dict[str, Any]:
        """On the held-out molecules and on as many draws from the prior."""
        from orchestrator.training.molecules.figures import figures

        return figures(self.network, self.data, self.training, self.held_out, self.recipe.seed)

    def card(self) -> Mapping[str, Any]:
        """The network's arguments and the vocabulary."""
        return {
            "network": {"vocabulary": len(self.data.vocabulary), **self.recipe.network},
            "longest": int(self.data.lengths.max()),
            "vocabulary": {
                "tokens": list(self.data.vocabulary.tokens),
                "merges": [list(pair) for pair in self.data.vocabulary.merges],
            },
        }


def _entropy(logits: Tensor, tokens: Tensor) -> Tensor:
    """Summed cross entropy of tokens ``n x length``, in nats."""
    return functional.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="sum")

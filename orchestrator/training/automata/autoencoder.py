"""Training of the autoencoder of automata, and the figures that say how good it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from orchestrator.latent.automata import decode_tables, decoded, encode_tokens
from orchestrator.latent.automaton_networks import AutomatonVae
from orchestrator.latent.transitions import Tables, bound, parse, reset_lengths
from orchestrator.training.automata.data import AutomatonData, word
from orchestrator.training.recipes import Recipe
from orchestrator.training.variational import ACTIVE, divergence, sample, unit_divergences

HELD_OUT = 5000
_DRAWS = 10_000
"""Draws from the prior that are decoded, and the most held-out automata that are."""


class AutomataTask:
    """Negative ELBO with a weighted divergence, and the squared error of the reset length.

    ``weights``: ``kl`` for the divergence in nats, reached after the share ``warm_up`` of the
    training; ``property`` for the squared error of the standardised reset length, which the head
    reads from the posterior's sample. ``blur``: share of the points that reach the decoder mixed
    with a draw from the prior, so that what it writes there is an automaton too.
    """

    def __init__(self, recipe: Recipe, data: AutomatonData) -> None:
        self.recipe = recipe
        self.data = data
        self.data_sha256 = data.sha256
        self.training, self.held_out = data.split(HELD_OUT)
        self.network = AutomatonVae(**recipe.network)  # type: ignore[arg-type]
        lengths = torch.from_numpy(data.lengths).float()
        self.network.mean_length.copy_(lengths[self.training].mean())
        self.network.std_length.copy_(lengths[self.training].std())
        self.targets = (lengths - self.network.mean_length) / self.network.std_length
        self.tokens = torch.from_numpy(data.tokens)

    def data_counts(self) -> dict[str, int]:
        """Automata for training and held out, and lines of a file that were none."""
        counts = {"training": len(self.training), "held_out": len(self.held_out)}
        return counts | {"skipped": self.data.skipped}

    def batches(self, size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """All training automata once, shuffled."""
        order = rng.permutation(self.training)
        return np.array_split(order, max(1, len(order) // size))

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of automata, one sample of the posterior each."""
        weights, tokens = self.recipe.weights, self.tokens[batch]
        mean, log_variance = self.network.encode(tokens)
        points = sample(mean, log_variance)
        logits = self.network.logits(_blur(points, weights["blur"]), tokens)
        terms = {
            "reconstruction": functional.cross_entropy(
                logits.flatten(0, 1), tokens.flatten(), reduction="sum"
            ),
            "kl": unit_divergences(mean, log_variance).sum(),
            "property": ((self.network.reset_length(points) - self.targets[batch]) ** 2).sum(),
        }
        beta = weights["kl"] * min(1.0, 0.01 + done / weights["warm_up"])
        loss = terms["reconstruction"] + beta * terms["kl"]
        loss = (loss + weights["property"] * terms["property"]) / len(batch)
        return loss, {name: term.item() / len(batch) for name, term in terms.items()}

    def evaluate(self) -> dict[str, Any]:
        """On draws from the prior, and on the held-out automata."""
        return {**self._drawn(), **self._held_out()}

    def _drawn(self) -> dict[str, Any]:
        """What 10,000 draws from the prior decode to."""
        rng = np.random.default_rng(self.recipe.seed)
        points = rng.standard_normal((_DRAWS, self.network.latent))
        tables, reasons = decode_tables(self.network, points)
        found = [one.key for one in decoded(tables, reasons) if one.valid]
        different = set(found)
        trained = {word(row) for row in self.data.tokens[self.training]}
        shares = _shares(found)
        return {
            "prior_complete_and_synchronizing": len(found) / _DRAWS,
            "prior_not_in_training": sum(one not in trained for one in found) / max(1, len(found)),
            "prior_unique": len(different) / max(1, len(found)),
            "prior_complete": sum(table is not None for table in tables) / _DRAWS,
            "prior_beyond_half_the_bound": float((shares > 0.5).mean()) if found else 0.0,
            "prior_largest_share_of_the_bound": float(shares.max(initial=0)),
        }

    def _held_out(self) -> dict[str, Any]:
        """How well held-out automata come back, and how well the head reads them."""
        chosen = self.held_out[:_DRAWS]
        tokens = self.data.tokens[chosen]
        means = encode_tokens(self.network, tokens)
        again = decoded(*decode_tables(self.network, means))
        same = [one.key == word(row) for one, row in zip(again, tokens, strict=True)]
        with torch.inference_mode():
            points = torch.from_numpy(means).float()
            logits = self.network.logits(points, self.tokens[chosen])
            nats = functional.cross_entropy(
                logits.transpose(1, 2), self.tokens[chosen], reduction="sum"
            )
            mean, log_variance = self.network.encode(self.tokens[chosen])
            kl = divergence(mean, log_variance)
            error = (self.network.reset_length(points) - self.targets[chosen]).square().mean()
        return {
            "test_reconstruction": float(np.mean(same)),
            "test_reconstruction_nats": nats.item() / len(chosen),
            "test_kl_nats": kl.mean().item(),
            "test_active_units": int((means.var(axis=0) > ACTIVE).sum()),
            "test_head_r2": 1 - (error / self.targets[chosen].var(correction=0)).item(),
        }

    def card(self) -> Mapping[str, Any]:
        """The network's arguments, and what training saw of each number of states."""
        seen = self.data.states[self.training], self.data.lengths[self.training]
        longest = {str(n): int(seen[1][seen[0] == n].max()) for n in np.unique(seen[0])}
        return {"network": dict(self.recipe.network), "longest_reset_word_in_training": longest}


def _blur(points: Tensor, share: float) -> Tensor:
    """Points of which a share is mixed with draws from the prior, keeping the variance."""
    n = len(points)
    amount = torch.rand(n, 1) * (torch.rand(n, 1) < share)
    return torch.sqrt(1 - amount**2) * points + amount * torch.randn_like(points)


def _shares(words: Sequence[str]) -> NDArray[np.float64]:
    """Reset lengths as shares of Černý's bound, in no particular order."""
    by_size: dict[int, list[Tables]] = {}
    for one in words:
        by_size.setdefault(len(one), []).append(parse(one))
    stacks = [np.concatenate(tables) for tables in by_size.values()]
    shares = [reset_lengths(stack) / bound(stack.shape[1]) for stack in stacks]
    return np.concatenate([np.empty(0), *shares])

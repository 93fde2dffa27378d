"""Training of the molecule autoencoder whose prior is a flow.

First autoencoder and flow together: the flow learns where the codes lie, and the encoder puts them
where the flow finds them. Then the flow alone, on codes that no longer move.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from orchestrator.latent.flow_networks import FlowVae
from orchestrator.latent.molecule_networks import shifted
from orchestrator.latent.tokens import END, PAD
from orchestrator.training.recipes import Recipe
from orchestrator.training.task import Rate

if TYPE_CHECKING:
    from orchestrator.training.molecules.data import MoleculeData

MERGES = 800
"""Merges of neighbouring SELFIES tokens, twice those of the other recipes: fewer steps to write."""
HELD_OUT = 10_000
_APART = 2_048
"""Training molecules by which the weight of the divergence is steered, and nothing is fitted."""
JOINT = 0.72
"""Share of the training in which autoencoder and flow are trained together."""
_RISE = 0.01
"""Share of it in which the learning rate rises."""
_STEERED = (0.15, 0.62)
"""Shares of the training between which the weight of the divergence is steered."""
_EVERY = 200
"""Batches between two turns of the wheel."""
_GAIN, _DOWN, _UP = 3.0, -0.03, 0.1
"""The log weight moves by so much a unit of missed exactness, and at most so far down and up."""
_EASIER = 0.06
"""So much less exactness is asked for where the steering begins: it comes as the rates fall."""
_LOWEST, _HIGHEST = math.log(0.015), math.log(0.5)
_WARM_UP = 0.05
"""Share of the training in which the weight of the divergence rises from almost nothing."""


class FlowTask:
    """Negative ELBO with a flow as the prior; the weight of the divergence is steered.

    ``weights``: ``kl`` is the weight of the divergence in nats at first; ``exact`` the share of
    molecules that come back exactly from their posterior means, measured on training molecules that
    are kept apart, to which the weight is steered: the codes are as noisy as that allows.
    ``forget`` is the share of tokens that the decoder is not shown while it learns what follows.
    """

    def __init__(self, recipe: Recipe, data: MoleculeData, device: str | None = None) -> None:
        self.recipe = recipe
        self.data = data
        self.data_sha256 = data.sha256
        training, self.held_out = data.split(HELD_OUT)
        order = np.random.default_rng((recipe.seed, 7)).permutation(len(training))
        apart = min(_APART, len(training) // 20)
        self.training = np.sort(training[order[apart:]])
        self.apart = np.sort(training[order[:apart]])
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        sizes = {name: int(size) for name, size in recipe.network.items() if name != "kind"}
        self.network = FlowVae(len(data.vocabulary), **sizes)
        self.network.to(self.device)
        if self.device == "cuda":
            torch.set_float32_matmul_precision("high")  # what the shipped card's training had
        self.tokens = torch.from_numpy(data.tokens.astype(np.int64)).to(self.device)
        self._noise = torch.Generator(self.device).manual_seed(recipe.seed)
        self._log_weight = math.log(recipe.weights["kl"])
        self._steps = 0
        self._exact = 0.0

    def data_counts(self) -> dict[str, int]:
        """Molecules for training and held out, and lines that were none."""
        counts = {"training": len(self.training), "steering": len(self.apart)}
        return counts | {
            "held_out": len(self.held_out),
            "skipped": sum(self.data.skipped.values()),
        }

    def batches(self, size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """All training molecules once, in batches of equal sequence length, shuffled."""
        return self.data.batches(self.training, size, rng)

    def groups(self) -> list[tuple[list[nn.Parameter], Rate]]:
        """The autoencoder's parameters, which come to rest first, and the flow's."""
        flow = list(self.network.flow.parameters())
        own = {id(parameter) for parameter in flow}
        rest = [one for one in self.network.parameters() if id(one) not in own]
        return [(rest, autoencoder_rate), (flow, flow_rate)]

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of molecules of one sequence length, one sample of the posterior each."""
        length = int(self.data.lengths[batch[0]])
        tokens = self.tokens[torch.from_numpy(batch).to(self.device), :length]
        joint = done < JOINT
        with torch.set_grad_enabled(joint and torch.is_grad_enabled()):
            mean, log_variance = self.network.encode(tokens)
            codes = mean + self._drawn(mean) * torch.exp(0.5 * log_variance)
        entropy = 0.5 * (log_variance + 1 + math.log(2 * math.pi)).sum()
        divergence = -entropy - self.network.flow.log_density(codes).sum()
        terms = {"kl": divergence}
        total = divergence
        if joint:
            self._steer(done)
            logits = self.network.logits(codes, tokens, self._half_forgotten(tokens))
            terms["reconstruction"] = functional.cross_entropy(
                logits.flatten(0, 1), tokens.flatten(), reduction="sum"
            )
            weight = math.exp(self._log_weight) * min(1.0, 0.02 + done / _WARM_UP)
            total = terms["reconstruction"] + weight * divergence
        values = (torch.stack(list(terms.values())).detach() / len(batch)).tolist()
        steering = {"exact": self._exact, "weight": math.exp(self._log_weight)}
        # Divided by the nominal size, so that the small batches of rare lengths weigh less.
        return total / self.recipe.batch, dict(zip(terms, values, strict=True)) | steering

    def _drawn(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self._noise, device=self.device)

    def _half_forgotten(self, tokens: Tensor) -> Tensor:
        """What stands before each token, some of it blotted out: never the beginning."""
        before = shifted(tokens)
        drawn = torch.rand(before.shape, generator=self._noise, device=self.device)
        gone = (drawn < self.recipe.weights["forget"]) & (before != END)
        return before.masked_fill(gone, PAD)

    def _steer(self, done: float) -> None:
        self._steps += 1
        if self._steps % _EVERY or not self.network.training:
            return
        self._exact = self.exact(self.apart)
        begin, end = _STEERED
        if begin <= done < end:
            asked = self.recipe.weights["exact"] - _EASIER * (end - done) / (end - begin)
            turn = min(_UP, max(_DOWN, _GAIN * (self._exact - asked)))
            self._log_weight = min(_HIGHEST, max(_LOWEST, self._log_weight + turn))

    @torch.no_grad()
    def exact(self, rows: NDArray[np.int64]) -> float:
        """Share of molecules whose tokens are each the most probable at the posterior mean.

        That is: whose tokens come back exactly where the most probable ones are written.
        """
        lengths = self.data.lengths[rows]
        right = torch.zeros((), device=self.device)
        for length in np.unique(lengths).tolist():
            same = torch.from_numpy(rows[lengths == length]).to(self.device)
            for part in torch.split(same, 2_048):
                tokens = self.tokens[part, :length]
                logits = self.network.logits(self.network.encode(tokens)[0], tokens)
                right += (logits.argmax(dim=2) == tokens).all(dim=1).sum()
        return float(right) / len(rows)

    def state_dict(self) -> dict[str, Any]:
        """The state of the noise, and where the steering stands."""
        at = [self._log_weight, self._exact, float(self._steps)]
        return {"noise": self._noise.get_state(), "steering": at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._noise.set_state(state["noise"].cpu())
        self._log_weight, self._exact, steps = state["steering"]
        self._steps = int(steps)

    def tensors(self) -> dict[str, Tensor]:
        """The network's state in half precision, but the rotations, which are to stay such."""
        return {
            name: tensor if name.endswith("rotations") else tensor.half()
            for name, tensor in self.network.cpu().state_dict().items()
        }

    def evaluate(self) -> dict[str, Any]:
        """On the held-out molecules and on as many draws from the prior."""
        from orchestrator.training.molecules.flow_figures import figures

        self.network.cpu()
        self.network.load_state_dict(self.tensors())
        return figures(self.network, self.data, self.training, self.held_out, self.recipe.seed)

    def card(self) -> Mapping[str, Any]:
        """The network's kind and arguments, and the vocabulary."""
        return {
            "network": {"vocabulary": len(self.data.vocabulary), **self.recipe.network},
            "longest": int(self.data.lengths.max()),
            "vocabulary": {
                "tokens": list(self.data.vocabulary.tokens),
                "merges": [list(pair) for pair in self.data.vocabulary.merges],
            },
        }


def autoencoder_rate(done: float) -> float:
    """Learning rate of encoder and decoder, as a share of its peak: nothing at the end of JOINT."""
    return _rising(done) * _falling(done / JOINT)


def flow_rate(done: float) -> float:
    """Learning rate of the flow, as a share of its peak: it falls once the codes are at rest."""
    return _rising(done) * _falling((done - JOINT) / (1 - JOINT))


def _rising(done: float) -> float:
    return min(1.0, 0.02 + done / _RISE)


def _falling(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, share))))

"""Early stopping: a part of the training objects kept apart, and the weights that did best on it.

Prechelt 1998, doi:10.1007/3-540-49430-8_3. The part is neither trained on nor what a card's figures
are measured on: those stay figures of data that nothing was chosen by.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from orchestrator.training.recipes import Recipe
from orchestrator.training.task import Task

SHARE = 0.05
"""Of the training objects that is kept apart where a recipe has patience."""


@dataclass(frozen=True)
class Part:
    """The objects that are kept apart, by index."""

    batches: list[NDArray[np.int64]]

    def rest(self, batch: NDArray[np.int64]) -> NDArray[np.int64]:
        """A batch without them."""
        return batch[~np.isin(batch, np.concatenate(self.batches))] if self.batches else batch


def split(task: Task, recipe: Recipe) -> Part:
    """A twentieth of the training objects, the same for each seed; none without patience."""
    if not recipe.patience:
        return Part([])
    rng = np.random.default_rng((recipe.seed, recipe.epochs))  # the epochs have those below
    everything = task.batches(recipe.batch, rng)
    wanted = max(1, int(SHARE * sum(map(len, everything))))
    part: list[NDArray[np.int64]] = []
    for batch in everything:  # whole ones, since a task may need objects of one kind in each
        if left := wanted - sum(map(len, part)):
            part.append(batch[:left])
    return Part(part)


def validate(task: Task, recipe: Recipe, part: Part) -> dict[str, float]:
    """Means over a part's batches of the loss and its terms, weighted as when training ends.

    The same random numbers are drawn every time, and none of those of the training: what is
    compared differs by the weights alone.
    """
    sums: dict[str, float] = {}
    task.network.eval()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(recipe.seed)
        for batch in part.batches:
            loss, terms = task.loss(batch, 1.0)
            for name, value in ({"loss": loss.item()} | terms).items():
                sums[name] = sums.get(name, 0.0) + value
    return {name: total / len(part.batches) for name, total in sums.items()}


@dataclass(frozen=True)
class Best:
    """The lowest loss on the part that is kept apart, and the weights that had it."""

    epoch: int = 0
    """Whole epochs done by then; 0 where there is none yet."""
    loss: float = float("inf")
    weights: dict[str, Tensor] = field(default_factory=dict)

    def stale(self, epoch: int, patience: int) -> bool:
        """Whether the loss fell no lower for that many epochs."""
        return bool(patience and self.epoch and epoch - self.epoch >= patience)

    def or_now(self, epoch: int, loss: float, network: nn.Module) -> Best:
        """This, or the network as it is now where its loss is lower."""
        if loss >= self.loss:
            return self
        weights = {name: one.detach().clone() for name, one in network.state_dict().items()}
        return Best(epoch, loss, weights)

"""What the trainer asks of a task: a network, its data in batches, a loss, an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

Rate = Callable[[float], float]
"""Learning rate after a share of the training, as a share of the recipe's."""


class Task(Protocol):
    """Data and loss of one kind of network; what state it keeps itself, :class:`Stateful` gives."""

    @property
    def network(self) -> nn.Module:
        """What is trained."""
        ...

    @property
    def data_sha256(self) -> str:
        """Of the data file."""
        ...

    def data_counts(self) -> dict[str, int]:
        """How many objects are for training, how many held out, how many lines were skipped."""
        ...

    def batches(self, size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """One epoch: indices of training objects in batches of about ``size``."""
        ...

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch and its terms by name; ``done`` is the share of training behind."""
        ...

    def evaluate(self) -> dict[str, Any]:
        """Figures on data that training never saw, for the model card."""
        ...

    def card(self) -> Mapping[str, Any]:
        """What loading needs besides tensors: ``network`` (arguments), vocabularies, scales."""
        ...


@runtime_checkable
class Stateful(Protocol):
    """What a task has besides, if its loss takes steps of its own, as an adversary's does."""

    def state_dict(self) -> dict[str, Any]:
        """All that it needs to go on, in what ``torch.save`` writes without pickled classes."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        ...


@runtime_checkable
class Grouped(Protocol):
    """What a task has besides, if parts of its network are trained at rates of their own."""

    def groups(self) -> list[tuple[list[nn.Parameter], Rate]]:
        """All parameters, in groups, each with its learning rate."""
        ...


@runtime_checkable
class Stored(Protocol):
    """What a task has besides, if its network is not written as it stands in memory."""

    def tensors(self) -> dict[str, Tensor]:
        """The network's state as it is written; :meth:`Task.evaluate` measures that."""
        ...

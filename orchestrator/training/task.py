"""What the trainer asks of a task: a network, its data in batches, a loss, an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn


class Task(Protocol):
    """Data and loss of one kind of network; it keeps no state of the training itself."""

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

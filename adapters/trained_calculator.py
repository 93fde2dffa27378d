"""Calculators whose values a trained network gives: the weights are checked first, and named."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from adapters.calculator import Calculator
from adapters.protocol import Capabilities, Weights
from adapters.trained_weights import read_card


class Trained(Protocol):
    """A network with the weights that it was loaded from."""

    @property
    def weights_sha256(self) -> str:
        """As their card says."""
        ...


class TrainedCalculator(Calculator):
    """Base of such a calculator.

    Args:
        capabilities: What it can do.
        file: The weights, a safetensors file with its model card beside it.
    """

    def __init__(self, capabilities: Capabilities, file: Path) -> None:
        super().__init__(capabilities)
        self.file = file

    @property
    @abstractmethod
    def trained(self) -> Trained:
        """The network, loaded when it is first asked for.

        Raises:
            EvaluatorError: the weights are missing or changed.
        """

    def check(self, measures: Sequence[str]) -> None:
        """Make sure that the measures are known and the weights can be used.

        Raises:
            EvaluatorError: a measure is not declared, or the weights are missing or changed.
        """
        super().check(measures)
        _ = self.trained

    def provenance(self) -> Mapping[str, str]:
        """Hash of the weights.

        Raises:
            EvaluatorError: the weights are missing or changed.
        """
        return {"weights_sha256": self.trained.weights_sha256}

    def weights(self) -> Weights:
        """The weights, by their card.

        Raises:
            EvaluatorError: the card is missing or cannot be read.
        """
        path, said = read_card(self.file)
        return Weights(self.file, str(said["weights_sha256"]), path)

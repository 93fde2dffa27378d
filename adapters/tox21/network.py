"""The network that predicts the assays, and its calibration.

One hidden layer shared by all assays (multi-task: Mayr et al. 2016, doi:10.3389/fenvs.2015.00080).
Its logits are calibrated by a slope and a shift an assay (Platt 1999), which were found on
molecules that training did not see and are part of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from adapters.protocol import EvaluatorError
from adapters.tox21 import measure_name
from adapters.tox21.fingerprints import SIZE
from adapters.trained_weights import read_card, read_weights

BLOCK = 32
"""Molecules are read in blocks of this size, the last one padded, so that the probability of one
depends neither on its neighbours nor on their number."""


class Tox21Network(nn.Module):
    """Counts ``n x SIZE`` to calibrated logits ``n x assays``."""

    slope: Tensor
    shift: Tensor

    def __init__(self, assays: int = 12, hidden: int = 64, dropout: float = 0.5) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(SIZE, hidden), nn.ReLU(), nn.Dropout(dropout)
        )
        self.head = nn.Linear(hidden, assays)
        self.register_buffer("slope", torch.ones(assays))
        self.register_buffer("shift", torch.zeros(assays))

    def forward(self, counts: Tensor) -> Tensor:
        """Logits of a batch of molecules."""
        logits: Tensor = self.head(self.body(counts))
        return self.slope * logits + self.shift


@dataclass(frozen=True)
class Predictor:
    """A trained network that turns counts into probabilities."""

    network: nn.Module
    measures: tuple[str, ...]
    """Names of the columns, in order."""
    weights_sha256: str

    def column(self, measure: str) -> int:
        """The column of a measure."""
        return self.measures.index(measure)

    def probabilities(self, counts: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of activity, shape ``n x assays``, of counts ``n x SIZE``."""
        n = len(counts)
        padded = np.zeros((-(-n // BLOCK) * BLOCK, SIZE), dtype=np.float32)
        padded[:n] = counts
        rows = []
        with torch.inference_mode():
            for start in range(0, len(padded), BLOCK):
                block = torch.from_numpy(padded[start : start + BLOCK])
                rows.append(self.network(block).double().sigmoid().numpy())
        found: NDArray[np.float64] = np.concatenate(rows)[:n]
        return found


def load(path: Path) -> Predictor:
    """The predictor of a weights file.

    Raises:
        EvaluatorError: a file is missing or is not what the card describes.
    """
    weights, card = read_weights(path)
    try:
        network = Tox21Network(**card["network"])
        network.load_state_dict(weights)
        measures = tuple(measure_name(str(one)) for one in card["outcomes"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        why = str(error).splitlines()[-1].strip()
        what = f"the weights are not of the network that {read_card(path)[0]} describes: {why}"
        raise EvaluatorError(what) from error
    return Predictor(network.eval(), measures, card["weights_sha256"])

"""Training of the Tox21 predictor: masked cross entropy over twelve assays, then calibration.

Scaffolds that nobody trained on are split in two: by one half the probabilities are calibrated, by
the other the figures of the card are measured.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from adapters.tox21.fingerprints import counts
from adapters.tox21.network import Tox21Network
from orchestrator.latent.protocol import SpaceError
from orchestrator.training.recipes import Recipe
from orchestrator.training.smiles.data import SmilesData
from orchestrator.training.smiles.metrics import roc_auc

BINS = 10
"""Bins of equal width over which the calibration error is averaged."""
FEWEST = 8
"""Positives of an assay that calibration needs."""

Rows = NDArray[np.int64]


class Tox21Task:
    """Outcomes of the assays from counts of fragments."""

    def __init__(self, recipe: Recipe, data: SmilesData) -> None:
        if not data.outcome_names:
            raise SpaceError(f"recipe {recipe.name} needs outcomes of assays, columns of 0 and 1")
        self.recipe = recipe
        self.data = data
        self.data_sha256 = data.sha256
        rows = [counts(smiles) for smiles in data.smiles]
        self.counts = torch.from_numpy(np.array(rows, dtype=np.float32))
        self.outcomes = torch.from_numpy(data.outcomes)
        self.training, held_out = data.split()
        odd = np.array([zlib.crc32(data.scaffolds[row].encode()) % 2 == 1 for row in held_out])
        self.calibrating, self.testing = held_out[odd], held_out[~odd]
        known = ~np.isnan(data.outcomes[self.training])
        positive = np.nansum(data.outcomes[self.training], axis=0)
        self.balance = torch.from_numpy(
            ((known.sum(axis=0) - positive) / np.maximum(positive, 1)).astype(np.float32)
        ).sqrt()
        self.network: nn.Module = Tox21Network(len(data.outcome_names), **recipe.network)  # type: ignore[arg-type]

    def data_counts(self) -> dict[str, int]:
        """Molecules for training, for calibration and for testing."""
        return {
            "training": len(self.training),
            "calibrating": len(self.calibrating),
            "held_out": len(self.testing),
            "skipped": sum(self.data.skipped.values()),
        }

    def batches(self, size: int, rng: np.random.Generator) -> list[Rows]:
        """All training molecules once, shuffled."""
        order = rng.permutation(self.training)
        return np.array_split(order, max(1, len(order) // size))

    def loss(self, batch: Rows, done: float) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of molecules, over the outcomes that are known."""
        logits = self.network(self.counts[batch])
        outcomes = self.outcomes[batch]
        known = ~outcomes.isnan()
        each = functional.binary_cross_entropy_with_logits(
            logits, outcomes.nan_to_num(), pos_weight=self.balance, reduction="none"
        )
        loss = (each * known).sum() / known.sum()
        return loss, {"cross_entropy": loss.item()}

    def evaluate(self) -> dict[str, Any]:
        """Calibrate, then measure on scaffolds that neither training nor calibration saw."""
        self._calibrate()
        scores = self._logits(self.testing).sigmoid().numpy()
        labels = self.data.outcomes[self.testing]
        areas, errors, briers = {}, {}, {}
        for column, name in enumerate(self.data.outcome_names):
            known = ~np.isnan(labels[:, column])
            truth, said = labels[known, column], scores[known, column]
            if len(np.unique(truth)) < 2:
                continue
            areas[name] = roc_auc(said, truth == 1)
            errors[name] = calibration_error(said, truth)
            base = truth.mean()
            briers[name] = float(1 - ((said - truth) ** 2).mean() / (base * (1 - base)))
        return {
            "test_roc_auc": float(np.mean(list(areas.values()))),
            "test_calibration_error": float(np.mean(list(errors.values()))),
            "test_brier_skill": float(np.mean(list(briers.values()))),
            "test_roc_auc_by_assay": areas,
            "test_calibration_error_by_assay": errors,
            "test_brier_skill_by_assay": briers,
        }

    def card(self) -> Mapping[str, Any]:
        """The network's arguments and the assays, in the order of its outputs."""
        network = {"assays": len(self.data.outcome_names), **self.recipe.network}
        return {"network": network, "outcomes": list(self.data.outcome_names)}

    def _logits(self, rows: Rows) -> Tensor:
        self.network.eval()
        with torch.inference_mode():
            found: Tensor = self.network(self.counts[rows]).double()
        return found

    def _calibrate(self) -> None:
        """Find slope and shift of each assay's logits; the slope is never negative."""
        assert isinstance(self.network, Tox21Network)
        self.network.slope.fill_(1.0)
        self.network.shift.fill_(0.0)
        logits = self._logits(self.calibrating).clone()
        outcomes = self.outcomes[self.calibrating].double()
        for column in range(outcomes.shape[1]):
            known = ~outcomes[:, column].isnan()
            truth = outcomes[known, column]
            if min(truth.sum(), (1 - truth).sum()) < FEWEST:
                continue
            slope, shift = _platt(logits[known, column], truth)
            self.network.slope[column] = slope
            self.network.shift[column] = shift


def _platt(logits: Tensor, truth: Tensor) -> tuple[float, float]:
    """Slope and shift of greatest likelihood, with a weak prior that the logits are right."""
    parameters = torch.tensor([0.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([parameters], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        said = parameters[0].exp() * logits + parameters[1]
        loss = functional.binary_cross_entropy_with_logits(said, truth, reduction="sum")
        loss = loss + 0.5 * parameters.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    slope, shift = parameters.detach()
    return float(slope.exp()), float(shift)


def calibration_error(said: NDArray[np.float64], truth: NDArray[np.float32]) -> float:
    """Mean distance between probability and frequency over bins, weighted by how many fall in.

    Naeini, Cooper and Hauskrecht 2015: the expected calibration error.
    """
    places = np.minimum((said * BINS).astype(int), BINS - 1)
    total = 0.0
    for place in np.unique(places):
        inside = places == place
        total += inside.sum() * abs(float(said[inside].mean()) - float(truth[inside].mean()))
    return total / len(said)

"""Early stopping and the logs of losses, on the smallest task that overfits for certain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from orchestrator.training.log import EVENTS, LINES
from orchestrator.training.recipes import RECIPES
from orchestrator.training.trainer import Finished, Progress, fit
from orchestrator.training.validation import split, validate

EPOCHS, PATIENCE = 60, 4
RECIPE = replace(
    RECIPES["digits-cnn"],
    epochs=EPOCHS,
    batch=130,
    learning_rate=0.03,
    seed=3,
    patience=PATIENCE,
)


class Noise:
    """Numbers to be read from 300 others that have nothing to do with them."""

    data_sha256 = "0" * 64

    def __init__(self) -> None:
        rng = torch.Generator().manual_seed(0)
        self.inputs = torch.randn(400, 300, generator=rng)
        self.targets = torch.randn(400, 1, generator=rng)
        torch.manual_seed(1)
        self.network: nn.Module = nn.Linear(300, 1)

    def data_counts(self) -> dict[str, int]:
        return {"training": 400}

    def batches(self, size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        return np.array_split(rng.permutation(400), 400 // size)

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        # Noise on the inputs, so that validation must leave the generator as it found it.
        inputs = self.inputs[batch] + 0.01 * torch.randn(len(batch), 300)
        loss = functional.mse_loss(self.network(inputs), self.targets[batch])
        return loss, {"error": loss.item()}

    def evaluate(self) -> dict[str, Any]:
        return {}

    def card(self) -> Mapping[str, Any]:
        return {}


class Killed(BaseException):
    """Nothing catches it on the way, as nothing catches SIGKILL."""


def weights(task: Noise) -> list[list[float]]:
    """Of the network, as text would show them."""
    return [one.flatten().tolist() for one in task.network.state_dict().values()]


def rows(out: Path) -> list[dict[str, float]]:
    """The log of losses."""
    return [json.loads(line) for line in (out / LINES).open()]


@pytest.fixture
def undisturbed(tmp_path: Path) -> tuple[Noise, Finished, Path]:
    """A run that stopped early."""
    task = Noise()
    return task, fit(task, RECIPE, tmp_path / "whole"), tmp_path / "whole"


def test_training_stops_when_it_only_learns_by_heart_and_gives_back_the_best_weights(
    undisturbed: tuple[Noise, Finished, Path],
) -> None:
    task, finished, out = undisturbed
    losses = [row["validation_loss"] for row in rows(out)]
    assert finished.epochs == len(losses) < EPOCHS
    assert finished.best == finished.epochs - PATIENCE == 1 + int(np.argmin(losses))
    assert losses[-1] > min(losses)
    assert rows(out)[-1]["error"] < rows(out)[0]["error"]
    assert validate(task, RECIPE, split(task, RECIPE))["loss"] == min(losses)


@pytest.mark.parametrize("after", [-PATIENCE - 1, -PATIENCE, -1])
def test_a_run_that_is_killed_before_it_stops_early_ends_as_if_it_had_not_been(
    after: int, undisturbed: tuple[Noise, Finished, Path], tmp_path: Path
) -> None:
    """What is to beat, and the weights that did it, must come back as well."""
    task, finished, out = undisturbed

    def kill(progress: Progress) -> None:
        if progress.epoch == finished.epochs + after and progress.step % 3 == 2:
            raise Killed

    again = Noise()
    with pytest.raises(Killed):
        fit(again, RECIPE, tmp_path / "parts", progress=kill, checkpoint_seconds=0)
    again = Noise()
    assert fit(again, RECIPE, tmp_path / "parts", resume=True) == finished
    assert weights(again) == weights(task)
    assert rows(tmp_path / "parts") == rows(out)
    once_more = Noise()
    assert fit(once_more, RECIPE, tmp_path / "parts", resume=True) == finished
    assert weights(once_more) == weights(task)
    assert rows(tmp_path / "parts") == rows(out)


def test_tensorboard_reads_each_epoch_once_though_one_was_logged_twice(tmp_path: Path) -> None:
    """A curve that jumps back in time is one that nobody trusts."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = replace(RECIPE, epochs=5, patience=5)
    kept: list[bytes] = []

    def kill(progress: Progress) -> None:
        # After the third epoch, with the checkpoint of the second: as if killed between the two.
        if progress.epoch == 2 and not kept:
            kept.append((tmp_path / "checkpoint.pt").read_bytes())
        if progress.epoch == 3:
            (tmp_path / "checkpoint.pt").write_bytes(kept[0])
            raise Killed

    with pytest.raises(Killed):
        fit(Noise(), recipe, tmp_path, progress=kill)
    fit(Noise(), recipe, tmp_path, resume=True)
    assert len(list((tmp_path / EVENTS).iterdir())) == 2
    read = EventAccumulator(str(tmp_path / EVENTS))
    read.Reload()
    tags = {"training/error", "validation/error", "validation/loss"}
    assert set(read.Tags()["scalars"]) == tags
    for tag in tags:
        part, name = tag.split("/")
        key = f"validation_{name}" if part == "validation" else name
        found = read.Scalars(tag)
        assert [one.step for one in found] == [1, 2, 3, 4, 5]
        assert [one.value for one in found] == pytest.approx([row[key] for row in rows(tmp_path)])

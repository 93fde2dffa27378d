"""The training loop, and checkpoints from which it goes on exactly where it stopped."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from orchestrator.latent.protocol import SpaceError
from orchestrator.training.data import write_atomically
from orchestrator.training.recipes import Recipe
from orchestrator.training.task import Task

CHECKPOINT = "checkpoint.pt"
LOG = "losses.jsonl"
CHECKPOINT_SECONDS = 120.0
"""A killed run loses at most this; what it computes does not depend on it."""
WARM_UP = 0.02
"""Share of the steps in which the learning rate rises."""


@dataclass(frozen=True)
class Progress:
    """Where a training run stands."""

    epoch: int
    """Whole epochs done."""
    epochs: int
    step: int
    """Batches done in all."""
    steps: int
    """Batches of the whole run, at the present epoch's number of batches."""
    losses: dict[str, float]
    """Terms of the loss: means over the epoch so far."""


Callback = Callable[[Progress], None]


def fit(task: Task, recipe: Recipe, out: Path, *, resume: bool, progress: Callback | None) -> None:
    """Trains the task's network in place, writing checkpoints and a log of losses into ``out``.

    A run that was stopped anywhere and resumed gives the same weights as one left alone, on the
    same machine with the same number of threads.

    Raises:
        SpaceError: ``resume`` finds no checkpoint, or one of another recipe.
    """
    network = task.network
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    epoch, index, step, sums = 0, 0, 0, dict[str, float]()
    if resume:
        epoch, index, step, sums = _restore(out / CHECKPOINT, task, recipe, optimiser)
    saved = time.monotonic()
    while epoch < recipe.epochs:
        batches = task.batches(recipe.batch, np.random.default_rng((recipe.seed, epoch)))
        network.train()
        while index < len(batches):
            done = (epoch + index / len(batches)) / recipe.epochs
            terms = _step(task, optimiser, recipe, batches[index], done)
            index, step = index + 1, step + 1
            sums = {name: sums.get(name, 0.0) + value for name, value in terms.items()}
            if progress:
                means = {name: total / index for name, total in sums.items()}
                steps = len(batches) * recipe.epochs
                progress(Progress(epoch, recipe.epochs, step, steps, means))
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                _save(out / CHECKPOINT, task, recipe, optimiser, (epoch, index, step, sums))
                saved = time.monotonic()
        _log(out / LOG, epoch + 1, step, {name: total / index for name, total in sums.items()})
        epoch, index, sums = epoch + 1, 0, {}
        _save(out / CHECKPOINT, task, recipe, optimiser, (epoch, index, step, sums))
    network.eval()


def _step(
    task: Task,
    optimiser: torch.optim.Optimizer,
    recipe: Recipe,
    batch: Any,
    done: float,
) -> dict[str, float]:
    for group in optimiser.param_groups:
        group["lr"] = recipe.learning_rate * _rate(done)
    optimiser.zero_grad(set_to_none=True)
    loss, terms = task.loss(batch, done)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(task.network.parameters(), recipe.clip)
    optimiser.step()
    return terms


def _rate(done: float) -> float:
    if done < WARM_UP:
        return (done + WARM_UP / 50) / (WARM_UP + WARM_UP / 50)
    return 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


_Position = tuple[int, int, int, dict[str, float]]


def _identity(recipe: Recipe, task: Task) -> str:
    return json.dumps(
        [recipe.name, dict(recipe.network), dict(recipe.weights), recipe.epochs, recipe.batch]
        + [recipe.learning_rate, recipe.seed, recipe.weight_decay, recipe.clip, task.data_sha256]
    )


def _save(
    path: Path,
    task: Task,
    recipe: Recipe,
    optimiser: torch.optim.Optimizer,
    position: _Position,
) -> None:
    with write_atomically(path) as file:
        torch.save(
            {
                "identity": _identity(recipe, task),
                "network": task.network.state_dict(),
                "optimiser": optimiser.state_dict(),
                "rng": torch.get_rng_state(),
                "position": list(position),
            },
            file,
        )


def _restore(
    path: Path, task: Task, recipe: Recipe, optimiser: torch.optim.Optimizer
) -> _Position:
    try:
        stored = torch.load(path, weights_only=True)
    except OSError as error:
        raise SpaceError(f"nothing to resume: {path} cannot be read") from error
    if stored["identity"] != _identity(recipe, task):
        raise SpaceError(
            f"{path} belongs to another recipe, seed, number of epochs or data set: "
            f"{stored['identity']}, not {_identity(recipe, task)}"
        )
    task.network.load_state_dict(stored["network"])
    optimiser.load_state_dict(stored["optimiser"])
    torch.set_rng_state(stored["rng"])
    epoch, index, step, sums = stored["position"]
    return epoch, index, step, sums


def _log(path: Path, epoch: int, step: int, losses: dict[str, float]) -> None:
    line = json.dumps({"epoch": epoch, "step": step, **losses})
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")

"""The training loop, and checkpoints from which it goes on exactly where it stopped."""

from __future__ import annotations

import json
import math
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from orchestrator.latent.protocol import SpaceError
from orchestrator.training.data import write_atomically
from orchestrator.training.log import Log
from orchestrator.training.recipes import Recipe
from orchestrator.training.task import Grouped, Rate, Stateful, Task
from orchestrator.training.validation import Best, split, validate

CHECKPOINT = "checkpoint.pt"
_DECISIVE = ("name", "epochs", "batch", "learning_rate", "seed", "weight_decay", "clip")
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
    last: bool
    """Whether this was the epoch's last batch."""


Callback = Callable[[Progress], None]


@dataclass(frozen=True)
class Finished:
    """How a training run ended."""

    epochs: int
    """Whole epochs done: fewer than the recipe's where it stopped early."""
    best: int
    """The epoch after which the network had the weights that it has now."""


@dataclass
class _Position:
    """Where a run stands between two batches."""

    epoch: int = 0
    index: int = 0
    """Batches of this epoch done."""
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    """Terms of the loss, summed over this epoch's batches."""
    best: Best = field(default_factory=Best)
    """Where the recipe stops early: what is to beat."""

    def means(self) -> dict[str, float]:
        return {name: total / self.index for name, total in self.sums.items()}


def fit(
    task: Task,
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    progress: Callback | None = None,
    checkpoint_seconds: float = 120.0,
) -> Finished:
    """Trains the task's network in place, writing checkpoints and logs of losses into ``out``.

    A run that was stopped anywhere and resumed gives the same weights as one left alone, on the
    same machine with the same number of threads; ``checkpoint_seconds`` is what a killed one loses
    at most, and changes nothing else.

    Where the recipe has patience, a part of the training objects is kept apart (see
    :mod:`orchestrator.training.validation`): training ends after that many epochs in which the loss
    on it fell no lower, and the network gets back the weights with which it was lowest.

    Raises:
        SpaceError: ``resume`` finds no checkpoint, or one of another run; or the loss diverged.
    """
    groups = _groups(task)
    rates = [rate_of for _, rate_of in groups]
    optimiser = torch.optim.AdamW(
        [{"params": parameters} for parameters, _ in groups],
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
    )
    at = _restore(out, task, recipe, optimiser) if resume else _Position()
    kept_apart = split(task, recipe)
    with Log(out, at.epoch) as log:
        while at.epoch < recipe.epochs and not at.best.stale(at.epoch, recipe.patience):
            batches = task.batches(recipe.batch, np.random.default_rng((recipe.seed, at.epoch)))
            batches = [rest for batch in batches if len(rest := kept_apart.rest(batch))]
            task.network.train()
            saved = time.monotonic()
            while at.index < len(batches):
                done = (at.epoch + at.index / len(batches)) / recipe.epochs
                terms = _step(task, optimiser, recipe, rates, batches[at.index], done)
                at.index, at.step = at.index + 1, at.step + 1
                at.sums = {name: at.sums.get(name, 0.0) + value for name, value in terms.items()}
                if time.monotonic() - saved > checkpoint_seconds:
                    _save(out, task, recipe, optimiser, at)
                    saved = time.monotonic()
                if progress:
                    steps = len(batches) * recipe.epochs
                    last = at.index == len(batches)
                    progress(Progress(at.epoch, recipe.epochs, at.step, steps, at.means(), last))
            validation = validate(task, recipe, kept_apart)
            log.write(at.epoch + 1, at.step, at.means(), validation)
            at = _Position(at.epoch + 1, step=at.step, best=at.best)
            if validation:
                at.best = at.best.or_now(at.epoch, validation["loss"], task.network)
            _save(out, task, recipe, optimiser, at)
    if at.best.weights:
        task.network.load_state_dict(at.best.weights)
    task.network.eval()
    return Finished(at.epoch, at.best.epoch or at.epoch)


def _groups(task: Task) -> list[tuple[list[nn.Parameter], Rate]]:
    return task.groups() if isinstance(task, Grouped) else [(list(task.network.parameters()), rate)]


def _step(
    task: Task,
    optimiser: torch.optim.Optimizer,
    recipe: Recipe,
    rates: list[Rate],
    batch: NDArray[np.int64],
    done: float,
) -> dict[str, float]:
    for group, rate_of in zip(optimiser.param_groups, rates, strict=True):
        group["lr"] = recipe.learning_rate * rate_of(done)
    optimiser.zero_grad(set_to_none=True)
    loss, terms = task.loss(batch, done)
    if not math.isfinite(loss.item()):
        raise SpaceError(f"training diverged: the loss is {loss.item()} ({terms})")
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(task.network.parameters(), recipe.clip)
    optimiser.step()
    return terms


def rate(done: float) -> float:
    """Learning rate after a share of the training, as a share of its peak."""
    if done < WARM_UP:
        return (done + WARM_UP / 50) / (WARM_UP + WARM_UP / 50)
    return 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def _identity(recipe: Recipe, task: Task) -> str:
    settings = {name: getattr(recipe, name) for name in _DECISIVE} | {"data": task.data_sha256}
    settings |= {"network": dict(recipe.network), "weights": dict(recipe.weights)}
    if recipe.patience:
        settings["patience"] = recipe.patience
    return json.dumps(settings, sort_keys=True)


def _differences(stored: str, asked: str) -> str:
    """In what one run is not the other, such as ``seed 1, not 2``."""
    there, here = json.loads(stored), json.loads(asked)
    names = [name for name in here | there if there.get(name) != here.get(name)]
    return "; ".join(f"{name} {there.get(name)}, not {here.get(name)}" for name in names)


def _save(
    out: Path, task: Task, recipe: Recipe, optimiser: torch.optim.Optimizer, at: _Position
) -> None:
    with write_atomically(out / CHECKPOINT) as file:
        torch.save(
            {
                "identity": _identity(recipe, task),
                "network": task.network.state_dict(),
                "optimiser": optimiser.state_dict(),
                "task": task.state_dict() if isinstance(task, Stateful) else {},
                "rng": torch.get_rng_state(),
                "position": [at.epoch, at.index, at.step, at.sums],
                "best": vars(at.best),
            },
            file,
        )


def _restore(out: Path, task: Task, recipe: Recipe, optimiser: torch.optim.Optimizer) -> _Position:
    path = out / CHECKPOINT
    if not path.exists():
        raise SpaceError(f"nothing to resume: there is no {path}; leave out --resume")
    try:
        stored = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise SpaceError(f"nothing to resume: {path} cannot be read: {error}") from error
    if stored["identity"] != _identity(recipe, task):
        differences = _differences(stored["identity"], _identity(recipe, task))
        raise SpaceError(f"{path} belongs to another run: {differences}")
    task.network.load_state_dict(stored["network"])
    optimiser.load_state_dict(stored["optimiser"])
    if isinstance(task, Stateful):
        task.load_state_dict(stored["task"])
    torch.set_rng_state(stored["rng"])
    epoch, index, step, sums = stored["position"]
    return _Position(epoch, index, step, sums, Best(**stored.get("best", {})))

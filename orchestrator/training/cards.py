"""Exporting a trained network: weights as safetensors, and the card that says what they are."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from orchestrator.training.data import write_atomically
from orchestrator.training.recipes import Recipe
from orchestrator.training.task import Stored, Task
from orchestrator.training.trainer import Finished

_LIBRARIES = ("torch", "numpy", "rdkit", "selfies", "safetensors")


def export(
    task: Task,
    recipe: Recipe,
    out: Path,
    *,
    data: str | None,
    finished: Finished,
    metrics: Mapping[str, Any],
) -> dict[str, Any]:
    """Writes ``weights.safetensors`` and ``card.json`` into ``out`` and returns the card.

    ``data`` is the name of the data file, or None where the task drew its data.
    Floating-point weights are stored as float32, everything of the network's state included, unless
    the task says otherwise.
    """
    kept = task.tensors() if isinstance(task, Stored) else task.network.state_dict()
    state = {name: _plain(tensor) for name, tensor in kept.items()}
    content = save(state)
    card = {
        "name": recipe.name,
        "task": recipe.task,
        "description": recipe.description,
        "weights_sha256": hashlib.sha256(content).hexdigest(),
        "parameters": sum(parameter.numel() for parameter in task.network.parameters()),
        "data": {"file": data, "sha256": task.data_sha256, **task.data_counts()},
        "training": {
            "command": f"assayloop models train {recipe.name} "
            + (f"--data {data} " if data else "")
            + f"--epochs {recipe.epochs} --seed {recipe.seed}"
            + (f" --patience {recipe.patience}" if recipe.patience else ""),
            "epochs": recipe.epochs,
            "epochs_done": finished.epochs,
            "weights_of_epoch": finished.best,
            "batch": recipe.batch,
            "learning_rate": recipe.learning_rate,
            "weight_decay": recipe.weight_decay,
            "loss_weights": dict(recipe.weights),
            "seed": recipe.seed,
            "threads": torch.get_num_threads(),
        },
        "metrics": dict(metrics),
        "versions": {"python": platform.python_version()}
        | {library: version(library) for library in _LIBRARIES},
        **task.card(),
    }
    with write_atomically(out / "weights.safetensors") as file:
        file.write(content)
    with write_atomically(out / "card.json") as file:
        file.write((json.dumps(card, indent=1) + os.linesep).encode())
    return card


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().contiguous()

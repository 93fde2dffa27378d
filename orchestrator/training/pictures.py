"""Pictures of trained models: what ``assayloop models figures`` puts on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.latent.protocol import SpaceError
from orchestrator.latent.registry import Model, need_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(models: Sequence[Model], out: Path, *, data: Path | None, cache: Path) -> list[Path]:
    """Draws all figures of some models of one task and writes them as PNG files.

    Args:
        models: at least one; where a figure takes several, they stand side by side.
        out: folder for the files, ``MODEL-FIGURE.png``; made if missing.
        data: what they were trained on, for those that read a file; by default that which
            ``assayloop data get`` fetched.
        cache: folder of prepared data.

    Returns:
        The files.

    Raises:
        SpaceError: models of several tasks, weights or data that are not there, or no figure for
            the task.
    """
    tasks = {str(model.card.get("task")) for model in models}
    if len(tasks) > 1:
        raise SpaceError(
            f"{', '.join(model.name for model in models)} are of the tasks "
            f"{', '.join(sorted(tasks))}; figures show models of one task side by side"
        )
    for model in models:
        need_weights(model)
    from orchestrator.plots.style import save

    drawn = _figures(tasks.pop(), models, data, cache)
    return [save(figure, out / f"{name}.png") for name, figure in drawn]


def _figures(
    task: str, models: Sequence[Model], data: Path | None, cache: Path
) -> Iterator[tuple[str, Figure]]:
    match task:
        case "curve":
            from orchestrator.training.curve.pictures import curve_figures

            for model in models:
                yield from curve_figures(model)
        case "digits-vae" | "digits-dense":
            from orchestrator.training.data import load_digits
            from orchestrator.training.digits.pictures import digit_figures

            yield from digit_figures(models, load_digits(data, cache=cache))
        case "digits-cnn" | "digits-cnn-second":
            from orchestrator.training.data import load_digits
            from orchestrator.training.digits.pictures import misread_figures

            yield from misread_figures(models, load_digits(data, cache=cache))
        case "digits-cvae":
            from orchestrator.training.digits.pictures import asked_figures

            yield from asked_figures(models)
        case "digits-constraints":
            from orchestrator.training.data import load_digits
            from orchestrator.training.digits.pictures import asked_figures, moves

            yield from asked_figures(models)
            for model in models:
                yield f"{model.name}-moves", moves(model, load_digits(data, cache=cache))
        case "automata":
            from orchestrator.training.automata.pictures import latent_maps

            yield from latent_maps(models, data)
        case "smiles":
            from orchestrator.training.data_sets import locate
            from orchestrator.training.smiles.data import load
            from orchestrator.training.smiles.pictures import property_figures

            yield from property_figures(models, load(locate(_named(data), cache), cache=cache))
        case "molecules":
            from orchestrator.training.molecules.pictures import molecule_figures

            yield from molecule_figures(models, _named(data), cache)
        case _:
            raise SpaceError(f"no figure is drawn of models of the task {task}")
    for model in models:
        yield from _losses(model)


def _named(data: Path | None) -> Path:
    if data is None:
        raise SpaceError("figures of molecules read those of the training; name --data")
    return data


def _losses(model: Model) -> Iterator[tuple[str, Figure]]:
    """The history of the losses, where the folder still has the training's log."""
    from orchestrator.plots.models import losses
    from orchestrator.training.log import LINES

    path = model.folder / LINES
    if path.exists():
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        yield f"{model.name}-losses", losses(rows)

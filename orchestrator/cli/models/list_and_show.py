"""``assayloop models``: the models of latent spaces, shipped and one's own, and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.terminal.options import AsJson, ModelData
from orchestrator.cli.terminal.output import cell, print_json, print_table
from orchestrator.errors import BadInput
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.latent.registry import Model
    from orchestrator.training.recipes import Recipe


def list_models(as_json: AsJson = False) -> None:
    """List the models of latent spaces: those that ship, your own, and what can be trained.

    Your own lie in folders below `models` in ASSAYLOOP_HOME, and are called like their folder. All
    that a model's card says, and where it lies, is in the JSON.
    """
    from orchestrator.latent.protocol import SpaceError
    from orchestrator.training import all_models, telling_figures

    try:
        models = all_models.models(Settings.read().models)
    except SpaceError as error:
        raise BadInput.of("", str(error), "mend the card, or move the folder away") from None
    found = [_described(model) for model in models]
    found += [_planned(recipe) for recipe in all_models.untrained(models)]
    if as_json:
        print_json(found)
        return
    rows = [
        [
            one["name"],
            one["dim"],
            f"{one['size'] / 1e6:.1f} MB" if one["size"] else "",
            _where(one),
            "\n".join(f"{cell(figure.value)} {figure.words}" for figure in telling_figures.of(one)),
        ]
        for one in found
    ]
    print_table(["model", "dim", "size", "where", "on held-out data"], rows)


def _described(model: Model) -> dict[str, Any]:
    from orchestrator.training import telling_figures

    return {
        "name": model.name,
        "task": model.card.get("task"),
        "dim": model.card.get("network", {}).get("latent"),
        "size": model.weights.stat().st_size if model.usable else 0,
        "shipped": model.shipped and model.usable,
        "folder": str(model.folder),
        "description": model.card.get("description"),
        "weights_sha256": model.card.get("weights_sha256"),
        "data": model.card.get("data"),
        "training": model.card.get("training"),
        "metrics": model.card.get("metrics", {}),
        "telling": [figure.metric for figure in telling_figures.of(model.card)],
    }


def _planned(recipe: Recipe) -> dict[str, Any]:
    """A model that nobody trained yet, with the keys of one that somebody did."""
    told = {"name": recipe.name, "task": recipe.task, "dim": recipe.network.get("latent")}
    unknown = dict.fromkeys(("folder", "weights_sha256", "data", "training"))
    rest = {"size": 0, "shipped": False, "description": recipe.description, "metrics": {}}
    rest["telling"] = []
    return told | unknown | rest


def _where(described: Mapping[str, Any]) -> str:
    if described["shipped"]:
        return "shipped"
    if described["size"]:
        return "your own"
    return "card only" if described["folder"] else "not trained"


def show_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a model, or its folder.")],
    as_json: AsJson = False,
) -> None:
    """Show what a model is, how it was trained, and all that its evaluation run measured.

    The figures are those of the run on held-out data that followed the training, from the card; of
    a model of MOSES, those published of its authors' autoencoder stand beside them.
    """
    (model,) = _found([name])
    described = _described(model)
    if as_json:
        print_json(described)
        return
    typer.secho(f"{model.name}: {described['description']}", bold=True)
    size = f"{described['size'] / 1e6:.2f} MB" if model.usable else "which do not ship"
    typer.echo(f"  weights {str(described['weights_sha256'])[:16]}, {size}")
    typer.echo(f"  {model.folder}")
    for part in ("data", "training"):
        rows = [[name, _text(value)] for name, value in (described[part] or {}).items()]
        print_table([part, ""], rows)
    metrics = dict(described["metrics"])
    moses = metrics.pop("moses", None)
    rows = [[name, _text(value)] for name, value in metrics.items()]
    print_table(["on held-out data", ""], rows)
    if moses is not None:
        _print_moses(model.name, moses)


def _print_moses(name: str, metrics: Mapping[str, float]) -> None:
    """The metrics of MOSES beside those that its authors published of their autoencoder."""
    from orchestrator.training.molecules.moses_published import VAE

    rows = [
        [metric, cell(metrics.get(metric)), f"{mean:g} ± {deviation:g}"]
        for metric, (mean, deviation) in VAE.items()
    ]
    rows += [[metric, cell(value), ""] for metric, value in metrics.items() if metric not in VAE]
    print_table(["MOSES", name, "VAE, Polykovskiy et al. 2020"], rows)


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name} {cell(one)}" for name, one in value.items())
    return cell(value)


def _found(names: Sequence[str]) -> list[Model]:
    from orchestrator.latent.protocol import SpaceError
    from orchestrator.training import all_models

    try:
        return [all_models.find(name, Settings.read().models) for name in names]
    except SpaceError as error:
        raise BadInput.of("NAME", str(error), "`assayloop models list` lists them") from None


def draw_figures(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Models of one task, shown side by side."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the PNG files.")] = Path("figures"),
    data: ModelData = None,
) -> None:
    """Draw the figures of a model, or of several side by side, and print the files' paths.

    Figures of digits show test images, by default those that `assayloop data get mnist` left;
    those of molecules compare with the data of the training.
    """
    from orchestrator.latent.protocol import SpaceError
    from orchestrator.training.pictures import draw

    cache = Settings.read().home / "data"
    try:
        written = draw(_found(names), out, data=data, cache=cache)
    except SpaceError as error:
        raise BadInput.of("", str(error)) from None
    except OSError as error:
        raise BadInput.of("--out", f"{out} cannot be written: {error.strerror}") from None
    for path in written:
        typer.echo(str(path))

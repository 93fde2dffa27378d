"""``assayloop models``: the models of latent spaces, shipped and one's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import INTERRUPTED
from orchestrator.cli.options import AsJson
from orchestrator.cli.output import cell, duration, number, print_json, print_table
from orchestrator.errors import BadInput
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.latent.registry import Model
    from orchestrator.training.recipes import Recipe
    from orchestrator.training.trainer import Progress

Data = Annotated[
    Path | None,
    typer.Option(help="What it is trained on: a file, or the name of data that were got or added."),
]


def list_models(as_json: AsJson = False) -> None:
    """List the models of latent spaces: those that ship, your own, and what can be trained.

    Your own lie in folders below `models` in ASSAYLOOP_HOME, and are called like their folder. All
    that a model's card says is in the JSON.
    """
    from orchestrator.latent.protocol import SpaceError
    from orchestrator.training import zoo

    try:
        models = zoo.models(Settings.read().models)
    except SpaceError as error:
        raise BadInput.of("", str(error), "mend the card, or move the folder away") from None
    found = [_described(model) for model in models]
    found += [_planned(recipe) for recipe in zoo.untrained(models)]
    if as_json:
        print_json(found)
        return
    rows = [
        [
            one["name"],
            one["dim"],
            f"{one['size'] / 1e6:.1f} MB" if one["size"] else "",
            _where(one),
            "\n".join(f"{cell(value)}  {name}" for name, value in _figures(one["metrics"])),
        ]
        for one in found
    ]
    print_table(["model", "dim", "size", "where", "on held-out data"], rows)


def _described(model: Model) -> dict[str, Any]:
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
    }


def _planned(recipe: Recipe) -> dict[str, Any]:
    """A model that nobody trained yet, with the keys of one that somebody did."""
    told = {"name": recipe.name, "task": recipe.task, "dim": recipe.network.get("latent")}
    unknown = dict.fromkeys(("folder", "weights_sha256", "data", "training"))
    rest = {"size": 0, "shipped": False, "description": recipe.description, "metrics": {}}
    return told | unknown | rest


def _where(described: Mapping[str, Any]) -> str:
    if described["shipped"]:
        return "shipped"
    if described["size"]:
        return str(described["folder"])
    return "only its card" if described["folder"] else "not trained"


def _figures(metrics: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The first two metrics that are a share or a bound, not how many or how fast."""
    found = [(name, value) for name, value in metrics.items() if isinstance(value, float)]
    return found[:2]


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
    from orchestrator.training.moses_published import VAE

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
    from orchestrator.training import zoo

    try:
        return [zoo.find(name, Settings.read().models) for name in names]
    except SpaceError as error:
        raise BadInput.of("NAME", str(error), "`assayloop models list` lists them") from None


def draw_figures(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Models of one task, shown side by side."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the PNG files.")] = Path("figures"),
    data: Data = None,
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


def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(metavar="NAME", help="Name of a recipe.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the model; by default the recipe's name below ASSAYLOOP_HOME/models, "
            "where specs find it."
        ),
    ] = None,
    data: Data = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the recipe's.")] = None,
    patience: Annotated[
        int | None,
        typer.Option(min=0, help="Stop after so many epochs without a lower validation loss."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in the folder.")
    ] = False,
) -> None:
    """Train a model of a latent space, with the recipe that the shipped one was trained by.

    Recipes of digits read MNIST, by default what `assayloop data get mnist` left; recipes of
    molecules read a file of SMILES, or what `assayloop data add` took in, by name; moses-selfies
    reads what `assayloop data get moses` left; automata are read from a file or else drawn, and
    curve draws its data itself. Ctrl-C is safe: --resume goes on where it was.
    `tensorboard --logdir` of the folder shows the losses.
    """
    from orchestrator.latent.protocol import SpaceError
    from orchestrator.training import run, trainer

    out = out or _place(recipe)
    checkpoint = out / trainer.CHECKPOINT
    if not resume and (checkpoint.exists() or (out / "card.json").exists()):
        what = f"{out} holds a training already"
        raise BadInput.of("--out", what, "go on with it by --resume, or name another folder")
    started = time.monotonic()
    try:
        with _progress(recipe) as progress:
            card = run.train(
                recipe,
                data=data,
                out=out,
                seed=seed,
                epochs=epochs,
                patience=patience,
                resume=resume,
                progress=progress,
                cache=Settings.read().home / "data",
            )
    except SpaceError as error:
        raise BadInput.of("", str(error)) from None
    except OSError as error:
        raise BadInput.of("--out", f"{out} cannot be written: {error.strerror}") from None
    except KeyboardInterrupt:
        kept = "add --resume to the same command to go on" if checkpoint.exists() else "none yet"
        context.obj["interrupted"] = f"The checkpoint is {checkpoint}: {kept}."
        raise typer.Exit(INTERRUPTED) from None
    training = card["training"]
    if training["weights_of_epoch"] < training["epochs"]:
        done, best = training["epochs_done"], training["weights_of_epoch"]
        typer.echo(f"Ended after epoch {done}; the weights are those of epoch {best}, the best.")
    typer.echo(f"Trained in {duration(time.monotonic() - started)}; on data it never saw:")
    for name, value in _figures(card["metrics"]):
        typer.echo(f"  {name} {cell(value)}")
    typer.echo(f"The model is in {out}.")


def _place(recipe: str) -> Path:
    """Where a model is trained if nobody says where: never in front of one that campaigns use."""
    from orchestrator.training import zoo

    home = Settings.read().models
    shipped = [one.name for one in zoo.models(None) if one.usable]
    if recipe in shipped:
        hides = f"the weights of {recipe} ship; a model of yours by that name would stand for them"
        raise BadInput.of("--out", hides, f"name a folder, such as {home / f'{recipe}-mine'}")
    return home / recipe


@contextmanager
def _progress(recipe: str) -> Iterator[Callable[[Progress], None]]:
    """Yields what the trainer calls after each batch: a bar on a terminal, else a line an epoch."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Bars(*columns, console=console) as bars:
        task = bars.add_task(recipe, total=None, text="reading data")

        def observe(progress: Progress) -> None:
            bars.update(
                task, completed=progress.step, total=progress.steps, text=_standing(progress)
            )

        yield observe


class _Lines:
    """A line when an epoch begins, for logs and pipes."""

    def __init__(self) -> None:
        self._epoch = -1

    def __call__(self, progress: Progress) -> None:
        if progress.epoch != self._epoch:
            self._epoch = progress.epoch
            typer.echo(_standing(progress), err=True)


def _standing(progress: Progress) -> str:
    losses = ", ".join(f"{name} {number(value)}" for name, value in progress.losses.items())
    return f"epoch {progress.epoch + 1} of {progress.epochs}: {losses}"

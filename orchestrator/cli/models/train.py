"""``assayloop models train``: a model of a latent space, by its recipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import INTERRUPTED
from orchestrator.cli.terminal.options import ModelData
from orchestrator.cli.terminal.output import cell, duration, number
from orchestrator.errors import BadInput
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.training.trainer import Progress


def train(
    context: typer.Context,
    recipe: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of a recipe; a wrong one lists them.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the model; by default the recipe's name below ASSAYLOOP_HOME/models, "
            "where specs find it."
        ),
    ] = None,
    data: ModelData = None,
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
    from orchestrator.training import run

    out = out or _place(recipe)
    if not resume and (_checkpoint(out).exists() or (out / "card.json").exists()):
        what = f"{out} holds a training already"
        raise BadInput.of("--out", what, "go on with it by --resume, or name another folder")
    started = time.monotonic()
    with _refusals(context, out), _progress(recipe) as progress:
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
    _print_outcome(card, time.monotonic() - started)
    typer.echo(f"The model is in {out}.")


def _checkpoint(out: Path) -> Path:
    from orchestrator.training import trainer

    return out / trainer.CHECKPOINT


@contextmanager
def _refusals(context: typer.Context, out: Path) -> Iterator[None]:
    """What may end a training, in the words of the command."""
    from orchestrator.latent.protocol import SpaceError

    try:
        yield
    except SpaceError as error:
        raise BadInput.of("", str(error)) from None
    except OSError as error:
        raise BadInput.of("--out", f"{out} cannot be written: {error.strerror}") from None
    except KeyboardInterrupt:
        at = _checkpoint(out)
        kept = f"The checkpoint is {at}: add --resume to the same command to go on."
        context.obj["interrupted"] = kept if at.exists() else "There is no checkpoint yet."
        raise typer.Exit(INTERRUPTED) from None


def _print_outcome(card: Mapping[str, Any], seconds: float) -> None:
    from orchestrator.training import telling_figures

    training = card["training"]
    if training["weights_of_epoch"] < training["epochs"]:
        done, best = training["epochs_done"], training["weights_of_epoch"]
        typer.echo(f"Ended after epoch {done}; the weights are those of epoch {best}, the best.")
    typer.echo(f"Trained in {duration(seconds)}; on data it never saw:")
    for figure in telling_figures.of(card):
        typer.echo(f"  {figure.metric} {cell(figure.value)}")


def _place(recipe: str) -> Path:
    """Where a model is trained if nobody says where: never in front of one that campaigns use."""
    from orchestrator.training import all_models

    home = Settings.read().models
    shipped = [one.name for one in all_models.models(None) if one.usable]
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
    from rich.table import Column

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    # Where a terminal is too narrow, it is the losses that go on in a further line.
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=16, table_column=Column(no_wrap=True, min_width=16)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[text]}", table_column=Column()),
    )
    with Bars(*columns, console=console) as bars:
        task = bars.add_task(recipe, total=None, text="reading data")

        def observe(progress: Progress) -> None:
            bars.update(
                task, completed=progress.step, total=progress.steps, text=_standing(progress)
            )

        yield observe


class _Lines:
    """A line when an epoch ends, with the losses that are logged of it, for logs and pipes."""

    def __call__(self, progress: Progress) -> None:
        if progress.last:
            typer.echo(_standing(progress), err=True)


def _standing(progress: Progress) -> str:
    losses = ", ".join(f"{name} {number(value)}" for name, value in progress.losses.items())
    return f"epoch {progress.epoch + 1} of {progress.epochs}: {losses}"

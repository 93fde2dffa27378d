"""``assayloop models interpolate``: ways between objects of a latent space, drawn and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.terminal.options import AsJson
from orchestrator.cli.terminal.output import print_json, print_table
from orchestrator.errors import BadInput
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.training.interpolation_study import Along


def interpolate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a model, or its folder.")],
    data: Annotated[
        Path | None,
        typer.Option(help="What a model of molecules was trained on, to count what is new to it."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the PNG file.")] = Path("figures"),
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of ends that are counted.")] = 200,
    points: Annotated[int, typer.Option(min=3, help="Points of a way, both ends included.")] = 9,
    passes: Annotated[
        int, typer.Option(min=0, help="Times that the last way's points are decoded and encoded.")
    ] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the ends.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare ways between objects of a latent space: linear, polar, spherical, and with passes.

    The ends are draws from the prior. Of each way it is counted over all pairs what lies between
    the ends; the figure shows one pair, that whose ends are
    farthest apart.
    """
    from orchestrator.latent.protocol import SpaceError
    from orchestrator.plots.style import save
    from orchestrator.training import all_models, interpolation_study

    settings = Settings.read()
    try:
        model = all_models.find(name, settings.models)
        space = all_models.space_of(model)
        seen = interpolation_study.trained_on(model, data, settings.home / "data")
        found = interpolation_study.between(
            space, pairs=pairs, points=points, passes=passes, seed=seed
        )
        measured = interpolation_study.compare(found, seen)
        figure = interpolation_study.picture(found, measured)
    except SpaceError as error:
        raise BadInput.of("", str(error)) from None
    try:
        path = save(figure, out / f"{model.name}-interpolation.png")
    except OSError as error:
        raise BadInput.of("--out", f"{out} cannot be written: {error.strerror}") from None
    if as_json:
        counted = {"pairs": pairs, "points": points, "passes": passes, "seed": seed}
        told = {"model": model.name, "figure": str(path), **counted}
        print_json(told | {"ways": [asdict(one) for one in measured]})
        return
    _print(measured, f"Between {pairs} pairs of draws from the prior, {points - 2} points each")
    typer.echo(str(path))


def _print(measured: Sequence[Along], text: str) -> None:
    rows = [
        [
            one.way,
            f"{one.valid:.1%}",
            f"{one.new:.1%}",
            "" if one.unseen is None else f"{one.unseen:.1%}",
            f"{one.distinct:.1f}",
        ]
        for one in measured
    ]
    columns = ["way", "valid", "at neither end", "not trained on", "objects on one way"]
    print_table(columns, rows, title=text)

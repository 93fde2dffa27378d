"""``assayloop audit anchor``: the heads of all chains, signed and kept outside the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.terminal.options import AsJson
from orchestrator.cli.terminal.output import print_json
from orchestrator.settings import Settings


def anchor(
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Add them to this file, instead of the settings' one."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign the heads of all chains that grew, and keep what was signed outside the database.

    Refused, with exit code 5, where a chain is not what an earlier anchor in the file says.
    """
    from orchestrator import opening
    from orchestrator.history.verify import anchor_keys
    from orchestrator.people import actors

    settings = Settings.read()
    database = opening.database(settings)
    actors.current(database, actors.Scope.AUDIT)
    made = anchor_keys.anchor(database, settings, out)
    if as_json:
        print_json([vars(one) for one in made])
        return
    target = out or settings.anchors
    grew = "1 chain" if len(made) == 1 else f"{len(made)} chains"
    said = f"{grew} grew, and the heads were signed" if made else "No chain has grown"
    typer.echo(f"{said}. The anchors are in")
    typer.echo(target)

"""``assayloop report``: a campaign's report again, as it stands now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.terminal.options import AsJson, CampaignName
from orchestrator.cli.terminal.output import print_json, relative
from orchestrator.errors import BadInput
from orchestrator.settings import Settings


def report(
    name: CampaignName,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="By default in the home's folder of reports."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a campaign's report as it stands now: one HTML file that needs nothing but itself.

    It is the one that `run` writes at its end, also of a campaign that is running or paused, and
    replaces the older one. `audit report` writes one for a reviewer.
    """
    from orchestrator import opening, wiring
    from orchestrator import report as page
    from orchestrator.people import actors

    if out is not None and not out.parent.is_dir():
        raise BadInput.of("--out", f"there is no folder {out.parent}", "make it first")
    settings = Settings.read()
    database = opening.database(settings)
    row = opening.campaign(database, name)
    parts = wiring.build(database, row.id, actor=actors.operating_system())  # it only reads
    try:
        path = page.write(parts, out or page.usual_place(settings, row))
    except OSError as error:
        what = f"{out or settings.reports} cannot be written: {error.strerror or error}"
        raise BadInput.of("--out", what, "name a file that may be written") from None
    state = str(row.state)
    if as_json:
        print_json(
            {"campaign": row.id, "name": row.name, "ordinal": row.ordinal, "status": state}
            | {"report": str(path.absolute())}
        )
        return
    typer.echo(f"Report of {row.name}#{row.ordinal}, which is {state}:")
    typer.echo(relative(path))

"""``assayloop landscape``: the objective of campaigns all over their plane."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.errors import BadInput
from orchestrator.settings import Settings


def landscape(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...", help="Campaigns, each as NAME for the newest, NAME#2 or UUID."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the PNG files.")] = Path("figures"),
) -> None:
    """Draw a campaign's objective all over its plane, beside what the surrogate believes of it.

    For spaces of two dimensions, and evaluators that answer at once for free: they are asked at
    2304 points, of which nothing is recorded. Several campaigns are drawn side by side, too.
    """
    from orchestrator import opening, wiring
    from orchestrator.plots.style import save
    from orchestrator.report import plane, plane_figures

    database = opening.database(Settings.read())
    rows = [opening.campaign(database, name) for name in names]
    planes = plane.look([wiring.build(database, row.id) for row in rows])
    figures = {
        f"{row.name}-{row.ordinal}-landscape": plane_figures.detail(one)
        for row, one in zip(rows, planes, strict=True)
    }
    if len(planes) > 1:
        figures["landscapes"] = plane_figures.overview(planes)
    try:
        for name, figure in figures.items():
            typer.echo(str(save(figure, out / f"{name}.png")))
    except OSError as error:
        raise BadInput.of("--out", f"{out} cannot be written: {error.strerror}") from None

"""Options that several commands share, so that they are called and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LAST = 20
"""Rows that a screen shows of a long list, unless somebody asks for more."""

Limit = Annotated[
    int | None, typer.Option(min=1, help=f"Only so many, the last; {LAST} on screen.")
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

CampaignName = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The newest campaign of that name, NAME#2 for the second, or its UUID.",
    ),
]

At = Annotated[
    str | None,
    typer.Option(
        metavar="MOMENT",
        help="As it stood then: a day, whose end is meant, a time in ISO 8601, without a zone in "
        "this machine's, or entry:120.",
    ),
]

Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the history.")]

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change the spec: --set budget.evaluations=50, --set objective.terms.0.measure=p_7.",
    ),
]

AnchorFiles = Annotated[
    list[Path] | None,
    typer.Option("--anchors", metavar="FILE", help="Anchors kept elsewhere; may be repeated."),
]
Trusted = Annotated[
    list[str] | None,
    typer.Option(
        "--trust",
        metavar="KEY",
        help="Count only anchors of this public key, or of the one in this file.",
    ),
]

ModelData = Annotated[
    Path | None,
    typer.Option(help="What it is trained on: a file, or the name of data that were got or added."),
]

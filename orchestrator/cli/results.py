"""What ``run`` prints at the end: for each campaign the best, and where its report is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from db.models import Campaign
from db.session import Database
from orchestrator import campaigns, report, wiring
from orchestrator.cli.output import print_json, print_table
from orchestrator.history.show import show
from orchestrator.settings import Settings


def results(
    settings: Settings, database: Database, ids: Sequence[str], *, top: int, as_json: bool
) -> None:
    """Write a report a campaign, and print the best of each."""
    shown = []
    for campaign_id in ids:
        row = campaigns.find(database, campaign_id)
        path = settings.reports / f"{row.name}-{row.ordinal}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        report.write(wiring.build(database, campaign_id), path)
        one = show(database, row, top, settings.artifacts) | {"report": str(path)}
        shown.append(one)
        if not as_json:
            _print(row, one)
    if as_json:
        print_json(shown)


def _print(row: Campaign, one: dict[str, Any]) -> None:
    why = f" ({row.reason})" if row.reason else ""
    title = f"{one['name']} is {one['status']}{why}: {one['evaluations']} evaluations"
    typer.echo(f"\n{title}, {one['rounds']} rounds, {one['open_jobs']} open jobs")
    table(one["best"])
    typer.echo(f"Report: {_relative(one['report'])}")


def table(best: Sequence[dict[str, Any]]) -> None:
    """The best candidates, a line each."""
    if not best:
        typer.echo("No candidate has a feasible objective yet.")
        return
    measures = list(best[0]["measurements"])[:4]
    rows = [
        [
            index,
            one["candidate"],
            one["objective"],
            *(one["measurements"].get(name, {}).get("value") for name in measures),
            _relative(one["object"]),
        ]
        for index, one in enumerate(best, start=1)
    ]
    print_table(["", "candidate", "objective", *measures, "object"], rows)


def _relative(text: str | None) -> str:
    """A path from the working directory; any other text as it is."""
    if text is None:
        return ""
    path = Path(text)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else text

"""What ``run`` prints at the end: for each campaign the best, and where its report is."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from db.ledger import Actor
from db.session import Database
from orchestrator import opening, report, wiring
from orchestrator.cli.campaigns.status_and_show import print_best
from orchestrator.cli.terminal.output import print_json, relative
from orchestrator.history.listings.results import show
from orchestrator.settings import Settings


def results(
    settings: Settings,
    database: Database,
    ids: Sequence[str],
    actor: Actor,
    *,
    top: int,
    as_json: bool,
) -> None:
    """Write a report a campaign, and print the best of each."""
    shown = []
    for campaign_id in ids:
        row = opening.campaign(database, campaign_id)
        parts = wiring.build(database, campaign_id, actor=actor)
        path = report.write(parts, report.usual_place(settings, row))
        one = show(database, row, top, settings.artifacts) | {"report": str(path)}
        shown.append(one)
        if as_json:
            continue
        why = f" ({row.reason})" if row.reason else ""
        counts = ", ".join(
            f"{one[key]} {key.replace('_', ' ')}" for key in ("evaluations", "rounds", "open_jobs")
        )
        typer.echo(f"\n{one['name']} is {one['status']}{why}: {counts}")
        if one["best"]:
            print_best(one["best"], parts.spec, settings)
        else:
            typer.echo("No candidate has a feasible objective yet.")
        typer.echo(f"Report: {relative(path)}")
    if as_json:
        print_json(shown)

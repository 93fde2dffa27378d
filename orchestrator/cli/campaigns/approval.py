"""``assayloop approve``, ``reject`` and ``edit``: what a person says before anything is spent."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.terminal.options import CampaignName, Reason
from orchestrator.settings import Settings

Waiting = Annotated[
    list[int] | None,
    typer.Argument(
        metavar="[CANDIDATE]...", help="Numbers of candidates that wait; all of them if none."
    ),
]


def approve(name: CampaignName, candidates: Waiting = None, reason: Reason = "") -> None:
    """Let candidates be measured that wait for approval."""
    from orchestrator import opening
    from orchestrator.people import actors, approval

    database = opening.database(Settings.read())
    actor = actors.current(database, actors.Scope.OWN)
    count = approval.approve(database, name, candidates or (), actor, reason)
    typer.echo(f"Approved: {_candidates(count)}. `assayloop run` has them measured.")


def reject(name: CampaignName, candidates: Waiting = None, reason: Reason = "") -> None:
    """Turn candidates down that wait for approval. Needs a --reason."""
    from orchestrator import opening
    from orchestrator.people import actors, approval

    database = opening.database(Settings.read())
    actor = actors.current(database, actors.Scope.OWN)
    count = approval.reject(database, name, candidates or (), actor, reason)
    typer.echo(f"Rejected: {_candidates(count)}.")


def edit(
    name: CampaignName,
    candidate: Annotated[int, typer.Argument(metavar="CANDIDATE", help="Which is replaced.")],
    text: Annotated[
        str, typer.Option("--object", metavar="TEXT", help="What is measured instead.")
    ],
    reason: Reason = "",
) -> None:
    """Have another object measured than the one that was proposed. Needs a --reason."""
    from orchestrator import opening
    from orchestrator.people import actors, approval

    database = opening.database(Settings.read())
    actor = actors.current(database, actors.Scope.OWN)
    number = approval.edit(database, name, candidate, text, actor, reason)
    typer.echo(f"Candidate {number} takes the place of candidate {candidate}, and is approved.")


def _candidates(count: int) -> str:
    return "1 candidate" if count == 1 else f"{count} candidates"

"""``assayloop audit replay``: whether stored proposals come out again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.terminal.options import AsJson, CampaignName
from orchestrator.cli.terminal.output import print_json, print_paragraph
from orchestrator.errors import BadInput, ExitCode, Problem
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.history.replay.replaying import Replayed

DETAILS = 8
"""Lines below a round that diverges."""


def replay(
    name: CampaignName,
    round: Annotated[
        int | None, typer.Argument(metavar="[ROUND]", help="Number of a round; or else")
    ] = None,
    candidate: Annotated[
        str | None,
        typer.Option(metavar="CANDIDATE", help="the round of this candidate or external ID; or"),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="every round of the campaign.")] = False,
    refit: Annotated[
        bool, typer.Option("--refit", help="Fit again, too, instead of restoring the stored fit.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compute stored proposals again; exit code 5 where one diverges.

    The data are rebuilt at the recorded ledger position, the fit is restored, the points are
    proposed with the stored random stream and decoded again. What went in is checked against the
    ledger, so that the cause of a difference is named.
    """
    from orchestrator import opening
    from orchestrator.history.replay import replaying as history

    if [round is not None, candidate is not None, every].count(True) != 1:
        raise BadInput.of("audit replay", "say what to replay", "ROUND, --candidate or --all")
    database = opening.database(Settings.read())
    row = opening.campaign(database, name)
    with database.read() as session:
        rounds = history.rounds_of(session, row, round, candidate)
    found = []
    for one in history.replay(database, row, rounds, refit=refit):
        found.append(one)
        if not as_json:
            _print_replayed(one)
    ok = all(one.verdict != history.Verdict.DIVERGED for one in found)
    if as_json:
        print_json({"ok": ok, "rounds": [_replayed(one) for one in found]})
    else:
        counts = Counter(str(one.verdict) for one in found)
        said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        typer.echo(f"{row.name}#{row.ordinal}: {said or 'no round to replay'}")
    raise typer.Exit(ExitCode.DONE if ok else ExitCode.UNVERIFIED)


def _print_replayed(one: Replayed) -> None:
    last = one.candidates[-1] if one.candidates else 0
    of = f"s {one.candidates[0]}-{last}" if len(one.candidates) > 1 else f" {last}"
    far = f", {one.distance:.1e} apart at most" if 0 < one.distance < math.inf else ""
    typer.echo(f"round {one.round} (candidate{of}): {one.verdict}{far}")
    lines = [
        *(f"because {cause}" for cause in one.causes),
        *(f"{difference.where}: {difference.what}" for difference in one.differences),
        *(f"note: {remark}" for remark in one.remarks),
    ]
    for line in lines[:DETAILS]:
        print_paragraph(line, "  ", "    ")
    if len(lines) > DETAILS:
        typer.echo(f"  ... and {len(lines) - DETAILS} more; `--json` prints all")


def _replayed(one: Replayed) -> dict[str, object]:
    def listed(problems: Sequence[Problem]) -> list[dict[str, str]]:
        return [{"where": problem.where, "what": problem.what} for problem in problems]

    return {
        "round": one.round,
        "candidates": list(one.candidates),
        "verdict": str(one.verdict),
        "distance": one.distance,
        "causes": listed(one.causes),
        "differences": [
            {"where": each.where, "stored": each.stored, "again": each.again}
            for each in one.differences
        ],
        "remarks": listed(one.remarks),
    }

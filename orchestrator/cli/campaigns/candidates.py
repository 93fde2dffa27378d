"""``assayloop candidates``: the candidates of a campaign, those that were never measured too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.terminal.options import LAST, AsJson, At, CampaignName, Limit
from orchestrator.cli.terminal.output import (
    object_name,
    print_json_list,
    print_paragraph,
    print_table,
)
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


def list_candidates(
    name: CampaignName,
    state: Annotated[
        str | None,
        typer.Option(help="undecoded, invalid, duplicate, measured, filtered or waiting."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="proposed, asked, told, imported or edited.")
    ] = None,
    round: Annotated[int | None, typer.Option(help="Only of this round.")] = None,
    measure: Annotated[
        str | None, typer.Option(help="Only those of which this was measured; values are its.")
    ] = None,
    low: Annotated[
        float | None,
        typer.Option("--min", help="From this value on; without a measure, objective."),
    ] = None,
    high: Annotated[float | None, typer.Option("--max", help="Up to this value.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="MOMENT", help="Only those made since.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="MOMENT", help="Only those made by then.")
    ] = None,
    limit: Limit = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """List the candidates of a campaign, those that were invalid or never measured too.

    A candidate is what comes first: undecoded, invalid, duplicate (of an earlier one), measured,
    filtered (not sent, by the spec's filters) or waiting.
    """
    from orchestrator import opening
    from orchestrator.history.listings import at_moment, candidate_list, search

    conditions = _conditions(state, source, round, measure, low, high)
    database = opening.database(Settings.read())
    with (
        at_moment.at(database, opening.campaign(database, name), at) as side,
        side.database.read() as session,
    ):
        row = side.campaign
        for text, option, last in ((start, "--from", False), (end, "--to", True)):
            if text is not None:
                conditions.append(search.bound(session, row, text, option, end=last))
        if as_json:
            print_json_list(candidate_list.candidates(session, row, conditions, limit))
            return
        found = list(candidate_list.candidates(session, row, conditions, limit or LAST))
    if side.moment is not None:
        print_paragraph(f"As it stood on {side.moment}:")
    _print(found)


def _conditions(
    state: str | None,
    source: str | None,
    round: int | None,
    measure: str | None,
    low: float | None,
    high: float | None,
) -> list[ColumnElement[bool]]:
    from db.models import Candidate
    from orchestrator.history.listings import candidate_list

    found = [] if state is None else [candidate_list.in_state(state)]
    if source is not None:
        found.append(Candidate.source == source)
    if round is not None:
        found.append(Candidate.round == round)
    if measure is not None:
        found.append(candidate_list.measured_between(measure, low, high))
        return found
    if low is not None:
        found.append(Candidate.objective >= low)
    if high is not None:
        found.append(Candidate.objective <= high)
    return found


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        typer.echo("No candidate matches.")
        return
    columns = ["candidate", "round", "source", "state", "objective"]
    lines = [[*(row[column] for column in columns), _what(row)] for row in rows]
    print_table([*columns, "object, or why there is none"], lines)


def _what(row: Mapping[str, Any]) -> str:
    if row["duplicate_of"] is not None:
        return f"as {row['duplicate_of']}"
    shown = object_name(row)
    return f"{shown} ({row['reason']})" if shown and row["reason"] else shown or row["reason"]

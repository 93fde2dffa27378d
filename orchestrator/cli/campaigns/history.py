"""``assayloop history``: measurements of a campaign, or the entries of its ledger."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.terminal.options import LAST, AsJson, At, CampaignName, Limit
from orchestrator.cli.terminal.output import print_json_list, print_paragraph, print_table
from orchestrator.errors import BadInput
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from db.models import Campaign, LedgerEntry
    from orchestrator.history.listings.at_moment import Side


@dataclass(frozen=True)
class _Asked:
    """What is asked for; None is not asked."""

    candidate: str | None
    measure: str | None
    low: float | None
    high: float | None
    actor: str | None
    start: str | None
    end: str | None
    kinds: tuple[str, ...]
    search: str | None

    def of_both(self, session: Session, campaign: Campaign) -> list[ColumnElement[bool]]:
        """Conditions on the entry of a measurement, or on an entry that is listed."""
        from orchestrator.history.listings import search

        found = [] if self.actor is None else [search.by(self.actor)]
        for text, option, end in ((self.start, "--from", False), (self.end, "--to", True)):
            if text is not None:
                found.append(search.bound(session, campaign, text, option, end=end))
        return found

    def of_measurements(self, session: Session, campaign: Campaign) -> list[ColumnElement[bool]]:
        """Conditions on measurements."""
        from db.models import Measurement
        from orchestrator.history.listings import lookup

        found = self.of_both(session, campaign)
        if self.candidate is not None:
            number = lookup.candidate(session, campaign, self.candidate).number
            found.append(Measurement.candidate == number)
        if self.measure is not None:
            found.append(Measurement.name == self.measure)
        if self.low is not None:
            found.append(Measurement.value >= self.low)
        if self.high is not None:
            found.append(Measurement.value <= self.high)
        return found

    def of_entries(self, session: Session, campaign: Campaign) -> list[ColumnElement[bool]]:
        """Conditions on entries."""
        from db.models import LedgerEntry
        from orchestrator.history.listings import search

        found = self.of_both(session, campaign)
        if len(self.kinds) == 1:
            found.append(LedgerEntry.kind == self.kinds[0])
        elif self.kinds:
            found.append(LedgerEntry.kind.in_(self.kinds))
        if self.search:
            found.append(search.holds(session, self.search))
        return found


def history(
    name: CampaignName,
    candidate: Annotated[
        str | None, typer.Option(metavar="CANDIDATE", help="Only of this candidate.")
    ] = None,
    measure: Annotated[str | None, typer.Option(help="Only of this measure.")] = None,
    low: Annotated[float | None, typer.Option("--min", help="Only values from this on.")] = None,
    high: Annotated[float | None, typer.Option("--max", help="Only values up to this.")] = None,
    actor: Annotated[
        str | None, typer.Option(metavar="WHO", help="Only what came by them, or on their behalf.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="MOMENT", help="Only what was written since.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="MOMENT", help="Only what was written by then.")
    ] = None,
    entries: Annotated[
        bool, typer.Option("--entries", help="Print entries of the ledger, not measurements.")
    ] = False,
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="Entries of this kind, such as pause; may be repeated."),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Entries that hold this text; case counts."),
    ] = None,
    limit: Limit = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="csv|jsonl|parquet", help="By default the file's suffix."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, whole or not at all; an existing one is replaced."),
    ] = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Export every measurement of a campaign, or print the last 20; or entries of its ledger.

    Each row has the candidate, round, latent point, object, measure, evaluator, attempt, times and
    actor. What was superseded or flagged is there too, and marked. With --at, as it stood then.
    """
    from orchestrator import opening
    from orchestrator.history.listings import at_moment

    kinds = tuple(kind or ())
    listed = entries or bool(kinds) or search is not None
    asked = _Asked(candidate, measure, low, high, actor, start, end, kinds, search)
    _refuse_odd(asked, listed, form, out, as_json)
    database = opening.database(Settings.read())
    with at_moment.at(database, opening.campaign(database, name), at) as side:
        if listed:
            _entries(side, asked, limit, as_json)
        else:
            _measurements(side, asked, limit, form, out, as_json)


def _refuse_odd(
    asked: _Asked, listed: bool, form: str | None, out: Path | None, as_json: bool
) -> None:
    if out is not None and as_json:
        raise BadInput.of("--json", "prints on screen", "with --out, write --format jsonl")
    if out is None and form is not None:
        raise BadInput.of("--format", "is of a file", "name it by --out, or leave --format out")
    if asked.search == "":
        raise BadInput.of("--search", "is empty", "say which text to look for")
    given = {
        "--out": out,
        "--candidate": asked.candidate,
        "--measure": asked.measure,
        "--min": asked.low,
        "--max": asked.high,
    }
    if listed and (odd := [name for name, value in given.items() if value is not None]):
        remedy = (
            "`assayloop export jsonl` writes entries, and `assayloop audit explain` lists those of "
            "a candidate"
        )
        raise BadInput.of(odd[0], "is of measurements, and entries were asked for", remedy)


def _measurements(
    side: Side, asked: _Asked, limit: int | None, form: str | None, out: Path | None, as_json: bool
) -> None:
    from orchestrator.history.listings import measurement_table

    row = side.campaign
    with side.database.read() as session:
        conditions = asked.of_measurements(session, row)
    if out is not None:
        form = form or out.suffix.removeprefix(".")
        count = measurement_table.export(side.database, row, form, out, conditions, limit)
        typer.echo(f"{count} measurements of {row.name}#{row.ordinal} are in {out}.")
    elif as_json:
        print_json_list(measurement_table.rows(side.database, row, conditions, limit))
    else:
        found = list(measurement_table.rows(side.database, row, conditions, limit or LAST))
        _say_moment(side)
        _print_measurements(found, bool(conditions))


def _say_moment(side: Side) -> None:
    if side.moment is not None:
        print_paragraph(f"As it stood on {side.moment}:")


def _print_measurements(rows: Sequence[Mapping[str, Any]], asked: bool) -> None:
    if not rows:
        none = "No measurement matches; `--entries` looks for entries of the ledger instead."
        typer.echo(none if asked else "No measurement yet.")
        return
    columns = ["measurement", "candidate", "round", "name", "value", "unit", "std"]
    lines = [
        [*(row[column] for column in columns), row["evaluator"] or row["source"], row["flags"]]
        for row in rows
    ]
    headings = ["measure" if column == "name" else column for column in columns]
    print_table([*headings, "from", "flags"], lines)
    typer.echo("`--out FILE` writes all measurements with all columns; `--json` prints them.")


def _entries(side: Side, asked: _Asked, limit: int | None, as_json: bool) -> None:
    from orchestrator.history.listings import search

    with side.database.read() as session:
        conditions = asked.of_entries(session, side.campaign)
        if as_json:
            found: Iterable[LedgerEntry]
            found = search.entries(session, side.campaign, conditions, limit)
            print_json_list(search.described(one, asked.search or "") for one in found)
            return
        most = limit or LAST
        rows = list(search.entries(session, side.campaign, conditions, most + 1))
        _say_moment(side)
        _print_entries([search.described(one, asked.search or "") for one in rows[-most:]])
        if not rows and asked.kinds:
            known = ", ".join(search.kinds(session, side.campaign))
            print_paragraph(f"The kinds of entries that this campaign has: {known}.")
    if len(rows) > most:
        typer.echo(f"There are earlier ones: `--to entry:{rows[0].sequence}` lists them.")


def _print_entries(rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        typer.echo("No entry matches.")
        return
    lines = [
        [row["entry"], row["at"][:19].replace("T", " "), _who(row), row["kind"], _what(row)]
        for row in rows
    ]
    print_table(["entry", "when (UTC)", "who", "kind", "what"], lines)


def _who(row: Mapping[str, Any]) -> str:
    return f"{row['actor']} for {row['on_behalf_of']}" if row["on_behalf_of"] else row["actor"]


def _what(row: Mapping[str, Any]) -> str:
    """The text that was found, or the reason, or else of which tables it writes rows."""
    said = row["found"] or row["about"].get("reason")
    if said:
        return "".join(char if char.isprintable() else " " for char in said)
    parts = [("new", row["new"]), ("changed", row["set"])]
    words = [f"{how} {', '.join(map(_rows, rows.items()))}" for how, rows in parts if rows]
    return "; ".join(words) or json.dumps(row["about"], ensure_ascii=False)


def _rows(counted: tuple[str, int]) -> str:
    table, count = counted
    return f"{table} ({count})" if count > 1 else table

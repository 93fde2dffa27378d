"""``assayloop export``: a campaign for spreadsheets, notebooks, scripts and other installations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.terminal.options import At, CampaignName
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from db.models import Campaign

Out = Annotated[
    Path, typer.Option(metavar="FILE", help="Written whole or not at all; must not exist.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]


def csv(name: CampaignName, out: Out, at: At = None, force: Force = False) -> None:
    """Write the candidates of a campaign with what was measured of them, one row each, as CSV.

    Units stand in the headings. Numbers are the shortest text that reads as the same number, lists
    are JSON, and what is not known is empty. A text that begins with one of = + - @ ' (of full
    width too), a tab or a line break is preceded by an apostrophe, so that no spreadsheet takes it
    for a formula.
    """
    _table(name, "csv", out, at, force)


def parquet(name: CampaignName, out: Out, at: At = None, force: Force = False) -> None:
    """Write the candidates of a campaign with what was measured of them, one row each, as Parquet.

    Units stand in the names of the columns, and in their metadata under `unit`.
    """
    _table(name, "parquet", out, at, force)


def _table(name: str, form: str, out: Path, at: str | None, force: bool) -> None:
    from orchestrator import opening
    from orchestrator.history.export import table_files, whole_files
    from orchestrator.history.listings import at_moment, candidate_table

    database = opening.database(Settings.read())
    row = opening.campaign(database, name)
    with (
        whole_files.writing(out, force=force) as partial,
        at_moment.at(database, row, at) as side,
        side.database.read() as session,
    ):
        table = candidate_table.table(session, side.campaign)
        count = table_files.write(partial, form, table.columns, table.rows)
    then = "" if side.moment is None else f" of {side.moment}"
    _say(f"{count} candidates", row, f"{then} are in {out}.")


def jsonl(name: CampaignName, out: Out, force: Force = False) -> None:
    """Write the ledger of a campaign, one entry a line, each as it is stored.

    `payload` is the exact text that was hashed.
    """
    from orchestrator import opening
    from orchestrator.history.export import whole_files
    from orchestrator.history.export.crate.export import entries

    database = opening.database(Settings.read())
    row = opening.campaign(database, name)
    count = 0
    with (
        whole_files.writing(out, force=force) as partial,
        database.read() as session,
        partial.open("wb") as file,
    ):
        for line in entries(session, row.id):
            file.write(line)
            count += 1
    _say(f"{count} entries", row, f" are in {out}.")


def sqlite(name: CampaignName, out: Out, force: Force = False) -> None:
    """Write a campaign as a SQLite database of its own, verified; ASSAYLOOP_DATABASE_URL names it.

    It holds the ledger of the campaign and the system's, their tables, artifacts and anchors. Exit
    code 5 where the history is not what was written; then nothing is left.
    """
    from orchestrator import opening
    from orchestrator.history.export.campaign_database import extract
    from orchestrator.people import actors

    database = opening.database(Settings.read())
    row = opening.campaign(database, name)
    actor = actors.current(database, actors.Scope.READ)
    found = extract(database, row, out.absolute(), actor, force=force)
    _say(f"{found.entries} entries, the system's among them,", row, f" are in {out}, verified.")


def _say(what: str, row: Campaign, where: str) -> None:
    typer.echo(f"{what} of {row.name}#{row.ordinal}{where}")

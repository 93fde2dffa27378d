"""``assayloop data import``: measurements that were made before the campaign."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.terminal.options import AsJson, CampaignName
from orchestrator.cli.terminal.output import print_json, print_table
from orchestrator.errors import BadInput
from orchestrator.settings import Settings

LARGEST = 100_000_000
"""Bytes of a table."""


def import_data(
    name: CampaignName,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="The table.")],
    provenance: Annotated[
        str, typer.Option(metavar="TEXT", help="Where the values come from; kept with them.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is in it.")] = False,
    accept_good_rows: Annotated[
        bool, typer.Option("--accept-good-rows", help="Leave wrong rows out.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take in measurements from before the campaign, as a table of objects and values.

    Columns: object (or smiles, or a column a parameter of a box), the measures by name, NAME [unit]
    for another unit, NAME std; and id, measured_at, instrument, operator, lot where known. They
    count like any measurement: the surrogate learns from them, and they spend no budget.
    """
    from orchestrator import opening, wiring
    from orchestrator.people import actors, earlier_results

    try:
        with file.open("rb") as opened:
            table = opened.read(LARGEST + 1)
    except OSError as error:
        raise BadInput.of("FILE", f"{file} cannot be read: {error.strerror}") from None
    if len(table) > LARGEST:
        raise BadInput.of("FILE", f"{file} has more than {LARGEST:,} bytes", "split it")
    if not dry_run and not provenance.strip():
        raise BadInput.of("--provenance", "is missing", "say where the values come from")
    database = opening.database(Settings.read())
    row = opening.campaign(database, name)
    parts = wiring.build(database, row.id, actor=actors.current(database))
    rows = earlier_results.read(parts, table, accept_good_rows=accept_good_rows)
    values = sum(len(one.readings) for one in rows)
    if dry_run:
        shown = [
            [one.number, ", ".join(one.ids), str(one.object.content), reading.name, reading.value]
            for one in rows[:20]
            for _, reading in one.readings
        ]
        if as_json:
            print_json({"rows": len(rows), "values": values, "candidates": None})
            return
        print_table(["row", "id", "object", "measure", "value"], shown)
        typer.echo(f"{len(rows)} rows with {values} values; nothing is changed.")
        return
    count = earlier_results.add(parts, rows, table, provenance=provenance)
    if as_json:
        print_json({"rows": len(rows), "values": values, "candidates": count})
        return
    typer.echo(f"{row.name}#{row.ordinal} has {values} values more, of {count} candidates.")

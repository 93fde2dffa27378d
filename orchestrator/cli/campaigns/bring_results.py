"""``assayloop result enter``, ``confirm`` and ``import``: what people bring from the bench."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.terminal import measurement_arguments
from orchestrator.cli.terminal.options import AsJson, CampaignName, Reason
from orchestrator.cli.terminal.output import cell, print_json, print_table
from orchestrator.errors import BadInput
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.people.results import Preview

Job = Annotated[
    int, typer.Argument(metavar="JOB", help="Number of the job, as `assayloop jobs list` prints.")
]

LARGEST = 20_000_000
"""Bytes of a table; nobody fills a larger one."""


def enter(
    name: CampaignName,
    job: Job,
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="MEASURE=VALUE",
            help="qed=0.71, qed=0.71+-0.02 (standard deviation), 'ic50=>10 uM' (beyond a limit).",
        ),
    ],
    note: Annotated[str, typer.Option(metavar="TEXT", help="What else is to be said of it.")] = "",
    measured_at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When, in ISO 8601; without a zone in this machine's."),
    ] = None,
    instrument: Annotated[str, typer.Option(metavar="TEXT", help="What measured it.")] = "",
    lot: Annotated[str, typer.Option(metavar="TEXT", help="Lot of the reagents.")] = "",
) -> None:
    """Bring the result of one job that a person was asked for."""
    from orchestrator import moments, opening
    from orchestrator.people import actors, results

    readings = measurement_arguments.read(values)
    at = None if measured_at is None else moments.read(measured_at, "--measured-at")
    database = opening.database(Settings.read())
    actor = actors.current(database)
    counts = results.enter(
        database,
        name,
        job,
        readings,
        actor,
        note=note,
        measured_at=at,
        instrument=instrument,
        lot=lot,
    )
    if counts:
        typer.echo(f"The result of job {job} is stored; the next `assayloop run` records it.")
    else:
        typer.echo(
            f"The result of job {job} is stored and counts once another account has said "
            f"`assayloop result confirm {name} {job}`."
        )


def confirm(
    name: CampaignName,
    job: Job,
    agree: Annotated[
        bool, typer.Option("--right/--wrong", help="Whether the entered result is right.")
    ] = True,
    reason: Reason = "",
) -> None:
    """Say that a result which somebody else entered is right, or --wrong with a --reason."""
    from orchestrator import opening
    from orchestrator.people import actors, results

    database = opening.database(Settings.read())
    actor = actors.current(database)
    results.confirm(database, name, job, actor, agree=agree, reason=reason)
    done = "counts now; the next `assayloop run` records it" if agree else "is to be entered again"
    typer.echo(f"The result of job {job} {done}.")


def import_table(
    name: CampaignName,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="A filled `jobs sheet`.")],
    evaluator: Annotated[
        str | None, typer.Option(help="Whose results; needed where several are people.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would change.")
    ] = False,
    accept_good_rows: Annotated[
        bool,
        typer.Option(
            "--accept-good-rows", help="Take the good rows of a table where others are wrong."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a filled table of results; of one with a wrong row, nothing.

    Rows without a value are not measured yet, and stay on the list.
    """
    from orchestrator import opening
    from orchestrator.people import actors, results

    try:
        with file.open("rb") as opened:
            table = opened.read(LARGEST + 1)
    except OSError as error:
        raise BadInput.of("FILE", f"{file} cannot be read: {error.strerror}") from None
    database = opening.database(Settings.read())
    preview = results.bring(
        database,
        name,
        evaluator,
        table,
        actors.current(database),
        accept_good_rows=accept_good_rows,
        dry_run=dry_run,
    )
    rows = _rows(preview)
    if as_json:
        print_json(rows)
        return
    columns = list(rows[0])
    print_table(columns, [[row[column] for column in columns] for row in rows])
    jobs = "1 job" if len(preview.rows) == 1 else f"{len(preview.rows)} jobs"
    if dry_run:
        typer.echo(f"It would answer {jobs}; nothing is changed.")
    else:
        typer.echo(f"It answers {jobs}; the next `assayloop run` records them.")


def _rows(preview: Preview) -> list[dict[str, object]]:
    signs = {"left": "<", "right": ">", "none": ""}
    return [
        {
            "job": job.number,
            "candidate": job.candidate,
            "replicate": job.replicate,
            "measure": one.name,
            "value": f"{signs[one.censoring]}{cell(one.value)}"
            if one.censoring != "none"
            else one.value,
            "std": one.std,
            "unit": one.unit,
            "place": one.place,
        }
        for job, readings in preview.rows
        for one in readings
    ]

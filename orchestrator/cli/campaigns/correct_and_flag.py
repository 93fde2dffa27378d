"""``assayloop result``: later words on measurements, which are themselves never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator import moments
from orchestrator.cli.terminal import measurement_arguments
from orchestrator.cli.terminal.options import AsJson, CampaignName, Reason
from orchestrator.cli.terminal.output import cell, print_json
from orchestrator.errors import BadInput
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from db.models import Campaign
    from db.session import Database
    from orchestrator.people.corrections import Period

Number = Annotated[
    int, typer.Argument(metavar="MEASUREMENT", help="Its number, as `assayloop history` shows it.")
]


def correct(
    name: CampaignName,
    measurement: Number,
    value: Annotated[
        str,
        typer.Option(metavar="VALUE", help="What it should be: 0.71, 0.71+-0.02, '180.2 g/mol'."),
    ] = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Correct a measurement by a further one, which supersedes it. Needs a --reason.

    Nothing is changed in place. The candidate's objective and the campaign's best are computed
    again, and later fits use the corrected value.
    """
    from orchestrator import opening, wiring
    from orchestrator.people import actors, corrections

    if not value.strip():
        raise BadInput.of("--value", "is missing", "say what the value should be")
    reading = measurement_arguments.value(value, "--value")
    database = opening.database(Settings.read())
    row = opening.campaign(database, name)
    actor = actors.current(database, actors.Scope.OWN)
    parts = wiring.build(database, row.id, actor=actor)
    number = corrections.correct(parts, measurement, reading, reason)
    if as_json:
        print_json({"measurement": number, "supersedes": measurement} | _standing(database, row))
        return
    typer.echo(f"Measurement {measurement} of {row.name}#{row.ordinal} is corrected by {number}.")
    _say_standing(database, row)


def flag(
    name: CampaignName,
    measurements: Annotated[
        list[int] | None,
        typer.Argument(metavar="[MEASUREMENT]...", help="Numbers of measurements; or else"),
    ] = None,
    evaluator: Annotated[
        str | None, typer.Option(metavar="NAME", help="all of this evaluator")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="from this time or day")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="to this one, itself included.")
    ] = None,
    kind: Annotated[
        str, typer.Option(metavar="suspect|retracted", help="Neither counts any longer.")
    ] = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Flag measurements, or all of an instrument over a period. Needs a --reason.

    What is suspect or retracted counts neither for the objective nor in later fits.
    """
    from orchestrator import opening, wiring
    from orchestrator.people import actors, corrections

    period = _period(evaluator, start, end)
    if (period is None) == (not measurements):
        what = "say which measurements"
        raise BadInput.of("result flag", what, "by their numbers, or by --evaluator, --from, --to")
    database = opening.database(Settings.read())
    row = opening.campaign(database, name)
    actor = actors.current(database, actors.Scope.OWN)
    parts = wiring.build(database, row.id, actor=actor)
    flagged = corrections.flag(parts, kind, reason, measurements=measurements or (), period=period)
    if as_json:
        print_json({"flagged": flagged, "kind": kind} | _standing(database, row))
        return
    shown = ", ".join(map(str, flagged[:10])) + (" ..." if len(flagged) > 10 else "")
    count = f"{len(flagged)} measurement{'s' if len(flagged) > 1 else ''}"
    typer.echo(f"{count} of {row.name}#{row.ordinal} {kind}: {shown}")
    _say_standing(database, row)


def _period(evaluator: str | None, start: str | None, end: str | None) -> Period | None:
    from orchestrator.people.corrections import Period

    given = {"--evaluator": evaluator, "--from": start, "--to": end}
    if not any(given.values()):
        return None
    for option, text in given.items():
        if not text:
            raise BadInput.of(option, "is missing", f"{' '.join(given)} go together")
    begin = moments.read(start or "", "--from")
    until = moments.read(end or "", "--to", end=True)
    if until < begin:
        raise BadInput.of("--to", f"{end} lies before {start}")
    return Period(evaluator or "", begin, until)


def _standing(database: Database, row: Campaign) -> dict[str, object]:
    from db import repository
    from db.models import Candidate

    with database.read() as session:
        best = repository.campaign(session, row.id).best
        known = None if best is None else session.get_one(Candidate, (row.id, best))
    return {"best": best, "objective": None if known is None else known.objective}


def _say_standing(database: Database, row: Campaign) -> None:
    standing = _standing(database, row)
    if standing["best"] is None:
        typer.echo("No candidate has a feasible objective now.")
    else:
        objective = cell(standing["objective"])
        typer.echo(f"The best is candidate {standing['best']} with an objective of {objective}.")
    named = f"{row.name}#{row.ordinal}"
    typer.echo(f"`assayloop audit taint {named}` lists what was computed from it.")


def reread(
    name: CampaignName,
    evaluator: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what this evaluator delivered.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be corrected.")
    ] = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Read stored deliveries once more, and correct what they contradict now. Needs a --reason.

    For another recipe of a plate's reduction, say: change the spec by `campaign revise`, then this.
    The bytes are as they came; what was read of them before stays, superseded.
    """
    from orchestrator import opening, wiring
    from orchestrator.people import actors, rereading

    database = opening.database(Settings.read())
    row = opening.campaign(database, name)
    actor = actors.current(database, actors.Scope.OWN)
    parts = wiring.build(database, row.id, actor=actor)
    changes = rereading.compare(parts, evaluator)
    if not dry_run and changes:
        rereading.correct(parts, changes, reason)
    if as_json:
        print_json(
            [
                {
                    "measurement": one.measurement.number,
                    "candidate": one.measurement.candidate,
                    "measure": one.measurement.name,
                    "before": one.measurement.value,
                    "now": one.reading.value,
                    "suspect": one.suspect or None,
                }
                for one in changes
            ]
        )
        return
    for one in changes:
        typer.echo(one.words)
    verb = "would be corrected" if dry_run else "are corrected"
    typer.echo(f"{len(changes)} measurements of {row.name}#{row.ordinal} {verb}.")

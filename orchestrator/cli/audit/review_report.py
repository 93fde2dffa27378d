"""``assayloop audit report``: a campaign for a reviewer, in one file."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.terminal.options import AnchorFiles, AsJson, CampaignName, Trusted
from orchestrator.cli.terminal.output import print_json, relative
from orchestrator.cli.terminal.verification_progress import verified
from orchestrator.errors import BadInput, ExitCode, Unverified
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from db.models import Campaign
    from db.session import Database
    from orchestrator.report.review import Checked


def report(
    name: CampaignName,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="By default in the home's folder of reports."),
    ] = None,
    files: AnchorFiles = None,
    trust: Trusted = None,
    as_json: AsJson = False,
) -> None:
    """Verify a campaign and write its report for a reviewer: one HTML file, made to be printed.

    It says what was asked and by whom, what can be proved of the history, what did not go as
    planned, who signed what, and what came out. Exit code 5 where verification finds a problem;
    the report says so, too.
    """
    from orchestrator import opening
    from orchestrator.history.verify.protections import Outside
    from orchestrator.report.review import Checked

    if out is not None and not out.parent.is_dir():
        raise BadInput.of("--out", f"there is no folder {out.parent}", "make it first")
    settings = Settings.read()
    outside = Outside.of(settings, tuple(files or ()), tuple(trust or ()))
    database = opening.database(settings)
    row = opening.campaign(database, name)
    found = verified(database, outside, row.id, quiet=as_json)
    path = out or settings.reports / f"{row.name}-{row.ordinal}-review.html"
    _write(database, row, Checked(found, tuple(sorted(outside.trusted or ()))), path)
    if as_json:
        print_json({"ok": found.ok, "problems": len(found.problems), "report": path})
    else:
        said = "verified" if found.ok else f"{len(found.problems)} problems found"
        typer.echo(f"{row.name}#{row.ordinal}: {said}. Report for review:")
        typer.echo(relative(path))
    raise typer.Exit(ExitCode.DONE if found.ok else ExitCode.UNVERIFIED)


def _write(database: Database, row: Campaign, checked: Checked, path: Path) -> None:
    try:
        with TemporaryDirectory(prefix="assayloop-") as folder:
            _write_with(database, row, checked, path, folder)
    except OSError as error:
        what = f"{path} cannot be written: {error.strerror or error}"
        raise BadInput.of("--out", what) from None
    except Exception:
        if checked.found.ok:
            raise
        raise Unverified(checked.found.problems) from None  # forged rows may hold anything


def _write_with(
    database: Database, row: Campaign, checked: Checked, path: Path, folder: str
) -> None:
    from orchestrator import report, wiring
    from orchestrator.history.replay.recorded_weights import wire
    from orchestrator.proposers.registry import RegistryError

    named = f"{row.name}#{row.ordinal}"
    try:
        with database.read() as session:
            parts, weights = wire(database, session, row, row.revision, folder)
    except RegistryError as error:
        raise BadInput.of(named, str(error)) from None
    if parts is None:
        assert weights is not None
        raise BadInput.of(named, str(weights))
    report.write(wiring.with_evaluators(parts), path, checked)

"""``assayloop audit verify``: whether the history is what was written."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.terminal.options import AnchorFiles, AsJson, Trusted
from orchestrator.cli.terminal.output import print_json
from orchestrator.cli.terminal.verification_progress import print_verified, summary, verified
from orchestrator.errors import ExitCode
from orchestrator.settings import Settings


def verify(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Only this campaign; by default all of them."),
    ] = None,
    files: AnchorFiles = None,
    trust: Trusted = None,
    as_json: AsJson = False,
) -> None:
    """Verify chains, tables, artifacts and anchors; exit code 5 where something is wrong.

    Each entry's hash is computed again, the tables are folded again from the ledger and compared
    row by row, every artifact's bytes are hashed, and every anchor and signature is compared with
    the entry it names. With --trust, nothing in the database says which keys are good.
    """
    from orchestrator import opening
    from orchestrator.history.verify.protections import Outside

    settings = Settings.read()
    outside = Outside.of(settings, tuple(files or ()), tuple(trust or ()))
    database = opening.database(settings)
    found = verified(database, outside, name, quiet=as_json)
    if as_json:
        print_json(summary(found))
    else:
        print_verified(found)
    raise typer.Exit(ExitCode.DONE if found.ok else ExitCode.UNVERIFIED)

"""``assayloop export crate`` and ``import``: a campaign's history, taken elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.terminal.options import AsJson, CampaignName
from orchestrator.cli.terminal.output import print_json
from orchestrator.errors import BadInput
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.history.export.crate.verifier import Verification


def export(
    name: CampaignName,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE.zip|FOLDER",
            help="Written whole or not at all; a file is replaced, a folder must be new or empty.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Write a campaign as an RO-Crate: ledger, tables, original bytes, specs, model cards.

    It holds `verify.py`, which verifies it with Python alone. Exit code 5 where the history is not
    what was written; then nothing is left.
    """
    from orchestrator import opening
    from orchestrator.history.export.crate.export import export as write

    out = out.absolute()
    if not out.parent.is_dir():
        raise BadInput.of("--out", f"there is no folder {out.parent}", "make it first")
    database = opening.database(Settings.read())
    found = write(database, opening.campaign(database, name), out)
    _print(found, f"{name} is in {out}", as_json)


def import_crate(
    crate: Annotated[Path, typer.Argument(metavar="CRATE", help="A folder or a .zip file.")],
    as_json: AsJson = False,
) -> None:
    """Take a crate into an empty installation; its ledger is the same to the last hash.

    The crate is verified first; exit code 5 where it is not what was written. All or nothing.
    """
    from orchestrator import opening
    from orchestrator.history.export.crate.importing import take_in
    from orchestrator.people import actors

    database = opening.database(Settings.read(), create=True)
    found = take_in(database, crate, actors.current(database, actors.Scope.ADMIN))
    _print(found, f"{crate} is taken in", as_json)


def _print(found: Verification, said: str, as_json: bool) -> None:
    if as_json:
        heads = [
            {"chain": chain, "entries": number, "head": digest}
            for chain, (number, digest) in found.heads.items()
        ]
        print_json(heads)
        return
    typer.echo(f"{said}. The heads of its chains, to be compared elsewhere:")
    for chain, (number, digest) in found.heads.items():
        typer.echo(f"  {chain}: {number} entries, head\n    {digest}")

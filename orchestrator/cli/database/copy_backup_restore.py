"""``assayloop db copy``, ``backup`` and ``restore``: a whole database, elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.terminal.options import AsJson
from orchestrator.cli.terminal.output import print_json
from orchestrator.cli.terminal.verification_progress import bar, print_verified, summary, verified
from orchestrator.errors import ExitCode
from orchestrator.settings import ANCHORS, Settings

Target = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="URL",
        help="An empty one: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.",
    ),
]

Place = Annotated[Path, typer.Argument(metavar="PATH", help="The folder of the backup.")]


def copy(to: Target, as_json: AsJson = False) -> None:
    """Copy all campaigns into an empty database, of the same kind or the other.

    The chains stay the same to the last hash. The copy is verified; exit code 5 where something is
    wrong with it. Campaigns may run meanwhile: what they write after it began is not in it.
    """
    from orchestrator import opening
    from orchestrator.history.keeping import copy_database

    settings, target = Settings.read(), Settings.other(to, "--to")
    source = opening.database(settings)
    with copy_database.vacant(target) as opened, bar("Copying", quiet=as_json) as progress:
        heads = copy_database.copy(source, opened, progress)
    _end(target, copy_database.digest(heads), settings, as_json=as_json)


def backup(path: Place, as_json: AsJson = False) -> None:
    """Back up the database while campaigns run, into a new folder: whole or not at all.

    SQLite is copied by its online backup, PostgreSQL by pg_dump, which is looked for on the PATH or
    in ASSAYLOOP_PG_BIN. A manifest has the SHA-256 of every file and the heads of all chains.
    """
    from dataclasses import asdict

    from orchestrator import opening
    from orchestrator.history.keeping import backup as history

    settings = Settings.read()
    database = opening.database(settings)
    with bar("Backing up", quiet=as_json) as progress:
        made = history.make(database, settings, path.absolute(), progress)
    if as_json:
        print_json(asdict(made))
        return
    typer.echo(f"{len(made.chains)} chains; their heads have the hash")
    typer.echo(made.heads)
    typer.echo("The backup, without private keys, anchors and models of your own, is")
    typer.echo(path.absolute())


def restore(path: Place, to: Target, as_json: AsJson = False) -> None:
    """Restore a backup into an empty database, and verify it.

    Exit code 5 where it is not what was written, 2 where it was not written to its end.
    """
    from orchestrator.history.keeping import restore

    target = Settings.other(to, "--to")
    made = restore.restore(path, target)
    _end(target, made.heads, target, as_json=as_json)


def _end(target: Settings, heads: str, anchored: Settings, *, as_json: bool) -> None:
    """Verify what has arrived, say what it is, and end the command.

    Args:
        anchored: Name the anchors that speak for it.
    """
    from orchestrator import opening
    from orchestrator.history.verify.protections import Outside

    database = opening.database(target)
    found = verified(database, Outside.of(anchored), quiet=as_json)
    if as_json:
        print_json(summary(found) | {"database": target.shown_url, "heads": heads})
        raise typer.Exit(ExitCode.DONE if found.ok else ExitCode.UNVERIFIED)
    typer.echo("All has arrived: the heads of its chains have the hash that they had. It is in")
    typer.echo(target.shown_url)
    typer.echo(f"heads: {heads}")
    print_verified(found)
    if anchored.anchors.exists() and target.anchors != anchored.anchors:
        typer.echo(f"Anchors: copy {anchored.anchors}")
        typer.echo(f"to {target.anchors}, or name it by {ANCHORS}.")
    raise typer.Exit(ExitCode.DONE if found.ok else ExitCode.UNVERIFIED)

"""``assayloop audit``: whether the history is what was written, and the tables say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import print_error, print_json
from orchestrator.errors import AssayloopError, ExitCode
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from db.session import Database


def verify(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Only this campaign; by default all of them."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify chains, tables and artifacts; exit code 5 where something is wrong.

    Each entry's hash is computed again, the tables are folded again from the ledger and compared
    row by row, and every artifact's bytes are hashed.
    """
    from orchestrator import wiring
    from orchestrator.history.verify import verify as check

    database = wiring.database(Settings.read())
    with _progress(database, quiet=as_json) as progress:
        found = check(database, name, progress)
    if as_json:
        rows = [{"where": problem.where, "what": problem.what} for problem in found.problems]
        print_json({"ok": found.ok, "entries": found.entries, "problems": rows})
    elif found.ok:
        typer.echo(f"{found.entries} entries: chains, tables and artifacts are what was written.")
    else:
        print_error(AssayloopError(found.problems))
        typer.echo(f"{found.entries} entries, {len(found.problems)} problems; `--json` prints all.")
    raise typer.Exit(ExitCode.DONE if found.ok else ExitCode.UNVERIFIED)


@contextmanager
def _progress(database: Database, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Yields what to tell the number of entries checked; a bar, on a terminal."""
    from rich.console import Console
    from rich.progress import Progress
    from sqlalchemy import func, select

    from db.models import LedgerEntry

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda entries: None
        return
    with database.read() as session:
        total = session.scalar(select(func.count()).select_from(LedgerEntry))
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("Verifying", total=total)
        yield lambda entries: bar.update(task, completed=entries)

"""Verification at the end of a command: with a bar while it lasts, and what it found."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from orchestrator.cli.terminal.output import print_error
from orchestrator.errors import AssayloopError

if TYPE_CHECKING:
    from db.session import Database
    from orchestrator.history.verify.protections import Outside
    from orchestrator.history.verify.verification import Verification

PROCESSES = 4
"""The most that share a verification: each holds some 80 MiB, and reads the same disk."""


def verified(
    database: Database, outside: Outside, name: str | None = None, *, quiet: bool
) -> Verification:
    """What a verification of a database, or of one campaign in it, finds."""
    from sqlalchemy import func, select

    from db.models import LedgerEntry
    from orchestrator.history.verify.verification import verify

    def total() -> int:
        with database.read() as session:
            return session.scalar(select(func.count()).select_from(LedgerEntry)) or 0

    with bar("Verifying", quiet=quiet) as told:
        everything = 0 if quiet else total()
        processes = min(os.cpu_count() or 1, PROCESSES)
        return verify(database, name, lambda done: told(done, everything), outside, processes)


@contextmanager
def bar(label: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yields what to tell how much of how much is done; a bar, on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda done, total: None
        return
    with Progress(console=console, transient=True) as shown:
        task = shown.add_task(label, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def summary(found: Verification) -> dict[str, object]:
    """What it found, for scripts."""
    rows = [{"where": problem.where, "what": problem.what} for problem in found.problems]
    counts = {"anchors": found.anchors, "unanchored": found.unanchored}
    return {"ok": found.ok, "entries": found.entries, **counts, "problems": rows}


def print_verified(found: Verification) -> None:
    """What it found, for a person."""
    if found.ok:
        typer.echo(f"{found.entries} entries: chains, tables and artifacts are what was written.")
        typer.echo(_anchored(found))
    else:
        print_error(AssayloopError(found.problems))
        problems = "1 problem" if len(found.problems) == 1 else f"{len(found.problems)} problems"
        typer.echo(f"{found.entries} entries, {problems}; `--json` prints all.")


def _anchored(found: Verification) -> str:
    """How far nobody can have rewritten them."""
    if not found.anchors:
        return "No anchor: a chain cut or rewritten as a whole would pass. `audit anchor` signs."
    hold = "1 anchor holds" if found.anchors == 1 else f"{found.anchors} anchors hold"
    later = {0: "none", 1: "1 entry"}.get(found.unanchored, f"{found.unanchored} entries")
    return f"{hold}; {later} came later."

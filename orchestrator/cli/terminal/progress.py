"""Live progress of campaigns on a terminal; nothing where the output is for scripts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from db.models import Campaign
from orchestrator.cli.terminal.output import duration, number, relative
from orchestrator.driver import Glance


class Watch:
    """Shows a line while the engine starts, and one that moves for each campaign."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._plain = not self._console.is_terminal

    def starting(self, log: Path) -> None:
        """Say that the engine starts, and where its log lines go."""
        self._console.print(f"[dim]Starting the engine; its log is {relative(log)}[/]")

    @contextmanager
    def campaign(self, row: Campaign) -> Iterator[Callable[[Glance], None]]:
        """Yields what to call after each pass of the loop."""
        name = f"{row.name}#{row.ordinal}"
        if self._plain:
            yield _Lines(self._console, name)
            return
        columns = (
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}"),
        )
        with Progress(*columns, console=self._console) as progress:
            yield _Bar(progress, progress.add_task(name, total=None, text="starting"))


class _Bar:
    """A bar that moves with the evaluations."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task
        self._pace = _Pace()

    def __call__(self, glance: Glance) -> None:
        self._progress.update(
            self._task,
            total=glance.budget,
            completed=glance.evaluations,
            text=_text(glance, self._pace.left(glance)),
        )


class _Lines:
    """A line every few seconds, for logs and pipes."""

    EVERY_S = 10.0

    def __init__(self, console: Console, name: str) -> None:
        self._console, self._name = console, name
        self._last = time.monotonic()
        self._pace = _Pace()

    def __call__(self, glance: Glance) -> None:
        left = self._pace.left(glance)
        if time.monotonic() - self._last < self.EVERY_S:
            return
        self._last = time.monotonic()
        self._console.print(f"{self._name}: {_text(glance, left)}", highlight=False)


class _Pace:
    """Time left, from the pace of this run."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def left(self, glance: Glance) -> float | None:
        """Seconds to the end of the budget; None while that is unknown."""
        now = time.monotonic()
        if self._first is None:
            self._first = (now, glance.evaluations)
        began, before = self._first
        done = glance.evaluations - before
        if glance.budget is None or done <= 0:
            return None
        return (now - began) / done * (glance.budget - glance.evaluations)


def _text(glance: Glance, left: float | None) -> str:
    budget = "" if glance.budget is None else f"/{glance.budget}"
    parts = [f"round {glance.rounds}", f"{glance.evaluations}{budget} evaluations"]
    if glance.best is not None:
        parts.append(f"best {number(glance.best)}")
    if left is not None and left >= 1:
        parts.append(f"{duration(left)} left")
    return ", ".join(parts)

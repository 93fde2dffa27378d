"""What commands print: errors, JSON for scripts, tables and units for people."""

from __future__ import annotations

import json
import math
import os
import textwrap
import traceback
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from orchestrator import private_files
from orchestrator.errors import AssayloopError, Problem
from orchestrator.settings import Settings

WIDTH, HEIGHT = 100, 24
"""One screen: no error takes more."""
SHORT = 24
"""Characters that a table never breaks into lines."""


def print_error(error: AssayloopError) -> None:
    """The problems on stderr, on one screen: where, what, and what would be right."""
    for text, color in error_lines(error.problems):
        typer.secho(text, fg=color, err=True)


def error_lines(problems: Sequence[Problem]) -> list[tuple[str, str | None]]:
    """Lines of at most ``WIDTH`` columns, at most ``HEIGHT`` of them, and their colours."""
    lines: list[tuple[str, str | None]] = []
    for index, problem in enumerate(problems):
        where = f"{problem.where}: " if problem.where else ""
        block: list[tuple[str, str | None]]
        block = [(line, "red") for line in _wrap(f"Error: {where}{problem.what}", "  ", 5)]
        block += [(line, None) for line in _wrap(problem.remedy, "    ", 4, "    ")]
        if len(lines) + len(block) > HEIGHT - 1:  # the last line is for what does not fit
            return [*lines, (f"... and {len(problems) - index} more", None)]
        lines += block
    return lines


def _wrap(text: str, indent: str, most: int, first: str = "") -> list[str]:
    """Paragraph of at most ``most`` lines."""
    return textwrap.wrap(
        _still(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=indent,
        max_lines=most,
        placeholder=" ...",
        break_on_hyphens=False,
    )


def _still(text: str) -> str:
    """The text without anything that would move a cursor."""
    return "".join(char if char.isprintable() else " " for char in text)


def print_paragraph(text: str, first: str = "", indent: str = "") -> None:
    """A paragraph on stdout, of at most ``WIDTH`` columns.

    Args:
        text: Anybody's; what would move a cursor is left out.
        first: What its first line begins with.
        indent: What its other lines begin with.
    """
    shown = textwrap.fill(
        _still(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    typer.echo(shown or first.rstrip())


def save_traceback(error: Exception) -> Path | None:
    """Keep the traceback of an unexpected error.

    Returns:
        The file, or None if none could be written.
    """
    now = datetime.now(UTC)
    try:
        folder = Settings.read().logs
        private_files.make_folder(folder)
        file = folder / f"error-{now:%Y%m%dT%H%M%S.%fZ}-{os.getpid()}.log"
        with private_files.create(file) as out:
            out.write("".join(traceback.format_exception(error)).encode(errors="replace"))
    except (AssayloopError, OSError):
        return None
    return file


def print_json(value: object) -> None:
    """One JSON document on stdout; NaN and infinity, which JSON lacks, become null."""
    typer.echo(json.dumps(_plain(value), indent=2, allow_nan=False))


def print_json_list(values: Iterable[object]) -> None:
    """What :func:`print_json` prints of a list, one value after another: there may be a million."""
    before = "["
    for value in values:
        text = json.dumps(_plain(value), indent=2, allow_nan=False)
        typer.echo(before + textwrap.indent(f"\n{text}", "  "), nl=False)
        before = ","
    typer.echo("[]" if before == "[" else "\n]")


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None
) -> None:
    """A table on stdout; numbers stand to the right, and None is left empty.

    Where it is wider than the terminal, or than ``WIDTH`` columns in a file, only long texts are
    broken into lines: a number or a name in pieces cannot be read.

    Args:
        columns: Headings.
        rows: As many cells each as there are columns.
        title: A line above it.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for index, name in enumerate(columns):
        values = [row[index] for row in rows]
        numbers = bool(rows) and all(isinstance(value, int | float | None) for value in values)
        widest = max((len(cell(value)) for value in values), default=0)
        table.add_column(
            textwrap.fill(name, max(widest, *map(len, name.split()), 1)),
            justify="right" if numbers else "left",
            overflow="fold",
            no_wrap=widest <= SHORT,
        )
    for row in rows:
        table.add_row(*(Text("\n".join(map(_still, cell(value).split("\n")))) for value in row))
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    console.print(table)


def cell(value: object) -> str:
    """A value as a table shows it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return number(value)
    return ", ".join(map(cell, value)) if isinstance(value, list | tuple) else str(value)


def number(value: float) -> str:
    """Four significant digits, such as ``0.9431``."""
    return f"{value:.4g}"


def duration(seconds: float) -> str:
    """The two largest units, such as ``45 s``, ``3 min 20 s`` or ``2 d 4 h``."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    rest = round(seconds)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        parts.append((count, unit))
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def object_name(row: Mapping[str, Any]) -> str:
    """A candidate's text, or the beginning of its artifact's hash; empty for one with neither."""
    return row["object"] or (f"artifact {row['artifact'][:12]}" if row["artifact"] else "")


def relative(path: Path) -> Path:
    """The path from the working directory, where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path

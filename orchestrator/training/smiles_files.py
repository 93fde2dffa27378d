"""SMILES out of files: one a line, or a column of a CSV file; gzipped or not."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from orchestrator.latent.protocol import SpaceError


def is_csv(path: Path) -> bool:
    """Whether a file is a table, by its name."""
    return path.name.removesuffix(".gz").endswith(".csv")


def read_smiles(path: Path) -> Iterator[str]:
    """First words of the lines of a file, or the column ``smiles`` of a CSV file; gzipped or not.

    Raises:
        SpaceError: the file is missing or unreadable, or has no such column.
    """
    with _opened(path) as file:
        if is_csv(path):
            yield from column(file, str(path))
        else:
            for line in file:
                yield (line.split() or [""])[0]


def read_columns(path: Path) -> dict[str, list[str]]:
    """All columns of a CSV file by their names, ``smiles`` among them; gzipped or not.

    Raises:
        SpaceError: the file is missing or unreadable, or has no column ``smiles``.
    """
    with _opened(path) as file:
        rows = csv.reader(file)
        names = _header(rows, str(path))
        cells = [[cell.strip() for cell in row] for row in rows]
    return {name: [row[i] if i < len(row) else "" for row in cells] for i, name in enumerate(names)}


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", errors="replace", newline="") as file:
            yield file
    except (OSError, EOFError, csv.Error, zlib.error) as error:
        raise SpaceError(f"{path} cannot be read: {error}") from error


def column(file: Iterable[str], shown: str) -> Iterator[str]:
    """The column ``smiles`` of a CSV file.

    Raises:
        SpaceError: there is none.
    """
    rows = csv.reader(file)
    at = _header(rows, shown).index("smiles")
    for row in rows:
        yield row[at].strip() if at < len(row) else ""


def _header(rows: Iterator[list[str]], shown: str) -> list[str]:
    """Names of the columns; that of the SMILES in small letters."""
    names = [cell.strip() for cell in next(rows, [])]
    names = ["smiles" if name.lower() == "smiles" else name for name in names]
    if "smiles" not in names:
        raise SpaceError(f"{shown} has no column smiles; it has: {', '.join(names) or 'none'}")
    return names

"""What the benchmarks share: cells that are run once and kept, and the judge of digits."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.progress import track

if TYPE_CHECKING:
    import numpy as np
    from _typeshed import DataclassInstance
    from numpy.typing import NDArray

    Cell = TypeVar("Cell", bound=DataclassInstance)

Row = dict[str, Any]
"""What came of a cell: the cell's own fields, and others."""


def command(about: str | None, full: str) -> argparse.Namespace:
    """What the command line says: ``full``, ``fresh``, and ``jobs`` at a time.

    Args:
        about: the program, for its help.
        full: what ``--full`` runs.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--full", action="store_true", help=full)
    parser.add_argument("--fresh", action="store_true", help="run finished cells again")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="cells at a time")
    return parser.parse_args()


def publish(page: str, place: Path) -> None:
    """Write a page where it is committed, and print it."""
    place.write_text(page, encoding="utf-8")
    sys.stdout.write(page)


def finish(
    cells: Sequence[Cell], run: Callable[[Cell], Row], kept: Path, *, jobs: int | None, fresh: bool
) -> list[Row]:
    """The rows of all cells, in their order: what is kept is read, what is missing is run.

    Args:
        cells: frozen dataclasses of plain values.
        run: of the module's top level, so that a process of its own can find it.
        kept: a file of one JSON object a line, so that an interrupted benchmark continues.
        jobs: cells at a time; None for one a core.
        fresh: run finished cells again.
    """
    kept.parent.mkdir(exist_ok=True)
    if fresh:
        kept.unlink(missing_ok=True)
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    missing = [cell for cell in cells if _row(cell, rows) is None]
    # Campaigns compute with one thread each; fresh processes, so that none inherits another's.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(run, cell) for cell in missing]
        console = Console(file=sys.stderr)
        for future in track(as_completed(futures), "cells", total=len(futures), console=console):
            rows.append(future.result())
            with kept.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    return [row for cell in cells if (row := _row(cell, rows)) is not None]


def _row(cell: DataclassInstance, rows: Sequence[Row]) -> Row | None:
    wanted = asdict(cell).items()
    return next((row for row in rows if wanted <= row.items()), None)


def read_right(images: NDArray[np.uint8], target: int) -> int:
    """How many of images ``n x 28 x 28`` the second network reads as the target.

    No campaign ever asks it: it differs from the evaluator in weights, seed and architecture.
    """
    from orchestrator.training.digits.classifiers import SECOND, load_second_classifier

    classes = load_second_classifier(SECOND).probabilities(images).argmax(axis=1)
    return int((classes == target).sum())

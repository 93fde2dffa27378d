"""The plate reader of the examples in a process of its own, which tests start and kill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READER = Path(__file__).parents[1] / "examples" / "plate-reader" / "reader.py"


class PlateReader:
    """A plate reader that works through two folders, which stay when it is started again."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.worklists, self.results = folder / "worklists", folder / "results"
        self.log = folder / "reader" / "measured.log"
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it reads."""
        folders = [str(self.worklists), str(self.results)]
        self._process = subprocess.Popen(
            [sys.executable, str(READER), *folders, *self._arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said.startswith("reading"), said

    def kill(self) -> None:
        """What a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def died(self) -> bool:
        """Whether it has died by itself."""
        return self._process is not None and self._process.poll() is not None

    def measured(self) -> list[str]:
        """Barcode and well of each measurement, in order."""
        if not self.log.exists():
            return []
        return [line.split()[0] for line in self.log.read_text().splitlines()]

    def options(self, **changes: Any) -> dict[str, Any]:
        """Options of an evaluator that works with it."""
        given: dict[str, Any] = {
            "kinds": ["parameters"],
            "measures": {"activity": {"unit": "percent", "lower": 0, "upper": 120}},
            "plate": {"wells": 96, "order": "columns", "blank": "H12"},
            "worklist": {"folder": str(self.worklists)},
            "results": {
                "folder": str(self.results),
                "decimal": ",",
                "columns": {"barcode": "Plate", "well": "Well", "measured_at": "Time"},
                "values": {"activity": {"column": "Activity (%)", "std": "SD"}},
                "no_value": ["ERROR"],
                "settle": 0.05,
            },
        }
        return given | changes


@contextmanager
def reading(folder: Path, *arguments: str) -> Iterator[PlateReader]:
    """A plate reader that runs as long as the test."""
    reader = PlateReader(folder, *arguments)
    reader.start()
    try:
        yield reader
    finally:
        reader.kill()

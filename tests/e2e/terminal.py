"""A terminal for tests: runs commands in this process and keeps what they print."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import main
from orchestrator.cli.terminal.output import HEIGHT, WIDTH

BOX = """\
name: box
space: {kind: box, parameters: [{name: x, lower: 0, upper: 1}, {name: y, lower: 0, upper: 1}]}
evaluators: [{use: reactor, measures: ["yield", mass]}]
objective: {direction: maximize, terms: [{measure: "yield"}]}
proposer: {kind: sobol, initial: 2, batch: 2}
budget: {evaluations: 6}
seed: 3
"""
"""A spec that six evaluations in a fraction of a second finish, without a model."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)


class Terminal:
    """Calls ``assayloop`` with some arguments."""

    def __init__(self, capture: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capture = capture
        self.folder = folder
        """The working directory."""

    def __call__(self, *arguments: object) -> Ended:
        """Run a command, which must keep to the width and never end in a traceback."""
        code = main([str(argument) for argument in arguments])
        out, err = self._capture.readouterr()
        assert "Traceback" not in err
        assert "Our fault" not in err, err
        if "--json" not in arguments:
            # Paths and addresses are never broken, so that they can be copied.
            whole = (str(self.folder), "://")
            lines = [one for one in out.splitlines() if not any(part in one for part in whole)]
            assert max(map(len, lines), default=0) <= WIDTH, out
        return Ended(code, out, err)

    def refused(self, *arguments: object) -> str:
        """The one-screen error of a command that is to end with exit code 2, on one line."""
        ended = self(*arguments)
        assert ended.code == 2, ended
        assert ended.out == ""
        assert 0 < len(ended.err.splitlines()) <= HEIGHT
        assert max(map(len, ended.err.splitlines())) <= WIDTH
        return " ".join(ended.err.split())

    def spec(self, name: str = "box", old: str = "", new: str = "") -> Path:
        """The box as a spec file of that name, with one text in it replaced."""
        assert old in BOX
        file = self.folder / f"{name}.yaml"
        file.write_text(BOX.replace(old, new, 1).replace("name: box", f"name: {name}", 1))
        return file


def tamper(terminal: Terminal, statement: str) -> None:
    """Change the database behind our back, past the triggers."""
    file = terminal.folder / "home" / "assayloop.db"
    with closing(sqlite3.connect(file)) as database, database:
        names = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = names.fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        database.execute(statement)
        for _, text in triggers:
            database.execute(text)

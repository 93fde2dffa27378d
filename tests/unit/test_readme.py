"""The README's commands work as they are typed, from the first line to the last."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from orchestrator.cli.commands import COMMANDS, LazyCommand

ROOT = Path(__file__).parents[2]
ACTIVATE = "source .venv/bin/activate"


def shell_lines() -> list[str]:
    """Every command of the README's shell blocks, in order, without its comment."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    joined = "".join(blocks).replace("\\\n", " ")
    return [line for one in joined.splitlines() if (line := one.partition("#")[0].strip())]


def test_the_command_is_on_the_path_before_it_is_called() -> None:
    """`make run` installs into the project's own environment, and into no folder of the PATH."""
    lines = shell_lines()
    called = [index for index, line in enumerate(lines) if line.startswith("assayloop ")]
    assert called, "the README shows no command"
    assert lines.index("make run") < lines.index(ACTIVATE) < called[0]


@pytest.mark.parametrize("line", [one for one in shell_lines() if one.startswith("assayloop ")])
def test_each_command_is_one_with_these_options(line: str) -> None:
    words = shlex.split(line)[1:]
    name = next(
        command
        for command in COMMANDS
        if command.name.split() == words[: command.name.count(" ") + 1]
    )
    given = words[name.name.count(" ") + 1 :]
    parsed = LazyCommand(name.name, name).load().make_context(name.name, list(given))
    assert parsed.params
    files = [Path(one) for one in given if one.startswith("examples/")]
    assert [file for file in files if not (ROOT / file).is_file()] == []

"""The reference page keeps up with the commands."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from orchestrator.cli.commands import COMMANDS, Command, LazyCommand

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def sections() -> dict[str, str]:
    """Text below each heading that names a command, by the command."""
    parts = re.split(r"^### `assayloop (.+)`$", PAGE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_is_explained_with_its_options_and_an_example(command: Command) -> None:
    module, _, attribute = command.function.partition(":")
    function = getattr(import_module(f"orchestrator.cli.{module}"), attribute)
    assert inspect.getdoc(function), f"{command.function} has no docstring, which is its help"

    text = sections()[command.name]
    assert re.search(rf"^assayloop {command.name}", text, re.MULTILINE), "there is no example"
    options = [
        "/".join((*option.opts, *option.secondary_opts))
        for option in LazyCommand(command.name, command).load().params
        if option.param_type_name == "option"
    ]
    assert [option for option in options if f"`{option}" not in text] == []


def test_the_page_explains_no_command_that_is_gone() -> None:
    assert list(sections()) == [command.name for command in COMMANDS]

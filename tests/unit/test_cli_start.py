"""The command line answers at once, and ends in a way that people and scripts understand."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import orchestrator
from orchestrator import Campaign, wiring
from orchestrator.cli import main
from orchestrator.cli.commands import COMMANDS, LazyCommand
from orchestrator.cli.terminal.output import (
    HEIGHT,
    WIDTH,
    cell,
    duration,
    error_lines,
    print_json,
    print_table,
)
from orchestrator.errors import NotFound, Problem, SchemaMismatch
from tests.e2e.terminal import BOX

ROOT = Path(orchestrator.__file__).parent.parent
EXAMPLE = str(ROOT / "examples" / "drug-like.yaml")
HEAVY = {
    *("torch", "botorch", "gpytorch", "linear_operator", "scipy", "pandas", "pyarrow"),
    *("rdkit", "selfies", "plotly", "matplotlib", "prefect", "alembic"),
}
LISTS = (
    *("status", "show box", "history box", "history box --entries", "candidates box"),
    *("jobs list box", "diff box --from entry:2", "show box --at entry:5", "account list"),
    *("status --json", "show box --json", "history box --json", "candidates box --json"),
)
LOADED = """
import json, sys
from orchestrator.cli import main
for command in json.loads(sys.argv[1]):
    assert main(command.split()) == 0, command
files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print()
print(json.dumps({name: file for name, file in files.items() if "." not in name}))
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test alone, where logs of errors go."""
    monkeypatch.setenv("ASSAYLOOP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def loaded_by(commands: Sequence[str], home: Path | None = None) -> dict[str, str]:
    """Top-level modules that a fresh process has imported once it has printed these; their files.

    Args:
        commands: Each as it is typed, without the program's name.
        home: The home that they read; this test's own by default.
    """
    run = subprocess.run(
        [sys.executable, "-c", LOADED, json.dumps(commands)],
        env=os.environ | ({"ASSAYLOOP_HOME": str(home)} if home else {}),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, str] = json.loads(run.stdout.splitlines()[-1])
    return found


def test_help_waits_for_nothing_heavy() -> None:
    start = time.perf_counter()
    loaded = loaded_by(["--help"])
    print(f"assayloop --help answered in {time.perf_counter() - start:.2f} s")
    assert loaded.keys() & (HEAVY | {"sqlalchemy", "numpy", "pydantic", "yaml"}) == set()


@pytest.mark.slow
def test_the_help_of_every_command_waits_for_nothing_heavy() -> None:
    """Shell completion asks for it as well, at every press of the key."""
    assert loaded_by([f"{command.name} --help" for command in COMMANDS]).keys() & HEAVY == set()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the campaign ``box``, driven to its end."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "box.yaml").write_text(BOX)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tests" / "e2e" / "plugin")
        patch.setenv("ASSAYLOOP_HOME", str(folder / "home"))
        assert Campaign.open(folder / "box.yaml").run() == "finished"
    return folder / "home"


@pytest.mark.slow
@pytest.mark.parametrize("command", LISTS)
def test_a_list_waits_for_nothing_heavy(command: str, finished: Path) -> None:
    """Each of these seconds would be waited for a hundred times a day."""
    assert loaded_by([command], finished).keys() & HEAVY == set()


@pytest.mark.slow
def test_the_install_compiles_whatever_help_and_lists_load(finished: Path) -> None:
    """Else a container that writes no bytecode compiles it anew at every command."""
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    (named,) = re.findall(r"^LISTED := (.*)$", makefile, re.MULTILINE)
    loaded = loaded_by(["--help", *LISTS], finished)
    others = {
        name
        for name, file in loaded.items()
        if "site-packages" in file and file.endswith(".py") and not name.startswith("_")
    }
    assert {"rich", "sqlalchemy", "typer"} <= others
    assert others <= {name.removesuffix(".py") for name in named.split()}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_of_the_table_can_be_loaded(
    command: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    name, _, line = command
    assert main([*name.split(), "--help"]) == 0
    assert f"assayloop {name}" in capsys.readouterr().out
    assert line.endswith(".")


def test_a_listed_command_needs_no_module(capsys: pytest.CaptureFixture[str]) -> None:
    lazy = LazyCommand("x", COMMANDS[0]._replace(function="no_such_module:x"))
    assert lazy.help == COMMANDS[0].help
    with pytest.raises(ModuleNotFoundError):
        lazy.load()


def test_a_misspelt_command_is_answered_with_the_right_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["statsu"]) == 2
    assert "status" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out[0].isdigit()


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert set(schema["required"]) == {"name", "space", "evaluators", "objective", "budget"}


def test_check_tells_scripts_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "check", EXAMPLE, "--set", "seed=x", "--json"]) == 2
    assert json.loads(capsys.readouterr().out) == {
        "ok": False,
        "problems": [
            {
                "where": "--set seed=x",
                "what": 'is "x"',
                "remedy": "it must be a whole number",
            }
        ],
    }


def test_a_good_spec_is_called_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "check", EXAMPLE]) == 0
    assert "drug-like searches molecules by gp, measured by rdkit" in capsys.readouterr().out
    assert main(["spec", "check", EXAMPLE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["spec"]["budget"]["wall_time"] == 1800


def broken(error: BaseException) -> object:
    """A check that fails as only a mistake of ours, or Ctrl-C, would make it fail."""

    def check(_source: object) -> None:
        raise error

    return check


def test_our_own_mistake_leaves_a_log_and_no_traceback(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "check", broken(ZeroDivisionError("by zero")))

    assert main(["spec", "check", EXAMPLE]) == 1
    err = capsys.readouterr().err
    (log,) = (home / "logs").iterdir()
    assert "Traceback" not in err
    assert "Our fault: ZeroDivisionError: by zero" in err
    assert str(log) in err
    assert "Traceback" in log.read_text()

    assert main(["--debug", "spec", "check", EXAMPLE]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_without_a_place_for_the_log_the_traceback_is_shown(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise nobody could ever report what happened."""
    home.touch()
    monkeypatch.setattr(wiring, "check", broken(ZeroDivisionError("by zero")))
    assert main(["spec", "check", EXAMPLE]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "check", broken(KeyboardInterrupt()))
    assert main(["spec", "check", EXAMPLE]) == 130
    err = capsys.readouterr().err
    assert "Interrupted" in err
    assert "Traceback" not in err


def test_errors_say_what_to_do() -> None:
    known = [f"c{index}" for index in range(30)]
    assert str(NotFound("campaign", "x", known)).endswith("c8, c9 and 20 more")
    assert "no campaign yet" in str(NotFound("campaign", "x", []))
    assert "`assayloop db upgrade`" in str(SchemaMismatch(None, "abc"))


def test_any_number_of_long_problems_fits_one_screen() -> None:
    problems = [Problem(f"f.yaml, line {n}", "word " * 200, "x" * 500) for n in range(50)]
    lines = [line for line, _ in error_lines(problems)]
    assert len(lines) <= HEIGHT
    assert max(map(len, lines)) <= WIDTH
    assert lines[-1] == "... and 48 more"


def test_an_error_cannot_move_the_cursor() -> None:
    """File names and keys come from outside, escape sequences included."""
    ((line, _),) = error_lines([Problem("a\x1b[2J.yaml", "b\r\x00")])
    assert line.isprintable()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (0.25, "0.2 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (7200, "2 h"),
        (7205, "2 h"),
        (187_200, "2 d 4 h"),
        (-1, "0.0 s"),
    ],
)
def test_durations_are_readable(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_cells_and_json_survive_what_measurements_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert [cell(value) for value in (None, 0.94311, 3, ["a", 0.5])] == [
        "",
        "0.9431",
        "3",
        "a, 0.5",
    ]
    print_json({"nan": float("nan"), "path": Path("a"), "list": (1, float("-inf"))})
    assert json.loads(capsys.readouterr().out) == {"nan": None, "path": "a", "list": [1, None]}


def test_a_table_prints_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """SMILES hold brackets, which Rich would take for markup."""
    print_table(["SMILES", "QED"], [["C[NH+](C)[O-]", 0.5], [None, None]])
    assert "C[NH+](C)[O-]" in capsys.readouterr().out

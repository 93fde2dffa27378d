"""The command line answers at once, and ends in a way that people and scripts understand."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import orchestrator
from orchestrator import wiring
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

EXAMPLE = str(Path(orchestrator.__file__).parent.parent / "examples" / "drug-like.yaml")
HEAVY = {"torch", "botorch", "rdkit", "prefect", "pandas", "plotly", "matplotlib"}
LOADED = """
import json, sys
from orchestrator.cli import main
for command in json.loads(sys.argv[1]):
    assert main([*command.split(), "--help"]) == 0
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test alone, where logs of errors go."""
    monkeypatch.setenv("ASSAYLOOP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def loaded_by_help_of(commands: list[str]) -> set[str]:
    """Top-level modules that a fresh process has imported once it has printed these helps."""
    run = subprocess.run(
        [sys.executable, "-c", LOADED, json.dumps(commands)],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_help_waits_for_nothing_heavy() -> None:
    start = time.perf_counter()
    loaded = loaded_by_help_of([""])
    print(f"assayloop --help answered in {time.perf_counter() - start:.2f} s")
    assert loaded & (HEAVY | {"sqlalchemy", "numpy", "pydantic", "yaml"}) == set()


@pytest.mark.slow
def test_the_help_of_every_command_waits_for_nothing_heavy() -> None:
    """Shell completion asks for it as well, at every press of the key."""
    assert loaded_by_help_of([command.name for command in COMMANDS]) & HEAVY == set()


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

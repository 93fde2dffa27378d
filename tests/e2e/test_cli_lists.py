"""What is installed and where it is kept: evaluators, models, the database."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.training.recipes import RECIPES
from tests.e2e.conftest import PLUGIN
from tests.e2e.terminal import Terminal

ROOT = Path(__file__).parents[2]


# Evaluators -----------------------------------------------------------------------------------


def test_evaluators_say_what_they_measure(terminal: Terminal) -> None:
    found = {one["name"]: one for one in terminal("evaluators", "list", "--json").json}
    assert {"rdkit", "mnist-classifier", "reactor"} <= set(found)
    reactor = found["reactor"]
    assert reactor["error"] is None
    assert reactor["sample_kinds"] == ["parameters"]
    assert (reactor["batch_size"], reactor["synchronous"], reactor["idempotent"]) == (4, True, True)
    assert reactor["cost"] == 2.5
    assert reactor["measures"][0] == {
        "name": "yield",
        "unit": "percent",
        "lower": 0,
        "upper": 100,
        "description": "share of the product",
    }


def test_a_broken_plug_in_does_not_hide_the_others(terminal: Terminal) -> None:
    found = {one["name"]: one for one in terminal("evaluators", "list", "--json").json}
    assert "no_such_module" in found["gone"]["error"]
    assert found["rdkit"]["error"] is None
    out = terminal("evaluators", "list").out
    assert "gone cannot be used" in out
    assert "share of the product" in out
    assert "must not be asked twice" in out


# Models ---------------------------------------------------------------------------------------


def test_models_say_what_they_reached(terminal: Terminal) -> None:
    found = {one["name"]: one for one in terminal("models", "list", "--json").json}
    digits = found["digits-2d-classifier"]
    assert (digits["dim"], digits["shipped"]) == (2, True)
    assert digits["size"] > 1_000_000
    assert digits["metrics"]
    assert Path(digits["folder"], "card.json").is_file()
    out = terminal("models", "list").out
    assert "shipped" in out
    assert "MB" in out


def test_recipes_that_nobody_trained_yet_are_listed_as_such(terminal: Terminal) -> None:
    found = {one["name"]: one for one in terminal("models", "list", "--json").json}
    assert set(RECIPES) <= set(found)
    assert found["digits-cnn"]["metrics"]["test_accuracy"] > 0.99  # ships with its evaluator
    if any(one["folder"] is None for one in found.values()):
        assert "not trained" in terminal("models", "list").out


def test_a_broken_card_is_named(terminal: Terminal) -> None:
    folder = terminal.folder / "home" / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text("{")
    assert str(folder / "card.json") in terminal.refused("models", "list").replace(" ", "")


# The database ---------------------------------------------------------------------------------


def test_a_database_is_made_and_checked(
    database_url: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAYLOOP_DATABASE_URL", database_url)
    missing = terminal("db", "check", "--json")
    assert (missing.code, missing.json["ok"]) == (2, False)
    assert "assayloop db upgrade" in missing.json["problems"][0]["remedy"]
    assert "assayloop db upgrade" in terminal.refused("db", "check")

    for _ in range(2):
        assert terminal("db", "upgrade").code == 0
    checked = terminal("db", "check", "--json")
    assert (checked.code, checked.json["ok"], checked.json["problems"]) == (0, True, [])
    assert "is at revision" in terminal("db", "check").out
    assert terminal("status", "--json").json == []
    assert terminal("audit", "verify", "--json").json["ok"] is True


def change(terminal: Terminal, *statements: str) -> None:
    """Change the database behind our back."""
    with closing(sqlite3.connect(terminal.folder / "home" / "assayloop.db")) as database, database:
        for statement in statements:
            database.execute(statement)


def test_tables_that_drifted_are_named(finished: Terminal) -> None:
    change(finished, "ALTER TABLE job ADD COLUMN colour TEXT", "DROP INDEX ix_job_campaign_state")
    said = finished.refused("db", "check")
    assert "remove_column job.colour" in said
    checked = finished("db", "check", "--json")
    assert checked.code == 2
    assert len(checked.json["problems"]) == 2


def test_a_database_of_another_release_is_left_alone(finished: Terminal) -> None:
    change(finished, "UPDATE alembic_version SET version_num = '9999'")
    for command in ("status", "db check"):
        assert "at revision 9999" in finished.refused(*command.split())
    assert "newer release" in finished.refused("db", "upgrade")


@pytest.mark.parametrize("command", ["status", "db check", "db upgrade"])
def test_a_file_that_is_no_database_is_said_to_be_none(command: str, terminal: Terminal) -> None:
    (terminal.folder / "home").mkdir()
    (terminal.folder / "home" / "assayloop.db").write_bytes(b"not a database" * 1000)
    assert "file is not a database" in terminal.refused(*command.split())


def test_the_examples_are_there_to_start_from(terminal: Terminal) -> None:
    """Whoever installed the wheel has no checkout to copy them out of."""
    listed = [one["name"] for one in terminal("spec", "example", "--json").json]
    assert {"drug-like", "digit-four"} <= set(listed)
    for name in listed:
        printed = terminal("spec", "example", name).out
        assert printed == (ROOT / "examples" / f"{name}.yaml").read_text(encoding="utf-8")
    said = terminal.refused("spec", "example", "drug")
    assert "no example 'drug'" in said
    assert ", ".join(listed) in said


# What is imported -----------------------------------------------------------------------------

HEAVY = ("torch", "botorch", "rdkit", "prefect", "pandas", "plotly", "matplotlib")
SCRIPT = """
import sys
from orchestrator.cli import main
for line in sys.stdin.read().splitlines():
    assert main(line.split()) == 0, line
    loaded = [name for name in sys.argv[1:] if name in sys.modules]
    assert not loaded, (line, loaded)
"""


def test_looking_loads_nothing_heavy(finished: Terminal) -> None:
    """Each of these seconds would be waited for a hundred times a day."""
    commands = (
        *("evaluators list", "models list", "db check", "audit verify box"),
        *("history box --out h.jsonl", "spec schema", "spec example"),
    )
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, *HEAVY],
        input="\n".join(commands),
        env={
            "PYTHONPATH": f"{PLUGIN}:{ROOT}",
            "ASSAYLOOP_HOME": str(finished.folder / "home"),
        },
        cwd=finished.folder,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


def test_a_listing_in_a_pipe_is_json(finished: Terminal) -> None:
    for command in ("status", "jobs list box", "evaluators list", "models list", "history box"):
        assert isinstance(json.loads(finished(*command.split(), "--json").out), list)

"""``assayloop run``: what it refuses, and how it ends for scripts."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import PLUGIN
from tests.e2e.terminal import Terminal
from tests.unit.test_spec_file import WRONG

ROOT = Path(__file__).parents[2]
DEADLINE_S = 240


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_spec_leaves_nothing_behind(mistake: str, terminal: Terminal) -> None:
    """One screen that names the place; no database is made, nor the folder that holds it."""
    content, expected = WRONG[mistake]
    (terminal.folder / "wrong.yaml").write_bytes(content)
    said = terminal.refused("run", "wrong.yaml")
    assert "wrong.yaml" in said
    assert [part for part in expected if part not in said] == []
    assert [one.name for one in terminal.folder.iterdir()] == ["wrong.yaml"]


def test_a_mistake_in_the_second_spec_does_not_start_the_first(terminal: Terminal) -> None:
    good, bad = terminal.spec(), terminal.spec("bad", "seed: 3", "sead: 3")
    assert "bad.yaml, line 7, sead" in terminal.refused("run", good, bad)
    assert not (terminal.folder / "home").exists()


def test_a_finished_campaign_is_only_shown(finished: Terminal) -> None:
    ended = finished("run", "box.yaml", "--json")
    assert ended.code == 0
    assert (ended.json[0]["name"], ended.json[0]["evaluations"]) == ("box#1", 6)
    assert Path(ended.json[0]["report"]).is_file()
    assert len(finished("status", "--json").json) == 1


def test_a_changed_spec_is_refused_by_name_of_the_change(finished: Terminal) -> None:
    said = finished.refused("run", "box.yaml", "--set", "seed=4")
    assert "seed: 3 -> 4" in said
    assert "assayloop campaign revise" in said


@pytest.mark.slow
def test_run_says_how_it_ended(
    terminal: Terminal, prefect_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit codes 3 and 4, by which a scheduler decides what to do next."""
    monkeypatch.setenv("ASSAYLOOP_HOME", str(prefect_home))
    monkeypatch.setenv("PYTHONPATH", f"{PLUGIN}:{ROOT}")

    def run(*specs: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "orchestrator.cli", "run", *map(str, specs)]
        return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S)

    doubt = terminal.spec("doubt", "use: reactor", "use: breaking")
    text = doubt.read_text().replace('["yield", mass]', "[score]").replace('"yield"', "score")
    doubt.write_text(text)

    ended = run(terminal.spec(), doubt)
    assert ended.returncode == 3, ended.stderr
    assert "box#1 is finished" in ended.stdout
    assert "2 open jobs" in ended.stdout

    assert terminal("pause", "doubt", "--reason", "repair").code == 0
    ended = run(doubt)
    assert ended.returncode == 4, ended.stderr
    assert "doubt#1 is paused (repair)" in ended.stdout

"""A campaign given away, from the command line: what its receiver sees."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal


@pytest.mark.parametrize("name", ["box.zip", "box-crate"])
def test_a_campaign_is_given_away_and_taken_in(
    finished: Terminal, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Its receiver verifies it with Python alone, and goes on with the same history."""
    heads = finished("export", "crate", "box", "--out", name, "--json").json
    assert next(one["chain"] for one in heads) == "system"
    if name == "box-crate":
        bare: list[str | Path] = [
            sys.executable,
            "-I",
            "-S",
            finished.folder / name / "verify.py",
            name,
        ]
        ended = subprocess.run(bare, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")
    shown = finished("show", "box", "--json").json

    monkeypatch.setenv("ASSAYLOOP_HOME", str(finished.folder / "elsewhere"))
    assert finished("import", name, "--json").json == heads
    assert finished("audit", "verify").code == 0
    assert finished("show", "box", "--json").json == shown
    assert "has a history already" in finished.refused("import", name)


def test_what_cannot_be_written_or_taken_in_is_refused(finished: Terminal) -> None:
    where = finished.refused("export", "crate", "box", "--out", "no/such/box.zip")
    assert "there is no folder" in where
    taken = finished.refused("export", "crate", "box", "--out", "home")
    assert "name a new folder" in taken
    assert "known: box" in finished.refused("export", "crate", "bxo", "--out", "box.zip")
    assert "cannot be imported" in finished.refused("import", "nothing.zip")
    assert "cannot be imported" in finished.refused("import", "box.yaml")


def test_a_changed_crate_ends_in_exit_code_5(
    finished: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert finished("export", "crate", "box", "--out", "box").code == 0
    table = finished.folder / "box" / "tables" / "measurement.jsonl"
    first, *rest = table.read_text().splitlines()
    table.write_text("\n".join([json.dumps(json.loads(first) | {"value": 1}), *rest]) + "\n")
    monkeypatch.setenv("ASSAYLOOP_HOME", str(finished.folder / "elsewhere"))
    ended = finished("import", "box")
    assert ended.code == 5
    assert "tables/measurement.jsonl: was changed" in " ".join(ended.err.split())

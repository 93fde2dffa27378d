"""A database copied, backed up and restored from the command line: what an administrator sees."""

from pathlib import Path

import pytest

from orchestrator.settings import Settings
from tests.e2e.terminal import Terminal, tamper


def test_a_laboratory_moves_to_postgresql_and_goes_on(
    finished: Terminal, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The history is the same, and so is what is read from it."""
    finished("audit", "keys", "create")
    assert finished("audit", "anchor").code == 0
    source = Settings.read()
    shown = finished("show", "box", "--json").json
    entries = finished("audit", "verify", "--json").json["entries"]
    ended = finished("db", "copy", "--to", postgresql_url)
    assert ended.code == 0
    assert f"{entries} entries: chains, tables and artifacts" in ended.out
    assert "2 anchors hold; none came later." in ended.out
    assert f"Anchors: copy {source.anchors}" in ended.out

    monkeypatch.setenv("ASSAYLOOP_DATABASE_URL", postgresql_url)
    assert finished("show", "box", "--json").json == shown
    assert str(Settings.read().anchors) in ended.out
    corrected = ("result", "correct", "box", 1, "--value", "0.5", "--reason", "misread")
    assert finished(*corrected).code == 0
    back = finished("db", "copy", "--to", "sqlite:///back.db", "--json").json
    assert (back["ok"], back["entries"], len(back["heads"])) == (True, entries + 1, 64)


def test_a_backup_is_made_and_restored(finished: Terminal, tmp_path: Path) -> None:
    made = finished("db", "backup", "backup", "--json").json
    assert set(made["files"]) == {"database.sqlite"}
    ended = finished("db", "restore", "backup", "--to", "sqlite:///new/restored.db")
    assert (ended.code, made["heads"] in ended.out) == (0, True)
    assert "made it" not in finished("db", "backup", "second").out
    again = finished("db", "restore", "second", "--to", "sqlite:///second.db", "--json").json
    assert again["heads"] == made["heads"]
    assert "is not empty. It has rows" in finished.refused(
        *("db", "restore", "backup", "--to", "sqlite:///second.db")
    )


@pytest.mark.parametrize("command", ["copy", "restore"])
def test_what_was_tampered_with_ends_in_exit_code_5(finished: Terminal, command: str) -> None:
    """It is copied as it is, so that whoever looks finds it."""
    tamper(finished, "UPDATE measurement SET value = 99 WHERE number = 2")
    arguments = ["db", command, "--to", "sqlite:///copy.db"]
    if command == "restore":
        assert finished("db", "backup", "backup").code == 0
        arguments.append("backup")
    ended = finished(*arguments)
    assert ended.code == 5
    assert "measurement 2, value: 99.0 is stored" in " ".join(ended.err.split())

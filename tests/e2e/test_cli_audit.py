"""Verification from the command line: what an auditor, or a night job, relies on."""

import sqlite3
from contextlib import closing

from tests.e2e.terminal import Terminal


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


def test_an_untouched_history_is_verified(finished: Terminal) -> None:
    for arguments in ([], ["box"], ["box#1"]):
        ended = finished("audit", "verify", *arguments, "--json")
        assert ended.code == 0
        assert ended.json["ok"] is True
        assert ended.json["problems"] == []
        assert ended.json["entries"] > 10
    assert "entries: chains, tables and artifacts" in finished("audit", "verify").out


def test_a_changed_measurement_ends_in_exit_code_5(finished: Terminal) -> None:
    tamper(finished, "UPDATE measurement SET value = 99 WHERE number = 2")
    ended = finished("audit", "verify", "box", "--json")
    assert ended.code == 5
    assert ended.json["ok"] is False
    (problem,) = ended.json["problems"]
    assert set(problem) == {"where", "what"}
    assert "measurement 2, value" in problem["where"]
    assert "99" in problem["what"]

    ended = finished("audit", "verify")
    assert ended.code == 5
    assert "measurement 2" in ended.err
    assert "1 problems; `--json` prints all" in ended.out


def test_many_problems_fit_a_screen(finished: Terminal) -> None:
    tamper(finished, "UPDATE measurement SET value = 99")
    ended = finished("audit", "verify")
    assert ended.code == 5
    assert "more" in ended.err.splitlines()[-1]
    assert len(finished("audit", "verify", "--json").json["problems"]) == 12


def test_an_unknown_campaign_cannot_be_verified(finished: Terminal) -> None:
    assert "known: box" in finished.refused("audit", "verify", "bxo")

"""Verification from the command line: what an auditor, or a night job, relies on."""

import json
import shutil
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import yaml

from adapters.mnist_classifier.shipped import SHIPPED
from orchestrator import Campaign, opening
from orchestrator.people import actors, campaigns
from orchestrator.settings import Settings
from orchestrator.spec.model import Spec
from tests.e2e.terminal import Terminal, tamper

ROOT = Path(__file__).parents[2]


def copy(source: Path, target: Path) -> None:
    """Put a database in the place of another, as SQLite's own tool does."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


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
    assert "1 problem; `--json` prints all" in ended.out


def test_many_problems_fit_a_screen(finished: Terminal) -> None:
    tamper(finished, "UPDATE measurement SET value = 99")
    ended = finished("audit", "verify")
    assert ended.code == 5
    assert "more" in ended.err.splitlines()[-1]
    assert len(finished("audit", "verify", "--json").json["problems"]) == 12


def test_an_unknown_campaign_cannot_be_verified(finished: Terminal) -> None:
    assert "known: box" in finished.refused("audit", "verify", "bxo")


def test_changed_weights_of_an_evaluator_are_found(terminal: Terminal) -> None:
    """Whoever changes the classifier changes every number that is yet to come."""
    weights = terminal.folder / "net.safetensors"
    for suffix in (".safetensors", ".json"):
        shutil.copy(SHIPPED.with_suffix(suffix), weights.with_suffix(suffix))
    text = (ROOT / "examples" / "digit-four.yaml").read_text()
    spec = yaml.safe_load(text)
    spec["evaluators"][0]["options"] = {"weights": str(weights)}
    database = opening.database(Settings.read(), create=True)
    for _ in range(2):  # the second campaign finds them kept
        campaigns.create(database, Spec.model_validate(spec), actors.operating_system())
    assert terminal("audit", "verify").code == 0

    weights.write_bytes(weights.read_bytes() + b"0")
    ended = terminal("audit", "verify", "--json")
    assert ended.code == 5
    (problem,) = ended.json["problems"]
    assert problem["where"] == str(weights)
    assert "was changed: its SHA-256 is" in problem["what"]

    card = {"weights_sha256": sha256(weights.read_bytes()).hexdigest()}
    weights.with_suffix(".json").write_text(json.dumps(card))
    assert terminal("audit", "verify").code == 0, "with a card of its own it is another network"


# Anchors --------------------------------------------------------------------------------------


def test_an_old_backup_that_was_restored_is_found_by_an_anchor(
    finished: Terminal, tmp_path: Path
) -> None:
    """A chain that was cut is sound in itself; only what was kept elsewhere knows the rest."""
    assert "run `assayloop audit keys create`" in finished.refused("audit", "anchor")
    made = finished("audit", "keys", "create")
    assert made.code == 0
    file = tmp_path / "home" / "assayloop.db"
    copy(file, tmp_path / "backup.db")
    again = finished.spec("more", "evaluations: 6", "evaluations: 2")
    Campaign.open(again).run()
    done = finished("audit", "anchor", "--json")
    assert [one["chain"] for one in done.json][-1] == "system"
    ended = finished("audit", "verify", "--json")
    assert (ended.code, ended.json["anchors"], ended.json["unanchored"]) == (0, 3, 0)
    assert "3 anchors hold; none came later" in finished("audit", "verify").out
    said = finished("audit", "anchor").out
    assert said.startswith("No chain has grown. The anchors are in")
    copy(tmp_path / "backup.db", file)
    ended = finished("audit", "verify", "--json")
    assert ended.code == 5
    assert {"an old backup was restored"} == {
        problem["what"].rpartition("or ")[2] for problem in ended.json["problems"]
    }
    assert finished("audit", "anchor").code == 5, "and it is not signed"


def test_without_an_anchor_verification_says_what_it_cannot_know(finished: Terminal) -> None:
    assert "No anchor: a chain cut or rewritten as a whole" in finished("audit", "verify").out


def test_an_auditor_trusts_a_key_and_not_the_database(finished: Terminal) -> None:
    finished("audit", "keys", "create")
    out = finished.folder / "elsewhere" / "anchors.jsonl"
    assert str(out) in finished("audit", "anchor", "--out", out).out
    (row,) = finished("audit", "keys", "list", "--json").json
    arguments = ["audit", "verify", "--anchors", out, "--trust", row["key"]]
    assert finished(*arguments).code == 0
    assert finished(*arguments[:-1], "0" * 64).code == 5
    assert "is no public key" in finished.refused(*arguments[:-1], "0")
    assert "cannot be read" in finished.refused("audit", "verify", "--anchors", "none.jsonl")


def test_keys_are_listed_rotated_and_revoked(finished: Terminal) -> None:
    finished("audit", "keys", "create")
    assert "a reason is required" in finished.refused("audit", "keys", "rotate")
    assert finished("audit", "keys", "rotate", "--reason", "once a year").code == 0
    old, new = finished("audit", "keys", "list", "--json").json
    assert (old["reason"], new["revoked_at"], new["private"]) == ("once a year", None, True)
    said = finished("audit", "keys", "revoke", new["key"][:8], "--reason", "stolen").out
    assert said.startswith(f"The key {new['key'][:16]} is revoked")
    assert "stolen" in finished("audit", "keys", "list").out

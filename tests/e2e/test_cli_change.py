"""Pausing, resuming, stopping and revising a campaign: each with its reason in the history."""

import pytest

from orchestrator import Campaign
from tests.e2e.terminal import Terminal


@pytest.fixture
def running(finished: Terminal) -> Terminal:
    """A terminal with a campaign ``open`` that was just started."""
    Campaign.open(finished.spec("open"))
    return finished


def state(terminal: Terminal, name: str) -> tuple[str, str]:
    """State and reason of a campaign."""
    shown = terminal("show", name, "--json").json
    return shown["status"], shown["reason"]


@pytest.mark.parametrize("command", ["pause", "stop"])
def test_a_reason_is_asked_for(command: str, running: Terminal) -> None:
    for options in ([], ["--reason", "  "]):
        said = running.refused(command, "open", *options)
        assert said == "Error: --reason: a reason is required say in a few words why"
    assert state(running, "open") == ("running", "")


def test_a_campaign_is_paused_resumed_and_stopped(running: Terminal) -> None:
    assert (
        running("pause", "open", "--reason", "no solvent").out == "open#1 is paused: no solvent\n"
    )
    assert state(running, "open") == ("paused", "no solvent")
    assert "open#1 is paused already" in running.refused("pause", "open", "--reason", "x")
    assert running("resume", "open").out == "open#1 is running\n"
    assert "open#1 is running already" in running.refused("resume", "open")
    assert running("stop", "open", "--reason", "done").code == 0
    assert state(running, "open") == ("stopped", "done")
    for command in ("pause", "resume", "stop"):
        said = running.refused(command, "open", "--reason", "x")
        assert "open#1 is stopped (done)" in said
        assert "run --new" in said


def test_a_revision_says_what_changed(running: Terminal) -> None:
    file = running.spec("open", "evaluations: 6", "evaluations: 8")
    said = running(
        *("campaign", "revise", "open", file),
        *("--set", "proposer.batch=1", "--reason", "more money"),
    )
    assert said.out.splitlines() == [
        "open#1 is at revision 2:",
        "  budget.evaluations: 6 -> 8",
        "  proposer.batch: 2 -> 1",
    ]


def test_a_finished_campaign_goes_on_under_a_larger_budget(finished: Terminal) -> None:
    file = finished.spec("box", "evaluations: 6", "evaluations: 8")
    said = finished("campaign", "revise", "box", file, "--reason", "more money")
    assert said.code == 0
    assert state(finished, "box") == ("running", "")
    Campaign.find("box").run()
    assert finished("show", "box", "--json").json["evaluations"] == 8


@pytest.mark.parametrize(
    ("old", "new", "options", "said"),
    [
        ("", "", ["--reason", "x"], "the spec of box is what it was"),
        ("seed: 3", "seed: 4", [], "--reason: a reason is required"),
        ("name: box", "name: bax", ["--reason", "x"], "keeps its name and space"),
        ("upper: 1", "upper: 2", ["--reason", "x"], "keeps its name and space"),
        ("seed: 3", "seed: x", ["--reason", "x"], "box.yaml, line 7, seed"),
        ("use: reactor", "use: react", ["--reason", "x"], "box.yaml, line 3, evaluators.0.use"),
        ("", "", ["--set", "seed=x", "--reason", "x"], "--set seed=x"),
    ],
)
def test_a_revision_that_cannot_be_is_refused_and_changes_nothing(
    old: str, new: str, options: list[str], said: str, finished: Terminal
) -> None:
    file = finished.spec("box")
    file.write_text(file.read_text().replace(old, new, 1))
    entries = finished("audit", "verify", "--json").json["entries"]
    assert said in finished.refused("campaign", "revise", "box", file, *options)
    assert finished("audit", "verify", "--json").json["entries"] == entries


def test_every_change_is_in_the_history_with_its_actor(running: Terminal) -> None:
    running("pause", "open", "--reason", "no solvent")
    running("resume", "open", "--reason", "solvent came")
    from sqlalchemy import select

    from db.models import LedgerEntry
    from orchestrator import opening
    from orchestrator.settings import Settings

    with opening.database(Settings.read()).read() as session:
        entries = session.scalars(
            select(LedgerEntry).where(LedgerEntry.kind.in_(["pause", "resume"]))
        ).all()
    assert [entry.kind for entry in entries] == ["pause", "resume"]
    assert {(entry.actor_kind, entry.mode) for entry in entries} == {("os account", "single-user")}
    assert "no solvent" in entries[0].payload
    assert "solvent came" in entries[1].payload

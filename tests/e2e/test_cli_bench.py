"""The commands of whoever stands at the bench, from the list to the report."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

from orchestrator import Campaign, opening, wiring
from orchestrator.settings import Settings
from orchestrator.verbs import batches
from tests.e2e.terminal import Terminal

MANUAL = """\
name: hand
space: {kind: box, parameters: [{name: x, lower: 0, upper: 1}, {name: y, lower: 0, upper: 1}]}
evaluators:
  - use: manual
    measures: [potency]
    options: {measures: {potency: {unit: nmol/l, lower: 0}}}
objective: {direction: minimize, terms: [{measure: potency}]}
proposer: {kind: sobol, initial: 3, batch: 3}
budget: {evaluations: 3}
approval: required
seed: 3
"""


def drive(terminal: Terminal) -> str:
    """What `assayloop run` does, without the engine."""
    return str(Campaign.open(terminal.folder / "hand.yaml").run())


def test_a_day_at_the_bench(terminal: Terminal) -> None:
    """Approve, take, enter, fill a sheet, bring it; three results later the campaign is over."""
    (terminal.folder / "hand.yaml").write_text(MANUAL)
    assert drive(terminal) == "waiting"
    assert "3 awaiting approval" in terminal("jobs", "list", "hand").out
    assert terminal("approve", "hand").out.startswith("Approved: 3 candidates")
    assert "no candidate waits" in terminal("approve", "hand").err
    assert drive(terminal) == "waiting"
    assert "Job 1 is yours" in terminal("jobs", "take", "hand", 1).out
    assert terminal("result", "enter", "hand", 1, "potency=x").code == 2
    said = terminal("result", "enter", "hand", 1, "potency=>10 umol/l", "--lot", "L7").out
    assert said.startswith("The result of job 1 is stored")
    sheet = terminal.folder / "sheet.csv"
    assert "has 2 jobs" in terminal("jobs", "sheet", "hand", "--out", sheet).out
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        row["potency [nmol/l]"] = f"{number + 2}±0.5"
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    shown = terminal("result", "import", "hand", sheet, "--dry-run")
    assert "nothing is changed" in shown.out
    assert len(terminal("result", "import", "hand", sheet, "--json").json) == 2
    assert drive(terminal) == "finished"
    best, *_ = terminal("show", "hand", "--json").json["best"]
    assert best["objective"] == 2.0
    values = terminal("history", "hand", "--json").json
    assert [one["value"] for one in values] == [10_000.0, 2.0, 3.0]


def test_thirty_evaluations_by_hand_over_two_drivers_that_die(terminal: Terminal) -> None:
    """A scripted person, who is at it whoever drives, and drivers that end in the middle."""
    text = MANUAL.replace("approval: required\n", "").replace("evaluations: 3}", "evaluations: 30}")
    text = text.replace("initial: 3, batch: 3", "initial: 5, batch: 5")
    text = text.replace("lower: 0}}}", "lower: 0}}, batch_size: 2}")
    (terminal.folder / "hand.yaml").write_text(text)
    entered = 0
    for pause in range(100):
        if pause in (2, 4):
            # A driver that dies between two commits, as any may.
            parts = wiring.build(opening.database(Settings.read()), _campaign("hand"))
            batches.intend(parts, "manual", parts.evaluators["manual"])
        if drive(terminal) == "finished":
            break
        waiting = terminal("jobs", "list", "hand", "--json", "--state", "submitted").json
        assert waiting
        for job in waiting:
            value = f"potency={10 + job['candidate']}"
            assert terminal("result", "enter", "hand", job["job"], value).code == 0
            entered += 1
    assert entered == 30
    values = terminal("history", "hand", "--json").json
    assert sorted(one["value"] for one in values) == [10.0 + n for n in range(1, 31)]
    assert terminal("audit", "verify").code == 0


def _campaign(name: str) -> str:
    return opening.campaign(opening.database(Settings.read()), name).id


def test_earlier_measurements_are_taken_in(terminal: Terminal) -> None:
    """With their unit, deviation and place; a table with a wrong row not at all."""
    (terminal.folder / "hand.yaml").write_text(MANUAL)
    drive(terminal)
    table = terminal.folder / "old.csv"
    why = ["--provenance", "notebook 3"]
    for text, said in (
        ("x,y\n0.1,0.2\n", "names no measure"),
        ("x,potency\n0.1,2\n", "has no column y"),
        ("x,y,potency,mood\n0.1,0.2,3,good\n", "a column 'mood'"),
        ("x,y,potency\n0.1,0.2,3\n0.1,z,3\n", "row 3: column y: 'z' is no number"),
        ("x,y,potency\n0.1,0.2,-3\n", "row 2: measure 'potency' is -3.0 nmol/l"),
        ("x,y,potency [kg]\n0.1,0.2,3\n", "wrong unit"),
    ):
        table.write_text(text)
        ended = terminal("data", "import", "hand", table, *why)
        assert (ended.code, said in ended.err) == (2, True), ended.err
    table.write_text(
        "id,x,y,potency [umol/l],potency std,measured_at\n"
        "A-1,0.1,0.2,0.5,0.1,2026-01-02T03:04:05Z\nA-2,0.5,0.5,>20,,\nA-1,0.1,0.2,0.7,,\n"
    )
    assert terminal("data", "import", "hand", table).code == 2
    assert "3 rows" in terminal("data", "import", "hand", table, "--dry-run").out
    done = terminal("data", "import", "hand", table, *why, "--json").json
    assert done == {"rows": 3, "values": 3, "candidates": 2}
    rows = [
        one for one in terminal("history", "hand", "--json").json if one["source"] == "imported"
    ]
    assert [one["value"] for one in rows] == [500.0, 20_000.0, 700.0]
    best, *_ = terminal("show", "hand", "--json").json["best"]
    assert best["objective"] == 600.0
    assert terminal("audit", "verify").code == 0


def test_evaluators_are_checked_without_measuring(terminal: Terminal) -> None:
    (terminal.folder / "hand.yaml").write_text(MANUAL)
    assert "manual is ready" in terminal("evaluators", "check", "hand.yaml").out
    assert "rdkit is ready" in terminal("evaluators", "check", "rdkit").out
    assert "neither" in terminal("evaluators", "check", "rdkitt").err
    (terminal.folder / "hand.yaml").write_text(MANUAL.replace("use: manual", "use: reactor"))
    ended = terminal("evaluators", "check", "hand.yaml", "--json")
    assert (ended.code, ended.json[0]["ready"]) == (2, False)
    listed = {one["name"]: one for one in terminal("evaluators", "list", "--json").json}
    assert listed["manual"]["needs"] == ["measures"]


def test_serve_receives_until_it_is_interrupted(terminal: Terminal) -> None:
    """As a process of its own, on a free port."""
    (terminal.folder / "hand.yaml").write_text(MANUAL)
    drive(terminal)
    command = [sys.executable, "-m", "orchestrator.cli", "serve", "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=terminal.folder, env=environment, text=True, stdout=subprocess.PIPE
    ) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+:\d+", server.stdout.readline())
            assert found is not None
            for _ in range(100):
                try:
                    with urllib.request.urlopen(f"{found[0]}/healthz") as answer:
                        assert b'"open_jobs":3' in answer.read()
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                raise AssertionError("it does not answer")
            server.send_signal(signal.SIGINT)
            assert server.wait(10) in (0, 130, -signal.SIGINT)
        finally:
            server.kill()

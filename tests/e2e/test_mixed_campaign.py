"""A campaign as labs run them: a cheap gate, a person's word, a bench, and plates with controls.

Each stretch is driven by a process of its own, which ends, and leaves nothing in memory.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.terminal import Terminal

ROOT = Path(__file__).parents[2]
SPEC = """\
name: mixed
space: {kind: molecules, filters: []}
evaluators:
  - {use: rdkit, measures: [qed], approval: none}
  - use: manual
    name: bench
    measures: [solubility]
    options: {measures: {solubility: {unit: mg/l, lower: 0}}, kinds: [molecule]}
    replicates: 2
    when: [{measure: qed, min: 0.3}]
  - use: file_drop
    name: reader
    measures: [inhibition]
    options:
      kinds: [molecule]
      measures: {inhibition: {unit: percent, lower: -50, upper: 150}}
      plate: {wells: 96, negative: col 1, positive: col 12, replicates: 4}
      worklist: {folder: worklists}
      results: {folder: results, layout: grid, range: B3, barcode: {label: Plate ID}, settle: 0}
      reduction:
        normalise: percent_inhibition
        quality: {z_prime: 0.5}
        gives: {inhibition: value}
      batch_size: 4
    when: [{measure: qed, min: 0.3}]
objective:
  direction: maximize
  terms: [{measure: inhibition}]
  constraints: [{measure: solubility, min: 1}]
proposer: {kind: random, initial: 10, batch: 10}
budget: {evaluations: 10}
approval: required
seed: 4
"""
DRIVE = "import sys; from orchestrator import Campaign; print(Campaign.open('mixed.yaml').run())"


def drive(folder: Path) -> str:
    """One stretch, in a process that then is gone."""
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    done = subprocess.run(
        [sys.executable, "-c", DRIVE],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(one for one in paths if one)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().splitlines()[-1]


def read_plate(worklist: Path, results: Path, noise: float) -> list[str]:
    """What the reader does with a plate; the jobs on it."""
    rng = np.random.default_rng(7)
    rows = list(csv.DictReader(io.StringIO(worklist.read_text("utf-8-sig"))))
    grid = [["" for _ in range(12)] for _ in range(8)]
    for row in rows:
        share = {"negative": 0.0, "positive": 1.0, "sample": 0.6}.get(row["role"])
        if share is not None:
            line, column = "ABCDEFGH".index(row["well"][0]), int(row["well"][1:]) - 1
            grid[line][column] = f"{50_000 * (1.02 - share + rng.normal(0, noise)):.0f}"
    with results.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["Plate ID", rows[0]["barcode"]], ["", *range(1, 13)]])
        writer.writerows([name, *cells] for name, cells in zip("ABCDEFGH", grid, strict=True))
    worklist.unlink()
    return sorted({row["job"] for row in rows if row["role"] == "sample"})


@pytest.mark.slow
def test_a_mixed_campaign_over_three_restarts(terminal: Terminal) -> None:
    folder = terminal.folder
    (folder / "mixed.yaml").write_text(SPEC)
    (folder / "results").mkdir()

    def jobs(state: str | None = None) -> list[dict[str, Any]]:
        options = [] if state is None else ["--state", state]
        found: list[dict[str, Any]] = terminal("jobs", "list", "mixed", "--json", *options).json
        return found

    # First stretch: the gate is read, and people are asked about what came through.
    assert drive(folder) == "waiting"
    asked = sorted({job["candidate"] for job in jobs("awaiting approval")})
    stopped = sorted({job["candidate"] for job in jobs("cancelled")})
    assert len(asked) + len(stopped) == 10
    assert len(asked) >= 5
    assert all("below 0.3" in job["reason"] for job in jobs("cancelled"))
    terminal("reject", "mixed", asked[0], "--reason", "cannot be made")
    good = "Cc1ccccc1C(=O)NCc1ccncc1"
    said = terminal("edit", "mixed", asked[1], "--object", good, "--reason", "it is in stock").out
    assert "takes the place" in said
    terminal("approve", "mixed")

    # Second: the bench and the first plate.
    assert drive(folder) == "waiting"
    sheet = folder / "sheet.csv"
    terminal("jobs", "sheet", "mixed", "--out", sheet)
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * (len(asked) - 1)
    for row in rows:
        row["solubility [mg/l]"] = ">100" if row["replicate"] == "2" else f"{20 + len(row)}"
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    terminal("result", "import", "mixed", sheet)
    plates = sorted((folder / "worklists").glob("*.csv"))
    assert len(plates) >= 2
    first = read_plate(plates[0], folder / "results" / "one.csv", noise=0.02)

    # Third: the second plate, whose controls say that it is worth nothing.
    assert drive(folder) == "waiting"
    doubted = read_plate(plates[1], folder / "results" / "two.csv", noise=0.3)
    for number, plate in enumerate(plates[2:]):
        read_plate(plate, folder / "results" / f"more {number}.csv", noise=0.02)

    # Fourth: to the end.
    ended = drive(folder)
    while ended == "waiting":  # what was edited is a candidate more, of another round of plates
        for number, plate in enumerate(sorted((folder / "worklists").glob("*.csv"))):
            read_plate(plate, folder / "results" / f"last {number}.csv", noise=0.02)
        if not jobs("submitted") and (waiting := jobs("awaiting approval")):
            terminal("reject", "mixed", *{job["candidate"] for job in waiting}, "--reason", "late")
        for job in jobs("submitted"):
            if job["evaluator"] == "bench":
                terminal("result", "enter", "mixed", job["job"], "solubility=25")
        ended = drive(folder)
    assert ended == "finished"
    assert {job["state"] for job in jobs()} <= {"succeeded", "cancelled", "rejected"}
    values = terminal("history", "mixed", "--json").json
    inhibition = [one for one in values if one["name"] == "inhibition"]
    by_plate = {str(one["candidate"]): one for one in inhibition}
    for label in first:
        assert by_plate[label.split("/")[0]]["value"] == pytest.approx(60, abs=5)
        assert not by_plate[label.split("/")[0]].get("flags")
    suspects = terminal("audit", "explain", "mixed", doubted[0].split("/")[0], "--json").json
    assert "Z' is" in json.dumps(suspects)
    best, *_ = terminal("show", "mixed", "--json").json["best"]
    assert str(best["candidate"]) not in {label.split("/")[0] for label in doubted}
    assert terminal("audit", "verify").code == 0

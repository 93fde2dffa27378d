"""Dose-response plates through folders: controls, curves, and a plate that Z' refuses."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from db.models import Candidate, Job, Measurement, MeasurementFlag
from db.session import Database
from orchestrator.driver import Standing
from orchestrator.errors import Conflict
from orchestrator.people import campaigns, rereading
from tests.e2e.lab import Lab, opened

ENTRY_POINT = "[assayloop.evaluators]\nplate-folder = adapters.file_drop:FileDrop\n"
OPTIONS: dict[str, Any] = {
    "kinds": ["parameters"],
    "measures": {"potency": {"unit": "", "lower": 0, "upper": 15}},
    "plate": {
        "wells": 384,
        "negative": "col 1",
        "positive": "col 24",
        "replicates": 2,
        "doses": {"highest": 10_000, "factor": 3, "points": 10},
    },
    "reduction": {
        "normalise": "percent_inhibition",
        "curve": "4pl",
        "dose_unit": "nmol/l",
        "quality": {"z_prime": 0.5},
        "gives": {"potency": "pic50"},
    },
}


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab with a folder for worklists and one for results, on each kind of database."""
    installed = tmp_path / "plugin" / "plates-1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: plates\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(ENTRY_POINT)
    monkeypatch.syspath_prepend(tmp_path / "plugin")
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


def truth(x0: float, x1: float) -> float:
    """The pIC50 of a point; below 5 it is weaker than the highest dose."""
    return 4.0 + 4.0 * x0 + 0.5 * x1


def read(worklist: Path, results: Path, noise: float, seed: int) -> None:
    """What the reader does: take a worklist, export a grid of counts under the plate's barcode."""
    rng = np.random.default_rng(seed)
    grid = [["" for _ in range(24)] for _ in range(16)]
    rows = list(csv.DictReader(io.StringIO(worklist.read_text("utf-8"))))
    for row in rows:
        share = {"negative": 0.0, "positive": 1.0}.get(row["role"])
        if share is None and row["dose"]:
            centre = 9.0 - truth(float(row["x0"]), float(row["x1"]))
            share = 1 / (1 + 10 ** (centre - math.log10(float(row["dose"]))))
        if share is None:
            continue
        name, number = row["well"][0], int(row["well"][1:])
        counts = 52_000 - 50_000 * share + 50_000 * rng.normal(0, noise)
        grid["ABCDEFGHIJKLMNOP".index(name)][number - 1] = f"{counts:.0f}"
    lines = [
        ["Plate ID", rows[0]["barcode"]],
        ["", *range(1, 25)],
        *([name, *cells] for name, cells in zip("ABCDEFGHIJKLMNOP", grid, strict=True)),
    ]
    with results.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)


def test_of_two_plates_one_is_refused_and_its_values_are_kept_as_suspect(lab: Lab) -> None:
    out, back = lab.folder / "worklists", lab.folder / "results"
    back.mkdir()
    options = OPTIONS | {
        "worklist": {"folder": str(out)},
        "results": {
            "folder": str(back),
            "layout": "grid",
            "range": "B3",
            "barcode": {"label": "Plate ID"},
            "settle": 0,
        },
    }
    campaign = lab.start(
        evaluators=[{"use": "plate-folder", "measures": ["potency"], "options": options}],
        objective={"direction": "maximize", "terms": [{"measure": "potency"}]},
        proposer={"kind": "sobol", "initial": 4, "batch": 4},
        budget={"evaluations": 8},
    )
    for number, noise in enumerate((0.03, 0.12)):
        assert lab.drive(campaign) is Standing.WAITING
        (worklist,) = out.glob("*.csv")
        read(worklist, back / f"export {number}.csv", noise, seed=number)
        worklist.unlink()
    assert lab.drive(campaign) is Standing.FINISHED
    assert set(lab.states(campaign)) == {"succeeded"}

    candidates = {job.number: job.candidate for job in lab.rows(Job, campaign)}
    measured: list[Measurement] = lab.rows(Measurement, campaign)
    points = {one.number: json.loads(one.object) for one in lab.rows(Candidate, campaign)}
    assert len(measured) == 8
    for one in measured[:4]:
        assert one.job is not None
        asked = truth(**points[candidates[one.job]])
        if one.censoring == "none":
            assert one.std is not None
            assert abs(one.value - asked) < 4 * one.std
        else:
            assert (one.value, one.censoring, one.std) == (5.0, "left", None)
            assert asked < 5.3
    # Both kinds came: else the test shows less than it says.
    assert {one.censoring for one in measured[:4]} == {"none", "left"}
    # A place names the wells of one sample: two series of ten.
    assert re.fullmatch(r"A2:A21", measured[0].place)

    flags: list[MeasurementFlag] = lab.rows(MeasurementFlag, campaign)
    assert [flag.measurement for flag in flags] == [one.number for one in measured[4:]]
    assert {flag.kind for flag in flags} == {"suspect"}
    (reason,) = {flag.reason for flag in flags}
    assert re.fullmatch(
        r"Z' is 0\.\d+, less than the limit 0\.5 \(16 negative and 16 positive control wells\)",
        reason,
    )
    assert len({one.delivery for one in measured}) == 2


def test_a_plate_is_reduced_again_by_another_recipe(lab: Lab) -> None:
    """Of the same bytes: a laxer limit believes the plate, and what was read before is kept."""
    out, back = lab.folder / "worklists", lab.folder / "results"
    back.mkdir()

    def part(limit: float) -> dict[str, Any]:
        results = {"folder": str(back), "layout": "grid", "range": "B3", "settle": 0}
        options = OPTIONS | {
            "worklist": {"folder": str(out)},
            "results": results | {"barcode": {"label": "Plate ID"}},
            "reduction": OPTIONS["reduction"] | {"quality": {"z_prime": limit}},
        }
        return {"use": "plate-folder", "measures": ["potency"], "options": options}

    changes = {
        "objective": {"direction": "maximize", "terms": [{"measure": "potency"}]},
        "proposer": {"kind": "sobol", "initial": 4, "batch": 4},
        "budget": {"evaluations": 4},
    }
    campaign = lab.start(evaluators=[part(0.9)], **changes)
    assert lab.drive(campaign) is Standing.WAITING
    (worklist,) = out.glob("*.csv")
    read(worklist, back / "export.csv", 0.03, seed=1)
    assert lab.drive(campaign) is Standing.FINISHED
    assert lab.campaign(campaign).best is None
    assert len(lab.rows(MeasurementFlag, campaign)) == 4
    assert rereading.compare(lab.build(campaign)) == []
    spec = lab.spec(evaluators=[part(0.5)], **changes)
    campaigns.revise(lab.database, campaign, spec, lab.actor, "0.5 is enough")
    found = rereading.compare(lab.build(campaign), "plate-folder")
    assert len(found) == 4
    assert rereading.correct(lab.build(campaign), found, "0.5 is enough") == 4
    rows = lab.rows(Measurement, campaign)
    assert [row.supersedes for row in rows] == [None] * 4 + [1, 2, 3, 4]
    assert [row.value for row in rows[:4]] == [row.value for row in rows[4:]]
    assert lab.campaign(campaign).best is not None
    assert rereading.compare(lab.build(campaign)) == []
    with pytest.raises(Conflict, match="says what was recorded"):
        rereading.correct(lab.build(campaign), [], "again")

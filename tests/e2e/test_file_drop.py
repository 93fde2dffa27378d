"""Campaigns whose results a plate reader in another process writes, in every manner it can."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from db import artifacts
from db.models import Artifact, Measurement
from db.session import Database
from orchestrator import Campaign, wiring
from orchestrator.driver import Standing, drive
from tests.e2e.lab import Lab, opened
from tests.e2e.terminal import Terminal
from tests.plate_reader import PlateReader, reading

pytestmark = pytest.mark.slow  # processes are started

ROOT = Path(__file__).parents[2]
SPACE = {
    "kind": "box",
    "parameters": [
        {"name": "ph", "lower": 5, "upper": 9},
        {"name": "salt", "lower": 0, "upper": 500},
    ],
}


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab on each kind of database."""
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


def start(lab: Lab, reader: PlateReader, **changes: Any) -> str:
    """A campaign of 30 evaluations, three to a plate."""
    part = {"use": "file_drop", "measures": ["activity"], "options": reader.options(batch_size=3)}
    return lab.start(
        space=SPACE,
        evaluators=[part],
        objective={"direction": "maximize", "terms": [{"measure": "activity"}]},
        proposer={"kind": "sobol", "initial": 10, "batch": 10},
        budget={"evaluations": 30},
        **changes,
    )


def work(parts: wiring.Parts, until: Callable[[], bool]) -> Standing:
    """Drive on until then, or to the end."""
    deadline = time.monotonic() + 60
    while (standing := drive(parts)) is not Standing.FINISHED and not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return standing


def values(lab: Lab, campaign: str) -> dict[int, float]:
    """What was measured, by candidate."""
    return {row.candidate: row.value for row in lab.rows(Measurement, campaign)}


def test_a_campaign_whose_reader_dies_twice_ends_as_undisturbed(lab: Lab, tmp_path: Path) -> None:
    with reading(tmp_path / "calm", "--seconds", "0") as calm:
        undisturbed = start(lab, calm, name="calm")
        with wiring.driving(lab.build(undisturbed)) as parts:
            assert work(parts, lambda: False) is Standing.FINISHED
    cuts = ["--manners", "--power-cuts", "4", "17"]
    with reading(tmp_path / "wild", "--seconds", "0.01", *cuts) as reader:
        campaign = start(lab, reader, name="wild")
        for cut in (4, 17):
            # Each time the driver is another process, too.
            with wiring.driving(lab.build(campaign)) as parts:
                work(parts, reader.died)
                assert drive(parts) is Standing.WAITING
                assert len(reader.measured()) == cut, "in the middle of a plate"
                reader.kill()
                reader.start()
        with wiring.driving(lab.build(campaign)) as parts:
            assert work(parts, lambda: False) is Standing.FINISHED
    measured = reader.measured()
    assert len(measured) == len(set(measured)) == 30, "nothing is measured twice"
    assert set(lab.states(campaign)) == {"succeeded"}
    assert len(lab.rows(Measurement, campaign)) == 30, "nothing is lost"
    assert values(lab, campaign) == pytest.approx(values(lab, undisturbed))
    assert lab.campaign(campaign).best == lab.campaign(undisturbed).best
    look_at_the_folders(lab, campaign, reader)


def look_at_the_folders(lab: Lab, campaign: str, reader: PlateReader) -> None:
    """Each file is kept byte for byte, in its folder and in the history."""
    with lab.database.read() as session:
        rows = session.query(Artifact.sha256).filter_by(chain=campaign).all()
        kept = {hashlib.sha256(artifacts.get(session, campaign, one)).digest() for (one,) in rows}
    put_away = [
        file
        for folder in ("done", "rejected")
        for file in (reader.results / folder).iterdir()
        if not file.name.endswith(".reason.txt")
    ]
    assert len(put_away) >= 11
    for file in put_away:
        assert hashlib.sha256(file.read_bytes()).digest() in kept, file
    refused = {file.name: file for file in (reader.results / "rejected").iterdir()}
    assert "NOSUCHPLATE" in refused["wrong.csv.reason.txt"].read_text()
    assert "lacks the heading 'Plate'" in refused["service.csv.reason.txt"].read_text()
    assert set(refused) >= {"wrong.csv", "service.csv"}
    left = {file.name for file in reader.results.iterdir()}
    assert left == {"done", "rejected", "~$results.xlsx"}
    for row in lab.rows(Measurement, campaign):
        assert row.place.startswith(("row ", "Results!C"))
        assert (row.unit, row.std) == ("percent", 0.5)
        assert abs(row.measured_at / 1e6 - time.time()) < 120


def test_the_example_finds_the_best_buffer(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = (ROOT / "examples" / "plate-reader" / "campaign.yaml").read_text()
    page = (ROOT / "docs" / "transports" / "file_drop.md").read_text()
    assert spec.partition("\n\n")[2] in page
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "buffer.yaml"
    file.write_text(spec.replace("folder: results", "folder: results\n        settle: 0.05"))
    with reading(tmp_path, "--seconds", "0"):
        campaign = Campaign.open(file)
        deadline = time.monotonic() + 60
        while campaign.run() != "finished":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    (best,) = campaign.best(1)
    assert best["objective"] > 90

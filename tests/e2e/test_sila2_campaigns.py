"""Campaigns on a SiLA 2 server in another process: one is killed twice, one is that of the page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.protocol import Closable
from db.models import Attempt
from db.session import Database
from db.states import JobState
from orchestrator import Campaign, driver, wiring
from orchestrator.driver import Glance, Standing
from orchestrator.people import jobs
from tests.e2e.lab import Lab, opened
from tests.e2e.terminal import Terminal
from tests.photometer import Photometer, serving

pytestmark = pytest.mark.slow  # servers are started

ROOT = Path(__file__).parents[2]

BOX = {
    "kind": "box",
    "parameters": [
        {"name": "temperature", "lower": 20, "upper": 90, "unit": "degC"},
        {"name": "ph", "lower": 4, "upper": 12},
    ],
}


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_campaign_whose_server_dies_twice_parks_what_is_in_doubt_and_ends(
    lab: Lab, tmp_path: Path
) -> None:
    with serving(tmp_path, "--seconds", "0.1", tls=True) as server:
        part = {"use": "sila2", "measures": ["product"], "options": server.options()}
        campaign = lab.start(
            space=BOX,
            evaluators=[part | {"attempts": 9, "backoff": 0.05}],
            objective={"direction": "maximize", "terms": [{"measure": "product"}]},
            proposer={"kind": "sobol", "initial": 10, "batch": 10},
            budget={"evaluations": 30},
            failures={"share": 1, "after": 100},
        )
        ran: set[str] = set()
        for enough in (3, 13):
            assert drive(lab, campaign, enough) is None
            ran |= die(lab, campaign, server)
        assert drive(lab, campaign, 31) is Standing.FINISHED
    all_jobs = lab.jobs(campaign)
    assert len(all_jobs) == 30
    assert {job.key for job in all_jobs if job.state == "failed"} == ran
    assert {job.state for job in all_jobs if job.key not in ran} == {"succeeded"}
    reasons = [job.reason for job in all_jobs if job.key in ran]
    assert all(reason.startswith("it ran, and its result is lost: ") for reason in reasons)
    # Each was measured once to its end; begun twice was what had died the first time.
    assert sorted(server.lines("ends")) == sorted(job.key for job in all_jobs)
    attempts = lab.rows(Attempt, campaign)
    assert len(attempts) == 30 + sum(one.reason.startswith("did not run") for one in attempts)
    assert len(attempts) - 30 + len(ran) == len(lab.entries(campaign, "resolve"))


class Enough(Exception):
    """The driver has come as far as the test wants it."""


def drive(lab: Lab, campaign: str, enough: int) -> Standing | None:
    """Drive on, as one process, to the end; None where so many had succeeded with four under way.

    Dies then in the middle of its work, as a process does that is killed.
    """

    def look(glance: Glance) -> None:
        if lab.states(campaign).count("succeeded") >= enough and len(under_way(lab, campaign)) >= 4:
            raise Enough

    parts = lab.build(campaign)
    standing: Standing | None = None
    with wiring.driving(parts), suppress(Enough):
        while (standing := driver.drive(parts, observe=look)) is not Standing.FINISHED:
            standing = None
            time.sleep(0.01)
    for evaluator in parts.evaluators.values():
        assert isinstance(evaluator, Closable)
        evaluator.close()
    return standing


def under_way(lab: Lab, campaign: str) -> set[str]:
    """Keys of the jobs that the server has."""
    return {job.key for job in lab.jobs(campaign) if job.state in jobs.UNDER_WAY}


def die(lab: Lab, campaign: str, server: Photometer) -> set[str]:
    """Kill the server after one more measurement, and settle what is in doubt; keys of what ran."""
    doubtful = under_way(lab, campaign)
    while not doubtful & set(server.lines("ends")):
        time.sleep(0.002)
    server.kill()
    # While it is away nothing is known, whoever asks.
    assert lab.drive(campaign) is Standing.WAITING
    assert under_way(lab, campaign) == doubtful
    server.start()
    assert lab.drive(campaign) is Standing.WAITING
    parked = [job for job in lab.jobs(campaign) if job.state == JobState.PARKED]
    assert {job.key for job in parked} == doubtful
    ended = set(server.lines("ends"))
    for job in parked:
        assert job.reason.endswith("whether it ran is unknown")
        ran, why = job.key in ended, "the log of the photometer"
        jobs.resolve(lab.database, campaign, job.number, lab.actor, ran=ran, reason=why)
    assert doubtful - ended, "everything had run; the test proves less than it should"
    return doubtful & ended


def test_the_campaign_of_the_page_finds_the_most_dye(terminal: Terminal, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "transports" / "sila2.md").read_text()
    spec = page.partition("```yaml\n")[2].partition("```")[0]
    assert (ROOT / "examples" / "sila2-server" / "campaign.yaml").read_text().endswith(spec)
    with serving(tmp_path, "--seconds", "0.02", tls=True) as server:
        file = tmp_path / "dye.yaml"
        file.write_text(spec.replace(":50052", f":{server.port}"))
        assert terminal("spec", "check", file).code == 0
        wrong = spec.replace("product: {unit: mmol/l", "product: {unit: gram")
        file.write_text(wrong.replace(":50052", f":{server.port}"))
        assert "the unit of 'Product'" in terminal.refused("spec", "check", file)
        file.write_text(spec.replace(":50052", f":{server.port}"))
        campaign = Campaign.open(file)
        for _ in range(1000):
            if campaign.run() == "finished":
                break
            time.sleep(0.02)
    (best,) = campaign.best(1)
    assert best["objective"] > 2.4
    assert len(server.lines("ends")) == 16
    assert terminal("audit", "verify", "dye").code == 0

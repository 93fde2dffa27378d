"""Whole campaigns on an assay that goes wrong: nothing is lost, and nothing is measured twice."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from adapters import chaos
from adapters.chaos import Chaos
from db.models import Artifact, Attempt, Measurement
from db.session import Database
from db.states import OPEN, JobState
from orchestrator.driver import Standing
from orchestrator.history.verify.verification import verify
from orchestrator.people import jobs as people_jobs
from tests.e2e.lab import Lab, opened

ROOT = Path(__file__).parents[2]

MEASURES = {"score": {"unit": "percent", "lower": 0, "upper": 100}}


class Killed(BaseException):
    """The process died; nothing in it may catch that."""


class Killer:
    """Kills the driver at every nth call, before or after the assay has done its part."""

    def __init__(self, patch: pytest.MonkeyPatch, every: int) -> None:
        self.every = every
        self.calls = 0
        self.kills: Counter[str] = Counter()
        for name in ("submit", "receive", "acknowledge"):
            patch.setattr(Chaos, name, self._mortal(name, getattr(Chaos, name)))

    def _mortal(self, name: str, act: Any) -> Any:
        def call(chaos: Chaos, given: Any) -> Any:
            self.calls += 1
            turn = self.calls % (2 * self.every)
            if turn == self.every:
                self.kills[f"before {name}"] += 1
                raise Killed
            done = act(chaos, given)
            if turn == 0:
                self.kills[f"after {name}"] += 1
                raise Killed
            return done

        return call


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab on each kind of database."""
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


def start(lab: Lab, count: int, state: Path, **options: Any) -> str:
    """Begin a campaign of that many jobs on chaos."""
    given = {"state": str(state), "measures": MEASURES, "seed": 7, "delay": 0.02} | options
    part: dict[str, Any] = {"use": "chaos", "measures": ["score"], "options": given}
    part |= {"timeout": 1.0, "backoff": 0.001}
    return lab.start(
        evaluators=[part],
        budget={"evaluations": count},
        failures={"share": 1, "after": 10 * count},
        proposer={"kind": "sobol", "initial": count // 2, "batch": count // 2},
    )


def drive_to_the_end(lab: Lab, campaign: str, state: Path) -> int:
    """Drive it, whoever dies; a person looks at the assay and settles what is parked.

    Returns:
        Number of jobs that a person settled.
    """
    settled, deadline = 0, time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            standing = lab.drive(campaign)
        except Killed:
            continue
        if standing is Standing.FINISHED:
            return settled
        assert standing is Standing.WAITING
        ran = {run.job for run in chaos.runs(state)}
        parked = [job for job in lab.jobs(campaign) if job.state == JobState.PARKED]
        for job in parked:
            people_jobs.resolve(
                lab.database,
                campaign,
                job.number,
                lab.actor,
                ran=job.key in ran,
                reason="looked at the assay's own display",
            )
        settled += len(parked)
        time.sleep(0.05)
    raise AssertionError(f"not finished: {Counter(lab.states(campaign))}")


def check(lab: Lab, campaign: str, state: Path, count: int, *, idempotent: bool) -> None:
    """What must hold of any campaign, compared with what the assay itself remembers."""
    jobs = lab.jobs(campaign)
    assert len(jobs) == count
    assert [job.state for job in jobs if job.state in OPEN] == []
    # Each sample was used up once at most, and no job ran that nobody asked for.
    measured = Counter(run.job for run in chaos.runs(state))
    assert set(measured) <= {job.key for job in jobs}
    assert [key for key, times in measured.items() if times > 1] == []
    # Whatever the assay was told to forget is kept byte for byte.
    with lab.database.read() as session:
        kept = set(session.scalars(select(Artifact.sha256).where(Artifact.chain == campaign)))
    fetched = chaos.handed_over(state)
    assert fetched
    unkept = [one for one in fetched if hashlib.sha256(one.body).hexdigest() not in kept]
    assert [one.reference for one in unkept if one.acknowledged] == []
    # A driver that died with a stray in its hands has not stored it: it still waits at the assay.
    # Nobody asks for it again, since the job that it came with is answered; no other is so left.
    assert [one.reference for one in unkept if not one.reference.endswith("stray")] == []
    # A sound result that was fetched is a measurement; what is no measurement became none.
    valued = {row.job for row in lab.rows(Measurement, campaign)}
    numbers = {job.key: job.number for job in jobs}
    attempts = {row.job: row for row in lab.rows(Attempt, campaign)}
    faults = {run.job: run.fault for run in chaos.runs(state)}
    spoilt = {"wrong_unit", "missing_measure", "nan", "infinite", "impossible"}
    useless = spoilt | {"unreadable", "truncated", "rejected", "failed", "never"}
    arrived = {key for one in fetched for key in one.jobs}
    assert [k for k in arrived if faults[k] not in useless and numbers[k] not in valued] == []
    assert [k for k, fault in faults.items() if fault in useless and numbers[k] in valued] == []
    assert all(attempts[numbers[key]].delivery in kept for key in arrived if faults[key] in spoilt)
    assert idempotent or all(job.attempts for job in jobs)
    assert verify(lab.database).problems == ()


@pytest.mark.parametrize("idempotent", [False, True])
def test_a_campaign_on_chaos_ends_and_accounts_for_everything(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idempotent: bool
) -> None:
    """Sixty jobs, two in three with a fault, and a driver that dies again and again."""
    state = tmp_path / "chaos.db"
    campaign = start(lab, 60, state, faults=0.66, idempotent=idempotent, huge=50_000)
    killer = Killer(monkeypatch, 7)
    settled = drive_to_the_end(lab, campaign, state)
    assert sum(killer.kills.values()) > 3, killer.kills
    assert (settled > 0) != idempotent
    check(lab, campaign, state, 60, idempotent=idempotent)


@pytest.mark.slow
def test_five_hundred_jobs_on_chaos(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty in a hundred with a fault, every fault there is, and many dead drivers."""
    state = tmp_path / "chaos.db"
    campaign = start(lab, 500, state, faults=0.3, huge=50_000)
    killer = Killer(monkeypatch, 41)
    settled = drive_to_the_end(lab, campaign, state)
    assert len(killer.kills) >= 3, killer.kills
    assert settled
    check(lab, campaign, state, 500, idempotent=False)


DRIVER = """
import sys, time
from pathlib import Path
from db.session import Database
from orchestrator.driver import Standing
from tests.e2e.lab import PLUGIN, Lab
sys.path.insert(0, str(PLUGIN))
lab = Lab(Database(sys.argv[1]), Path(sys.argv[2]))
while lab.drive(sys.argv[3]) is Standing.WAITING:
    time.sleep(0.02)
"""
"""Drives until the campaign is over, or until it is killed."""


@pytest.mark.slow
def test_drivers_that_are_killed_as_processes(lab: Lab, tmp_path: Path) -> None:
    """No word of farewell: the lease is still held, and what was under way is under way."""
    state = tmp_path / "chaos.db"
    # The kills fall into the first round: the second waits for a person to settle what is parked.
    campaign = start(lab, 120, state, faults=0.3, huge=50_000)
    command = [sys.executable, "-c", DRIVER, str(lab.database.url), str(tmp_path), campaign]
    killed = 0
    for more in (2, 6, 10):
        wanted = len(chaos.runs(state)) + more
        process = subprocess.Popen(command, cwd=ROOT)
        deadline = time.monotonic() + 60
        try:
            while len(chaos.runs(state)) < wanted and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.002)
            killed += process.poll() is None
        finally:
            process.kill()
            process.wait()
    assert killed == 3
    drive_to_the_end(lab, campaign, state)
    check(lab, campaign, state, 120, idempotent=False)

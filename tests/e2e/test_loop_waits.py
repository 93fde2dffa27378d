"""Evaluators that take their time: the loop waits, goes on, and loses nothing that comes late."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from db import artifacts
from db.models import Attempt, Candidate, Measurement, MeasurementFlag, Round
from db.session import Database
from orchestrator.driver import Standing
from tests.e2e.lab import Lab, opened

PATIENT = {"share": 1, "after": 100}
"""Failures that never pause."""


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab on each kind of database."""
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


def test_it_waits_and_goes_on_when_results_are_there(lab: Lab) -> None:
    """Whoever comes back on Monday starts the same command again."""
    campaign = lab.start(evaluators=[lab.inbox()])
    for _ in range(2):
        assert lab.drive(campaign) is Standing.WAITING
        entries = len(lab.entries(campaign))
        assert lab.drive(campaign) is Standing.WAITING
        assert len(lab.entries(campaign)) == entries
        assert len(lab.answer()) == 2
    assert lab.drive(campaign) is Standing.FINISHED
    attempts = lab.rows(Attempt, campaign)
    assert [(one.state, one.number) for one in attempts] == [("succeeded", 1)] * 4
    assert [one.reference for one in attempts] == [f"file {j.key}" for j in lab.jobs(campaign)]
    assert [one.receipt for one in attempts] == [1, 2, 3, 4]
    assert len(list((lab.folder / "done").iterdir())) == 4


def test_one_file_may_answer_many_jobs_and_in_any_order(lab: Lab) -> None:
    """A plate reader writes one table for the whole plate."""
    campaign = lab.start(evaluators=[lab.inbox()], budget={"evaluations": 2})
    lab.drive(campaign)
    lab.answer()
    files = sorted((lab.folder / "in").iterdir())
    both = [json.loads(file.read_text()) for file in reversed(files)]
    for file in files:
        file.unlink()
    (lab.folder / "in" / "plate.json").write_text(json.dumps(both))
    assert lab.drive(campaign) is Standing.FINISHED
    one, two = lab.rows(Attempt, campaign)
    assert (one.delivery, one.receipt) == (two.delivery, two.receipt)
    assert lab.states(campaign) == ["succeeded"] * 2


def test_a_file_for_another_job_is_kept_and_refused(lab: Lab) -> None:
    """A file in the wrong folder is evidence, and no result."""
    campaign = lab.start(evaluators=[lab.inbox()])
    lab.drive(campaign)
    strange = {"job": "no/such/job/1", "readings": [{"name": "score", "value": 1.0}]}
    (lab.folder / "in" / "strange").write_text(json.dumps(strange))
    (lab.folder / "in" / "garbage").write_bytes(b"\xff")
    assert lab.drive(campaign) is Standing.WAITING
    refused = [about for about in lab.entries(campaign, "deliver") if "refused" in about]
    assert [about["reference"] for about in refused] == ["garbage", "strange"]
    with lab.database.read() as session:
        assert artifacts.get(session, campaign, refused[0]["delivery"]) == b"\xff"
    assert lab.rows(Measurement, campaign) == []
    assert not list((lab.folder / "in").iterdir())


def test_a_result_that_comes_again_changes_nothing(lab: Lab) -> None:
    """The first counts; what comes again is kept and refused."""
    campaign = lab.start(evaluators=[lab.inbox()], budget={"evaluations": 3})
    lab.drive(campaign)
    keys = lab.answer()
    done = sorted((lab.folder / "in").iterdir())[0].read_text()
    lab.drive(campaign)
    measured = [row.value for row in lab.rows(Measurement, campaign)]
    assert len(measured) == len(keys) == 2
    (lab.folder / "in" / "again").write_text(done.replace("0.", "1."))
    assert lab.drive(campaign) is Standing.WAITING
    assert [row.value for row in lab.rows(Measurement, campaign)] == measured
    assert "refused" in lab.entries(campaign, "deliver")[-1]


def test_a_job_without_a_result_times_out_and_the_campaign_goes_on(lab: Lab) -> None:
    """A lost sample does not hold up everything else."""
    campaign = lab.start(
        evaluators=[lab.inbox(timeout=1e-6)], budget={"evaluations": 4}, failures=PATIENT
    )
    assert lab.drive(campaign) is Standing.FINISHED
    assert lab.states(campaign) == ["timed out"] * 4
    assert {job.reason for job in lab.jobs(campaign)} == {"no result in time"}
    assert [row.state for row in lab.rows(Round, campaign)] == ["closed", "closed"]


def test_time_outs_pause_like_other_failures(lab: Lab) -> None:
    """An instrument that never answers must not be fed the whole budget."""
    campaign = lab.start(
        evaluators=[lab.inbox(timeout=1e-6)],
        budget={"evaluations": 50},
        failures={"share": 0.5, "after": 4},
    )
    assert lab.drive(campaign) is Standing.PAUSED
    reason = "4 of 4 jobs failed, the last with: no result in time"
    assert lab.campaign(campaign).reason == reason


def test_a_late_result_is_kept_counts_and_is_flagged(lab: Lab) -> None:
    """It was measured and paid for; a reader of the history sees that it was late."""
    campaign = lab.start(
        evaluators=[lab.inbox(timeout=1e-6)], budget={"evaluations": 2}, failures=PATIENT
    )
    assert lab.drive(campaign, rounds=1) is Standing.TICKED
    assert lab.states(campaign) == ["timed out"] * 2
    lab.answer()
    lab.drive(campaign)
    assert lab.states(campaign) == ["succeeded"] * 2
    flags = lab.rows(MeasurementFlag, campaign)
    assert [(flag.measurement, flag.kind) for flag in flags] == [(1, "late"), (2, "late")]
    assert all(one.objective is not None for one in lab.rows(Candidate, campaign))


def test_an_evaluator_out_of_reach_is_asked_again(lab: Lab) -> None:
    """A network drive that is away for an hour ends nothing, and the jobs say what is wrong."""
    campaign = lab.start(evaluators=[lab.inbox()], budget={"evaluations": 2})
    lab.drive(campaign)
    folder = lab.folder / "in"
    folder.rmdir()
    folder.write_text("in the way")
    for _ in range(2):
        assert lab.drive(campaign) is Standing.WAITING
    assert len(lab.entries(campaign, "unreachable")) == 1
    for job in lab.jobs(campaign):
        assert job.state == "submitted"
        assert job.reason.startswith("its result cannot be fetched: [Errno")
    folder.unlink()
    lab.answer()
    assert lab.drive(campaign) is Standing.FINISHED
    assert {job.reason for job in lab.jobs(campaign)} == {""}

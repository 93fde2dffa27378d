"""What people and slow evaluators do while a driver is busy: each of it must have a defined end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from adapters import answer
from adapters.answer import Answer
from adapters.protocol import Delivery, Outcome, OutcomeStatus, Ticket
from db import repository
from db.models import MeasurementFlag
from db.session import Database
from db.states import CampaignState, JobState
from orchestrator import loop, opening, wiring
from orchestrator.driver import Standing, drive
from orchestrator.people import actors, campaigns
from orchestrator.spec.model import Failures
from orchestrator.wiring import Parts
from tests.faults import same
from tests.faults.call_log import CallLogEvaluator
from tests.faults.campaign import NAME, PLUGIN
from tests.faults.runs import Bench, Run

FAILED, REJECTED = OutcomeStatus.FAILED, OutcomeStatus.REJECTED
LATE = "call-log-late"


class Slow(CallLogEvaluator):
    """Keeps its answers until it is told to give them, and can be told to give others."""

    def __init__(self) -> None:
        super().__init__("slow.jsonl", synchronous=False, measure="late_score")
        self.most = 0
        """How many answers it gives at once, the newest first."""
        self.failure: Outcome | None = None
        """What it answers for every job instead of what it measured."""

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """As many as it is to give."""
        found = list(super().receive(tickets))[::-1][: self.most]
        if self.failure is None:
            return found
        return [replace(one, body=self._fail(one.jobs[0], self.failure)) for one in found]

    def _fail(self, key: str, failure: Outcome) -> bytes:
        return answer.write(Answer(replace(failure, job=key), {}))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Makes campaigns in a folder of this test."""
    monkeypatch.syspath_prepend(PLUGIN)
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


@pytest.fixture
def parts(bench: Bench) -> Parts:
    """A campaign that was created and not begun."""
    return build(bench.run())


def build(run: Run) -> Parts:
    """The parts of a run's campaign."""
    opened = Database(run.url)
    return wiring.build(opened, opening.campaign(opened, NAME).id)


def slow(parts: Parts, timeout: float | None = None) -> Slow:
    """Put a slow evaluator in the place of the late one, which has so long to answer."""
    evaluator = Slow()
    parts.evaluators = {**parts.evaluators, LATE: evaluator}
    wanted = tuple(one.model_copy(update={"timeout": timeout}) for one in parts.spec.evaluators)
    parts.spec = parts.spec.model_copy(update={"evaluators": wanted})
    return evaluator


def send(parts: Parts) -> None:
    """Propose a round and send its jobs."""
    round = loop.propose(parts)
    assert round is not None
    loop.decode(parts, round)
    loop.evaluate(parts)
    loop.record(parts)


def stop(parts: Parts) -> None:
    """Stop the campaign as a person does."""
    campaigns.stop(parts.database, NAME, actors.current(parts.database), "enough")


def states(parts: Parts, evaluator: str = LATE) -> set[JobState]:
    """States of an evaluator's jobs."""
    with parts.database.read() as session:
        jobs = repository.jobs(session, parts.campaign, evaluator=evaluator)
    return {JobState(job.state) for job in jobs}


def standing(parts: Parts) -> CampaignState:
    """The campaign's state."""
    with parts.database.read() as session:
        return CampaignState(repository.campaign(session, parts.campaign).state)


def test_nothing_is_sent_of_a_round_that_was_open_when_the_campaign_was_stopped(
    parts: Parts,
) -> None:
    """Stopped for good means that no more plates are run, also in the seconds of a proposal."""
    round = loop.propose(parts)
    assert round is not None
    stop(parts)
    assert loop.decode(parts, round) == 0
    assert states(parts) == set()
    assert drive(parts) == Standing.STOPPED


def test_what_fails_after_a_stop_neither_goes_on_nor_can_be_resumed(parts: Parts) -> None:
    """A late failure must not queue the job again, nor make a paused campaign of a stopped one."""
    evaluator = slow(parts)
    parts.spec = parts.spec.model_copy(update={"failures": Failures(share=0.1, after=1)})
    send(parts)
    stop(parts)
    evaluator.most, evaluator.failure = 9, Outcome("", FAILED, reason="no lamp", transient=True)
    loop.evaluate(parts)
    assert loop.record(parts) == 4
    assert states(parts) == {JobState.FAILED}
    assert standing(parts) == CampaignState.STOPPED


@pytest.mark.parametrize("status", [FAILED, REJECTED])
def test_a_failure_that_comes_after_the_time_out_is_kept_and_changes_nothing(
    parts: Parts, status: OutcomeStatus
) -> None:
    """One late word of an instrument must not break the campaign at every start from then on."""
    evaluator = slow(parts, timeout=0)
    send(parts)
    assert states(parts) == {JobState.TIMED_OUT}
    evaluator.most, evaluator.failure = 9, Outcome("", status, reason="too large")
    loop.evaluate(parts)
    assert loop.record(parts) == 4
    assert states(parts) == {JobState.TIMED_OUT}
    with parts.database.read() as session:
        attempts = [one for one, _ in repository.attempts(session, parts.campaign, "failed")]
    assert [one.reason for one in attempts] == ["too large"] * 4


def test_a_result_that_comes_after_the_time_out_is_kept_and_flagged(parts: Parts) -> None:
    """A measurement that was paid for is not thrown away."""
    evaluator = slow(parts, timeout=0)
    send(parts)
    evaluator.most = 9
    loop.evaluate(parts)
    assert loop.record(parts) == 4
    assert states(parts) == {JobState.SUCCEEDED}
    with parts.database.read() as session:
        flags = session.scalars(select(MeasurementFlag)).all()
    assert [flag.kind for flag in flags] == ["late"] * 4


def test_results_that_come_one_by_one_and_backwards_lead_to_the_same_points(
    bench: Bench,
) -> None:
    """A campaign can be repeated, however its instruments were loaded that day."""
    swift, sluggish = bench.run(), bench.run()
    for run, most in ((swift, 9), (sluggish, 1)):
        parts = build(run)
        slow(parts).most = most
        assert drive(parts) == Standing.FINISHED
        (Path.cwd() / "slow.jsonl").unlink()
        (Path.cwd() / "calls.jsonl").unlink()
    assert same.outcomes_differ(same.ending(swift.url), same.ending(sluggish.url)) == []

"""The chaos evaluator without faults passes the kit; each of its faults is what its name says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from adapters.chaos import FAULTS, Chaos, handed_over, runs
from adapters.checks import refusals
from adapters.declared import Measures
from adapters.protocol import (
    Batch,
    Delivery,
    Evaluator,
    EvaluatorError,
    Job,
    OptionError,
    Outcome,
    Sample,
    Ticket,
)
from adapters.testing import EvaluatorConformance

MEASURES: Measures = {"score": {"unit": "percent", "lower": 0.0, "upper": 100.0}, "level": "mg"}


def job(number: int = 1) -> Job:
    """A job for a point."""
    sample = Sample("parameters", json.dumps({"x": number / 10}))
    return Job(f"campaign/{number}/chaos/1", sample, ("score", "level"))


class TestSound(EvaluatorConformance):
    idempotent = True

    @pytest.fixture(autouse=True)
    def _state(self, tmp_path: Path) -> None:
        self.state = tmp_path / "chaos.db"

    def evaluator(self) -> Evaluator:
        return Chaos(self.state, MEASURES, faults=0, idempotent=self.idempotent, batch_size=2)

    def samples(self) -> Sequence[Sample]:
        points = [Sample("parameters", f'{{"x": {x}}}') for x in (0.1, 0.5, 0.9)]
        return [*points, Sample("molecule", "CCO")]


class TestSoundNotIdempotent(TestSound):
    idempotent = False


class Bench:
    """One chaos with one fault, and what comes of one job."""

    def __init__(self, state: Path, fault: str) -> None:
        self.state = state
        self.chaos = Chaos(state, MEASURES, faults={fault: 1.0}, delay=0, huge=100_000)

    def fetched(self) -> Sequence[Delivery]:
        """Submit a job; its deliveries."""
        self.chaos.submit(Batch("b", (job(),)))
        return self.chaos.receive([Ticket(job().key)])

    def outcome(self) -> Outcome:
        """Submit a job; its outcome."""
        (delivery,) = self.fetched()
        (found,) = self.chaos.parse(delivery)
        return found

    def faults(self) -> str:
        """What is wrong with its readings."""
        readings = self.outcome().readings
        return "; ".join(refusals(self.chaos.capabilities, job().measures, readings))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("wrong_unit", "wrong unit"),
        ("missing_measure", "'score' is missing"),
        ("impossible", "more than 100.0 is impossible"),
    ],
)
def test_a_spoilt_reading_is_no_measurement(tmp_path: Path, fault: str, message: str) -> None:
    assert message in Bench(tmp_path / "s", fault).faults()


@pytest.mark.parametrize(("fault", "value"), [("nan", "nan"), ("infinite", "inf")])
def test_a_value_that_is_not_finite(tmp_path: Path, fault: str, value: str) -> None:
    values = {r.name: repr(r.value) for r in Bench(tmp_path / "s", fault).outcome().readings}
    assert values["score"] == value


@pytest.mark.parametrize("fault", ["unreadable", "truncated"])
def test_bytes_that_cannot_be_read(tmp_path: Path, fault: str) -> None:
    bench = Bench(tmp_path / "s", fault)
    (delivery,) = bench.fetched()
    with pytest.raises(EvaluatorError, match="not JSON"):
        bench.chaos.parse(delivery)


@pytest.mark.parametrize("fault", ["huge", "unicode", "clock_skew", "late", "partial"])
def test_what_is_odd_and_sound_is_read(tmp_path: Path, fault: str) -> None:
    bench = Bench(tmp_path / "s", fault)
    (delivery,) = bench.fetched()
    (outcome,) = bench.chaos.parse(delivery)
    assert not refusals(bench.chaos.capabilities, job().measures, outcome.readings)
    assert (len(delivery.body) > 100_000) == (fault == "huge")
    assert (outcome.readings[0].measured_at is not None) == (fault == "clock_skew")
    assert bool(outcome.readings[0].operator) == (fault == "unicode")


@pytest.mark.parametrize("fault", ["rejected", "failed"])
def test_how_a_job_ends(tmp_path: Path, fault: str) -> None:
    outcome = Bench(tmp_path / "s", fault).outcome()
    assert (outcome.status, outcome.transient) == (fault, False)
    assert outcome.reason


@pytest.mark.parametrize(("fault", "count"), [("twice", 2), ("unknown_job", 2), ("never", 0)])
def test_how_often_it_delivers(tmp_path: Path, fault: str, count: int) -> None:
    bench = Bench(tmp_path / "s", fault)
    found = bench.fetched()
    assert len(found) == count
    keys = {o.job for one in found for o in bench.chaos.parse(one)}
    assert (f"{job().key}/nobody" in keys) == (fault == "unknown_job")


@pytest.mark.parametrize(
    ("fault", "raised", "taken"),
    [
        ("submit_transient", EvaluatorError, 0),
        ("submit_final", EvaluatorError, 0),
        ("submit_breaks_before", ConnectionError, 0),
        ("submit_breaks", ConnectionError, 1),
    ],
)
def test_how_handing_in_breaks(
    tmp_path: Path, fault: str, raised: type[Exception], taken: int
) -> None:
    bench = Bench(tmp_path / "s", fault)
    with pytest.raises(raised) as caught:
        bench.fetched()
    assert len(runs(bench.state)) == taken
    assert getattr(caught.value, "transient", False) == (fault == "submit_transient")


def test_a_lost_ticket_is_of_a_job_that_ran(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "s", "lost_ticket")
    assert bench.chaos.submit(Batch("b", (job(),))) == []
    assert [run.job for run in runs(bench.state)] == [job().key]
    assert len(bench.chaos.receive([Ticket(job().key)])) == 1


def test_fetching_and_acknowledging_break_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "s", "receive_raises")
    with pytest.raises(ConnectionError):
        bench.fetched()
    assert handed_over(bench.state) == []
    assert len(bench.chaos.receive([Ticket(job().key)])) == 1
    bench = Bench(tmp_path / "t", "acknowledge_raises")
    (delivery,) = bench.fetched()
    with pytest.raises(ConnectionError):
        bench.chaos.acknowledge(delivery)
    assert bench.chaos.receive([Ticket(job().key)]) == [delivery]
    bench.chaos.acknowledge(delivery)
    assert bench.chaos.receive([Ticket(job().key)]) == []


def test_out_of_order_overtakes(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "s", "out_of_order")
    bench.chaos.submit(Batch("b", (job(1), job(2))))
    found = bench.chaos.receive([Ticket(job(1).key), Ticket(job(2).key)])
    assert [bench.chaos.parse(one)[0].job for one in found] == [job(2).key, job(1).key]


def test_a_slow_acknowledgement_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("adapters.chaos.time.sleep", slept.append)
    bench = Bench(tmp_path / "s", "slow_acknowledge")
    bench.chaos.acknowledge(bench.fetched()[0])
    assert slept == [0]


def test_the_seed_says_who_suffers(tmp_path: Path) -> None:
    one, same, other = (Chaos(tmp_path / "s", MEASURES, seed=seed) for seed in (7, 7, 8))
    drawn = [[c.fault(f"c/{n}/chaos/1") for n in range(2000)] for c in (one, same, other)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert set(drawn[0]) == {"", *FAULTS}
    assert 0.27 < 1 - drawn[0].count("") / 2000 < 0.33


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"lat": 0.1}, "did you mean 'late'"),
        ({"late": 1.5}, "a share from 0 to 1"),
        ({"late": 0.6, "nan": 0.6}, "sums to 1.2"),
    ],
)
def test_faults_that_are_none_are_refused(
    tmp_path: Path, faults: dict[str, float], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        Chaos(tmp_path / "s", MEASURES, faults=faults)


def test_a_state_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    chaos = Chaos(tmp_path / "no" / "folder" / "s", MEASURES)
    with pytest.raises(EvaluatorError, match=r"option 'state'.*may be written to"):
        chaos.submit(Batch("b", (job(),)))

"""Evaluators that misbehave: each misdeed has an answer, and none ends the campaign silently."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from db import artifacts
from db.models import Artifact, Attempt, Candidate, Measurement
from db.session import Database
from orchestrator import wiring
from orchestrator.driver import Standing
from orchestrator.latent.box import BoxSpace
from orchestrator.latent.protocol import Decoded, Points
from tests.e2e.lab import Lab, opened


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab on each kind of database."""
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


WRONG = {
    "nan": "measure 'score' is nan, which is no measurement",
    "inf": "measure 'score' is inf, which is no measurement",
    "unit": "measure 'score' has a wrong unit",
    "no unit": "measure 'score' has a wrong unit",
    "impossible": "measure 'score' is 11.0 mg; more than 10 is impossible",
    "bad std": "measure 'score' has standard deviation -1.0",
    "missing": "measure 'score' is missing",
    "name": "measure 'score' is missing",
    "text": "the outcome cannot be used",
    "failed": "it failed",
    "garbage": "the delivery cannot be read: no JSON",
    "crash": "the delivery cannot be read: ",
    "another job": "the delivery does not mention this job",
    "silent": "the evaluator gave no result",
}


def test_what_is_no_measurement_fails_its_job_and_no_other(lab: Lab) -> None:
    """A wrong number must not steer a campaign; its bytes are kept, with the reason."""
    acts = {str(number): [act] for number, act in enumerate(WRONG, 1)}
    count = len(WRONG) + 2
    campaign, standing = lab.run(
        evaluators=[lab.bench(acts)],
        budget={"evaluations": count},
        failures={"share": 1, "after": 100},
        proposer={"kind": "sobol", "initial": count},
    )
    assert standing is Standing.FINISHED
    *bad, one, other = lab.jobs(campaign)
    assert [one.state, other.state] == ["succeeded", "succeeded"]
    assert {row.candidate for row in lab.rows(Measurement, campaign)} == {count - 1, count}
    valued = [row.objective is not None for row in lab.rows(Candidate, campaign)]
    assert valued == [False] * len(WRONG) + [True] * 2
    for job, act, attempt in zip(bad, WRONG, lab.rows(Attempt, campaign), strict=False):
        assert (job.state, job.attempts) == ("failed", 1), act
        assert WRONG[act] in job.reason
        assert attempt.reason == job.reason
        if act != "silent":
            with lab.database.read() as session:
                assert artifacts.get(session, campaign, attempt.delivery), act


def test_a_rejected_sample_is_not_tried_again(lab: Lab) -> None:
    """The instrument says that it will never measure it."""
    campaign, standing = lab.run(evaluators=[lab.bench({"2": ["rejected"]})])
    assert standing is Standing.FINISHED
    job = lab.jobs(campaign)[1]
    assert (job.state, job.reason, job.attempts) == ("rejected", "it rejected", 1)


def test_another_unit_is_converted(lab: Lab) -> None:
    """Two milligrams are two milligrams, in grams too, and so is their deviation."""
    campaign, _ = lab.run(evaluators=[lab.bench({"1": ["gram"]})])
    row = lab.rows(Measurement, campaign)[0]
    assert (row.value, row.unit, row.std) == (pytest.approx(2), "mg", pytest.approx(0.1))


@pytest.mark.parametrize("act", ["failed transient", "refuse transiently"])
def test_what_may_pass_is_tried_again(lab: Lab, act: str) -> None:
    """A busy instrument costs a wait, and no sample."""
    bench = lab.bench({"1": [act, act]}, backoff=0.02)
    campaign, standing = lab.run(evaluators=[bench])
    assert standing is Standing.FINISHED
    job = lab.jobs(campaign)[0]
    assert (job.state, job.attempts, job.reason) == ("succeeded", 3, "")
    one, two, three = (row for row in lab.rows(Attempt, campaign) if row.job == 1)
    assert [one.state, two.state, three.state] == ["failed", "failed", "succeeded"]
    assert two.started_at >= one.ended_at + 20_000
    assert three.started_at >= two.ended_at + 40_000


@pytest.mark.parametrize("act", ["failed transient", "refuse transiently"])
def test_what_does_not_pass_has_failed_in_the_end(lab: Lab, act: str) -> None:
    """Three attempts, says the spec, and not for ever."""
    campaign, standing = lab.run(evaluators=[lab.bench({"1": [act] * 9})])
    assert standing is Standing.FINISHED
    job = lab.jobs(campaign)[0]
    assert (job.state, job.attempts) == ("failed", 3)
    assert lab.calls().count(job.key) == 3


@pytest.mark.parametrize("act", ["nan", "refuse", "break", "silent"])
def test_an_evaluator_that_fails_pauses_the_campaign(lab: Lab, act: str) -> None:
    """Somebody should look before the whole budget has gone that way."""
    campaign, standing = lab.run(
        evaluators=[lab.bench({"*": [act]})],
        budget={"evaluations": 50},
        failures={"share": 0.5, "after": 4},
    )
    assert standing is Standing.PAUSED
    row = lab.campaign(campaign)
    assert row.evaluations < 10
    assert "4 of 4 jobs failed, the last with: " in row.reason


def test_a_few_failures_do_not_pause(lab: Lab) -> None:
    """One broken sample in four is life."""
    campaign, standing = lab.run(
        evaluators=[lab.bench({"3": ["nan"], "6": ["refuse"]})],
        budget={"evaluations": 8},
        failures={"share": 0.5, "after": 2},
    )
    assert standing is Standing.FINISHED
    assert lab.campaign(campaign).evaluations == 8
    assert lab.states(campaign).count("failed") == 2


def test_a_broken_call_parks_what_may_have_run(lab: Lab) -> None:
    """Of a call that broke in the middle nobody knows whether the sample is used up."""
    bench = lab.bench({"1": ["break"]}, idempotent=False)
    campaign, standing = lab.run(evaluators=[bench])
    assert standing is Standing.WAITING
    parked, other = lab.jobs(campaign)
    assert (parked.state, other.state) == ("parked", "succeeded")
    assert "smoke" in parked.reason
    assert lab.drive(campaign) is Standing.WAITING
    assert lab.calls().count(parked.key) == 1


def test_a_broken_call_of_a_harmless_evaluator_is_a_failure(lab: Lab) -> None:
    """Where asking twice does no harm, nobody has to be asked."""
    campaign, standing = lab.run(evaluators=[lab.bench({"1": ["break"]})])
    assert standing is Standing.FINISHED
    assert lab.states(campaign) == ["failed", "succeeded", "succeeded", "succeeded"]
    assert "smoke" in lab.jobs(campaign)[0].reason


def test_a_delivery_that_comes_twice_counts_once(lab: Lab) -> None:
    """A retried transfer is not a second measurement."""
    campaign, standing = lab.run(evaluators=[lab.bench({"1": ["twice"]})])
    assert standing is Standing.FINISHED
    assert len(lab.rows(Measurement, campaign)) == 8


def test_the_first_of_two_answers_counts(lab: Lab) -> None:
    """What came first was measured first; the other is kept."""
    campaign, standing = lab.run(evaluators=[lab.bench({"1": ["changed mind"]})])
    assert standing is Standing.FINISHED
    rows = [row for row in lab.rows(Measurement, campaign) if row.candidate == 1]
    assert [(row.name, row.value) for row in rows][1] == ("purity", 50.0)
    assert len(rows) == 2
    assert len(lab_artifacts(lab, campaign)) == 5


def test_a_result_for_an_unknown_job_is_kept(lab: Lab) -> None:
    """Somebody's sample was mislabelled: the bytes are evidence."""
    campaign, standing = lab.run(evaluators=[lab.bench({"1": ["stranger"]})])
    assert standing is Standing.FINISHED
    kept = lab_artifacts(lab, campaign)
    assert any(b"no/such/job" in data for data in kept)
    assert lab.states(campaign) == ["succeeded"] * 4


def test_equal_answers_to_two_jobs_are_two_answers(lab: Lab) -> None:
    """Two samples may well measure alike, to the byte of what is delivered."""
    acts = {"1": ["alike"], "2": ["alike"]}
    campaign, standing = lab.run(evaluators=[lab.bench(acts, batch_size=2)])
    assert standing is Standing.FINISHED
    assert lab.states(campaign) == ["succeeded"] * 4
    rows = lab.rows(Measurement, campaign)
    assert [(r.candidate, r.value) for r in rows if r.name == "score"][:2] == [(1, 0.5), (2, 0.5)]


def lab_artifacts(lab: Lab, campaign: str) -> list[bytes]:
    """The bytes of every artifact of a campaign."""
    with lab.database.read() as session:
        found = session.query(Artifact.sha256).filter_by(chain=campaign).all()
        return [artifacts.get(session, campaign, sha256) for (sha256,) in found]


# Objects --------------------------------------------------------------------------------------


class Coarse(BoxSpace):
    """A box in which near points are one object, and some are none."""

    steps = 1
    holes = False

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        """Objects on a grid."""
        decoded = super().decode((points * self.steps).round() / self.steps, rng)
        return [self._nothing() if self._in_hole(one) else one for one in decoded]

    def _in_hole(self, one: Decoded) -> bool:
        assert one.content is not None
        return self.holes and bool(json.loads(one.content)["x0"] < 0.5)

    def _nothing(self) -> Decoded:
        return Decoded(None, "", valid=False, reason="there is a hole")


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> type[Coarse]:
    """The box of the test, in the place of the real one."""
    kind = type("Box", (Coarse,), {})
    monkeypatch.setattr(wiring, "space", lambda spec, *_: kind(spec.space.parameters))
    return kind


def test_duplicates_cost_nothing(lab: Lab, coarse: type[Coarse]) -> None:
    """The same object is measured once; its later twins are recorded as such."""
    campaign = lab.start(
        budget={"evaluations": 4}, proposer={"kind": "random", "initial": 2, "batch": 3}
    )
    assert lab.drive(campaign) is Standing.FINISHED
    rows = lab.rows(Candidate, campaign)
    distinct = [row for row in rows if row.duplicate_of is None]
    assert len(distinct) == len({row.key for row in rows}) == len(lab.jobs(campaign)) == 4
    for row in rows:
        assert row.valid
        if row.duplicate_of is not None:
            assert rows[row.duplicate_of - 1].key == row.key
            assert rows[row.duplicate_of - 1].duplicate_of is None


def test_what_decodes_to_nothing_costs_nothing(lab: Lab, coarse: type[Coarse]) -> None:
    """It is recorded with its reason, and never sent."""
    coarse.holes, coarse.steps = True, 2
    campaign = lab.start(proposer={"kind": "random", "initial": 4, "batch": 4}, seed=5)
    assert lab.drive(campaign) is Standing.FINISHED
    rows = lab.rows(Candidate, campaign)
    nothing = [row for row in rows if not row.valid]
    assert nothing
    for row in nothing:
        assert (row.reason, row.object, row.realised) == ("there is a hole", None, None)
    sent = {job.candidate for job in lab.jobs(campaign)}
    assert not sent & {row.number for row in nothing}
    assert lab.campaign(campaign).evaluations == len(sent) == 4


def test_twenty_barren_rounds_pause_it(lab: Lab, coarse: type[Coarse]) -> None:
    """A space of four objects is used up; the campaign says so instead of searching for ever."""
    campaign, standing = lab.run(
        budget={"evaluations": 50}, proposer={"kind": "sobol", "initial": 4}
    )
    assert standing is Standing.PAUSED
    row = lab.campaign(campaign)
    assert row.reason == "20 rounds in a row gave no new object"
    assert (row.barren_rounds, row.evaluations) == (20, 4)

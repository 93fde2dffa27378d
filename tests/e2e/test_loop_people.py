"""What people do to a campaign: each act with its reason, its entry, and an effect that holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from db import repository
from db.models import Attempt, CampaignRevision, Candidate, Measurement, Round
from db.session import Database
from db.states import JobState
from orchestrator import loop, wiring
from orchestrator.driver import Standing
from orchestrator.errors import BadInput, Busy, Conflict, NotFound
from orchestrator.people import ask_tell, campaigns, jobs
from orchestrator.people.ask_tell import Told
from tests.e2e.lab import Lab, opened


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab on each kind of database."""
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


# Reasons --------------------------------------------------------------------------------------


def test_whoever_interferes_says_why(lab: Lab) -> None:
    """An auditor asks a year later."""
    campaign = lab.start(evaluators=[lab.bench({"1": ["break"]}, idempotent=False)])
    lab.drive(campaign)
    entries = len(lab.entries(campaign))
    other = lab.spec(budget={"evaluations": 9})
    acts: list[Callable[[], object]] = [
        lambda: campaigns.pause(lab.database, campaign, lab.actor, ""),
        lambda: campaigns.stop(lab.database, campaign, lab.actor, "  "),
        lambda: campaigns.revise(lab.database, campaign, other, lab.actor, "\n"),
        lambda: jobs.resolve(lab.database, campaign, 1, lab.actor, ran=True, reason=""),
    ]
    for act in acts:
        with pytest.raises(BadInput, match="a reason is required"):
            act()
    assert len(lab.entries(campaign)) == entries


# Pause, resume, stop --------------------------------------------------------------------------


def test_while_paused_results_come_in_and_nothing_goes_out(lab: Lab) -> None:
    """Somebody cleans the instrument: what it has measured is not lost, and it gets no more."""
    campaign = lab.start(evaluators=[lab.inbox()])
    lab.drive(campaign)
    row = campaigns.pause(lab.database, campaign, lab.actor, "the lamp flickers")
    assert (row.state, row.reason) == ("paused", "the lamp flickers")
    lab.answer()
    assert lab.drive(campaign) is Standing.PAUSED
    assert lab.states(campaign) == ["succeeded"] * 2
    assert lab.drive(campaign) is Standing.PAUSED
    assert lab.campaign(campaign).rounds == 1
    row = campaigns.resume(lab.database, campaign, lab.actor, "a new lamp")
    assert (row.state, row.reason) == ("running", "a new lamp")
    assert lab.drive(campaign) is Standing.WAITING
    assert lab.campaign(campaign).rounds == 2
    assert lab.entries(campaign, "pause") == [{"reason": "the lamp flickers"}]
    assert lab.entries(campaign, "resume") == [{"reason": "a new lamp"}]


def test_a_queue_waits_while_paused(lab: Lab) -> None:
    """What is to be tried again is not tried on a bench that somebody has stopped."""
    campaign = lab.start(evaluators=[lab.bench({"*": ["refuse transiently"] * 2})])
    with wiring.driving(lab.build(campaign)) as parts:
        round = loop.propose(parts)
        assert round is not None
        loop.decode(parts, round)
        campaigns.pause(lab.database, campaign, lab.actor, "maintenance")
        loop.evaluate(parts)
    assert lab.calls() == []
    assert lab.drive(campaign) is Standing.PAUSED
    assert lab.calls() == []
    assert lab.states(campaign) == ["queued"] * 2
    campaigns.resume(lab.database, campaign, lab.actor)
    assert lab.drive(campaign) is Standing.FINISHED


def test_a_stop_is_for_good(lab: Lab) -> None:
    """Results still come in; nothing else does."""
    campaign = lab.start(evaluators=[lab.inbox()])
    lab.drive(campaign)
    campaigns.stop(lab.database, campaign, lab.actor, "out of money")
    assert lab.drive(campaign) is Standing.STOPPED
    lab.answer()
    assert lab.drive(campaign) is Standing.STOPPED
    assert lab.states(campaign) == ["succeeded"] * 2
    for act in (campaigns.pause, campaigns.stop, campaigns.resume):
        with pytest.raises(Conflict, match=r"box#1 is stopped \(out of money\); use run --new"):
            act(lab.database, campaign, lab.actor, "again")
    more = lab.spec(budget={"evaluations": 9}, evaluators=[lab.inbox()])
    with pytest.raises(Conflict, match="was stopped for good"):
        campaigns.revise(lab.database, campaign, more, lab.actor, "more")


def test_acts_that_make_no_sense_are_refused(lab: Lab) -> None:
    """Pausing twice would hide the first reason."""
    campaign = lab.start()
    with pytest.raises(Conflict, match="is running already"):
        campaigns.resume(lab.database, campaign, lab.actor)
    campaigns.pause(lab.database, campaign, lab.actor, "lunch")
    with pytest.raises(Conflict, match="is paused already"):
        campaigns.pause(lab.database, campaign, lab.actor, "dinner")
    with pytest.raises(NotFound, match="no campaign 'sphere'; known: box"):
        campaigns.pause(lab.database, "sphere", lab.actor, "lunch")


# Revise ---------------------------------------------------------------------------------------


def test_a_larger_budget_lets_a_finished_campaign_go_on(lab: Lab) -> None:
    """The old spec stays readable, beside who changed it and why."""
    campaign, _ = lab.run()
    more = lab.spec(budget={"evaluations": 6})
    assert campaigns.revise(lab.database, campaign, more, lab.actor, "promising") == 2
    assert lab.campaign(campaign).state == "running"
    assert lab.drive(campaign) is Standing.FINISHED
    assert lab.campaign(campaign).evaluations == 6
    one, two = lab.rows(CampaignRevision, campaign)
    assert (one.revision, one.reason, one.written["budget"]) == (1, "", {"evaluations": 4})
    assert (two.revision, two.reason, two.written["budget"]) == (2, "promising", {"evaluations": 6})
    (about,) = lab.entries(campaign, "revise")
    assert about == {"reason": "promising", "changes": ["budget.evaluations: 4 -> 6"]}


def test_another_objective_values_everything_anew(lab: Lab) -> None:
    """The best by the old objective is not the best by the new one."""
    campaign, _ = lab.run()
    before = {one.number: one.objective for one in lab.rows(Candidate, campaign)}
    smallest = lab.spec(objective={"direction": "minimize", "terms": [{"measure": "score"}]})
    campaigns.revise(lab.database, campaign, smallest, lab.actor, "we want the least")
    after = lab.rows(Candidate, campaign)
    assert {one.number: one.objective for one in after} == before
    assert {one.objective_revision for one in after} == {2}
    assert lab.campaign(campaign).best == min(before, key=lambda number: before[number])


def test_what_cannot_be_revised_is_refused(lab: Lab) -> None:
    """Points of another space would mean nothing."""
    campaign, _ = lab.run()
    with pytest.raises(Conflict, match="the spec of box is what it was"):
        campaigns.revise(lab.database, campaign, lab.spec(), lab.actor, "why not")
    wider = [{"name": "x0", "lower": 0, "upper": 2}, {"name": "x1", "lower": 0, "upper": 1}]
    other = lab.spec(space={"kind": "box", "parameters": wider})
    with pytest.raises(Conflict, match="keeps its name and space"):
        campaigns.revise(lab.database, campaign, other, lab.actor, "wider")


def test_a_campaign_under_way_is_not_revised_behind_its_driver(lab: Lab) -> None:
    """The driver would go on by the old spec and write down the new one's number."""
    campaign = lab.start()
    more = lab.spec(budget={"evaluations": 6})
    with (
        wiring.driving(lab.build(campaign)),
        pytest.raises(Busy, match=r"box is being driven by process \d+ on .*; pause it first"),
    ):
        campaigns.revise(lab.database, campaign, more, lab.actor, "promising")
    campaigns.revise(lab.database, campaign, more, lab.actor, "promising")


def test_a_notebook_does_not_go_on_by_a_spec_that_was_revised_meanwhile(lab: Lab) -> None:
    """It holds the campaign open for hours without driving it."""
    campaign = lab.start()
    opened_before = lab.build(campaign)
    more = lab.spec(budget={"evaluations": 6})
    campaigns.revise(lab.database, campaign, more, lab.actor, "promising")
    entries = len(lab.entries(campaign))
    with (
        pytest.raises(Conflict, match=r"box#1 was revised since it was opened; open it again"),
        wiring.driving(opened_before),
    ):
        pass
    assert len(lab.entries(campaign)) == entries
    assert lab.drive(campaign) is Standing.FINISHED


def test_jobs_of_an_evaluator_that_was_dropped_are_cancelled(lab: Lab) -> None:
    """Else the campaign would wait for ever for an instrument that nobody asks."""
    campaign = lab.start(evaluators=[lab.inbox()], budget={"evaluations": 4})
    lab.drive(campaign)
    lab.answer()
    assert lab.drive(campaign) is Standing.WAITING
    campaigns.revise(lab.database, campaign, lab.spec(), lab.actor, "the robot broke")
    assert lab.states(campaign) == ["succeeded", "succeeded", "cancelled", "cancelled"]
    assert lab.jobs(campaign)[2].reason == "inbox is no longer used: the robot broke"
    assert [row.state for row in lab.rows(Round, campaign)] == ["closed", "closed"]
    lab.answer()
    campaigns.revise(
        lab.database, campaign, lab.spec(budget={"evaluations": 6}), lab.actor, "two more"
    )
    assert lab.drive(campaign) is Standing.FINISHED
    assert {job.evaluator for job in lab.jobs(campaign)[4:]} == {"bench"}


# Resolve --------------------------------------------------------------------------------------


@pytest.fixture
def parked(lab: Lab) -> str:
    """A campaign whose first job is parked."""
    campaign = lab.start(evaluators=[lab.bench({"1": ["break"]}, idempotent=False)])
    assert lab.drive(campaign) is Standing.WAITING
    return campaign


def test_a_job_that_did_not_run_is_sent_again(lab: Lab, parked: str) -> None:
    """Somebody looked, and the sample is still in its vial."""
    key = lab.jobs(parked)[0].key
    state = jobs.resolve(lab.database, parked, 1, lab.actor, ran=False, reason="vial is full")
    assert state is JobState.QUEUED
    assert lab.drive(parked) is Standing.FINISHED
    assert lab.states(parked) == ["succeeded"] * 4
    assert lab.calls().count(key) == 2
    assert lab.entries(parked, "resolve") == [{"reason": "vial is full", "ran": False}]


def test_a_job_that_ran_is_not_sent_again(lab: Lab, parked: str) -> None:
    """Its result died with the call: the job fails with that reason, and the campaign goes on."""
    key = lab.jobs(parked)[0].key
    state = jobs.resolve(lab.database, parked, 1, lab.actor, ran=True, reason="vial is empty")
    assert state is JobState.SUBMITTED
    assert lab.drive(parked) is Standing.FINISHED
    assert lab.states(parked) == ["failed", "succeeded", "succeeded", "succeeded"]
    assert lab.jobs(parked)[0].reason == "the evaluator gave no result"
    assert lab.calls().count(key) == 1


DOUBT = {"status": "doubtful", "reason": "the reader was restarted"}


def answer(lab: Lab, file: str, keys: Sequence[str], **outcome: object) -> None:
    """Put a result file for these jobs where the inbox finds it."""
    (lab.folder / "in").mkdir(exist_ok=True)
    body = json.dumps([{"job": key} | outcome for key in keys])
    (lab.folder / "in" / file).write_text(body, encoding="utf-8")


@pytest.fixture
def forgotten(lab: Lab) -> str:
    """A campaign of two jobs that the evaluator took, and knows nothing of any more."""
    patient = {"share": 1, "after": 100}
    budget = {"evaluations": 2}
    campaign = lab.start(evaluators=[lab.inbox()], budget=budget, failures=patient)
    lab.drive(campaign)
    answer(lab, "doubt", [job.key for job in lab.jobs(campaign)], **DOUBT)
    assert lab.drive(campaign) is Standing.WAITING
    return campaign


def test_what_an_evaluator_has_forgotten_is_parked(lab: Lab, forgotten: str) -> None:
    """Whether it ran, only a person can find out; the bytes that say so are kept."""
    reason = "the reader was restarted; whether it ran is unknown"
    assert [(j.state, j.reason) for j in lab.jobs(forgotten)] == [("parked", reason)] * 2
    attempts = lab.rows(Attempt, forgotten)
    assert [(one.state, one.reason) for one in attempts] == [("doubtful", reason)] * 2
    assert all(one.delivery for one in attempts)
    assert lab.drive(forgotten) is Standing.WAITING
    assert lab.states(forgotten) == ["parked"] * 2


def test_each_doubt_is_settled_once(lab: Lab, forgotten: str) -> None:
    """What did not run is sent again; what ran and has no result fails, and is not asked again."""
    one, two = (job.key for job in lab.jobs(forgotten))
    for file in (lab.folder / "out").iterdir():
        file.unlink()
    jobs.resolve(lab.database, forgotten, 1, lab.actor, ran=False, reason="vial is full")
    jobs.resolve(lab.database, forgotten, 2, lab.actor, ran=True, reason="vial is empty")
    answer(lab, "still", [two], **DOUBT)
    assert lab.drive(forgotten) is Standing.WAITING
    assert lab.states(forgotten) == ["submitted", "failed"]
    assert lab.jobs(forgotten)[1].reason == "it ran, and its result is lost: " + DOUBT["reason"]
    assert lab.answer() == [one]
    assert lab.drive(forgotten) is Standing.FINISHED
    assert lab.states(forgotten) == ["succeeded", "failed"]
    states = [(row.job, row.number, row.state) for row in lab.rows(Attempt, forgotten)]
    assert states == [(1, 1, "failed"), (1, 2, "succeeded"), (2, 1, "failed")]


def test_a_result_that_was_found_again_counts(lab: Lab, forgotten: str) -> None:
    """The reader had it after all: a person said that it ran, and its result came."""
    for job in (1, 2):
        jobs.resolve(lab.database, forgotten, job, lab.actor, ran=True, reason="see its log")
    lab.answer()
    assert lab.drive(forgotten) is Standing.FINISHED
    assert lab.states(forgotten) == ["succeeded"] * 2
    assert {row.reason for row in lab.rows(Attempt, forgotten)} == {""}


def test_a_doubt_that_comes_late_changes_nothing(lab: Lab) -> None:
    """The job has timed out: it is over, and nobody need settle it."""
    patient = {"share": 1, "after": 100}
    inbox = lab.inbox(timeout=1e-6)
    campaign = lab.start(evaluators=[inbox], budget={"evaluations": 2}, failures=patient)
    assert lab.drive(campaign, rounds=1) is Standing.TICKED
    answer(lab, "late", [job.key for job in lab.jobs(campaign)], **DOUBT)
    lab.drive(campaign)
    assert lab.states(campaign) == ["timed out"] * 2
    assert not (lab.folder / "in" / "late").exists()


def test_only_a_parked_job_is_resolved(lab: Lab, parked: str) -> None:
    """Nobody settles what is settled."""
    for job, error, said in ((2, Conflict, "job 2 is succeeded"), (9, NotFound, "no job '9'")):
        with pytest.raises(error, match=said):
            jobs.resolve(lab.database, parked, job, lab.actor, ran=True, reason="so it is")


# Ask and tell ---------------------------------------------------------------------------------


def ask(lab: Lab, campaign: str, count: int) -> list[Candidate]:
    """Candidates to measure by hand."""
    with wiring.driving(lab.build(campaign)) as parts:
        round = ask_tell.ask(parts, count)
    return [row for row in lab.rows(Candidate, campaign) if row.round == round]


def tell(lab: Lab, campaign: str, **given: object) -> int:
    """Tell a score of 0.9 and a purity of half, unless something else is given."""
    values = {"score": Told(0.9), "purity": Told(0.5, unit="")} | given.pop("values", {})  # type: ignore[operator]
    return ask_tell.tell(lab.build(campaign), values, provenance="page 7", **given)  # type: ignore[arg-type]


def test_what_was_asked_for_can_be_told(lab: Lab) -> None:
    """A person is an evaluator, too; it costs no budget."""
    campaign = lab.start()
    asked = ask(lab, campaign, 3)
    assert [(row.source, row.valid) for row in asked] == [("asked", True)] * 3
    assert lab.jobs(campaign) == []
    number = tell(lab, campaign, candidate=asked[1].number, values={"score": Told(0.9, 0.1)})
    assert number == 2
    score, purity = lab.rows(Measurement, campaign)
    assert (score.value, score.std, score.unit, score.source) == (0.9, 0.1, "mg", "told")
    assert (purity.value, purity.unit, purity.provenance) == (50.0, "percent", "page 7")
    assert lab.rows(Candidate, campaign)[1].objective == 0.9
    row = lab.campaign(campaign)
    assert (row.best, row.evaluations) == (2, 0)
    with lab.database.read() as session:
        assert [one.number for one in repository.pending(session, campaign)] == [1, 3]
    assert lab.drive(campaign) is Standing.FINISHED


def test_an_object_that_nobody_proposed_can_be_told(lab: Lab) -> None:
    """Old notebooks hold results, too; told again, it is the same candidate."""
    campaign = lab.start()
    content = json.dumps({"x1": 0.5, "x0": 0.25})
    number = tell(lab, campaign, content=content, external_ids=["4711"])
    again = tell(lab, campaign, content='{"x0":0.25,"x1":0.50}', external_ids=["4711", "B-2"])
    assert again == number == 1
    (row,) = lab.rows(Candidate, campaign)
    assert (row.source, row.round, row.point) == ("told", None, None)
    assert row.realised == (0.25, 0.5)
    assert row.external_ids == ["4711", "B-2"]
    assert row.objective == pytest.approx(0.9)
    assert len(lab.rows(Measurement, campaign)) == 4
    assert lab.drive(campaign) is Standing.FINISHED


UNTOLD: list[tuple[dict[str, object], str]] = [
    ({"candidate": 9}, "there is no candidate 9"),
    ({}, "name a candidate or give an object"),
    ({"candidate": 1, "content": "{}"}, "exactly one of them"),
    ({"content": "{}"}, "is no object of this"),
    ({"content": '{"x0": 2, "x1": 0}'}, "is no object of this"),
    ({"content": "\0"}, "is no object of this"),
    ({"candidate": 1, "values": {"colour": Told(1)}}, "its measures are score, purity"),
    ({"candidate": 1, "values": {"score": Told(float("nan"))}}, "is no measurement"),
    ({"candidate": 1, "values": {"score": Told(11)}}, "more than 10 is impossible"),
    ({"candidate": 1, "values": {"score": Told(1, unit="m")}}, "has a wrong unit"),
    ({"candidate": 1, "values": {"score": Told(1, -1)}}, "has standard deviation -1"),
]


def test_what_cannot_be_told_is_refused(lab: Lab) -> None:
    """A slip of the pen must not steer the campaign."""
    campaign = lab.start()
    ask(lab, campaign, 1)
    entries = len(lab.entries(campaign))
    for given, said in UNTOLD:
        with pytest.raises(BadInput, match=said):
            tell(lab, campaign, **given)
    assert len(lab.entries(campaign)) == entries


def test_nothing_is_told_without_its_source(lab: Lab) -> None:
    """A value without provenance cannot be checked by anybody."""
    campaign = lab.start()
    with pytest.raises(BadInput, match="say where the values come from"):
        ask_tell.tell(lab.build(campaign), {"score": Told(1)}, provenance=" ", candidate=1)
    with pytest.raises(BadInput, match="give at least one measure"):
        ask_tell.tell(lab.build(campaign), {}, provenance="page 7", candidate=1)
    with pytest.raises(BadInput, match="ask for 1 or more"):
        ask(lab, campaign, 0)


def test_a_campaign_that_is_over_is_neither_asked_nor_told(lab: Lab) -> None:
    """Its result was read; a new one begins with ``run --new``, or by a revision."""
    campaign, _ = lab.run()
    with pytest.raises(Conflict, match="box#1 is finished"):
        ask(lab, campaign, 1)
    with pytest.raises(Conflict, match="box#1 is finished"):
        tell(lab, campaign, candidate=1)


def test_a_notebook_that_knows_the_old_spec_is_told_so(lab: Lab) -> None:
    """It would value what it is told by an objective that nobody wants any more."""
    campaign = lab.start()
    stale = lab.build(campaign)
    smallest = lab.spec(objective={"direction": "minimize", "terms": [{"measure": "score"}]})
    campaigns.revise(lab.database, campaign, smallest, lab.actor, "we want the least")
    with pytest.raises(Conflict, match="box#1 was revised since it was opened; open it again"):
        ask_tell.tell(stale, {"score": Told(1)}, provenance="page 7", content='{"x0":0,"x1":0}')

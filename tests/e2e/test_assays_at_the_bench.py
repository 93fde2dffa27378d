"""Gates, approval, replicates and people: what stands between a candidate and its measurement."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from db.ledger import Actor
from db.models import Attempt, Candidate, Measurement, MeasurementFlag
from db.session import Database
from orchestrator import driver, wiring
from orchestrator.driver import Awaits, Standing
from orchestrator.errors import BadInput, Conflict
from orchestrator.people import approval, jobs, results
from orchestrator.people.ask_tell import Told
from tests.e2e.lab import Lab, opened

ADA = Actor("account", "ada", mode="multi-user")
GRACE = Actor("account", "grace", mode="multi-user")


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab on each kind of database."""
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


def manual(**options: Any) -> dict[str, Any]:
    """The spec's part on a person who measures a potency."""
    measures = {"potency": {"unit": "nmol/l", "lower": 0}}
    given = {"measures": measures, "kinds": ["parameters"]}
    confirmed = {"confirmed": options.pop("confirmed")} if "confirmed" in options else {}
    return {"use": "manual", "measures": ["potency"], "options": given | confirmed} | options


POTENCY = {"direction": "minimize", "terms": [{"measure": "potency"}]}


# Names ------------------------------------------------------------------------------------------


def test_the_same_transport_is_used_twice_under_two_names(lab: Lab) -> None:
    """Two plate readers are two evaluators."""
    first = lab.bench() | {"name": "left", "measures": ["score"]}
    second = lab.bench() | {"name": "right", "measures": ["purity"]}
    campaign, standing = lab.run(evaluators=[first, second])
    assert standing is Standing.FINISHED
    assert [job.evaluator for job in lab.jobs(campaign)] == ["left", "right"] * 4
    assert {job.key.split("/")[2] for job in lab.jobs(campaign)} == {"left", "right"}
    assert [(one.evaluator, one.name) for one in lab.rows(Measurement, campaign)][:2] == [
        ("left", "score"),
        ("left", "score"),
    ]


# Gates ------------------------------------------------------------------------------------------


def test_a_dear_assay_is_asked_only_where_the_cheap_one_allows(lab: Lab) -> None:
    """What does not pass costs nothing there, and says why."""
    dear = lab.inbox() | {"when": [{"measure": "purity", "min": 1}, {"measure": "yield", "min": 0}]}
    spec = [lab.bench() | {"measures": ["purity"]}, dear]
    with pytest.raises(ValueError, match="no evaluator above gives 'yield'"):
        lab.spec(evaluators=spec)
    gate = {"measure": "purity", "min": 60}
    campaign = lab.start(
        evaluators=[
            lab.bench({"1": ["refused once"], "2": ["failed"]}) | {"measures": ["purity"]},
            lab.inbox() | {"when": [gate]},
        ]
    )
    assert lab.drive(campaign) is Standing.FINISHED
    assert not list((lab.folder / "out").glob("*")) if (lab.folder / "out").exists() else True
    behind = [job for job in lab.jobs(campaign) if job.evaluator == "inbox"]
    assert {job.state for job in behind} == {"cancelled"}
    assert {job.reason for job in behind} == {
        "purity is 50, below 60",
        "purity was not measured",
    }
    open_gate = lab.start(
        name="open",
        evaluators=[
            lab.bench() | {"measures": ["purity"]},
            lab.inbox() | {"when": [{"measure": "purity", "max": 60}]},
        ],
        budget={"evaluations": 2},
    )
    assert lab.drive(open_gate) is Standing.WAITING
    assert len(lab.answer()) == 2
    assert lab.drive(open_gate) is Standing.FINISHED
    assert set(lab.states(open_gate)) == {"succeeded"}


# Approval ---------------------------------------------------------------------------------------


def test_a_person_approves_rejects_or_edits(lab: Lab) -> None:
    """Nothing is spent before; what was turned down is no evaluation."""
    campaign = lab.start(approval="required", proposer={"kind": "sobol", "initial": 4, "batch": 4})
    assert lab.drive(campaign) is Standing.WAITING
    assert set(lab.states(campaign)) == {"awaiting approval"}
    assert lab.calls() == []
    name = f"box#{lab.campaign(campaign).ordinal}"
    assert approval.approve(lab.database, name, [1], ADA, "looks fine") == 1
    with pytest.raises(BadInput):
        approval.reject(lab.database, name, [2], ADA, "")
    assert approval.reject(lab.database, name, [2], ADA, "explosive") == 1
    with pytest.raises(Conflict, match="candidate 2 does not wait"):
        approval.approve(lab.database, name, [2], ADA, "")
    new = approval.edit(lab.database, name, 3, '{"x0": 0.25, "x1": 0.25}', ADA, "rounder")
    edited = lab.rows(Candidate, campaign)[new - 1]
    assert (edited.source, edited.edited_from, edited.round) == ("edited", 3, None)
    assert approval.approve(lab.database, name, [], ADA, "") == 1
    assert lab.drive(campaign) is Standing.WAITING  # a rejected one frees its place in the budget
    by_candidate = {job.candidate: job for job in lab.jobs(campaign)}
    assert [by_candidate[n].state for n in (1, 2, 3, 4, new)] == [
        "succeeded",
        "rejected",
        "rejected",
        "succeeded",
        "succeeded",
    ]
    assert by_candidate[2].reason == "explosive"
    assert by_candidate[3].reason == f"edited into candidate {new}: rounder"
    assert lab.campaign(campaign).best == new
    assert approval.approve(lab.database, name, [], ADA, "") == 1
    assert lab.drive(campaign) is Standing.FINISHED


def test_a_cheap_gate_needs_no_approval(lab: Lab) -> None:
    """A person is asked once the cheap measures are there, and once a candidate."""
    dear = lab.inbox() | {"when": [{"measure": "purity", "min": 10}], "replicates": 2}
    cheap = lab.bench() | {"measures": ["purity"], "approval": "none"}
    campaign = lab.start(evaluators=[cheap, dear], approval="required", budget={"evaluations": 2})
    assert lab.drive(campaign) is Standing.WAITING
    assert sorted(lab.states(campaign)) == ["awaiting approval"] * 4 + ["succeeded"] * 2
    approval.approve(lab.database, "box", [], ADA, "")
    assert lab.drive(campaign) is Standing.WAITING
    assert len(lab.answer()) == 4
    assert lab.drive(campaign) is Standing.FINISHED


# Replicates -------------------------------------------------------------------------------------


def test_replicates_go_on_until_the_mean_is_known(lab: Lab) -> None:
    """The bench adds a quarter to every replicate, so the error shrinks by and by."""
    one = lab.bench() | {"replicates": 2, "precision": {"error": {"score": 0.17}, "most": 5}}
    campaign, standing = lab.run(evaluators=[one], budget={"evaluations": 1})
    assert standing is Standing.FINISHED
    # Standard errors of 0, .25, .5 ... : .125 at two, so two are enough.
    assert [job.replicate for job in lab.jobs(campaign)] == [1, 2]
    one["precision"] = {"error": {"score": 0.01}, "most": 4}
    campaign, standing = lab.run(name="more", evaluators=[one], budget={"evaluations": 1})
    assert standing is Standing.FINISHED
    assert [job.replicate for job in lab.jobs(campaign)] == [1, 2, 3, 4]
    assert lab.campaign(campaign).evaluations == 1


# Limits -----------------------------------------------------------------------------------------


def test_no_more_jobs_are_open_at_an_evaluator_than_it_may_have(lab: Lab) -> None:
    """Though a round is larger."""
    campaign = lab.start(
        evaluators=[lab.inbox() | {"in_flight": 2}],
        proposer={"kind": "sobol", "initial": 4, "batch": 4},
    )
    assert lab.drive(campaign) is Standing.WAITING
    assert sorted(lab.states(campaign)) == ["queued"] * 2 + ["submitted"] * 2
    lab.answer()
    assert lab.drive(campaign) is Standing.WAITING
    assert len(lab.answer()) == 2
    assert lab.drive(campaign) is Standing.FINISHED


def test_jobs_are_sent_no_faster_than_the_spec_allows(lab: Lab) -> None:
    """Whatever run sends them."""
    campaign = lab.start(
        evaluators=[lab.inbox() | {"rate": {"jobs": 1, "per": "1h"}}], budget={"evaluations": 2}
    )
    for _ in range(2):
        assert lab.drive(campaign) is Standing.WAITING
        assert sorted(lab.states(campaign)) == ["queued", "submitted"]


# Waiting ----------------------------------------------------------------------------------------


def test_a_driver_stays_for_instruments_and_goes_on_when_a_result_is_there(lab: Lab) -> None:
    """Nobody has to start it again for every plate."""
    campaign = lab.start(evaluators=[lab.inbox()])
    done = threading.Event()

    def measure() -> None:
        while not done.is_set():
            with suppress(ValueError):  # a file that is being written
                if (lab.folder / "out").exists():
                    lab.answer()
            time.sleep(0.05)

    reader = threading.Thread(target=measure)
    reader.start()
    try:
        with wiring.driving(lab.build(campaign)) as parts:
            assert driver.drive(parts, awaits=Awaits.INSTRUMENTS) is Standing.FINISHED
    finally:
        done.set()
        reader.join()
    assert lab.campaign(campaign).driver_seconds < 5


def test_it_does_not_stay_for_people_unless_asked(lab: Lab) -> None:
    campaign = lab.start(evaluators=[manual()], objective=POTENCY)
    with wiring.driving(lab.build(campaign)) as parts:
        assert driver.drive(parts, awaits=Awaits.INSTRUMENTS) is Standing.WAITING


# People -----------------------------------------------------------------------------------------


def test_a_person_takes_a_job_and_enters_its_result(lab: Lab) -> None:
    """With deviation, unit, censoring, operator and lot; the next pass records it."""
    campaign = lab.start(evaluators=[manual()], objective=POTENCY, budget={"evaluations": 2})
    assert lab.drive(campaign) is Standing.WAITING
    jobs.take(lab.database, "box", 1, ADA)
    with pytest.raises(Conflict, match="taken by ada"):
        jobs.take(lab.database, "box", 1, GRACE)
    for told, said in (
        ({"potency": Told(-1.0)}, "less than 0.0 is impossible"),
        ({"potency": Told(1.0, unit="kg")}, "wrong unit"),
        ({"purity": Told(1.0)}, "is no measure of this evaluator"),
        ({}, "'potency' is missing"),
    ):
        with pytest.raises(BadInput, match=said):
            results.enter(lab.database, "box", 1, told, ADA)
    told = {"potency": Told(0.71, 0.02, "umol/l")}
    assert results.enter(lab.database, "box", 1, told, ADA, lot="L7", instrument="PheraStar")
    with pytest.raises(Conflict, match="is there already"):
        results.enter(lab.database, "box", 1, told, ADA)
    assert lab.drive(campaign) is Standing.WAITING
    (row,) = lab.rows(Measurement, campaign)
    assert (row.value, row.std) == pytest.approx((710.0, 20.0))
    assert row.unit == "nmol/l"
    assert (row.operator, row.lot, row.instrument) == ("ada", "L7", "PheraStar")
    assert row.place == "/readings/potency/value"
    assert results.enter(lab.database, "box", 2, {"potency": Told(9.0)}, ADA)
    assert lab.drive(campaign) is Standing.FINISHED


def test_another_account_confirms_and_never_the_same(lab: Lab) -> None:
    campaign = lab.start(
        evaluators=[manual(confirmed=True)], objective=POTENCY, budget={"evaluations": 2}
    )
    lab.drive(campaign)
    assert not results.enter(lab.database, "box", 1, {"potency": Told(5.0)}, ADA)
    assert lab.drive(campaign) is Standing.WAITING
    assert lab.rows(Measurement, campaign) == []
    with pytest.raises(Conflict, match="ada entered it"):
        results.confirm(lab.database, "box", 1, ADA, agree=True, reason="")
    results.confirm(lab.database, "box", 1, GRACE, agree=False, reason="a digit is missing")
    results.enter(lab.database, "box", 1, {"potency": Told(50.0)}, ADA)
    results.confirm(lab.database, "box", 1, GRACE, agree=True, reason="")
    assert lab.drive(campaign) is Standing.WAITING
    assert [row.value for row in lab.rows(Measurement, campaign)] == [50.0]
    (first, _) = lab.rows(Attempt, campaign)
    assert first.reason == ""


def test_a_table_comes_back_filled_and_is_one_delivery(lab: Lab) -> None:
    """Its bytes are the record; a wrong row keeps all of it out."""
    part = manual(replicates=2)
    campaign = lab.start(evaluators=[part], objective=POTENCY, budget={"evaluations": 2})
    lab.drive(campaign)
    sheet = results.sheet(lab.database, "box", None, ADA).decode("utf-8-sig")
    heading, *lines = sheet.splitlines()
    assert heading == "candidate,replicate,name,object,potency [nmol/l],operator,note"
    assert len(lines) == 4

    def bring(*rows: str, good: bool = False, dry: bool = False) -> results.Preview:
        table = "\n".join(["candidate,replicate,potency,operator", *rows]).encode("utf-8-sig")
        return results.bring(
            lab.database, "box", None, table, ADA, accept_good_rows=good, dry_run=dry
        )

    for row, said in (
        ("1,1,=1+1,", "row 2: column potency: '=1\\+1' is a formula"),
        ("1,1,1.5e400,", "larger than any number"),
        ("9,1,3,", "row 2: candidate 9/1 has no job here"),
        ("x,1,3,", "column candidate is 'x'"),
        ("1,1,-3,", "less than 0.0 is impossible"),
        ("1,1,3 kg,", "wrong unit"),
        ("1,1,3,\n1,1,4,", "row 3: candidate 1/1 stands in an earlier row"),
        ("1,1,,", "no row of the table has a value"),
        ("1,1,3,ada,7", "row 2 has 5 cells"),
        ('1,1,"3,5",', "has a comma"),
    ):
        with pytest.raises(BadInput, match=said):
            bring(row)
    assert len(bring("1,1,3,ada", "1,2,>5,ada", dry=True).rows) == 2
    assert lab.entries(campaign, "deliver") == []
    with pytest.raises(BadInput, match="row 3"):
        bring("1,1,3,ada", "1,2,x,ada")
    assert len(bring("1,1,3,ada", "1,2,x,ada", good=True).rows) == 1
    bring("1,2,>5,ada", "2,1,4±0.5,", "2,2,6,")
    assert lab.drive(campaign) is Standing.FINISHED
    rows = lab.rows(Measurement, campaign)
    assert [(one.value, one.censoring) for one in rows] == [
        (3.0, "none"),
        (5.0, "right"),
        (4.0, "none"),
        (6.0, "none"),
    ]
    assert rows[1].place == "row 2, column potency"
    assert len(lab.entries(campaign, "record")) == 2
    with pytest.raises(BadInput, match=r"answered already|no job here"):
        bring("1,1,3,ada")


def test_jobs_are_cancelled_and_sent_again(lab: Lab) -> None:
    campaign = lab.start(evaluators=[lab.inbox()], budget={"evaluations": 2})
    lab.drive(campaign)
    with pytest.raises(BadInput):
        jobs.requeue(lab.database, "box", 1, ADA, "")
    jobs.requeue(lab.database, "box", 1, ADA, "the plate fell")
    words = jobs.cancel(lab.database, "box", [2], ADA, "no more of it")
    assert words == ["inbox cannot be stopped and goes on with 1 jobs"]
    with pytest.raises(Conflict, match="cannot be cancelled"):
        jobs.cancel(lab.database, "box", [2], ADA, "again")
    assert lab.drive(campaign) is Standing.WAITING
    assert lab.states(campaign) == ["submitted", "cancelled"]
    assert [job.attempts for job in lab.jobs(campaign)] == [2, 1]
    lab.answer()  # for both
    assert lab.drive(campaign) is Standing.FINISHED
    assert [row.job for row in lab.rows(Measurement, campaign)] == [1]


# Plates -----------------------------------------------------------------------------------------


def test_a_plate_is_one_entry_a_verb(lab: Lab) -> None:
    """384 wells are one submit, one delivery, one record."""
    plate = lab.inbox(replicates=96)
    plate["options"]["batch_size"] = 384
    campaign = lab.start(evaluators=[plate], proposer={"kind": "sobol", "initial": 4, "batch": 4})
    assert lab.drive(campaign) is Standing.WAITING
    lab.answer()
    files = sorted((lab.folder / "in").iterdir())
    table = [json.loads(file.read_text()) for file in files]
    for file in files:
        file.unlink()
    (lab.folder / "in" / "plate.json").write_text(json.dumps(table))
    assert lab.drive(campaign) is Standing.FINISHED
    kinds = ("submit", "ticket", "deliver", "record")
    assert [len(lab.entries(campaign, kind)) for kind in kinds] == [1, 1, 1, 1]
    assert set(lab.states(campaign)) == {"succeeded"}
    assert len(lab.rows(Measurement, campaign)) == 384
    assert lab.rows(MeasurementFlag, campaign) == []

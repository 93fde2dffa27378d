"""Campaigns that go well: they end where the spec says, with what it asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from db import lease, migrate
from db.models import Candidate, Lease, Measurement, Round
from db.session import MICROSECONDS, Database, now
from orchestrator import driver, loop, wiring
from orchestrator.driver import Standing
from orchestrator.errors import Busy, Overtaken
from orchestrator.history.verify.verification import verify
from orchestrator.verbs import batches, dispatch
from tests.e2e.lab import Lab, opened


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab on each kind of database."""
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


def test_a_campaign_runs_to_its_budget(lab: Lab) -> None:
    """The first thing that a user sees; and driven again, nothing more happens."""
    campaign, standing = lab.run(budget={"evaluations": 5})
    assert standing is Standing.FINISHED
    row = lab.campaign(campaign)
    assert (row.state, row.reason) == ("finished", "budget of 5 evaluations used")
    assert (row.evaluations, row.rounds) == (5, 3)
    assert lab.states(campaign) == ["succeeded"] * 5
    entries = len(lab.entries(campaign))
    assert lab.drive(campaign) is Standing.FINISHED
    assert len(lab.entries(campaign)) == entries
    assert sorted(lab.calls()) == sorted(job.key for job in lab.jobs(campaign))


def test_every_measurement_leads_back_to_its_original(lab: Lab) -> None:
    """A year later somebody asks where a number comes from."""
    campaign, _ = lab.run()
    rows = lab.rows(Measurement, campaign)
    assert [(row.candidate, row.name, row.unit) for row in rows] == [
        (number, name, unit)
        for number in range(1, 5)
        for name, unit in (("score", "mg"), ("purity", "percent"))
    ]
    for row in rows:
        assert row.delivery is not None
        assert (row.evaluator, row.source, row.attempt) == ("bench", "evaluator", 1)


def test_the_same_spec_takes_the_same_way_on_both_databases(
    tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a laptop found, the lab's server finds: points and values are equal to the bit."""
    found = []
    for name, url in (("one", f"sqlite:///{tmp_path / 'one.db'}"), ("two", postgresql_url)):
        database = Database(url)
        migrate.upgrade(database.engine)
        (tmp_path / name).mkdir()
        with opened(database, tmp_path / name, monkeypatch) as lab:
            campaign, _ = lab.run()
            found.append(
                [
                    (c.number, c.round, c.point, c.object, c.objective, c.log_prior)
                    for c in lab.rows(Candidate, campaign)
                ]
            )
        database.close()
    assert found[0] == found[1]
    assert len(found[0]) == 4


def test_a_stop_rule_ends_it_early(lab: Lab) -> None:
    """Nobody pays for evaluations after the target was reached."""
    campaign, standing = lab.run(budget={"evaluations": 50}, stop=[{"target": 0.5}])
    row = lab.campaign(campaign)
    assert standing is Standing.FINISHED
    assert row.reason == "target 0.5 reached"
    assert row.evaluations < 50


def test_stagnation_ends_it(lab: Lab) -> None:
    """Evaluations without progress are counted since the best one."""
    campaign, _ = lab.run(budget={"evaluations": 50}, stop=[{"stagnation": 3}])
    row = lab.campaign(campaign)
    assert row.reason == "no better candidate in 3 evaluations"
    values = [one.objective for one in lab.rows(Candidate, campaign)]
    assert row.best == values.index(max(values)) + 1
    assert row.since_best == len(values) - row.best >= 3


def test_the_best_is_the_best_feasible(lab: Lab) -> None:
    """A constraint is kept, however good the rest looks."""
    campaign, _ = lab.run(
        budget={"evaluations": 8},
        objective={
            "direction": "maximize",
            "terms": [{"measure": "score"}],
            "constraints": [{"measure": "score", "max": 0.8}],
        },
    )
    rows = lab.rows(Candidate, campaign)
    within = {row.number: row.objective for row in rows if row.objective <= 0.8}
    assert {row.number for row in rows if row.feasible} == within.keys() < set(range(1, 9))
    assert lab.campaign(campaign).best == max(within, key=lambda number: within[number])


def test_the_best_is_the_smallest_where_that_is_asked_for(lab: Lab) -> None:
    """``minimize`` means it."""
    objective = {"direction": "minimize", "terms": [{"measure": "score"}]}
    campaign, _ = lab.run(objective=objective)
    values = [row.objective for row in lab.rows(Candidate, campaign)]
    assert lab.campaign(campaign).best == values.index(min(values)) + 1


def test_two_evaluators_measure_each_candidate(lab: Lab) -> None:
    """One evaluation has as many jobs as there are evaluators, and waits for the slowest."""
    bench = lab.bench(measures=["purity"])
    campaign = lab.start(
        evaluators=[bench, lab.inbox()],
        objective={
            "direction": "maximize",
            "terms": [{"measure": "score"}, {"measure": "purity", "weight": 0.01}],
        },
        budget={"evaluations": 2},
    )
    assert lab.drive(campaign) is Standing.WAITING
    assert lab.states(campaign) == ["succeeded", "submitted"] * 2
    assert [row.objective for row in lab.rows(Candidate, campaign)] == [None, None]
    lab.answer()
    assert lab.drive(campaign) is Standing.FINISHED
    scores = {r.candidate: r.value for r in lab.rows(Measurement, campaign) if r.name == "score"}
    for row in lab.rows(Candidate, campaign):
        assert row.objective == pytest.approx(scores[row.number] + 0.5)
    assert lab.campaign(campaign).evaluations == 2


def test_replicates_are_one_evaluation_and_count_as_their_mean(lab: Lab) -> None:
    """The bench adds 0.25 a replicate: the mean of three adds 0.25."""
    campaign, _ = lab.run(
        evaluators=[lab.bench(replicates=3, batch_size=2, cost=2.0)], budget={"evaluations": 2}
    )
    row = lab.campaign(campaign)
    assert (row.evaluations, row.cost) == (2, 12.0)
    jobs = lab.jobs(campaign)
    assert [(job.candidate, job.replicate) for job in jobs] == [
        (c, r) for c in (1, 2) for r in (1, 2, 3)
    ]
    for candidate in lab.rows(Candidate, campaign):
        mine = [
            m.value
            for m in lab.rows(Measurement, campaign)
            if m.name == "score" and m.candidate == candidate.number
        ]
        assert mine == pytest.approx([mine[0], mine[0] + 0.25, mine[0] + 0.5])
        assert candidate.objective == pytest.approx(mine[1])


def test_a_budget_of_cost_ends_it(lab: Lab) -> None:
    """Money is counted when a job is sent."""
    campaign, _ = lab.run(evaluators=[lab.bench(cost=1.5)], budget={"cost": 6})
    row = lab.campaign(campaign)
    assert (row.cost, row.evaluations) == (6.0, 4)
    assert row.reason == "budget of cost 6 used"


def test_a_tick_ends_after_its_rounds(lab: Lab) -> None:
    """A schedule advances a campaign bit by bit, and it ends the same."""
    campaign = lab.start(budget={"evaluations": 6})
    assert lab.drive(campaign, rounds=1) is Standing.TICKED
    assert lab.campaign(campaign).rounds == 1
    assert lab.drive(campaign, rounds=1) is Standing.TICKED
    assert lab.drive(campaign, rounds=2) is Standing.FINISHED
    whole, _ = lab.run(budget={"evaluations": 6})
    points = [[one.point for one in lab.rows(Candidate, c)] for c in (campaign, whole)]
    assert points[0] == points[1]


def test_the_next_round_opens_while_few_jobs_are_open(lab: Lab) -> None:
    """``in_flight``: a slow plate does not stall what can be done beside it."""
    campaign = lab.start(evaluators=[lab.inbox()], budget={"evaluations": 6}, in_flight=3)
    assert lab.drive(campaign) is Standing.WAITING
    assert len(lab.jobs(campaign)) == 4  # the second round opened at two open jobs, no third at 4
    assert [row.pending for row in lab.rows(Round, campaign)] == [[], [1, 2]]
    lab.answer()
    lab.drive(campaign)
    lab.answer()
    assert lab.drive(campaign) is Standing.FINISHED
    assert lab.campaign(campaign).evaluations == 6


def test_a_round_waits_for_the_whole_of_the_last_one(lab: Lab) -> None:
    """``in_flight: 0``, the default: every proposal knows every result."""
    campaign = lab.start(evaluators=[lab.inbox()], budget={"evaluations": 6})
    assert lab.drive(campaign) is Standing.WAITING
    assert len(lab.jobs(campaign)) == 2
    keys = lab.answer()
    (tmp := lab.folder / "in" / (keys[1].replace("/", "_") + ".json")).rename(lab.folder / "late")
    assert lab.drive(campaign) is Standing.WAITING
    assert lab.states(campaign) == ["succeeded", "submitted"]
    assert [row.state for row in lab.rows(Round, campaign)] == ["decoded"]
    (lab.folder / "late").rename(tmp)
    assert lab.drive(campaign) is Standing.WAITING
    assert [row.state for row in lab.rows(Round, campaign)] == ["closed", "decoded"]


def test_a_surrogate_learns_from_what_was_measured(lab: Lab) -> None:
    """The data of every fit, and so every proposal, can be had again later."""
    campaign, standing = lab.run(
        proposer={"kind": "gp", "initial": 3, "batch": 1}, budget={"evaluations": 5}
    )
    assert standing is Standing.FINISHED
    rounds = lab.rows(Round, campaign)
    assert [row.proposer for row in rounds] == ["random", "gp", "gp"]
    assert [row.fit for row in rounds] == [None, 1, 2]
    assert [row.mean is None for row in lab.rows(Candidate, campaign)] == [True] * 3 + [False] * 2


# One driver -----------------------------------------------------------------------------------


DRIVEN = (
    r"^box is being driven by process \d+ on \S+, which started at [-\d]+ [:\d]+ UTC and was last "
    r"heard from at [-\d]+ [:\d]+ UTC; its lease ends at [-\d]+ [:\d]+ UTC unless it is heard from "
    r"again; wait for it; if it has died, run the same again then$"
)


def overtake(lab: Lab) -> None:
    """Take the campaign over from its driver, as a process on another machine does."""
    with lab.database.engine.begin() as connection:
        connection.execute(text("UPDATE lease SET token = token + 1, host = 'next-door', pid = 7"))


def test_a_second_driver_is_sent_away(lab: Lab) -> None:
    """Two terminals in which somebody typed ``run`` are one campaign, not two."""
    campaign = lab.start()
    with (
        wiring.driving(lab.build(campaign)),
        pytest.raises(Busy, match=DRIVEN),
        wiring.driving(lab.build(campaign)),
    ):
        pass
    assert lab.drive(campaign) is Standing.FINISHED


def test_a_driver_that_was_overtaken_stops_at_once(lab: Lab) -> None:
    """A laptop that slept through its lease must not go on beside its successor."""
    campaign = lab.start()
    sleeper = lab.build(campaign)
    with wiring.driving(sleeper) as parts:
        driver.drive(parts, rounds=1)
        with lab.database.engine.begin() as connection:
            connection.execute(text("UPDATE lease SET expires_at = 0"))
        successor = lab.build(campaign)
        with wiring.driving(successor):
            entries = len(lab.entries(campaign))
            with pytest.raises(lease.LeaseLost):
                driver.drive(parts)
            assert len(lab.entries(campaign)) == entries
            assert driver.drive(successor) is Standing.FINISHED
    with lab.database.read() as session:
        assert lease.holder(session, campaign, now()) is None
        assert session.get_one(Lease, campaign).token == 2


def test_a_driver_that_was_overtaken_asks_its_evaluator_nothing_more(lab: Lab) -> None:
    """Between the intent and the call a laptop may sleep, and the plate is run by another since."""
    campaign = lab.start()

    def drive_as_one_who_slept() -> None:
        with wiring.driving(lab.build(campaign)) as parts:
            round = loop.propose(parts)
            assert round is not None
            loop.decode(parts, round)
            intent = batches.intend(parts, "bench", parts.evaluators["bench"])
            assert intent is not None
            overtake(lab)
            dispatch.submit(parts, intent, parts.evaluators["bench"])

    with pytest.raises(Overtaken, match="box was taken over by process 7 on next-door, since"):
        drive_as_one_who_slept()
    assert lab.calls() == []
    assert lab.states(campaign) == ["submitting", "queued"]


def test_a_driver_that_was_overtaken_fetches_no_results(lab: Lab) -> None:
    """What it fetched it could not keep."""
    campaign = lab.start(evaluators=[lab.inbox()])
    lab.drive(campaign)
    lab.answer()
    parts = lab.build(campaign)
    fetched: list[object] = []
    setattr(parts.evaluators["inbox"], "receive", fetched.append)  # noqa: B010

    def drive_as_one_who_slept() -> None:
        with wiring.driving(parts):
            overtake(lab)
            driver.drive(parts)

    with pytest.raises(Overtaken):
        drive_as_one_who_slept()
    assert fetched == []
    assert lab.states(campaign) == ["submitted"] * 2


def test_a_driver_that_waits_for_a_retry_learns_at_once_that_it_was_overtaken(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next attempt may be an hour away."""
    monkeypatch.setattr(lease, "HEARTBEAT_S", 0.05)
    campaign = lab.start(evaluators=[lab.bench({"*": ["refuse transiently"]}, backoff=3600)])
    passes: list[driver.Glance] = []

    def observe(glance: driver.Glance) -> None:
        passes.append(glance)
        if len(passes) == 2:  # nothing moved in it, so that the driver waits now
            overtake(lab)

    with pytest.raises(Overtaken), wiring.driving(lab.build(campaign)) as parts:
        driver.drive(parts, observe=observe)
    assert len(passes) == 2


def test_a_lease_that_expired_and_that_nobody_took_is_renewed_before_the_evaluator_is_asked(
    lab: Lab,
) -> None:
    """Nobody may take it while the call that was announced is under way."""
    with wiring.driving(lab.build(lab.start())) as parts:
        with lab.database.engine.begin() as connection:
            connection.execute(text("UPDATE lease SET expires_at = 1"))
        parts.require_lease()
        with lab.database.read() as session:
            expires_at = session.get_one(Lease, parts.campaign).expires_at
        assert expires_at > now() + lease.EXPIRY_S * MICROSECONDS / 2


def test_two_campaigns_do_not_touch_each_other(lab: Lab) -> None:
    """Numbers, keys, chains and bytes are each campaign's own."""
    first, _ = lab.run()
    before = [(one.point, one.objective, one.entry) for one in lab.rows(Candidate, first)]
    second, _ = lab.run(seed=4)
    third, _ = lab.run()
    assert [lab.campaign(one).ordinal for one in (first, second, third)] == [1, 2, 3]
    now_is = [(one.point, one.objective, one.entry) for one in lab.rows(Candidate, first)]
    assert now_is == before
    assert [one.point for one in lab.rows(Candidate, second)] != [point for point, _, _ in before]


def test_a_changed_measurement_is_found(lab: Lab) -> None:
    """A whole campaign, and one digit of it exchanged behind our back."""
    campaign, _ = lab.run()
    database = lab.database
    value = lab.rows(Measurement, campaign)[2].value
    sqlite = database.engine.dialect.name == "sqlite"
    forge = "UPDATE measurement SET value = :value WHERE number = 3"
    with database.engine.begin() as connection:
        off = "DROP TRIGGER measurement_no_update"
        connection.execute(text(off if sqlite else off + " ON measurement"))
        connection.execute(text(forge), {"value": value + 1e-12})
    found = [str(problem) for problem in verify(database, campaign).problems]
    assert found == [
        "table measurement: the trigger measurement_no_update, which refuses UPDATE, is missing",
        f"campaign box {campaign}, measurement 3, value: {value + 1e-12!r} is stored; "
        f"by the ledger it is {value!r}",
    ]
    with database.engine.begin() as connection:  # for the check of every test
        connection.execute(text(forge), {"value": value})
        made = "BEFORE UPDATE ON measurement"
        connection.execute(
            text(
                f"CREATE TRIGGER measurement_no_update {made} BEGIN SELECT RAISE(ABORT, "
                "'measurement is append-only: UPDATE refused'); END"
                if sqlite
                else f"CREATE TRIGGER measurement_no_update {made} FOR EACH STATEMENT "
                "EXECUTE FUNCTION assayloop_refuse()"
            )
        )

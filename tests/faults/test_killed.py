"""Killed anywhere, a campaign ends the same: otherwise nobody could leave one alone over night."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import URL

from db.models import Base
from tests.faults import checks, same
from tests.faults.boundaries import VERBS, Boundary
from tests.faults.checks import Undisturbed
from tests.faults.runs import Bench, draw
from tests.faults.seed import SEED, Say

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The campaign as it goes if nobody kills it; its evaluators may be asked again."""
    return checks.undisturbed(Bench(tmp_path_factory.mktemp("again")))


@pytest.fixture(scope="module")
def once_only(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The same with evaluators that must never be asked twice."""
    return checks.undisturbed(Bench(tmp_path_factory.mktemp("once"), idempotent=False))


def kill_at(whole: Undisturbed, boundaries: Iterable[Boundary]) -> None:
    """Kill one run at each of these boundaries; fail with all that is wrong."""
    wrong = [problem for one in boundaries for problem in checks.kill(whole, one).problems]
    assert not wrong, f"FAULTS_SEED={SEED}\n" + "\n".join(wrong)


def in_doubt(crossed: Sequence[Boundary]) -> list[Boundary]:
    """Boundaries between an intent's COMMIT and its outcome's."""
    return [one for one in crossed if one.doubtful is not None]


def test_boundaries_are_numbered_alike_in_every_process(undisturbed: Undisturbed) -> None:
    """A kill is at the place that it names: another interpreter, another hash seed, same list."""
    run = undisturbed.bench.run()
    assert run.finish(fresh=True) == "finished"
    assert [Boundary(**one) for one in run.result()["crossed"]] == undisturbed.crossed
    assert same.differences(undisturbed.ending, same.ending(run.url)) == []


def test_heartbeats_shift_no_boundary(undisturbed: Undisturbed) -> None:
    """They come when the clock says so, and a kill must be at the place that it names all the same.

    However often they come, the driver waits for none of them and does what it always does.
    """
    run = undisturbed.bench.run()
    assert run.finish(heartbeat_s=0.003) == "finished"
    assert [Boundary(**one) for one in run.result()["crossed"]] == undisturbed.crossed
    assert same.differences(undisturbed.ending, same.ending(run.url)) == []


def test_killed_anywhere_it_ends_the_same(undisturbed: Undisturbed, say: Say) -> None:
    """Nothing is lost, nothing is done twice, and the same points are proposed."""
    drawn = draw(undisturbed.crossed, 25, SEED)
    say("25 kills")
    assert len(drawn) == 25
    for verb in VERBS:
        assert sum(one.verb == verb for one in drawn) >= 4
    assert len(in_doubt(drawn)) >= 3
    kill_at(undisturbed, drawn)


def test_killed_again_while_it_recovers_it_ends_the_same(
    undisturbed: Undisturbed, say: Say
) -> None:
    """A machine that goes down twice costs no more than one that goes down once."""
    say("twice 2 kills")
    rng, total = random.Random(SEED), len(undisturbed.crossed)
    for _ in range(2):
        run = undisturbed.bench.run()
        first, second = rng.randrange(1, total // 2), rng.randrange(1, total // 3)
        run.kill(first)
        run.kill(second)
        assert run.finish() == "finished"
        where = f"killed at {first} and then at {second}, FAULTS_SEED={SEED}"
        assert same.differences(undisturbed.ending, same.ending(run.url)) == [], where
        assert checks.called_twice(run) == [], where


def test_killed_while_it_is_created_it_is_there_once(undisturbed: Undisturbed, say: Say) -> None:
    """The first command of a beginner may be interrupted, and is simply given again."""
    say("3 kills before the first round")
    whole = undisturbed.bench.from_nothing()
    assert whole.finish() == "finished"
    crossed = [Boundary(**one) for one in whole.result()["crossed"]]
    before = next(number for number, one in enumerate(crossed) if one.verb == "propose")
    for one in random.Random(SEED).sample(crossed[:before], 3):
        run = undisturbed.bench.from_nothing()
        assert run.kill(one.number).at == one
        assert run.finish() == "finished", f"killed at {one}"
        assert same.outcomes_differ(undisturbed.ending, same.ending(run.url)) == []
        assert same.broken(run.url) == []


def test_of_an_evaluator_that_must_not_be_asked_twice_exactly_the_doubtful_jobs_are_parked(
    once_only: Undisturbed, say: Say
) -> None:
    """No plate is run twice in silence, and nobody is asked about jobs that are in no doubt."""
    drawn = draw(once_only.crossed, 25, SEED)
    say("3 kills in doubt, 2 elsewhere")
    elsewhere = [one for one in drawn if one.doubtful is None]
    kill_at(once_only, in_doubt(drawn)[:3] + elsewhere[:: len(elsewhere) // 2][:2])


def test_killed_on_postgresql_it_ends_the_same(tmp_path: Path, postgresql: URL, say: Say) -> None:
    """Workers that share a campaign through a server may die, too."""
    whole = checks.undisturbed(Bench(tmp_path, server=postgresql))
    drawn = draw(whole.crossed, 4, SEED)
    say(f"{len(drawn)} kills on PostgreSQL")
    kill_at(whole, drawn)


def test_without_the_intents_commit_these_tests_fail(tmp_path: Path) -> None:
    """The one thing that they are for, taken away: a job runs twice, and it is seen."""
    whole = checks.undisturbed(Bench(tmp_path, idempotent=False, without_intent=True))
    assert in_doubt(whole.crossed) == []
    submitted = [one for one in whole.crossed if one.what == "evaluator.submit" and one.after]
    problems = checks.kill(whole, submitted[1]).problems
    assert any("was measured 2 times" in one for one in problems), problems


def test_a_kill_that_does_not_happen_fails(undisturbed: Undisturbed) -> None:
    """A suite that kills nothing would pass, too."""
    with pytest.raises(AssertionError, match="no kill at 1000000000: exit code 0"):
        undisturbed.bench.run().kill(10**9)


def test_every_column_that_may_differ_is_one_of_a_folded_table() -> None:
    """The list of exceptions names no column that was renamed since and hides another now."""
    for name in same.MAY_DIFFER:
        table, column = name.split(".")
        assert column in Base.metadata.tables[table].columns

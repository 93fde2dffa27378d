"""If these fail, a campaign overspends its budget or stops before it should."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.objective import Objective
from orchestrator.spec.model import Spec
from orchestrator.verbs.stopping import Progress, reason, remaining

START = Progress(evaluations=0, cost=0.0, price=0.0, driver_seconds=0.0, best=None, since_best=0)


def spec(direction: str = "maximize", **parts: Any) -> Spec:
    return Spec.model_validate(
        {
            "name": "stops",
            "space": {"kind": "digits"},
            "evaluators": [{"use": "some", "measures": ["a"]}],
            "objective": {"direction": direction, "terms": [{"measure": "a"}]},
            "budget": {"evaluations": 200},
            **parts,
        }
    )


def said(campaign: Spec, progress: Progress) -> str | None:
    return reason(campaign, Objective(campaign.objective), progress)


@pytest.mark.parametrize(
    ("budget", "below", "used", "words"),
    [
        ({"evaluations": 200}, {"evaluations": 199}, {"evaluations": 200}, "200 evaluations"),
        ({"wall_time": "30min"}, {"driver_seconds": 1799.0}, {"driver_seconds": 1800.0}, "1800 s"),
        ({"cost": 12.5}, {"cost": 12.4}, {"cost": 12.5}, "cost 12.5"),
    ],
)
def test_each_budget_ends_the_campaign_when_it_is_used(
    budget: Any, below: Any, used: Any, words: str
) -> None:
    campaign = spec(budget=budget)
    assert said(campaign, replace(START, **below)) is None
    assert words in str(said(campaign, replace(START, **used)))


@pytest.mark.parametrize(
    ("direction", "best", "ends"),
    [
        ("maximize", 0.948, True),
        ("maximize", 0.947, False),
        ("minimize", 0.948, True),
        ("minimize", 0.949, False),
        ("maximize", None, False),
    ],
)
def test_a_target_is_reached_from_the_right_side(
    direction: str, best: float | None, ends: bool
) -> None:
    found = said(spec(direction, stop=[{"target": 0.948}]), replace(START, best=best))
    assert found == ("target 0.948 reached" if ends else None)


def test_stagnation_counts_evaluations_since_the_best() -> None:
    campaign = spec(stop=[{"target": 2.0}, {"stagnation": 30}])
    assert said(campaign, replace(START, since_best=29)) is None
    assert said(campaign, replace(START, since_best=30)) == "no better candidate in 30 evaluations"


def test_what_remains_is_never_negative_and_unknown_without_a_count() -> None:
    assert remaining(spec(), replace(START, evaluations=150)) == 50
    assert remaining(spec(), replace(START, evaluations=203)) == 0
    assert remaining(spec(budget={"cost": 1.0}), START) is None


def test_a_candidate_that_the_budget_cannot_pay_is_not_begun() -> None:
    campaign = spec(budget={"cost": 1.0})
    tenth = replace(START, price=0.1)
    assert remaining(campaign, tenth) == 10
    assert remaining(campaign, replace(tenth, cost=sum([0.1] * 7))) == 3
    short = replace(START, price=0.4, cost=0.8)
    assert remaining(campaign, short) == 0
    assert "0.8 of 1, and one more candidate costs 0.4" in str(said(campaign, short))

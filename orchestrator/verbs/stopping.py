"""When a campaign ends: its budget and its stop rules, as pure functions of its progress."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestrator.objective import Objective
from orchestrator.spec.model import Spec, StopRule


@dataclass(frozen=True)
class Progress:
    """What a campaign has used and reached."""

    evaluations: int
    """Candidates sent to at least one evaluator, those still under way included."""
    cost: float
    """In the campaign's unit of cost."""
    price: float
    """Cost of one more candidate: each of its jobs sent once."""
    driver_seconds: float
    """Time that drivers worked on it, added up over interruptions."""
    best: float | None
    """Best feasible objective value; None while there is none."""
    since_best: int
    """Evaluations since that one, or all of them while there is none."""


def reason(spec: Spec, objective: Objective, progress: Progress) -> str | None:
    """Why nothing more is to be proposed, in words for a person; None if the campaign goes on.

    The budget is looked at first, then the stop rules in the order of the spec.
    """
    used = _budget(spec, progress)
    return used or next(
        (said for rule in spec.stop if (said := _rule(rule, objective, progress))), None
    )


def remaining(spec: Spec, progress: Progress) -> int | None:
    """Evaluations that the budget still has room for; None if it sets no limit to them."""
    limits = []
    if spec.budget.evaluations is not None:
        limits.append(spec.budget.evaluations - progress.evaluations)
    if spec.budget.cost is not None and progress.price > 0:
        # Sums of prices are rounded, and the last candidate must not be lost by that.
        limits.append(math.floor((spec.budget.cost - progress.cost) / progress.price + 1e-9))
    return max(0, min(limits)) if limits else None


def _budget(spec: Spec, progress: Progress) -> str | None:
    budget = spec.budget
    if budget.evaluations is not None and progress.evaluations >= budget.evaluations:
        return f"budget of {budget.evaluations} evaluations used"
    if budget.wall_time is not None and progress.driver_seconds >= budget.wall_time:
        return f"budget of {budget.wall_time:g} s of wall time used"
    if budget.cost is not None and progress.cost >= budget.cost:
        return f"budget of cost {budget.cost:g} used"
    if remaining(spec, progress) == 0:
        left = f"{progress.cost:g} of {budget.cost:g}"
        return f"budget of cost used: {left}, and one more candidate costs {progress.price:g}"
    return None


def _rule(rule: StopRule, objective: Objective, progress: Progress) -> str | None:
    best = progress.best
    if rule.target is not None and best is not None and not objective.better(rule.target, best):
        return f"target {rule.target:g} reached"
    if rule.stagnation is not None and progress.since_best >= rule.stagnation:
        return f"no better candidate in {rule.stagnation} evaluations"
    return None

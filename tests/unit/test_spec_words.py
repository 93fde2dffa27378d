"""A spec in words: what a report and a listing say must be what the campaign does."""

import pytest

from orchestrator.spec import words
from orchestrator.spec.model import Budget, Constraint, ObjectiveSpec, StopRule


@pytest.mark.parametrize(
    ("terms", "aggregate", "expected"),
    [
        ([{"measure": "qed"}], "weighted_sum", "qed"),
        (
            [
                {"measure": "p_4", "transform": "neg_log"},
                {"measure": "latent_log_prior", "weight": -1},
            ],
            "weighted_sum",
            "−log(p_4 + 1e−08) − log prior",
        ),
        (
            [
                {"measure": "a", "weight": -2},
                {"measure": "b", "weight": 0.5},
                {"measure": "c", "transform": "neg_log", "weight": -1},
                {"measure": "d", "transform": {"kind": "neg_log", "epsilon": 0}},
            ],
            "weighted_sum",
            "−2 × a + 0.5 × b − (−log(c + 1e−08)) − log(d)",
        ),
        (
            [{"measure": "a", "transform": "log"}, {"measure": "b", "weight": 3}],
            "geometric_mean",
            "the geometric mean of log(a + 1e−08), b (weight 3)",
        ),
        (
            [
                {"measure": "a", "transform": {"kind": "step", "threshold": 7}},
                {"measure": "b", "transform": {"kind": "gaussian", "mean": 2, "std": 0.5}},
                {"measure": "c", "transform": {"kind": "clip", "lower": 0, "upper": 9}},
                {"measure": "d", "transform": {"kind": "sigmoid", "center": 1}, "weight": 2},
            ],
            "product",
            "[a ≥ 7] × exp(−((b − 2) / 0.5)² / 2) × c scaled from 0…9 to 0…1 and cut there"
            " × 2 × sigmoid((d − 1) / 1)",
        ),
    ],
)
def test_an_objective_reads_as_its_formula(
    terms: list[dict[str, object]], aggregate: str, expected: str
) -> None:
    spec = {"direction": "minimize", "terms": terms, "aggregate": aggregate}
    assert words.objective(ObjectiveSpec.model_validate(spec)) == f"Minimise {expected}"


@pytest.mark.parametrize(
    ("limits", "expected"),
    [({"min": 0, "max": 5}, "0 ≤ x ≤ 5"), ({"min": -1}, "−1 ≤ x"), ({"max": 5}, "x ≤ 5")],
)
def test_a_constraint_reads_as_its_limits(limits: dict[str, float], expected: str) -> None:
    assert words.constraint(Constraint(measure="x", **limits)) == expected


def test_limits_and_rules_are_in_units_people_use() -> None:
    budget = Budget(evaluations=200, wall_time=1800, cost=12.5)
    assert words.budget(budget) == "200 evaluations or 30 min of driver time or cost 12.5"
    assert words.stop_rule(StopRule(target=0.948)) == "target 0.948 reached"
    assert words.stop_rule(StopRule(stagnation=9)) == "no better candidate in 9 evaluations"
    assert [words.seconds(s) for s in (0.25, 90, 3600, 86_400)] == [
        "0.25 s",
        "90 s",
        "1 h",
        "1 d",
    ]


@pytest.mark.parametrize(
    ("value", "expected"), [(-1.5e-06, "−1.5e−06"), (float("nan"), "–"), (None, "–"), (10, "10")]
)
def test_numbers_are_short_and_never_nan(value: float | None, expected: str) -> None:
    assert words.number(value) == expected

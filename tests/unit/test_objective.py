"""If these fail, a campaign optimises something else than its spec says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from orchestrator.objective import Objective, ObjectiveError, Outcome
from orchestrator.spec.model import ObjectiveSpec, Term


def objective(
    *terms: dict[str, Any], direction: str = "maximize", constraints: Any = (), **rest: Any
) -> Objective:
    return Objective(
        ObjectiveSpec.model_validate(
            {"direction": direction, "terms": terms, "constraints": constraints, **rest}
        )
    )


def outcome(transform: Any) -> Outcome:
    term = Term.model_validate({"measure": "a", "transform": transform})
    return Outcome(term.measure, term.transform)


@pytest.mark.parametrize(
    ("transform", "value", "expected"),
    [
        ("identity", -2.5, -2.5),
        ({"kind": "log", "epsilon": 0.5}, 0.5, 0.0),
        ({"kind": "neg_log", "epsilon": 1e-8}, 0.0, -math.log(1e-8)),
        ({"kind": "gaussian", "mean": 1.0, "std": 2.0}, 3.0, math.exp(-0.5)),
        ({"kind": "sigmoid", "center": 1.0, "scale": -2.0}, 3.0, 1 / (1 + math.e)),
        ({"kind": "sigmoid", "center": 0.0, "scale": 1.0}, -1e6, 0.0),
        ({"kind": "clip", "lower": 2.0, "upper": 4.0}, 3.0, 0.5),
        ({"kind": "clip", "lower": 4.0, "upper": 2.0}, 9.0, 0.0),
        ({"kind": "step", "threshold": 1.0}, 1.0, 1.0),
    ],
)
def test_each_transform_computes_what_the_spec_says(
    transform: Any, value: float, expected: float
) -> None:
    assert outcome(transform).apply(value) == pytest.approx(expected)


@pytest.mark.parametrize("transform", ["identity", "log", {"kind": "step", "threshold": 0}])
def test_what_is_undefined_is_nan_and_no_warning(transform: Any) -> None:
    assert np.isnan(outcome(transform).apply([np.nan])).all()
    assert np.isnan(outcome("log").apply([-1.0, np.inf])).all()


def test_noise_is_carried_through_a_transform() -> None:
    assert outcome("log").spread(2.0, 0.02) == pytest.approx(0.01, rel=1e-3)
    assert np.isnan(outcome("log").spread(2.0, np.nan))


def test_outcomes_are_distinct_terms_then_constraints_without_the_log_prior() -> None:
    found = objective(
        {"measure": "p", "transform": "neg_log"},
        {"measure": "latent_log_prior", "weight": -1},
        {"measure": "p", "transform": "neg_log", "weight": 2},
        {"measure": "p"},
        constraints=[{"measure": "q", "min": 0}, {"measure": "p", "max": 1}],
    )
    assert found.labels == ("neg_log(p, epsilon=1e-08)", "p", "q")
    assert [limit.outcome for limit in found.limits] == [2, 1]


def test_the_digit_objective_of_the_literature() -> None:
    digit = objective(
        {"measure": "p_4", "transform": {"kind": "neg_log", "epsilon": 1e-8}},
        {"measure": "latent_log_prior", "weight": -1},
        direction="minimize",
    )
    assert digit.value({"p_4": 0.5}, -3.0) == pytest.approx(-math.log(0.5 + 1e-8) + 3.0)
    assert digit.better(1.0, 2.0)
    assert not digit.better(1.0, 1.0)


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("weighted_sum", 2 * 4.0 + 1 * 0.5),
        ("arithmetic_mean", 8.5 / 3),
        ("geometric_mean", (4.0**2 * 0.5) ** (1 / 3)),
        ("product", 2 * 4.0 * 0.5),
    ],
)
def test_aggregates_and_their_tensor_twin_agree(aggregate: str, expected: float) -> None:
    found = objective({"measure": "a", "weight": 2}, {"measure": "b"}, aggregate=aggregate)
    assert found.value({"a": 4.0, "b": 0.5}, 0.0) == pytest.approx(expected)
    rows = torch.tensor([[[4.0, 0.5]]], dtype=torch.float64)
    composed = found.compose(rows, rows.new_zeros((1, 1, 0)))
    assert composed.shape == (1, 1)
    assert composed.item() == pytest.approx(expected)
    assert (found.coefficients is None) == (aggregate in ("geometric_mean", "product"))


def test_a_negative_factor_makes_a_geometric_mean_zero_with_a_live_gradient() -> None:
    found = objective({"measure": "a"}, {"measure": "b"}, aggregate="geometric_mean")
    assert found.value({"a": -1.0, "b": 4.0}, 0.0) == 0.0
    rows = torch.tensor([[0.0, 4.0]], dtype=torch.float64, requires_grad=True)
    found.compose(rows, rows.new_zeros((1, 0))).sum().backward()
    assert rows.grad is not None
    assert rows.grad.isfinite().all()


def test_minimising_turns_the_sign_for_the_acquisition_only() -> None:
    found = objective({"measure": "a"}, {"measure": "b", "weight": -2}, direction="minimize")
    assert found.value({"a": 3.0, "b": 1.0}, 0.0) == 1.0
    assert found.compose(np.array([3.0, 1.0]), np.zeros(0)) == -1.0
    assert found.coefficients == pytest.approx([-1.0, 2.0])


def test_a_missing_or_infinite_measure_gives_no_value() -> None:
    found = objective({"measure": "a"}, {"measure": "b"})
    assert found.value({"a": 1.0}, 0.0) is None
    assert found.value({"a": 1.0, "b": math.inf}, 0.0) is None
    assert objective({"measure": "a"}).value({"a": 1.0, "b": math.nan}, 0.0) == 1.0


@pytest.mark.parametrize(
    ("readings", "holds"),
    [
        ({"b": 0.0}, True),
        ({"b": 5.0}, True),
        ({"b": 5.1}, False),
        ({"b": math.nan}, False),
        ({}, False),
    ],
)
def test_constraints_include_their_limits_and_need_a_value(
    readings: dict[str, float], holds: bool
) -> None:
    found = objective({"measure": "a"}, constraints=[{"measure": "b", "min": 0, "max": 5}])
    assert found.feasible(readings) is holds


@pytest.mark.parametrize(
    ("terms", "aggregate"),
    [
        ([{"measure": "latent_log_prior"}], "weighted_sum"),
        ([{"measure": "a", "weight": 0}], "geometric_mean"),
        ([{"measure": "a"}, {"measure": "b", "weight": -1}], "arithmetic_mean"),
    ],
)
def test_terms_that_make_no_objective_are_refused(terms: Any, aggregate: str) -> None:
    with pytest.raises(ObjectiveError, match="needs"):
        objective(*terms, aggregate=aggregate)

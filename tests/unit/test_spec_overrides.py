"""`--set` runs variants from one file; a wrong path must not run the unchanged campaign."""

from pathlib import Path
from typing import Any

import pytest

import orchestrator
from orchestrator.errors import BadInput
from orchestrator.spec.file import read
from orchestrator.spec.model import Gaussian, Spec

EXAMPLES = Path(orchestrator.__file__).parent.parent / "examples"
EXAMPLE = EXAMPLES / "drug-like.yaml"


def changed(*overrides: str) -> Spec:
    return read(EXAMPLE, overrides).spec


def refused(*overrides: str) -> str:
    with pytest.raises(BadInput) as error:
        read(EXAMPLE, overrides)
    return str(error.value)


def test_another_digit_runs_from_the_same_file() -> None:
    overrides = ["objective.terms.0.measure=p_7", "name=digit-seven", "seed=3"]
    spec = read(EXAMPLES / "digit-four.yaml", overrides).spec
    assert (spec.objective.terms[0].measure, spec.name, spec.seed) == ("p_7", "digit-seven", 3)


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("name=7", "name", "7"),
        ("name=no", "name", "no"),
        ("name='007'", "name", "007"),
        ("description=a: b # c", "description", "a: b # c"),
        ("description=[a, b", "description", "[a, b"),
        ("description=null", "description", "null"),
        ("description=", "description", ""),
        ("description=x=y", "description", "x=y"),
        ("space.model=null", "space.model", None),
        ("seed=3", "seed", 3),
        ("budget.wall_time=2h", "budget.wall_time", 7200.0),
        ("stop=[]", "stop", ()),
        (
            "evaluators.0.measures=[logp, qed, tpsa]",
            "evaluators.0.measures",
            ("logp", "qed", "tpsa"),
        ),
        ("evaluators.0.options.radius=2", "evaluators.0.options", {"radius": 2}),
        ("schedule.cron=0 2 * * *", "schedule.cron", "0 2 * * *"),
        ("tick.rounds=1", "tick.rounds", 1),
    ],
)
def test_a_value_gets_the_type_that_is_due(override: str, path: str, value: object) -> None:
    found: Any = changed(override)
    for step in path.split("."):
        found = found[int(step)] if step.isdigit() else getattr(found, step)
    assert found == value


def test_the_next_number_appends_to_a_list() -> None:
    spec = changed(
        "objective.terms.1.measure=logp",
        "objective.terms.1.transform.kind=gaussian",
        "objective.terms.1.transform.mean=2.5",
        "objective.terms.1.transform.std=1",
    )
    assert spec.objective.terms[1].transform == Gaussian(kind="gaussian", mean=2.5, std=1)


def test_the_last_of_several_wins() -> None:
    assert changed("seed=1", "seed=2").seed == 2


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "objctive.terms.0.measure=qed",
            ["did you mean objective?", "keys there: approval, budget,"],
        ),
        ("budget.evaluation=5", ["did you mean evaluations?", "cost, evaluations, wall_time"]),
        ("evaluators.0.option.a=1", ["did you mean options?"]),
        ("objective.terms.5.measure=qed", ["is a list of 1", "0 to 1"]),
        ("objective.terms.first.measure=qed", ["is a list of 1", "0 to 1"]),
        ("objective.terms.-1.measure=qed", ["is a list of 1"]),
        ("budget.evaluations.max=5", ["budget.evaluations is 200", "set budget.evaluations"]),
        ("budget.evaluations=-5", ["is -5", "at least 1"]),
        ("seed=soon", ["a whole number"]),
        ("name=Drug Like", ["lower-case letters"]),
        ("objective.terms.0.measure=p_7", ["'p_7'", "qed, logp"]),
        ("stop=[{target: x}]", ["stop.0.target", "a number"]),
        ("seed", ["path=value"]),
        ("=3", ["path=value"]),
        ("budget..evaluations=3", ["path=value"]),
        ("a." * 100 + "b=3", ["path=value"]),
    ],
)
def test_a_wrong_override_is_named_with_what_would_be_right(override: str, said: list[str]) -> None:
    message = refused(override)
    assert message.startswith(f"--set {override[:50]}")
    assert [part for part in said if part not in message] == []


def test_what_an_override_replaced_no_longer_has_a_line() -> None:
    """Otherwise an error would point at a line that has nothing to do with it."""
    assert "line" not in refused("evaluators=[{use: rdkit, measures: [7]}]")

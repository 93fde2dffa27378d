"""A spec that is accepted must mean what was written; one that cannot run must not be accepted."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

import orchestrator
from orchestrator.spec.model import Spec

EXAMPLES = sorted((Path(orchestrator.__file__).parent.parent / "examples").glob("*.yaml"))


def minimal(**changes: Any) -> dict[str, Any]:
    """The shortest spec, with changes at its root."""
    return {
        "name": "x",
        "space": {"kind": "molecules"},
        "evaluators": [{"use": "rdkit", "measures": ["qed"]}],
        "objective": {"direction": "maximize", "terms": [{"measure": "qed"}]},
        "budget": {"evaluations": 10},
        **changes,
    }


def refused(**changes: Any) -> str:
    with pytest.raises(ValidationError) as error:
        Spec.model_validate(minimal(**changes))
    return str(error.value)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_examples_are_good(file: Path) -> None:
    spec = yaml.safe_load(file.read_text())
    assert Spec.model_validate(spec).name == spec["name"]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_editor_with_the_schema_marks_nothing_in_an_example(file: Path) -> None:
    jsonschema.validate(yaml.safe_load(file.read_text()), Spec.model_json_schema())


def test_the_schema_accepts_the_short_forms() -> None:
    """Otherwise an editor underlines `30min` and `neg_log`, which are right."""
    short = minimal(
        budget={"wall_time": "30min"},
        objective={
            "direction": "minimize",
            "terms": [{"measure": "qed", "transform": "neg_log"}],
        },
    )
    jsonschema.validate(short, Spec.model_json_schema())
    spec = Spec.model_validate(short)
    assert spec.budget.wall_time == 1800
    assert spec.objective.terms[0].transform.kind == "neg_log"


def test_every_field_says_in_the_schema_what_it_is() -> None:
    schema = Spec.model_json_schema()
    transforms = {"Clip", "Gaussian", "Identity", "Log", "NegLog", "Sigmoid", "Step"}
    silent = [
        f"{name}.{field}"
        for name, part in {"Spec": schema, **schema["$defs"]}.items()
        if name not in transforms  # their formula says it
        for field, node in part["properties"].items()
        if "description" not in node and "$ref" not in node
    ]
    assert silent == []


def test_a_stored_spec_reads_back_as_it_was() -> None:
    spec = Spec.model_validate(minimal(budget={"wall_time": "2h"}, stop=[{"target": 1}]))
    assert Spec.model_validate(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize("value", [True, 3.0, "3", 2**53 + 1])
def test_a_count_is_a_whole_number_and_nothing_that_resembles_one(value: object) -> None:
    assert "budget.evaluations" in refused(budget={"evaluations": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.9", True])
def test_a_limit_is_a_finite_number(value: object) -> None:
    """A target of NaN is never reached, and nobody would see why."""
    assert "stop.0.target" in refused(stop=[{"target": value}])


@pytest.mark.parametrize(
    "cron",
    ["61 * * * *", "* * * *", "@daily", "R * * * *", "h(0-5) * * * *", "* * * * * *", "", "daily"],
)
def test_a_cron_expression_that_the_engine_refuses_is_refused_here(cron: str) -> None:
    assert "five fields" in refused(schedule={"cron": cron})


@pytest.mark.parametrize("zone", ["Europe", "europe/berlin", "../../etc", "", "x" * 500, "a\0b"])
def test_a_time_zone_has_to_exist(zone: str) -> None:
    assert "IANA" in refused(schedule={"cron": "0 2 * * *", "timezone": zone})


def test_a_measure_is_asked_for_once() -> None:
    """Two evaluators giving the same measure would make the objective ambiguous."""
    twice = [{"use": "a", "measures": ["qed"]}, {"use": "b", "measures": ["qed"]}]
    assert "'qed' is asked for above already" in refused(evaluators=twice)
    assert "'qed' is asked for above" in refused(
        evaluators=[{"use": "a", "measures": ["qed", "qed"]}]
    )


def test_an_evaluator_stands_once() -> None:
    """Jobs are named by evaluator: two entries of one name would share their keys."""
    twice = [{"use": "a", "measures": ["qed"]}, {"use": "a", "measures": ["logp"]}]
    assert "'a' stands above already" in refused(evaluators=twice)


def test_a_box_has_parameters_of_different_names() -> None:
    parameter = {"name": "x", "lower": 0, "upper": 1}
    space = {"kind": "box", "parameters": [parameter, parameter]}
    assert "'x' stands above already" in refused(space=space)


def test_the_prior_needs_no_evaluator() -> None:
    terms = [{"measure": "qed"}, {"measure": "latent_log_prior"}]
    Spec.model_validate(minimal(objective={"direction": "maximize", "terms": terms}))

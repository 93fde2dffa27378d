"""A plain function becomes an evaluator whose mistakes stay its own."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from adapters.calculator import RejectedError
from adapters.function import FunctionEvaluator, evaluator
from adapters.protocol import (
    Batch,
    Delivery,
    EvaluatorError,
    Job,
    Measure,
    Outcome,
    OutcomeStatus,
    Sample,
    Ticket,
)

MEASURES = [Measure("yield", "percent", lower=0, upper=100), Measure("a/b~c")]


def made(function: Callable[[Any], Any], **settings: Any) -> FunctionEvaluator:
    """An evaluator of ``yield`` and ``a/b~c``."""
    return evaluator(measures=MEASURES, batch_size=3, **settings)(function)


def deliver(
    asked: FunctionEvaluator, content: str | bytes, *, measures: tuple[str, ...] = ("yield",)
) -> Delivery:
    """The delivery of one job."""
    job = Job("c/1/lab/1", Sample("parameters", content), measures)
    asked.submit(Batch("b", (job,)))
    (delivery,) = asked.receive([Ticket(job.key)])
    return delivery


def outcome(
    asked: FunctionEvaluator, content: str | bytes = '{"x": 1}', **settings: Any
) -> Outcome:
    """The outcome of one job."""
    (found,) = asked.parse(deliver(asked, content, **settings))
    return found


def test_the_delivery_is_canonical_json() -> None:
    """The same answer is always the same bytes, which is what the ledger hashes."""

    def lab(parameters: Mapping[str, float]) -> dict[str, object]:
        return {"yield": {"value": 0.1 + 0.2, "std": 0.5}, "a/b~c": -math.inf}

    delivery = deliver(made(lab, version="7"), '{"x": 1}')
    assert delivery.body == (
        b'{"job":"c/1/lab/1","provenance":{"evaluator":"lab","version":"7"},"readings":{'
        b'"a/b~c":{"unit":"","value":"-Infinity"},'
        b'"yield":{"std":0.5,"unit":"percent","value":0.30000000000000004}},"status":"succeeded"}'
    )
    readings = made(lab).parse(delivery)[0].readings
    assert [(r.name, r.value, r.unit, r.std, r.place) for r in readings] == [
        ("a/b~c", -math.inf, "", None, "/readings/a~1b~0c/value"),
        ("yield", 0.30000000000000004, "percent", 0.5, "/readings/yield/value"),
    ]


@pytest.mark.parametrize("value", [3, np.float32(3), np.array(3.0), Fraction(3), np.int64(3)])
def test_numbers_of_any_library_are_numbers(value: object) -> None:
    """Nobody should have to convert what numpy or torch gave them."""
    assert outcome(made(lambda _: {"yield": value})).readings[0].value == 3.0


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        ({"yeild": 3.0}, "'yield' is missing; measure 'yeild' is not declared; did you mean"),
        ({"yield": "3,5"}, "'yield' is '3,5', which is no number"),
        ({"yield": None}, "'yield' is None, which is no number"),
        ({"yield": True}, "'yield' is True, which is no number"),
        ({"yield": 10**400}, "which is no number"),
        ({"yield": 101.0}, "is 101.0 percent; more than 100 is impossible"),
        ({"yield": {"value": -0.1, "unit": ""}}, "is -10.0 percent; less than 0 is impossible"),
        ({"yield": {"value": 3.0, "unit": "gram"}}, "wrong unit: 'gram' cannot be converted"),
        ({"yield": {"value": 3.0, "unit": "bananas"}}, "wrong unit: 'bananas' is no unit"),
        ({"yield": {"value": 3.0, "std": -1.0}}, "standard deviation -1.0; it must be"),
        ({"yield": {"value": 3.0, "sd": 1.0}}, "return a number, or a dict of 'value'"),
        (0.5, "0.5 was returned; return a dict of measures, as {'yield': 0.5}"),
    ],
)
def test_what_is_no_measurement_fails_its_job(returned: object, reason: str) -> None:
    """A wrong value is told in words that help its author, and never becomes a measurement."""
    found = outcome(made(lambda _: returned))
    assert found.status is OutcomeStatus.FAILED
    assert not found.readings
    assert reason in found.reason


def test_a_refused_value_is_kept_in_the_bytes() -> None:
    """Whoever doubts the refusal must find what the function really returned."""
    body = json.loads(deliver(made(lambda _: {"yield": 101.0}), '{"x": 1}').body)
    assert body["readings"]["yield"]["value"] == 101.0


def test_one_exception_does_not_take_the_batch() -> None:
    """Two good samples beside a bad one are measured."""

    def lab(parameters: Mapping[str, float]) -> dict[str, float]:
        return {"yield": 1 / parameters["x"]}

    asked = made(lab)
    jobs = [Job(str(x), Sample("parameters", f'{{"x": {x}}}'), ("yield",)) for x in (1, 0, 2)]
    tickets = asked.submit(Batch("plate", tuple(jobs)))
    found = [asked.parse(delivery)[0] for delivery in asked.receive(tickets)]
    assert [o.status.value for o in found] == ["succeeded", "failed", "succeeded"]
    assert found[1].reason == "ZeroDivisionError: division by zero"


def test_a_reason_can_be_stored_whatever_the_exception_says() -> None:
    """PostgreSQL refuses NUL, UTF-8 half characters, and nobody reads a megabyte."""

    def lab(_: object) -> dict[str, float]:
        raise ValueError("port \0 \udc80 " + "x" * 1_000_000)

    reason = outcome(made(lab)).reason
    assert reason.startswith("ValueError: port \\x00 \\udc80 xxx")
    assert len(reason) < 2100


def test_a_function_says_what_another_attempt_would_help() -> None:
    """A busy instrument is asked again, an impossible sample is not."""

    def busy(_: object) -> dict[str, float]:
        raise EvaluatorError("the shaker is in use", transient=True)

    def picky(_: object) -> dict[str, float]:
        raise RejectedError("insoluble")

    assert outcome(made(busy)).transient
    rejected = outcome(made(picky))
    assert (rejected.status, rejected.reason) == (OutcomeStatus.REJECTED, "insoluble")


@pytest.mark.parametrize("content", ["{", "[1, 2]", b"\xff", "[" * 100_000])
def test_content_that_is_no_object_is_rejected(content: str | bytes) -> None:
    """The function is never called with something that it did not ask for."""
    found = outcome(made(lambda _: pytest.fail("called")), content)
    assert found.status is OutcomeStatus.REJECTED


def test_other_kinds_reach_the_function_as_samples() -> None:
    """A molecule or an image has no dict."""
    asked = made(lambda sample: {"yield": float(len(sample.content))}, kinds={"molecule"})
    asked.submit(Batch("b", (Job("k", Sample("molecule", "CCO"), ("yield",)),)))
    (delivery,) = asked.receive([Ticket("k")])
    assert asked.parse(delivery)[0].readings[0].value == 3.0


def test_a_key_is_called_once_until_it_is_acknowledged() -> None:
    """A retry after a lost connection must not run an expensive assay again."""
    called: list[float] = []

    def count(x: float) -> dict[str, float]:
        called.append(x)
        return {"yield": 1.0}

    asked = made(count)
    first = deliver(asked, '{"x": 1}')
    assert deliver(asked, '{"x": 1}') == first
    assert len(called) == 1
    asked.acknowledge(first)
    assert deliver(asked, '{"x": 1}') == first
    assert len(called) == 2


def test_too_many_jobs_are_refused_before_any_runs() -> None:
    """A crash then leaves no more jobs in doubt than the evaluator said."""
    asked = made(lambda _: pytest.fail("called"))
    jobs = tuple(Job(str(n), Sample("parameters", "{}"), ("yield",)) for n in range(4))
    with pytest.raises(EvaluatorError, match="takes 3 jobs at once, batch 'b' has 4"):
        asked.submit(Batch("b", jobs))


def test_the_function_can_still_be_called() -> None:
    """It stays testable and usable in a notebook."""

    @evaluator(measures=["score"])
    def my_assay(parameters: Mapping[str, float]) -> dict[str, float]:
        """Score it."""
        return {"score": parameters["x"]}

    assert my_assay({"x": 2.0}) == {"score": 2.0}
    assert my_assay.__doc__ == "Score it."
    assert my_assay.capabilities.name == "my-assay"
    assert not my_assay.capabilities.idempotent

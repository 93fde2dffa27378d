"""Units, checks of readings, and the bytes of an answer."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import answer
from adapters.answer import Answer
from adapters.checks import refusals
from adapters.protocol import (
    Capabilities,
    EvaluatorError,
    Measure,
    Outcome,
    OutcomeStatus,
    Reading,
)
from adapters.units import convert, convert_std, require_unit

LAB = Capabilities(
    name="lab",
    version="1",
    sample_kinds=frozenset({"molecule"}),
    measures=(Measure("ic50", "nanomolar", lower=0), Measure("viability", "percent", 0, 100)),
)

readings = st.builds(
    Reading,
    name=st.text(max_size=8),
    value=st.floats(),
    unit=st.text(max_size=4),
    std=st.none() | st.floats(),
)


@pytest.mark.slow
@given(st.lists(readings, max_size=4, unique_by=lambda r: r.name), st.text(max_size=8))
def test_an_answer_survives_its_bytes(found: list[Reading], job: str) -> None:
    """Every float, NaN included, is read back as it was written, and the bytes never vary."""
    outcome = Outcome(job, OutcomeStatus.SUCCEEDED, tuple(sorted(found, key=lambda r: r.name)))
    body = answer.write(Answer(outcome, {"version": "1"}))
    back = answer.read(body)
    assert answer.write(back) == body
    assert [(r.name, repr(r.value), repr(r.std), r.unit) for r in back.outcome.readings] == [
        (r.name, repr(r.value), repr(r.std), r.unit) for r in outcome.readings
    ]


@given(st.binary(max_size=60))
def test_random_bytes_are_no_answer(body: bytes) -> None:
    """Line noise is refused as such."""
    with pytest.raises(EvaluatorError, match="no answer of a calculator"):
        answer.read(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"job":1,"status":"succeeded","provenance":{},"readings":{}}',
        b'{"job":"k","status":"perhaps","provenance":{},"readings":{}}',
        b'{"job":"k","status":"failed","provenance":{},"readings":{}}',
        b'{"job":"k","status":"succeeded","provenance":{},"readings":{"a":{"value":"1","unit":""}}}',
        b'{"job":"k","status":"succeeded","provenance":{},"readings":{"a":{"value":true,"unit":""}}}',
        b'{"job":"k","status":"succeeded","provenance":{},"readings":[1]}',
    ],
)
def test_an_altered_answer_is_refused(body: bytes) -> None:
    """A value never comes from bytes that we did not write."""
    with pytest.raises(EvaluatorError, match="no answer of a calculator"):
        answer.read(body)


def test_units_are_converted() -> None:
    """A reader that reports micromolar serves a spec in nanomolar."""
    assert convert(1.5, "micromolar", "nanomolar") == pytest.approx(1500)
    assert convert(0.25, "", "percent") == pytest.approx(25)
    assert convert(25.0, "degC", "kelvin") == pytest.approx(298.15)
    assert math.isnan(convert(math.nan, "gram", "kg"))
    assert convert_std(1.0, "degC", "kelvin") == pytest.approx(1)
    assert convert_std(1.5, "micromolar", "nanomolar") == convert(1.5, "micromolar", "nanomolar")
    assert convert_std(0.1, "gram", "gram") == 0.1


@pytest.mark.parametrize("unit", ["bananas", "g/(mol", "5 kg", "nM nM)", "import os"])
def test_what_is_no_unit_is_refused(unit: str) -> None:
    """With a word on what would be one."""
    with pytest.raises(EvaluatorError, match=r"no unit that pint reads.*write for example"):
        require_unit(unit)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([Reading("ic50", 5.0, "nanomolar")], []),
        ([Reading("ic50", 5.0, "micromolar"), Reading("viability", 0.5)], []),
        ([Reading("ic50", math.inf, "nanomolar")], []),
        ([Reading("viability", 50.0, "percent")], ["measure 'ic50' is missing"]),
        ([Reading("ic50", 5.0, "nanomolar")] * 2, ["measure 'ic50' is given 2 times"]),
        ([Reading("ic50", 5.0, "gram")], ["measure 'ic50' has a wrong unit: "]),
        ([Reading("ic50", -5.0, "nanomolar")], ["is -5.0 nanomolar; less than 0 is impossible"]),
        ([Reading("ic50", 5.0, "nanomolar", std=math.nan)], ["has standard deviation nan"]),
        ([Reading("ic50", 5.0, "nanomolar"), Reading("hill", 1.0)], ["'hill' is not declared"]),
    ],
)
def test_readings_are_refused_with_a_reason(found: list[Reading], expected: list[str]) -> None:
    """What a bench scientist reads when a result is not taken."""
    told = refusals(LAB, ["ic50"], found)
    assert len(told) == len(expected)
    assert all(part in text for part, text in zip(expected, told, strict=True)), told

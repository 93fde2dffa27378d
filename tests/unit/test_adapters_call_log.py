"""The evaluator of the kill tests: what it wrote down is what was asked of it."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from adapters.protocol import Batch, Delivery, Job, Sample, Ticket

MODULE = runpy.run_path(str(Path(__file__).parents[1] / "faults" / "call_log.py"))
KEY = "c/1/call-log/1"


def ask(evaluator: Any) -> Delivery:
    """Submit one job and take its delivery, unacknowledged."""
    sample = Sample("parameters", json.dumps({"x0": 0.5, "x1": 0.0}))
    evaluator.submit(Batch("b", (Job(KEY, sample, ("score",)),)))
    (delivery,) = evaluator.receive([Ticket(KEY)])
    return delivery  # type: ignore[no-any-return]


@pytest.mark.parametrize(("idempotent", "lines"), [(True, 1), (False, 2)])
def test_a_repeated_key_is_answered_or_called_again(
    tmp_path: Path, idempotent: bool, lines: int
) -> None:
    """Otherwise the kill tests could not tell one measurement from two."""
    log = tmp_path / "calls.jsonl"
    first = ask(MODULE["CallLogEvaluator"](log, idempotent=idempotent))
    assert ask(MODULE["CallLogEvaluator"](log, idempotent=idempotent)) == first
    written = list(MODULE["calls"](log))
    assert [entry["key"] for entry in written] == [KEY] * lines
    assert written[0]["answer"].encode() == first.body
    assert written[0].keys() == {"key", "answer", "time"}


def test_what_was_measured_before_a_restart_can_be_fetched(tmp_path: Path) -> None:
    """A doubtful job that did run is settled with its own result."""
    log = tmp_path / "calls.jsonl"
    first = ask(MODULE["CallLogEvaluator"](log, idempotent=False))
    restarted = MODULE["CallLogEvaluator"](log, idempotent=False)
    assert restarted.receive([Ticket(KEY)]) == [first]
    assert len(list(MODULE["calls"](log))) == 1


def test_the_score_is_smooth_with_a_known_maximum(tmp_path: Path) -> None:
    """A campaign on it has something to find."""
    evaluator = MODULE["CallLogEvaluator"](tmp_path / "calls.jsonl")
    (outcome,) = evaluator.parse(ask(evaluator))
    assert outcome.readings[0].value == -(0.25**2 + 0.25**2)

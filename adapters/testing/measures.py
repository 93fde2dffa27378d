"""Checks of what an evaluator declares, and that its readings keep to it."""

from __future__ import annotations

import json
import math
from collections import Counter
from functools import reduce
from typing import Any

from adapters.checks import refusals
from adapters.protocol import (
    Delivery,
    Evaluator,
    EvaluatorError,
    Measure,
    OutcomeStatus,
    Reading,
)
from adapters.testing.bench import Bench, exchange, fail, jobs_for, parse, require
from adapters.units import require_unit


class MeasureChecks(Bench):
    """Capabilities, measures, units, bounds, places."""

    def test_capabilities_are_sane(self) -> None:
        """Nonsense here would surface in the middle of somebody's campaign."""
        evaluator = self.evaluator()
        require(isinstance(evaluator, Evaluator), f"{evaluator!r} lacks methods of Evaluator")
        c = evaluator.capabilities
        require(c == self.evaluator().capabilities, "capabilities differ between two instances")
        require(
            c.name and c.version, f"name {c.name!r} and version {c.version!r} must not be empty"
        )
        require(c.sample_kinds, "sample_kinds is empty; name the kinds of sample it measures")
        require(c.measures, "measures is empty; declare what it gives")
        doubled = [n for n, count in Counter(m.name for m in c.measures).items() if count > 1]
        require(not doubled, f"measures {doubled} are declared twice")
        require(c.batch_size >= 1, f"batch_size is {c.batch_size}; one submit takes a job at least")
        for amount in (c.cost, c.expected_duration):
            good = math.isfinite(amount) and amount >= 0
            require(good, f"cost and expected_duration must be numbers from 0 on, not {amount}")
        for measure in c.measures:
            _require_sane(measure)

    def test_check_accepts_what_is_declared_and_nothing_else(self) -> None:
        """A misspelt measure must be found before the first sample is made."""
        evaluator = self.evaluator()
        evaluator.check([measure.name for measure in evaluator.capabilities.measures])
        try:
            evaluator.check(["no_such_measure"])
        except EvaluatorError:
            return
        fail("check accepts 'no_such_measure'; raise EvaluatorError for what is unknown")

    def test_wanted_measures_come_in_their_units_and_bounds(self) -> None:
        """A value without a known unit, or an impossible one, would steer a campaign wrong."""
        evaluator = self.evaluator()
        jobs = jobs_for(evaluator, self.samples())
        done = exchange(evaluator, jobs, self.patience)
        good = [o for o in done.outcomes if o.status is OutcomeStatus.SUCCEEDED]
        reasons = [outcome.reason for outcome in done.outcomes]
        require(good, f"none of the samples was measured ({reasons}); give one that can be")
        for outcome in good:
            found = refusals(evaluator.capabilities, jobs[0].measures, outcome.readings)
            require(not found, f"job {outcome.job!r}: {'; '.join(found)}")

    def test_one_measure_can_be_wanted_alone(self) -> None:
        """A spec names the measures that it needs; the others must not be in the way."""
        evaluator = self.evaluator()
        for measure in evaluator.capabilities.measures:
            jobs = jobs_for(evaluator, self.samples(), [measure.name])
            for outcome in exchange(evaluator, jobs, self.patience).outcomes:
                names = [reading.name for reading in outcome.readings]
                require(
                    outcome.status is not OutcomeStatus.SUCCEEDED or measure.name in names,
                    f"measure {measure.name!r} wanted alone is missing; given: {names}",
                )

    def test_readings_say_where_they_stand(self) -> None:
        """An auditor follows each value back to its place in the original bytes."""
        evaluator = self.evaluator()
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        for delivery in done.deliveries:
            for outcome in parse(evaluator, delivery, done.tickets):
                for reading in outcome.readings:
                    _require_place(delivery, reading)


def _require_sane(measure: Measure) -> None:
    require(measure.name, "a measure has an empty name")
    try:
        require_unit(measure.unit)
    except EvaluatorError as error:
        fail(f"measure {measure.name!r}: {error}")
    if measure.lower is not None and measure.upper is not None:
        require(
            measure.lower <= measure.upper,
            f"measure {measure.name!r} has lower {measure.lower} above upper {measure.upper}",
        )


def _require_place(delivery: Delivery, reading: Reading) -> None:
    where = f"reading {reading.name!r} of delivery {delivery.reference!r}"
    require(reading.place, f"{where} has no place; point to it: row, cell, JSON pointer")
    if delivery.media_type != "application/json":
        return
    steps = [step.replace("~1", "/").replace("~0", "~") for step in reading.place.split("/")[1:]]
    try:
        reduce(_step, steps, json.loads(delivery.body))
    except (ValueError, KeyError, IndexError, TypeError):
        fail(f"{where}: place {reading.place!r} is no JSON pointer into the delivery")


def _step(value: Any, step: str) -> Any:
    return value[int(step)] if isinstance(value, list) else value[step]

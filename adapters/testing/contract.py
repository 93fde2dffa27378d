"""Checks of what the core relies on in every exchange, whatever the samples."""

from __future__ import annotations

import json
import math
from collections import Counter
from functools import reduce
from typing import Any

from adapters.checks import refusals
from adapters.protocol import (
    Batch,
    Delivery,
    Evaluator,
    EvaluatorError,
    Measure,
    OutcomeStatus,
    Reading,
)
from adapters.testing.bench import (
    Bench,
    exchange,
    fail,
    gist,
    guarded,
    jobs_for,
    leave_out,
    receive,
    require,
    submit,
)
from adapters.units import require_unit


class ContractChecks(Bench):
    """The exchange itself: tickets, deliveries, outcomes, acknowledgement."""

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

    def test_every_job_gets_one_ticket(self) -> None:
        """A job without a ticket is never asked for again: its sample is lost."""
        evaluator = self.evaluator()
        jobs = jobs_for(evaluator, self.samples())
        given = Counter(ticket.job for ticket in submit(evaluator, jobs))
        wanted = Counter(job.key for job in jobs)
        require(
            given == wanted,
            f"submit gave tickets for {dict(given)}, submitted were {dict(wanted)}; "
            "give exactly one ticket a job, with the job's key in Ticket.job",
        )

    def test_every_job_is_answered_once(self) -> None:
        """An answer that is missing stalls a campaign; one that is given twice counts twice."""
        evaluator = self.evaluator()
        jobs = jobs_for(evaluator, self.samples())
        done = exchange(evaluator, jobs, self.patience)
        for job, count in Counter(outcome.job for outcome in done.outcomes).items():
            require(
                job in {j.key for j in jobs}, f"there is an outcome for {job!r}, never submitted"
            )
            require(count == 1, f"job {job!r} has {count} outcomes; give exactly one a job")
        for delivery in done.deliveries:
            answered = {outcome.job for outcome in evaluator.parse(delivery)}
            silent = not delivery.jobs and not evaluator.capabilities.synchronous
            require(
                silent or answered == set(delivery.jobs),
                f"delivery {delivery.reference!r} names the jobs {delivery.jobs} and answers "
                f"{sorted(answered)}; Delivery.jobs must be right, or empty where a transport "
                "that is not synchronous cannot know",
            )
        for outcome in done.outcomes:
            require(
                outcome.reason or outcome.status is OutcomeStatus.SUCCEEDED,
                f"job {outcome.job!r} {outcome.status} without a reason; say why, for a person",
            )

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
            for outcome in evaluator.parse(delivery):
                for reading in outcome.readings:
                    _require_place(delivery, reading)

    def test_answers_stand_alone(self) -> None:
        """Results arrive one by one and in any order; none may depend on another."""
        evaluator = self.evaluator()
        jobs = jobs_for(evaluator, self.samples())
        done = exchange(evaluator, jobs, self.patience)
        for ticket in reversed(done.tickets):
            _, outcomes = receive(evaluator, [ticket], self.patience)
            alone = {outcome.job: gist(outcome) for outcome in outcomes}
            together = gist(done.by_job[ticket.job])
            require(
                alone.get(ticket.job) == together,
                f"job {ticket.job!r} asked for alone gives {alone.get(ticket.job)}, "
                f"with others {together}; a ticket's answer must not depend on other tickets",
            )

    def test_parse_is_pure(self) -> None:
        """History is replayed from stored bytes, in other processes, years later."""
        evaluator = self.evaluator()
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        readers = [evaluator, evaluator, self.evaluator()]
        for delivery in reversed(done.deliveries):
            what = "parse, perhaps by a restarted evaluator,"
            texts = {repr(list(guarded(what, r.parse, delivery))) for r in readers}
            require(
                len(texts) == 1,
                f"parse gives different outcomes for the same bytes: {sorted(texts)}; "
                "it may use nothing but the delivery",
            )

    def test_a_waiting_delivery_keeps_its_bytes(self) -> None:
        """After a crash the bytes are asked for again, and must be the record that they were."""
        evaluator = self.evaluator()
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        again = {d.reference: d for d in evaluator.receive(done.tickets)}
        for delivery in done.deliveries:
            require(
                again.get(delivery.reference) == delivery,
                f"delivery {delivery.reference!r} was not acknowledged, but is not there again "
                f"byte for byte: first {delivery!r}, then {again.get(delivery.reference)!r}",
            )

    def test_acknowledging_twice_is_harmless(self) -> None:
        """A crash between a commit and the acknowledgement makes the core acknowledge again."""
        evaluator = self.evaluator()
        done = exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        for keeper in (evaluator, evaluator, self.evaluator()):
            for delivery in done.deliveries:
                guarded("acknowledge, perhaps for the second time,", keeper.acknowledge, delivery)
        back = [delivery.reference for delivery in evaluator.receive(done.tickets)]
        require(not back, f"deliveries {back} were acknowledged and came again; forget them")

    def test_a_key_submitted_twice_is_answered_alike(self) -> None:
        """After a crash the core asks an idempotent evaluator again with the same key."""
        evaluator = self.evaluator()
        if not evaluator.capabilities.idempotent:
            leave_out("duplicate submit: capabilities.idempotent is False")
        jobs = jobs_for(evaluator, self.samples())
        first = exchange(evaluator, jobs, self.patience).by_job
        for asked, which in ((evaluator, "the same"), (self.evaluator(), "a restarted")):
            second = exchange(asked, jobs, self.patience).by_job
            for key, outcome in first.items():
                require(
                    gist(second[key]) == gist(outcome),
                    f"job {key!r} submitted again to {which} evaluator gives {gist(second[key])} "
                    f"after {gist(outcome)}; answer alike, or declare idempotent=False",
                )

    def test_cancelling_is_harmless(self) -> None:
        """A cancellation may cross the result on its way."""
        evaluator = self.evaluator()
        if not evaluator.capabilities.cancellable:
            leave_out("cancel: capabilities.cancellable is False")
        tickets = submit(evaluator, jobs_for(evaluator, self.samples()))
        for _ in range(2):
            guarded("cancel, perhaps for the second time,", evaluator.cancel, tickets)
        guarded("receive after cancel", evaluator.receive, tickets)

    def test_an_empty_batch_gives_no_ticket(self) -> None:
        """Nothing to measure is not an error worth stopping for."""
        tickets = self.evaluator().submit(Batch(key="empty", jobs=()))
        require(not tickets, f"an empty batch gave the tickets {list(tickets)}")


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

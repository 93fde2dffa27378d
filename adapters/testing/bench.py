"""What the checks of the kit share: the evaluator on the bench, and an exchange with it."""

from __future__ import annotations

import time
import uuid
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn, ParamSpec, TypeVar

import pytest

from adapters.protocol import (
    Batch,
    Delivery,
    Evaluator,
    EvaluatorError,
    Incoming,
    Job,
    Outcome,
    Sample,
    Ticket,
)

P = ParamSpec("P")
T = TypeVar("T")


class Bench(ABC):
    """Supplies the evaluator and the samples; each test of the kit exchanges a few jobs with it."""

    patience: float = 30.0
    """Seconds within which an evaluator that is not synchronous answers every sample."""

    @abstractmethod
    def evaluator(self) -> Evaluator:
        """A new instance with the same options each time, as after a restart."""

    @abstractmethod
    def samples(self) -> Sequence[Sample]:
        """Two or more different samples; it can measure at least one of them."""

    def non_finite_samples(self) -> Sequence[Sample]:
        """Samples for which a measure comes out as NaN or infinite, if there are such."""
        return ()

    def restart_counterpart(self) -> bool:
        """Stop what the evaluator talks to, and start it again; whether that was done."""
        return False

    def unreachable(self) -> Evaluator | None:
        """An evaluator with a method ``health`` whose counterpart is not there, if there can be."""
        return None

    def signed_callback(self) -> Incoming | None:
        """A request as the counterpart signs it, for an evaluator that accepts callbacks."""
        return None

    def secrets(self) -> Sequence[str]:
        """Secrets that the evaluator was given; the kit looks for them where people look."""
        return ()

    def target(self) -> object:
        """What the entry point names; by default the class of :meth:`evaluator`."""
        return type(self.evaluator())


@dataclass(frozen=True)
class Exchange:
    """Jobs submitted and what came back."""

    tickets: Sequence[Ticket]
    deliveries: Sequence[Delivery]
    outcomes: Sequence[Outcome]

    @property
    def by_job(self) -> Mapping[str, Outcome]:
        """Outcomes by the job's key."""
        return {outcome.job: outcome for outcome in self.outcomes}


class LeftOut(UserWarning):
    """A check for which the evaluator claims no capability: it was left out."""


def fail(message: str) -> NoReturn:
    """Fail the test with a message that says what is wrong and what would be right."""
    pytest.fail(message, pytrace=False)


def require(condition: object, message: str) -> None:
    """Fail the test with this message unless the condition holds."""
    if not condition:
        fail(message)


def leave_out(reason: str) -> None:
    """Say in pytest's summary what the capabilities leave nothing to check of."""
    warnings.warn(LeftOut(reason), stacklevel=2)


def guarded(what: str, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of an act during which nothing may be raised."""
    try:
        return act(*args, **kwargs)
    except Exception as error:
        fail(f"{what} raised {type(error).__name__}: {error}; it must not raise")


def tolerated(what: str, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """The result, or None where the evaluator refused in the way that the core understands."""
    try:
        return act(*args, **kwargs)
    except EvaluatorError:
        return None
    except Exception as error:
        fail(
            f"{what} raised {type(error).__name__}: {error}; give an outcome that is rejected or "
            "failed, or raise EvaluatorError"
        )


def jobs_for(
    evaluator: Evaluator, samples: Sequence[Sample], measures: Sequence[str] | None = None
) -> list[Job]:
    """One job a sample under keys that were never used, wanting all measures unless said."""
    capabilities = evaluator.capabilities
    wanted = tuple(measures or [measure.name for measure in capabilities.measures])
    campaign = uuid.uuid4()
    return [
        Job(key=f"{campaign}/{number}/{capabilities.name}/1", sample=sample, measures=wanted)
        for number, sample in enumerate(samples, start=1)
    ]


def submit(evaluator: Evaluator, jobs: Sequence[Job]) -> list[Ticket]:
    """Submit in batches of the size that the evaluator takes."""
    size = evaluator.capabilities.batch_size
    tickets: list[Ticket] = []
    for start in range(0, len(jobs), size):
        batch = Batch(key=f"batch of {jobs[start].key}", jobs=tuple(jobs[start : start + size]))
        tickets += evaluator.submit(batch)
    return tickets


def receive(
    evaluator: Evaluator,
    tickets: Sequence[Ticket],
    patience: float,
    wanted: Collection[str] | None = None,
) -> tuple[list[Delivery], list[Outcome]]:
    """Deliveries for the tickets and their outcomes, once each; waits until every job is answered.

    Args:
        wanted: keys of the jobs that it waits for; by default all of the tickets.

    Gives what has arrived where patience runs out; the caller says what is missing.
    """
    wanted = {ticket.job for ticket in tickets} if wanted is None else set(wanted)
    deadline = time.monotonic() + patience
    while True:
        # What is not acknowledged comes again each time: one of each reference is kept.
        arrived = {delivery.reference: delivery for delivery in evaluator.receive(tickets)}
        outcomes = [o for delivery in arrived.values() for o in parse(evaluator, delivery, tickets)]
        answered = wanted <= {outcome.job for outcome in outcomes}
        if answered or evaluator.capabilities.synchronous or time.monotonic() > deadline:
            return list(arrived.values()), outcomes
        time.sleep(0.01)


def parse(evaluator: Evaluator, delivery: Delivery, tickets: Sequence[Ticket]) -> Sequence[Outcome]:
    """The outcomes of a delivery, read with the tickets of its batches as the core reads it."""
    return evaluator.parse(replace(delivery, tickets=tuple(tickets)))


def exchange(evaluator: Evaluator, jobs: Sequence[Job], patience: float) -> Exchange:
    """Submit jobs and wait for every answer; fails the test where one does not come."""
    tickets = submit(evaluator, jobs)
    deliveries, outcomes = receive(evaluator, tickets, patience)
    missing = sorted({job.key for job in jobs} - {outcome.job for outcome in outcomes})
    when = "at once" if evaluator.capabilities.synchronous else f"within {patience:g} s"
    require(
        not missing,
        f"{len(missing)} of {len(jobs)} submitted jobs were not answered {when}: {missing}. Every "
        "job needs an outcome; what cannot be measured is rejected or failed, with a reason.",
    )
    return Exchange(tickets, deliveries, outcomes)


def gist(outcome: Outcome) -> tuple[object, ...]:
    """What must be equal in two answers to one key; as text, since NaN equals nothing."""
    readings = sorted((r.name, repr(r.value), r.unit, repr(r.std)) for r in outcome.readings)
    return outcome.status, tuple(readings)

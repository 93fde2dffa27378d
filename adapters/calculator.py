"""The base of everything that measures by computing: synchronous, one delivery a job.

A calculator says what it gives and computes it; queueing, the bytes of the delivery and the checks
of what was computed are here, the same for built-ins and for a decorated function.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from adapters import answer
from adapters.answer import Answer
from adapters.checks import refusals, require_measures
from adapters.messages import plain, quote
from adapters.protocol import (
    Batch,
    Capabilities,
    Delivery,
    EvaluatorError,
    Job,
    Outcome,
    OutcomeStatus,
    Reading,
    Sample,
    Ticket,
)

Value = float | Mapping[str, object]
"""A number in the measure's declared unit, or ``{"value": ..., "std": ..., "unit": ...}``."""


class RejectedError(EvaluatorError):
    """This sample can never be measured; raised by a calculation, read by a person."""


class Calculator(ABC):
    """Computes each job when it is submitted and holds the answer until it is acknowledged."""

    def __init__(self, capabilities: Capabilities) -> None:
        self._capabilities = capabilities
        self._waiting: dict[str, Delivery] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self._capabilities

    @abstractmethod
    def calculate(self, sample: Sample, wanted: Sequence[str]) -> Mapping[str, Value]:
        """Values of at least the wanted measures, by name.

        Raises:
            RejectedError: the sample can never be measured.
            Exception: anything else fails this job, and this job only, with its message.
        """

    def provenance(self) -> Mapping[str, str]:
        """What the values depend on beside the sample, name by name.

        Raises:
            EvaluatorError: what every sample needs is not there; nothing is taken.
        """
        return {}

    def check(self, measures: Sequence[str]) -> None:
        """Make sure that these measures can be computed with the options given.

        Raises:
            EvaluatorError: one of them is not declared.
        """
        require_measures(self.capabilities, measures)

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        """Compute every job of the batch; a key whose answer still waits is not computed again.

        Raises:
            EvaluatorError: too many jobs, or what every sample needs is not there.
        """
        if len(batch.jobs) > self.capabilities.batch_size:
            raise EvaluatorError(
                f"evaluator {self.capabilities.name!r} takes {self.capabilities.batch_size} jobs "
                f"at once, batch {batch.key!r} has {len(batch.jobs)}"
            )
        # Asked first, so that what every job needs is missed before any is computed.
        provenance = {
            "evaluator": self.capabilities.name,
            "version": self.capabilities.version,
            **self.provenance(),
        }
        for job in batch.jobs:
            if job.key not in self._waiting:
                body = self._body(job, provenance)
                self._waiting[job.key] = Delivery(reference=job.key, body=body, jobs=(job.key,))
        return [Ticket(job=job.key) for job in batch.jobs]

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """The answers that wait for these tickets."""
        keys = dict.fromkeys(ticket.job for ticket in tickets)
        return [self._waiting[key] for key in keys if key in self._waiting]

    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        """The one outcome of a delivery.

        Raises:
            EvaluatorError: the bytes are no answer of a calculator.
        """
        return [answer.read(delivery.body).outcome]

    def acknowledge(self, delivery: Delivery) -> None:
        """Forget the answer."""
        self._waiting.pop(delivery.reference, None)

    def cancel(self, tickets: Sequence[Ticket]) -> None:  # noqa: B027
        """Do nothing: what was submitted has been computed."""

    def _body(self, job: Job, provenance: Mapping[str, str]) -> bytes:
        """Compute one job; the bytes of its delivery."""
        return answer.write(Answer(self._outcome(job), provenance))

    def _outcome(self, job: Job) -> Outcome:
        """Compute one job; whatever goes wrong is its outcome, not the batch's."""
        try:
            readings = self._readings(job)
        except RejectedError as error:
            return Outcome(job.key, OutcomeStatus.REJECTED, reason=plain(str(error)))
        except EvaluatorError as error:
            return _failed(job, str(error), transient=error.transient)
        except Exception as error:
            return _failed(job, f"{type(error).__name__}: {error}".rstrip(": "))
        problems = refusals(self.capabilities, job.measures, readings)
        if problems:
            return _failed(job, "; ".join(problems), readings)
        return Outcome(job.key, OutcomeStatus.SUCCEEDED, readings)

    def _readings(self, job: Job) -> tuple[Reading, ...]:
        require_measures(self.capabilities, job.measures)
        kinds = self.capabilities.sample_kinds
        if job.sample.kind not in kinds:
            raise RejectedError(
                f"evaluator {self.capabilities.name!r} measures {', '.join(sorted(kinds))}, "
                f"not {quote(job.sample.kind)}"
            )
        returned = self.calculate(job.sample, job.measures)
        if not isinstance(returned, Mapping):
            name = self.capabilities.measures[0].name
            raise EvaluatorError(
                f"{quote(returned)} was returned; return a dict of measures, as {{{name!r}: 0.5}}"
            )
        return tuple(self._reading(str(name), value) for name, value in returned.items())

    def _reading(self, name: str, value: object) -> Reading:
        """One returned value; its unit is the declared one unless it says so itself."""
        measure = self.capabilities.measure(name)
        quantity = value if isinstance(value, Mapping) else {"value": value}
        strange = sorted(map(str, quantity.keys() - {"value", "std", "unit"}))
        if strange or "value" not in quantity:
            raise EvaluatorError(
                f"measure {name!r} is {quote(dict(quantity))}; return a number, or a dict of "
                "'value' and, where known, 'std' and 'unit'"
            )
        std = quantity.get("std")
        return Reading(
            name=name,
            value=_number(name, quantity["value"]),
            unit=str(quantity.get("unit", measure.unit if measure else "")),
            std=None if std is None else _number(name, std),
        )


def _failed(
    job: Job, reason: str, readings: tuple[Reading, ...] = (), *, transient: bool = False
) -> Outcome:
    return Outcome(job.key, OutcomeStatus.FAILED, readings, plain(reason), transient)


def _number(name: str, value: object) -> float:
    """A Python, numpy or torch scalar as a float; text is refused, even where it spells one."""
    try:
        if isinstance(value, str | bytes | bool):
            raise TypeError
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise EvaluatorError(
            f"measure {name!r} is {quote(value)}, which is no number; return a float, "
            "NaN where the calculation has no value"
        ) from error

"""The contract between the loop and whatever measures: six methods and the values they exchange.

Only the standard library is imported here, so that an adapter's author needs nothing else of ours
to read it. All value types are frozen. Times are integer microseconds since the Unix epoch, UTC.

The order in which the core calls an evaluator::

    check(measures)              when a spec is read, before anything is stored
    submit(batch) -> tickets     the job and its key are committed before this call
    receive(tickets) -> deliveries
                                 the bytes are stored before anybody reads them
    parse(delivery) -> outcomes  pure: the same bytes always give the same outcomes
    acknowledge(delivery)        only after the bytes are committed
    cancel(tickets)              where the capabilities say so

What only some evaluators do is a protocol of its own, which the core looks for: :class:`Weighted`,
:class:`Sourced`, :class:`Refusing`, :class:`Listening`, :class:`Progressing`, :class:`Checkable`,
:class:`Closable`, :class:`Entering`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable


class EvaluatorError(Exception):
    """The evaluator could not do what was asked; the message is read by a person.

    ``transient`` says whether asking again later may help (a lost connection, a busy instrument).
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class OptionError(EvaluatorError):
    """An option of an evaluator is unknown or wrong; ``option`` names it."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


@dataclass(frozen=True)
class Measure:
    """A named quantity that an evaluator can give."""

    name: str
    unit: str = ""
    """As pint reads it; the empty string is dimensionless."""
    lower: float | None = None
    """Smallest possible value in ``unit``; anything below is refused as impossible."""
    upper: float | None = None
    """Largest possible value in ``unit``."""
    description: str = ""


@dataclass(frozen=True)
class Capabilities:
    """What an evaluator can do; the core and the conformance kit decide by these flags."""

    name: str
    version: str
    sample_kinds: frozenset[str]
    """Kinds of sample it accepts: ``molecule``, ``image``, ``automaton``, ``parameters`` ..."""
    measures: tuple[Measure, ...]
    batch_size: int = 1
    """The most jobs that one ``submit`` takes."""
    synchronous: bool = False
    """Whether ``receive`` right after ``submit`` returns every result."""
    idempotent: bool = False
    """Whether a key submitted twice is measured once and answered alike."""
    cancellable: bool = False
    in_flight: int | None = None
    """The most jobs that may be submitted and unanswered at one time; None where there is no such
    limit. A spec may set a lower one."""
    replicates: bool = True
    """Whether measuring a sample again gives another, independent value."""
    cost: float = 0.0
    """Cost of one job, in the campaign's unit of cost."""
    batch_cost: float = 0.0
    """Cost of one ``submit`` beside that of its jobs: a plate, a courier, a warm-up."""
    expected_duration: float = 0.0
    """Seconds from submission to delivery, as far as is known beforehand."""

    def measure(self, name: str) -> Measure | None:
        """The measure of that name, or None."""
        return next((m for m in self.measures if m.name == name), None)


@dataclass(frozen=True)
class Sample:
    """One decoded object, as an evaluator sees it."""

    kind: str
    content: str | bytes
    """Text of the object (SMILES for ``molecule``) or its bytes (PNG for ``image``)."""
    name: str = ""
    """What people know it by, such as an ID in their stock; for worklists, never a key."""


@dataclass(frozen=True)
class Job:
    """One request for one candidate and replicate."""

    key: str
    """Idempotency key: campaign uuid/candidate/evaluator/replicate."""
    sample: Sample
    measures: tuple[str, ...]
    """Names of the measures wanted."""
    replicate: int = 1
    label: str = ""
    """Short and unique within the campaign, such as ``17`` or ``17/2``; for worklists and eyes."""


@dataclass(frozen=True)
class Batch:
    """Jobs that are physically one act: a plate, an instrument run, an HTTP request."""

    key: str
    jobs: tuple[Job, ...]
    barcode: str = ""
    """What stands on the plate or tube, where somebody has put one on; unique in the database."""


@dataclass(frozen=True)
class Ticket:
    """What the evaluator answered to one submitted job, enough to ask for its result later."""

    job: str
    """The job's key."""
    reference: str = ""
    """The evaluator's own name for it (a run number, an URL, barcode and well); stored, and handed
    back with ``receive``, ``cancel`` and each delivery; never interpreted by the core."""
    closed: str = ""
    """Why no result is awaited for it any more (it was cancelled, or answered by an earlier
    delivery); empty while one is. Only in the tickets of a delivery."""


@dataclass(frozen=True)
class Delivery:
    """Bytes that came from an evaluator, before anybody read them."""

    reference: str
    """Names this delivery to the evaluator, so that it can be acknowledged."""
    body: bytes
    media_type: str = "application/json"
    jobs: tuple[str, ...] = ()
    """Keys of the submitted jobs that this delivery answers, as far as the transport knows; a
    synchronous evaluator always knows."""
    tickets: tuple[Ticket, ...] = ()
    """The tickets of the jobs of the batches that it may answer, in order of submission. The core
    fills them in, from what it stored, before each ``parse``: so what names no key but a barcode
    and a well, or a run number, finds its job, and still reads the same years later."""


class Censoring(StrEnum):
    """Which side of a detection limit the true value lies on; the value is the limit."""

    NONE = "none"
    LEFT = "left"
    """The true value is below the reported one (``<``)."""
    RIGHT = "right"
    """The true value is above the reported one (``>``)."""


@dataclass(frozen=True)
class Reading:
    """One named value as an evaluator reported it."""

    name: str
    value: float
    unit: str = ""
    std: float | None = None
    """Standard deviation in ``unit``, where the evaluator knows it."""
    censoring: Censoring = Censoring.NONE
    measured_at: int | None = None
    """Microseconds UTC by the instrument's own clock, where it says so."""
    place: str = ""
    """Where in the delivery it stands: a JSON pointer, a row, a cell."""
    instrument: str = ""
    """Make, model or serial number, as the delivery says."""
    operator: str = ""
    """Who stood at it, as the delivery says; no account of ours."""
    lot: str = ""
    """Of the reagents or the plate."""


class OutcomeStatus(StrEnum):
    """How one job ended, as the evaluator tells it."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The job was tried and gave nothing; another attempt is the core's decision."""
    REJECTED = "rejected"
    """The evaluator will never measure this sample."""
    DOUBTFUL = "doubtful"
    """The evaluator took the job and knows nothing of it any more; the core parks it, and a person
    says whether it ran. For an evaluator that is not idempotent: any other is asked again."""


@dataclass(frozen=True)
class Outcome:
    """What a delivery says about one job."""

    job: str
    status: OutcomeStatus
    readings: tuple[Reading, ...] = ()
    reason: str = ""
    """Why it failed, was rejected or is in doubt, for a person."""
    transient: bool = field(default=False)
    """Whether another attempt may help."""
    suspect: str = ""
    """Why the readings are kept and not believed: controls out of limits, a flag of the reader."""
    realised: str | bytes | None = None
    """What was measured in truth, written as the sample's content, where it is not what was asked
    for: a reactor that reached 61.2 degrees, a salt instead of the base."""


@dataclass(frozen=True)
class Weights:
    """Trained weights on disk."""

    file: Path
    sha256: str
    """As their model card says."""
    card: Path | None = None
    """The model card, a JSON object, where there is one: what it says of the network decides the
    values, too, and is kept and verified with the weights."""


@runtime_checkable
class Weighted(Protocol):
    """What an evaluator is, too, whose values depend on trained weights.

    The core keeps these weights with the history, and verifies the file.
    """

    def weights(self) -> Weights:
        """The weights that it was created with. Cheap: loads no model.

        Raises:
            EvaluatorError: the file or its card cannot be read.
        """
        ...


@dataclass(frozen=True)
class Source:
    """A file of code that decides what is measured."""

    file: Path
    sha256: str


@runtime_checkable
class Sourced(Protocol):
    """What an evaluator is, too, whose code lies with its user and may change between two runs."""

    def sources(self) -> Sequence[Source]:
        """The files as they are now. Cheap: runs nothing of them.

        Raises:
            EvaluatorError: one cannot be read.
        """
        ...


@runtime_checkable
class Refusing(Protocol):
    """What an evaluator is, too, that tells the sender when a delivery was not accepted."""

    def refuse(self, delivery: Delivery, reason: str) -> None:
        """The delivery is stored for good, and nothing was taken from it.

        Called instead of ``acknowledge``; the delivery is not handed over again.
        """
        ...


@dataclass(frozen=True)
class Incoming:
    """A request that somebody sent to us, whole and unread."""

    body: bytes
    headers: Mapping[str, str]
    """Names in lower case."""
    media_type: str = "application/octet-stream"


class UntrustedError(EvaluatorError):
    """An incoming request is not by whom it claims to be, or is too old.

    Nothing of it is kept but that it came.
    """


@runtime_checkable
class Listening(Protocol):
    """What an evaluator is, too, whose counterpart calls us instead of being asked."""

    def accept(self, incoming: Incoming) -> Delivery:
        """The delivery in a request, once its signature was checked. Reads nothing of it.

        Raises:
            UntrustedError: it has no valid signature.
            EvaluatorError: no callbacks are set up for this evaluator.
        """
        ...


@runtime_checkable
class Progressing(Protocol):
    """What an evaluator is, too, that knows how far submitted jobs are."""

    def progress(self, tickets: Sequence[Ticket]) -> Mapping[str, str]:
        """What each job is doing, by its key, for a person (``running, 40 %``).

        A job that waits unstarted is not among them. Never blocks for long.
        """
        ...


@runtime_checkable
class Checkable(Protocol):
    """What an evaluator is, too, whose counterpart can be looked at without measuring anything."""

    def health(self) -> str:
        """What was found, for a person: who answered, in which version, in what time.

        Raises:
            EvaluatorError: it cannot be reached or is not ready; says what would help.
        """
        ...


@runtime_checkable
class Entering(Protocol):
    """What an evaluator is, too, whose results a person enters."""

    @property
    def confirmed(self) -> bool:
        """Whether a second person has to confirm each result before it counts."""
        ...

    def entered(self, job: str, readings: Sequence[Reading], note: str) -> Delivery:
        """What a person entered for one job, as the delivery that is stored."""
        ...

    def sheet(self, tickets: Sequence[Ticket], samples: Mapping[str, Sample]) -> bytes:
        """A table to print and fill in: a line a job, a column a measure.

        Args:
            samples: by the key of the job.
        """
        ...

    def filled(self, table: bytes, *, accept_good_rows: bool) -> Delivery:
        """A filled table as the delivery that is stored; :meth:`Evaluator.parse` reads it."""
        ...


@runtime_checkable
class Closable(Protocol):
    """What an evaluator is, too, that holds processes, connections or threads."""

    def close(self) -> None:
        """Let go of them; what is under way at the other end goes on.

        Called when a driver or a receiver ends, more than once perhaps.
        """
        ...


@runtime_checkable
class Evaluator(Protocol):
    """Whatever measures. Build one with :func:`adapters.function.evaluator` or by hand."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do. Cheap: loads no model and opens no connection."""
        ...

    def check(self, measures: Sequence[str]) -> None:
        """Make sure that these measures can be asked of it as it was created; costs nothing.

        Raises:
            OptionError: an option that they need is missing or does not fit.
            EvaluatorError: it does not give one of them, or something it needs is not there.
        """
        ...

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        """Take the jobs; one ticket each, in any order.

        Raises:
            EvaluatorError: nothing of the batch was taken.
        """
        ...

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """What has arrived for these tickets and is not acknowledged yet; never blocks for long."""
        ...

    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        """Read a delivery. Pure.

        Raises:
            EvaluatorError: the bytes cannot be read at all; they are kept, with this reason.
        """
        ...

    def acknowledge(self, delivery: Delivery) -> None:
        """The delivery is stored for good; the evaluator may forget it."""
        ...

    def cancel(self, tickets: Sequence[Ticket]) -> None:
        """Stop what has not run yet, as far as that is possible."""
        ...

"""An assay that goes wrong on purpose: a sound simulation behind a transport full of faults.

The value of a sample follows from the sample alone, and which job suffers which fault from the seed
and the job's number, so that a run can be had again. What was measured and what waits to be fetched
stand in a file, as they would in an instrument's own memory: a driver may die, the assay goes on.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from adapters import result_document
from adapters.chaos_memory import HandedOver, Run, handed_over, once, opened, runs, send
from adapters.checks import require_measures
from adapters.declared import Measures
from adapters.declared import measures as declared
from adapters.messages import known, quote
from adapters.protocol import (
    Batch,
    Capabilities,
    Delivery,
    EvaluatorError,
    Job,
    Measure,
    OptionError,
    Outcome,
    Sample,
    Ticket,
)

__all__ = ["FAULTS", "Chaos", "HandedOver", "Run", "handed_over", "runs", "simulated"]

SUBMITTING = (
    "submit_transient",
    "submit_final",
    "submit_breaks",
    "submit_breaks_before",
    "lost_ticket",
)
"""Faults while a batch is handed in. Only the first, second and fourth take nothing."""
DELIVERING = ("twice", "unknown_job", "out_of_order", "late", "never", "partial")
READING = ("wrong_unit", "missing_measure", "nan", "infinite", "impossible", "clock_skew")
BYTES = ("unreadable", "truncated", "huge", "unicode")
ENDING = ("rejected", "failed")
CALLS = ("slow_acknowledge", "acknowledge_raises", "receive_raises")
FAULTS = (*SUBMITTING, *DELIVERING, *READING, *BYTES, *ENDING, *CALLS)
"""Every fault by its name in the option ``faults``."""


class Chaos:
    """Measures a simulated assay, and goes wrong at the rates that it is told.

    Args:
        state: The file that it remembers everything in; made when missing.
        measures: What it gives, as every transport declares it.
        kinds: Kinds of sample that it takes.
        faults: The share of jobs that suffer a fault, each kind of :data:`FAULTS` alike; or a
            share a fault, by name.
        seed: Another seed, other jobs that suffer.
        idempotent: Whether a job that comes twice is measured once.
        batch_size: The most jobs of one batch.
        delay: Seconds that a late delivery is late, and a slow acknowledgement slow.
        huge: Bytes of a huge payload.
    """

    def __init__(
        self,
        state: Path,
        measures: Measures,
        *,
        kinds: Sequence[str] = ("parameters", "molecule"),
        faults: float | Mapping[str, float] = 0.3,
        seed: int = 0,
        idempotent: bool = False,
        batch_size: int = 4,
        delay: float = 0.05,
        huge: int = 1_000_000,
    ) -> None:
        if batch_size < 1:
            raise OptionError("batch_size", f"is {batch_size}; a batch has one job at least")
        if not (math.isfinite(delay) and delay >= 0):
            raise OptionError("delay", f"is {delay}; give seconds from 0 on")
        if huge < 0:
            raise OptionError("huge", f"is {huge}; give bytes from 0 on")
        self._rates = _rates(faults)
        self._state = Path(state)
        self._seed = seed
        self._delay = delay
        self._huge = huge
        self._capabilities = Capabilities(
            name="chaos",
            version="1",
            sample_kinds=frozenset(kinds),
            measures=declared(measures),
            batch_size=batch_size,
            idempotent=idempotent,
            replicates=False,
        )

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self._capabilities

    def check(self, measures: Sequence[str]) -> None:
        """Make sure that these measures are declared.

        Raises:
            EvaluatorError: one of them is not.
        """
        require_measures(self.capabilities, measures)

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        """Measure every job, unless a fault comes first.

        Raises:
            EvaluatorError: the batch is too large, or a fault says so; nothing was taken.
            ConnectionError: a fault: whether anything was taken, the caller cannot know.
        """
        if len(batch.jobs) > self.capabilities.batch_size:
            raise EvaluatorError(
                f"chaos takes {self.capabilities.batch_size} jobs at once, batch {batch.key!r} "
                f"has {len(batch.jobs)}"
            )
        with opened(self._state) as memory:
            strikes = [fault for job in batch.jobs if (fault := self._strike(memory, job.key))]
            refused = [fault for fault in strikes if fault not in ("submit_breaks", "lost_ticket")]
            if not refused:
                self._measure(memory, batch.jobs)
        # Raised only here, since what is raised within takes back what was remembered.
        if refused == ["submit_breaks_before"] * len(refused) and refused:
            raise ConnectionResetError("the connection broke before anything was taken")
        if refused:
            transient = "submit_final" not in refused
            word = "busy, try again" if transient else "out of order"
            raise EvaluatorError(f"the assay is {word}", transient=transient)
        if "submit_breaks" in strikes:
            raise ConnectionResetError("the connection broke after the batch was taken")
        kept = [job for job in batch.jobs if self.fault(job.key) != "lost_ticket"]
        return [Ticket(job.key, _tail(job.key)) for job in kept]

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """What came of these jobs and is not acknowledged yet.

        Raises:
            ConnectionError: a fault, once.
        """
        asked = {ticket.job for ticket in tickets}
        with opened(self._state) as memory:
            raises = any(
                self.fault(key) == "receive_raises" and once(memory, key, "receive_raises")
                for key in sorted(asked)
            )
            found = memory.execute(
                "SELECT reference, body, jobs, named FROM delivery "
                "WHERE NOT acknowledged AND due <= ? ORDER BY place, reference",
                (time.time(),),
            ).fetchall()
            mine = [row for row in found if asked & set(json.loads(row[2]))]
            if not raises:
                memory.executemany(
                    "UPDATE delivery SET handed = 1 WHERE reference = ?",
                    [(row[0],) for row in mine],
                )
        if raises:
            raise ConnectionResetError("the connection broke while results were fetched")
        return [
            Delivery(reference, body, jobs=tuple(json.loads(jobs)) if named else ())
            for reference, body, jobs, named in mine
        ]

    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        """The outcomes in a delivery.

        Raises:
            EvaluatorError: the bytes are no result.
        """
        return result_document.read(delivery.body, self.capabilities)

    def acknowledge(self, delivery: Delivery) -> None:
        """Forget a delivery.

        Raises:
            ConnectionError: a fault, once; the delivery is handed over again.
        """
        with opened(self._state) as memory:
            row = memory.execute(
                "SELECT jobs FROM delivery WHERE reference = ?", (delivery.reference,)
            ).fetchone()
            keys = json.loads(row[0]) if row else []
            raises = any(
                self.fault(key) == "acknowledge_raises" and once(memory, key, "acknowledge_raises")
                for key in keys
            )
            if not raises:
                memory.execute(
                    "UPDATE delivery SET acknowledged = 1 WHERE reference = ?",
                    (delivery.reference,),
                )
        if raises:
            raise ConnectionResetError("the connection broke while a result was acknowledged")
        if any(self.fault(key) == "slow_acknowledge" for key in keys):
            time.sleep(self._delay)

    def cancel(self, tickets: Sequence[Ticket]) -> None:
        """Do nothing: what was taken has been measured."""

    def fault(self, key: str) -> str:
        """What goes wrong with the job of that key; empty where nothing does."""
        drawn = _share(f"{self._seed}/fault/{_tail(key)}")
        for name, rate in self._rates.items():
            if drawn < rate:
                return name
            drawn -= rate
        return ""

    def _strike(self, memory: sqlite3.Connection, key: str) -> str:
        """The fault of a job while it is handed in, the first time."""
        fault = self.fault(key)
        return fault if fault in SUBMITTING and once(memory, key, fault) else ""

    def _measure(self, memory: sqlite3.Connection, jobs: Sequence[Job]) -> None:
        """Measure jobs; sound results leave together, what has a fault leaves by itself."""
        together: list[tuple[Job, int]] = []
        for job in jobs:
            fault = self.fault(job.key)
            again = memory.execute("SELECT number FROM run WHERE job = ?", (job.key,)).fetchone()
            if again and self.capabilities.idempotent:
                # Asked again, it answers again, in the bytes that it gave before.
                memory.execute(
                    "UPDATE delivery SET acknowledged = 0 "
                    "WHERE EXISTS (SELECT 1 FROM json_each(jobs) WHERE value = ?)",
                    (job.key,),
                )
                continue
            number = memory.execute(
                "INSERT INTO run (job, fault, at) VALUES (?, ?, ?)", (job.key, fault, time.time())
            ).lastrowid
            assert number is not None
            if fault in ("", *SUBMITTING, *CALLS):
                together.append((job, number))
            elif fault != "never":
                self._send_alone(memory, job, number, fault)
        if together:
            body = _written({"results": [self._result(job, "") for job, _ in together]})
            keys = [job.key for job, _ in together]
            send(memory, f"{together[0][1]}", body, keys, place=together[0][1])

    def _send_alone(self, memory: sqlite3.Connection, job: Job, number: int, fault: str) -> None:
        """Lay out what comes of a job that has a fault."""
        body = _written(self._result(job, fault))
        late = self._delay if fault in ("late", "partial") else 0.0
        # A negative place overtakes everything that was measured before.
        place = -number if fault == "out_of_order" else number
        named = fault == "truncated"
        if fault == "unreadable":
            body = b"\xff\xfe\x00" + body[::-1]
        elif fault == "truncated":
            body = body[: len(body) // 2]
        elif fault == "huge":
            body = b" " * self._huge + body
        send(memory, f"{number}", body, [job.key], place=place, late=late, named=named)
        if fault == "twice":
            send(memory, f"{number} again", body, [job.key], place=number)
        elif fault == "unknown_job":
            stray = _written(self._result(job, "") | {"job": f"{job.key}/nobody"})
            send(memory, f"{number} stray", stray, [job.key], place=number)

    def _result(self, job: Job, fault: str) -> dict[str, object]:
        """The result of one job, as the instrument writes it."""
        kinds = self.capabilities.sample_kinds
        if fault in ENDING:
            return {"job": job.key, "status": fault, "reason": f"chaos: the sample was {fault}"}
        if job.sample.kind not in kinds:
            reason = f"chaos measures {', '.join(sorted(kinds))}, not {quote(job.sample.kind)}"
            return {"job": job.key, "status": "rejected", "reason": reason}
        readings: dict[str, dict[str, object]] = {}
        for name in job.measures:
            measure = self.capabilities.measure(name)
            if measure is None:
                reason = f"chaos gives no measure {quote(name)}"
                return {"job": job.key, "status": "rejected", "reason": reason}
            readings[name] = {"value": simulated(job.sample, measure), "unit": measure.unit}
        first = job.measures[0] if job.measures else ""
        if fault == "missing_measure":
            del readings[first]
            readings = readings or {"something_else": {"value": 1.0}}
        elif fault in READING:
            readings[first] |= _spoilt(fault, self.capabilities.measure(first))
        result: dict[str, object] = {"job": job.key, "readings": readings}
        if fault == "clock_skew":
            future = _share(f"{self._seed}/clock/{_tail(job.key)}") < 0.5
            result["measured_at"] = f"{'2999' if future else '1971'}-01-01T00:00:00Z"
        elif fault == "unicode":
            result |= {
                "instrument": "☃\0\u202e",
                "operator": "\udc80 你好",
                "lot": "e\u0301\U0001f9ea",
            }
        return result


def simulated(sample: Sample, measure: Measure) -> float:
    """The true value of a sample: smooth in numbers, and within the measure's bounds."""
    content = sample.content
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
    try:
        point = json.loads(raw)
        numbers = [float(value) for value in point.values()]
        share = sum(1 / (1 + (x - 0.3) ** 2) for x in numbers) / len(numbers)
    except (
        ValueError,
        TypeError,
        AttributeError,
        ZeroDivisionError,
        OverflowError,
        RecursionError,
    ):
        share = math.nan
    if not math.isfinite(share):
        share = len(set(raw)) / 256
    lower = 0.0 if measure.lower is None else measure.lower
    upper = lower + 1 if measure.upper is None else measure.upper
    return lower + share * (upper - lower)


def _spoilt(fault: str, measure: Measure | None) -> dict[str, object]:
    """What a fault makes of a reading."""
    if fault == "wrong_unit":
        # No measure has both as its unit.
        return {"unit": "second" if measure is None or measure.unit != "second" else "gram"}
    if fault == "impossible" and measure is not None:
        if measure.upper is not None:
            return {"value": measure.upper + abs(measure.upper) + 1}
        if measure.lower is not None:
            return {"value": measure.lower - abs(measure.lower) - 1}
    values: dict[str, dict[str, object]] = {
        "nan": {"value": "NaN"},
        "infinite": {"value": "Infinity"},
    }
    return values.get(fault, {})


def _rates(faults: float | Mapping[str, float]) -> dict[str, float]:
    """The share of each fault."""
    if not isinstance(faults, Mapping):
        faults = dict.fromkeys(FAULTS, faults / len(FAULTS))
    for name, rate in faults.items():
        if name not in FAULTS:
            raise OptionError("faults", f"has no fault {name!r}; {known(name, FAULTS)}")
        if not 0 <= rate <= 1:
            raise OptionError("faults", f"has {rate} for {name!r}; give a share from 0 to 1")
    if sum(faults.values()) > 1 + 1e-9:
        raise OptionError(
            "faults", f"sums to {sum(faults.values()):g}; a job has one fault at most"
        )
    return dict(faults)


def _tail(key: str) -> str:
    """A job's key without its campaign: the same in each campaign of the same spec."""
    return key.partition("/")[2] or key


def _share(text: str) -> float:
    """A number from 0 to 1 that follows from a text, the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big") / 2**56


def _written(result: Mapping[str, object]) -> bytes:
    return json.dumps(result, sort_keys=True).encode("ascii")

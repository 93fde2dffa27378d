"""An evaluator that writes down every call before it answers, for tests that kill the caller.

The log outlives both sides: it says which key was measured how often and what was answered.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters.calculator import Calculator, RejectedError
from adapters.function import parameters
from adapters.protocol import Capabilities, Delivery, Job, Measure, Sample, Ticket


class CallLogEvaluator(Calculator):
    """Measures ``score``, a smooth function of the parameters with its maximum 0 at x = 0.25.

    Args:
        path: The log, one JSON line a call: ``{"key", "answer", "time"}``; made when missing.
        idempotent: Whether a key in the log is answered from it. Otherwise every submission is a
            new call and a new line.
        synchronous: Whether it says that its answers are there at once.
        measure: Another name for ``score``, so that a campaign can have several such evaluators.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        idempotent: bool = True,
        synchronous: bool = True,
        measure: str = "score",
    ) -> None:
        super().__init__(
            Capabilities(
                name="call-log",
                version="1",
                sample_kinds=frozenset({"parameters"}),
                measures=(Measure(measure, upper=0),),
                batch_size=4,
                synchronous=synchronous,
                idempotent=idempotent,
            )
        )
        self._path = Path(path)
        self._acknowledged: set[str] = set()

    def calculate(self, sample: Sample, wanted: Sequence[str]) -> Mapping[str, float]:
        """Minus the squared distance to 0.25 in every parameter."""
        values = parameters(sample)
        (measure,) = self.capabilities.measures
        try:
            score = -sum((float(values[name]) - 0.25) ** 2 for name in sorted(values))
            return {measure.name: score}
        except (TypeError, ValueError) as error:
            raise RejectedError(f"the parameters must be numbers: {error}") from error

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """What waits in memory and, after a restart, what the log holds."""
        waiting = list(super().receive(tickets))
        there = {delivery.reference for delivery in waiting} | self._acknowledged
        logged = {entry["key"]: entry["answer"] for entry in calls(self._path)}
        for key in dict.fromkeys(ticket.job for ticket in tickets):
            if key in logged and key not in there:
                body = logged[key].encode("ascii")
                waiting.append(Delivery(reference=key, body=body, jobs=(key,)))
        return waiting

    def acknowledge(self, delivery: Delivery) -> None:
        """Forget the answer; the log keeps it."""
        super().acknowledge(delivery)
        self._acknowledged.add(delivery.reference)

    def _body(self, job: Job, provenance: Mapping[str, str]) -> bytes:
        # Submitted anew, so that the answer waits again.
        self._acknowledged.discard(job.key)
        if self.capabilities.idempotent:
            for entry in calls(self._path):
                if entry["key"] == job.key:
                    return bytes(entry["answer"], "ascii")
        body = super()._body(job, provenance)
        self.note(job.key, body)
        return body

    def note(self, key: str, body: bytes) -> None:
        """Write one call into the log, for good."""
        entry = {"key": key, "answer": body.decode("ascii"), "time": time.time_ns() // 1000}
        line = json.dumps(entry, sort_keys=True) + "\n"
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            # One write, so that a kill leaves the whole line or nothing.
            os.write(file, line.encode("ascii"))
            os.fsync(file)
        finally:
            os.close(file)


def late(path: str | Path, *, idempotent: bool = True) -> CallLogEvaluator:
    """One whose answers are fetched later: its tickets are committed before its deliveries."""
    return CallLogEvaluator(path, idempotent=idempotent, synchronous=False, measure="late_score")


def calls(path: Path) -> Iterator[dict[str, Any]]:
    """The calls in a log, oldest first; none where the log is not there yet."""
    if path.exists():
        with path.open(encoding="ascii") as lines:
            yield from map(json.loads, lines)

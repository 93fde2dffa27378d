"""Evaluators for tests of the loop: one that misbehaves on demand, one that works through files.

Both are written straight against the protocol, as a stranger would write them, so that nothing
stands between what they hand over and the loop.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters.protocol import (
    Batch,
    Capabilities,
    Delivery,
    EvaluatorError,
    Incoming,
    Job,
    Measure,
    Outcome,
    OutcomeStatus,
    Reading,
    Ticket,
    UntrustedError,
)

MEASURES = (Measure("score", "mg", lower=-10, upper=10), Measure("purity", "percent", 0, 100))

STRANGE = "no/such/job/1"
"""A key that nobody submitted."""

READINGS: dict[str, dict[str, Any]] = {
    "nan": {"value": "NaN"},
    "inf": {"value": "Infinity"},
    "unit": {"unit": "second"},
    "no unit": {"unit": "parsec/furlongs&"},
    "impossible": {"value": 11.0},
    "gram": {"value": 0.002, "unit": "g", "std": 0.0001},
    "bad std": {"std": -1.0},
    "text": {"value": "high"},
    "name": {"name": "colour"},
}
"""What an act makes of the reading of ``score``."""


class _ByJson:
    """Capabilities, and the reading of deliveries: JSON of one outcome, or a list of them."""

    def __init__(self, **capabilities: Any) -> None:
        self.capabilities = Capabilities(
            version="1",
            sample_kinds=frozenset({"parameters"}),
            measures=MEASURES,
            **capabilities,
        )

    def check(self, measures: Sequence[str]) -> None:
        """Everything declared can be asked for."""

    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        """Read the JSON."""
        try:
            document = json.loads(delivery.body)
        except ValueError as error:
            raise EvaluatorError(f"no JSON: {error}") from error
        found = document if isinstance(document, list) else [document]
        return [self._outcome(one, delivery) for one in found]

    def _outcome(self, one: Mapping[str, Any], delivery: Delivery) -> Outcome:
        readings = tuple(Reading(**_numbers(reading)) for reading in one.get("readings", ()))
        key = one["job"] if "job" in one else delivery.jobs[0]
        status = OutcomeStatus(one.get("status", "succeeded"))
        return Outcome(key, status, readings, one.get("reason", ""), one.get("transient", False))

    def cancel(self, tickets: Sequence[Ticket]) -> None:
        """Do nothing."""


def _numbers(reading: Mapping[str, Any]) -> dict[str, Any]:
    spelled = {"NaN": math.nan, "Infinity": math.inf}
    return {**reading, "value": spelled.get(reading["value"], reading["value"])}


def score(content: str | bytes) -> float:
    """1 at x0 = x1 = 0.25, falling off with the square of the distance."""
    parameters: dict[str, float] = json.loads(content)
    return 1 - sum((x - 0.25) ** 2 for x in parameters.values())


class Bench(_ByJson):
    """Measures at once, but for what it is told to do instead.

    Args:
        log: Gets a line a call.
        acts: By number of the candidate, or ``*``, what to do at each attempt; then it measures.
        batch_size: Jobs a call.
        cost: Of one job.
        idempotent: Whether asking again does no harm.
    """

    def __init__(
        self,
        log: Path,
        *,
        acts: dict[str, list[str]] | None = None,
        batch_size: int = 1,
        cost: float = 0.0,
        idempotent: bool = True,
    ) -> None:
        super().__init__(
            name="bench",
            synchronous=True,
            idempotent=idempotent,
            batch_size=batch_size,
            cost=cost,
        )
        self._log = log
        self._acts = acts or {}
        self._waiting: dict[str, Delivery] = {}

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        """Measure every job."""
        acts = [self._act(job) for job in batch.jobs]
        with self._log.open("a", encoding="utf-8") as log:
            for job in batch.jobs:
                log.write(job.key + "\n")
        for act in acts:
            if act.startswith("refuse"):
                raise EvaluatorError(f"the bench is {act}d\0\udc80", transient="trans" in act)
            if act == "break":
                raise RuntimeError("smoke")
        for job, act in zip(batch.jobs, acts, strict=True):
            for number, body in enumerate(self._bodies(job, act)):
                reference = f"{job.key} {number}"
                key = STRANGE if act == "stranger" and number == 0 else job.key
                self._waiting[reference] = Delivery(reference, body, jobs=(key,))
        return [Ticket(job.key) for job in batch.jobs]

    def _act(self, job: Job) -> str:
        calls = self._log.read_text(encoding="utf-8") if self._log.exists() else ""
        attempt = calls.split("\n").count(job.key)
        acts = self._acts.get(job.key.split("/")[1], self._acts.get("*", []))
        return acts[attempt] if attempt < len(acts) else "measure"

    def _bodies(self, job: Job, act: str) -> list[bytes]:
        value = score(job.sample.content) + 0.25 * (job.replicate - 1)
        reading = {"name": "score", "value": value, "unit": "mg"} | READINGS.get(act, {})
        readings = [reading, {"name": "purity", "value": 50.0, "unit": "percent"}]
        if act == "missing":
            readings = readings[1:]
        outcome: dict[str, Any] = {"job": job.key, "readings": readings}
        if act in ("failed", "failed transient", "rejected"):
            outcome |= {"status": act.split(" ")[0], "reason": f"it {act}"}
            outcome["transient"] = "transient" in act
        if act == "alike":
            outcome = {"readings": [{"name": "score", "value": 0.5, "unit": "mg"}, readings[1]]}
        body = json.dumps(outcome).encode()
        strange = json.dumps({"job": STRANGE, "readings": []}).encode()
        return {
            "silent": [],
            "garbage": [b"\xff\x00 not JSON"],
            "crash": [b'{"readings": 7}'],
            "twice": [body, body],
            "changed mind": [body, body.replace(b"50.0", b"60.0")],
            "stranger": [strange, body],
            "another job": [body.replace(job.key.encode(), STRANGE.encode())],
        }.get(act, [body])

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """All that waits."""
        return list(self._waiting.values())

    def acknowledge(self, delivery: Delivery) -> None:
        """Forget it."""
        self._waiting.pop(delivery.reference, None)


class Inbox(_ByJson):
    """Takes jobs as files in ``out`` and finds results as files in ``in``, whenever they come.

    Args:
        folder: Where both are.
        batch_size: Jobs a call.
    """

    def __init__(self, folder: Path, batch_size: int = 8) -> None:
        super().__init__(name="inbox", idempotent=True, batch_size=batch_size)
        self._folder = folder

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        """Write a file a job."""
        self._sub("out")
        for job in batch.jobs:
            name = job.key.replace("/", "_")
            (self._sub("out") / name).write_text(str(job.sample.content), encoding="utf-8")
        return [Ticket(job.key, reference=f"file {job.key}") for job in batch.jobs]

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """Every file that is there: who it is for, its content says."""
        there = sorted(self._sub("in").iterdir())
        return [Delivery(file.name, file.read_bytes()) for file in there]

    def acknowledge(self, delivery: Delivery) -> None:
        """Put the file away."""
        file = self._sub("in") / delivery.reference
        if file.exists():
            file.rename(self._sub("done") / delivery.reference)

    def _sub(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


class Hook(Inbox):
    """An inbox whose counterpart calls, and signs what it sends with the word ``secret``."""

    def accept(self, incoming: Incoming) -> Delivery:
        """The body, if it is signed."""
        wanted = hmac.new(b"secret", incoming.body, hashlib.sha256).hexdigest()
        if incoming.headers.get("x-signature") != wanted:
            raise UntrustedError("the signature does not fit")
        return Delivery("hook", incoming.body)

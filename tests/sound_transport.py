"""A sound transport, from which the broken ones of the conformance tests are made."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.protocol import (
    Batch,
    Capabilities,
    Delivery,
    EvaluatorError,
    Incoming,
    Measure,
    Outcome,
    OutcomeStatus,
    Reading,
    Ticket,
    UntrustedError,
)

SECRET = "tr0ub4dor"


class Laboratory:
    """The counterpart: remembers what it was given, whoever asks."""

    def __init__(self) -> None:
        self.up = True
        self.runs: dict[str, dict[str, Any]] = {}
        self.done: set[str] = set()
        self.looks = 0

    def take(self, key: str, result: dict[str, Any]) -> str:
        """The run of a job; the same where it was taken before."""
        for name, run in self.runs.items():
            if run["key"] == key:
                self.done.discard(name)
                return name
        name = f"run {len(self.runs) + 1}"
        self.runs[name] = {"key": key, "looks": len(self.runs) % 3, "result": result}
        return name


class Post:
    """Sound; asynchronous, in batches, in parts and out of order, by run number alone."""

    def __init__(self, laboratory: Laboratory) -> None:
        self.laboratory = laboratory
        self.closed = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            name="post",
            version="1",
            sample_kinds=frozenset({"parameters"}),
            measures=(Measure("score", "percent", 0, 100),),
            batch_size=2,
            idempotent=True,
            cancellable=True,
            in_flight=4,
        )

    def check(self, measures: Sequence[str]) -> None:
        for name in measures:
            if name != "score":
                raise EvaluatorError(f"there is no measure {name!r}; known: score")

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        if len(batch.jobs) > 2:
            raise EvaluatorError("a batch has two jobs at most")
        tickets = []
        for job in batch.jobs:
            try:
                value = json.loads(job.sample.content)["x"]
                kind = job.sample.kind == "parameters"
                result = {"value": value} if kind else {"rejected": "no parameters"}
            except (ValueError, KeyError, TypeError):
                result = {"rejected": "there is no x"}
            tickets.append(Ticket(job.key, self.laboratory.take(job.key, result)))
        return list(reversed(tickets))

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        found = []
        for name in dict.fromkeys(ticket.reference for ticket in reversed(tickets)):
            run = self.laboratory.runs.get(name)
            if run is None or name in self.laboratory.done:
                continue
            run["looks"] -= 1
            if run["looks"] < 0:
                body = json.dumps({"run": name} | run["result"])
                found.append(Delivery(name, body.encode()))
        return found

    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        try:
            said = json.loads(delivery.body)
            run = said["run"]
            jobs = [one.job for one in delivery.tickets if one.reference == run]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise EvaluatorError(f"this is no result of a run: {error!r}") from error
        if not jobs:
            raise EvaluatorError(f"no ticket has the run {run!r}")
        if "rejected" in said:
            return [Outcome(jobs[0], OutcomeStatus.REJECTED, reason=said["rejected"])]
        reading = Reading("score", float(said["value"]), "percent", place="/value")
        return [Outcome(jobs[0], OutcomeStatus.SUCCEEDED, (reading,))]

    def acknowledge(self, delivery: Delivery) -> None:
        self.laboratory.done.add(delivery.reference)

    def cancel(self, tickets: Sequence[Ticket]) -> None:
        return None

    def refuse(self, delivery: Delivery, reason: str) -> None:
        self.laboratory.done.add(delivery.reference)

    def accept(self, incoming: Incoming) -> Delivery:
        if incoming.headers.get("x-signature") != sign(incoming.body):
            raise UntrustedError("the signature does not fit")
        return Delivery("callback", incoming.body)

    def progress(self, tickets: Sequence[Ticket]) -> Mapping[str, str]:
        runs = self.laboratory.runs
        return {t.job: "running" for t in tickets if t.reference in runs}

    def health(self) -> str:
        if not self.laboratory.up:
            raise EvaluatorError("the laboratory does not answer; open it")
        return "the laboratory answers"

    def close(self) -> None:
        self.closed = True


def sign(body: bytes) -> str:
    """The signature that the laboratory gives."""
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()

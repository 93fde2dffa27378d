"""The evaluator that asks a service for its measurements."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NotRequired
from urllib.parse import quote as in_path

from typing_extensions import TypedDict

from adapters import credentials as secrets
from adapters import declared, result_document
from adapters.checks import require_measures
from adapters.http_service import signing
from adapters.http_service.client import Answer, Client, UnsureError
from adapters.messages import quote
from adapters.protocol import (
    Batch,
    Capabilities,
    Delivery,
    EvaluatorError,
    Incoming,
    Job,
    OptionError,
    Outcome,
    Ticket,
)

UNFINISHED = ("queued", "running")
OF_THE_RUN = frozenset({"run", "progress"})
"""Keys of an answer that are of the run, and not of its result."""


class Callback(TypedDict):
    """How the service delivers by itself."""

    secret: str
    """Reference to the secret that both know."""
    url: NotRequired[str]
    """Where it delivers to, sent along with each submission; else it knows by itself."""
    tolerance: NotRequired[float]
    """Seconds by which clocks may differ; 300 by default."""


class HttpEvaluator:
    """Submits batches to a REST service and fetches what comes of them.

    What is expected of the service is in ``docs/transports/http.md``.

    Args:
        url: Address of the service.
        measures: What it measures; see :mod:`adapters.declared`.
        kinds: Kinds of sample that it takes.
        credentials: References to bearer token, password or key; see :class:`Client`.
        callback: Where the service delivers by web hook; it is polled all the same.
        batch_size: The most jobs of one request.
        idempotent: Whether the service takes a job's key twice as one job, as it should.
        in_flight: Requests at a time.
        timeout: Seconds for one request.
        tries: How often one request is tried.
        ca: File of the certificates that are trusted.
        cost: Of one job.
        expected_duration: Seconds of one job.

    Raises:
        OptionError: an option cannot be used.
    """

    def __init__(
        self,
        *,
        url: str,
        measures: declared.Measures,
        kinds: Sequence[str] = ("molecule", "parameters"),
        credentials: Mapping[str, str] | None = None,
        callback: Callback | None = None,
        batch_size: int = 1,
        idempotent: bool = True,
        in_flight: int = 8,
        timeout: float = 30.0,
        tries: int = 3,
        ca: Path | None = None,
        cost: float = 0.0,
        expected_duration: float = 0.0,
    ) -> None:
        for name, value in (("in_flight", in_flight), ("tries", tries), ("batch_size", batch_size)):
            if value < 1:
                raise OptionError(name, f"{name} is {value}, and must be at least 1")
        self._capabilities = Capabilities(
            name="http",
            version="1",
            sample_kinds=frozenset(kinds),
            measures=declared.measures(measures),
            batch_size=batch_size,
            idempotent=idempotent,
            cancellable=True,
            cost=cost,
            expected_duration=expected_duration,
        )
        self._client = Client(
            url, credentials or {}, timeout=timeout, tries=tries, ca=ca, in_flight=in_flight
        )
        self._in_flight = in_flight
        self._callback = callback
        if callback is not None:
            secrets.check(callback["secret"], "callback")
        self._stored: set[str] = set()
        self._progress: dict[str, str] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What the service can do."""
        return self._capabilities

    def check(self, measures: Sequence[str]) -> None:
        """Make sure that these measures are declared.

        Raises:
            EvaluatorError: one is not.
        """
        require_measures(self.capabilities, measures)

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        """Send the batch as one request.

        Raises:
            EvaluatorError: the service took nothing.
            UnsureError: whether it did is not known, and it does not know keys: the core parks.
        """
        if not batch.jobs:
            return []
        kinds = self.capabilities.sample_kinds
        for job in batch.jobs:
            if job.sample.kind not in kinds:
                raise EvaluatorError(
                    f"the service takes {', '.join(sorted(kinds))}, not {job.sample.kind!r}"
                )
        document: dict[str, object] = {
            "batch": batch.key,
            "barcode": batch.barcode,
            "jobs": [_job(job) for job in batch.jobs],
        }
        if self._callback is not None and (url := self._callback.get("url")):
            document["callback"] = url
        again = self.capabilities.idempotent
        answer = self._client.ask("POST", "/runs", document, key=batch.key, again=again)
        try:
            return _tickets(batch, answer)
        except EvaluatorError as error:
            if again:
                raise
            raise UnsureError(str(error)) from error

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """Ask for every run that is awaited, several at a time.

        Raises:
            EvaluatorError: the service cannot be asked, and nothing else came.
        """
        runs: dict[str, list[str]] = {}
        for ticket in tickets:
            if ticket.reference and ticket.reference not in self._stored:
                runs.setdefault(ticket.reference, []).append(ticket.job)
        if not runs:
            return []
        with ThreadPoolExecutor(min(self._in_flight, len(runs))) as pool:
            found = list(pool.map(self._fetch, runs, runs.values()))
        deliveries = [one for one in found if isinstance(one, Delivery)]
        errors = [one for one in found if isinstance(one, EvaluatorError)]
        if errors and not deliveries:
            raise errors[0]
        return deliveries

    def _fetch(self, run: str, jobs: Sequence[str]) -> Delivery | EvaluatorError | None:
        """What has come of a run; None where it is not finished."""
        try:
            path = f"/runs/{in_path(run, safe='')}"
            answer = self._client.ask("GET", path, accepted=frozenset({404, 410}))
            if answer.status in (404, 410):
                what = f"the service does not know run {quote(run)} any more"
                return EvaluatorError(f"{what}; `assayloop jobs requeue` sends the job again")
            said = answer.json()
        except EvaluatorError as error:
            return error
        state = said.get("status") if isinstance(said, dict) else None
        if state in UNFINISHED:
            if state == "running":
                what = str(said.get("progress", "")).strip()
                self._progress.update(dict.fromkeys(jobs, f"running, {what}" if what else state))
            return None
        return Delivery(run, answer.body, answer.media_type)

    def progress(self, tickets: Sequence[Ticket]) -> Mapping[str, str]:
        """What the service said of jobs that run, when it was last asked."""
        asked = {ticket.job for ticket in tickets}
        return {job: said for job, said in self._progress.items() if job in asked}

    def accept(self, incoming: Incoming) -> Delivery:
        """The delivery in a web hook.

        Raises:
            UntrustedError: it has no valid signature.
            EvaluatorError: the spec has no ``callback``.
        """
        if self._callback is None:
            raise EvaluatorError("this evaluator has no option callback, and takes no web hooks")
        secret = secrets.resolve(self._callback["secret"], "callback")
        tolerance = self._callback.get("tolerance", 300.0)
        signing.require(secret, incoming.headers, incoming.body, tolerance)
        reference = f"web hook {hashlib.sha256(incoming.body).hexdigest()[:16]}"
        return Delivery(reference, incoming.body, incoming.media_type)

    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        """The results in a delivery; what they are of, they say by the job's key.

        Raises:
            EvaluatorError: it is no document of results.
        """
        return result_document.read(delivery.body, self.capabilities, besides=OF_THE_RUN)

    def acknowledge(self, delivery: Delivery) -> None:
        """Ask for that run no more."""
        self._stored.add(delivery.reference)

    def refuse(self, delivery: Delivery, reason: str) -> None:
        """Ask for that run no more in this process: its answer is stored, and was no result."""
        self._stored.add(delivery.reference)

    def cancel(self, tickets: Sequence[Ticket]) -> None:
        """Tell the service to stop; what has run already stays measured.

        Raises:
            EvaluatorError: it could not be told.
        """
        for run in dict.fromkeys(ticket.reference for ticket in tickets if ticket.reference):
            jobs = [ticket.job for ticket in tickets if ticket.reference == run]
            path = f"/runs/{in_path(run, safe='')}/cancel"
            accepted = frozenset({404, 409, 410})  # it has ended, or is forgotten
            self._client.ask("POST", path, {"jobs": jobs}, accepted=accepted)

    def health(self) -> str:
        """Who answers, by its own words.

        Raises:
            EvaluatorError: nobody does, or it is not ready.
        """
        said = self._client.ask("GET", "/health").json()
        if not isinstance(said, dict):
            raise EvaluatorError(f"/health answered {quote(said)}, and no object")
        return ", ".join(f"{key} {value}" for key, value in said.items())

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()


def _job(job: Job) -> dict[str, object]:
    return {
        "job": job.key,
        "label": job.label,
        "replicate": job.replicate,
        "measures": list(job.measures),
        "sample": {
            "kind": job.sample.kind,
            "name": job.sample.name,
            **result_document.sample(job.sample.content),
        },
    }


def _tickets(batch: Batch, answer: Answer) -> list[Ticket]:
    """A ticket a job: of one run for all, or of one each.

    Raises:
        EvaluatorError: the answer names none.
    """
    said = answer.json()
    run = said.get("run") if isinstance(said, dict) else None
    if isinstance(run, str) and run:
        return [Ticket(job.key, run) for job in batch.jobs]
    runs = said.get("runs") if isinstance(said, dict) else None
    if not isinstance(runs, dict) or any(
        not isinstance(runs.get(job.key), str) for job in batch.jobs
    ):
        raise EvaluatorError(
            f'the service answered {quote(answer.body)}; it must name {{"run": ID}} for all jobs, '
            'or {"runs": {KEY: ID}} with every key'
        )
    return [Ticket(job.key, runs[job.key]) for job in batch.jobs]

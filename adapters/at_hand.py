"""Evaluators that run programs on this machine: so many at a time, an answer for each job."""

from __future__ import annotations

import json
import queue
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from adapters import result_document
from adapters.checks import require_measures
from adapters.messages import plain
from adapters.protocol import (
    Batch,
    Capabilities,
    Delivery,
    EvaluatorError,
    Job,
    OptionError,
    Outcome,
    Ticket,
)
from adapters.worker_process import Leash, ProgramError, WorkerProcess


class AtHand(ABC):
    """Computes the jobs of a batch side by side, and hands over what each program wrote.

    Args:
        capabilities: Synchronous ones.
        workers: Programs at a time.
    """

    def __init__(self, capabilities: Capabilities, workers: int) -> None:
        self._capabilities = capabilities
        self._workers = workers
        self._waiting: dict[str, Delivery] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self._capabilities

    @abstractmethod
    def answer(self, job: Job) -> bytes:
        """What a program wrote for a job.

        Raises:
            ProgramError: it gave no answer.
        """

    def check(self, measures: Sequence[str]) -> None:
        """Make sure that these measures are declared.

        Raises:
            EvaluatorError: one is not.
        """
        require_measures(self.capabilities, measures)

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        """Compute every job of the batch; a key whose answer still waits is not computed again.

        Raises:
            EvaluatorError: too many jobs, or a sample of another kind.
        """
        takes = self.capabilities
        if len(batch.jobs) > takes.batch_size:
            raise EvaluatorError(
                f"{takes.batch_size} jobs are taken at once, batch {batch.key!r} has "
                f"{len(batch.jobs)}"
            )
        for job in batch.jobs:
            if job.sample.kind not in takes.sample_kinds:
                kinds = ", ".join(sorted(takes.sample_kinds))
                raise EvaluatorError(f"{takes.name} takes {kinds}, not {job.sample.kind!r}")
        fresh = [job for job in batch.jobs if job.key not in self._waiting]
        if fresh:
            with ThreadPoolExecutor(min(len(fresh), self._workers)) as pool:
                for job, body in zip(fresh, pool.map(self._body, fresh), strict=True):
                    self._waiting[job.key] = Delivery(job.key, body, jobs=(job.key,))
        return [Ticket(job.key) for job in batch.jobs]

    def _body(self, job: Job) -> bytes:
        try:
            return self.answer(job)
        except ProgramError as error:
            failed = {"job": job.key, "status": "failed", "reason": plain(str(error))}
            return json.dumps(failed | {"transient": error.transient}, sort_keys=True).encode()

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """The answers that wait for these tickets."""
        keys = dict.fromkeys(ticket.job for ticket in tickets)
        return [self._waiting[key] for key in keys if key in self._waiting]

    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        """Read what a program wrote.

        Raises:
            EvaluatorError: it is no result.
        """
        job = delivery.jobs[0] if len(delivery.jobs) == 1 else None
        return result_document.read(delivery.body, self.capabilities, job)

    def acknowledge(self, delivery: Delivery) -> None:
        """Forget the answer."""
        self._waiting.pop(delivery.reference, None)

    def cancel(self, tickets: Sequence[Ticket]) -> None:  # noqa: B027
        """Do nothing: what was submitted has been computed."""


class Pool:
    """Programs that are kept running, each asked by one at a time."""

    def __init__(self, leash: Leash) -> None:
        self._leash = leash
        self._idle: queue.SimpleQueue[WorkerProcess] = queue.SimpleQueue()

    def ask(self, request: bytes) -> bytes:
        """The answer of a program that is idle, or of a new one; one that broke is not kept.

        Raises:
            ProgramError: it gave none.
        """
        try:
            worker = self._idle.get_nowait()
        except queue.Empty:
            worker = WorkerProcess(self._leash, kept=True)
        try:
            answer = worker.ask(request)
        except ProgramError:
            worker.kill()
            raise
        self._idle.put(worker)
        return answer

    def close(self) -> None:
        """End them all."""
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()


def request(job: Job) -> bytes:
    """A job as one line of JSON."""
    document = {
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
    return json.dumps(document).encode() + b"\n"


def require_workers(workers: int, batch_size: int | None) -> int:
    """The most jobs of a batch: as many as there are workers, unless somebody says.

    Raises:
        OptionError: there is no worker, or no job fits.
    """
    if workers < 1:
        raise OptionError("workers", f"workers is {workers}, and must be at least 1")
    if batch_size is not None and batch_size < 1:
        raise OptionError("batch_size", f"batch_size is {batch_size}, and must be at least 1")
    return batch_size or workers

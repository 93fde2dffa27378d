"""The SiLA 2 server of the examples in a process of its own, which tests start and kill."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.protocol import Batch, Delivery, Evaluator, EvaluatorError, Job, Sample, Ticket
from adapters.sila2_server import Sila2Evaluator

SERVER = Path(__file__).parents[1] / "examples" / "sila2-server" / "photometer.py"


class Photometer:
    """A photometer at a port that stays the same when it is started again."""

    def __init__(self, folder: Path, *arguments: str, tls: bool = False) -> None:
        self.log = folder / "photometer.log"
        self.certificate = folder / "photometer.pem"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        how = ["--certificate", str(self.certificate)] if tls else ["--insecure"]
        self._arguments = [*how, "--port", str(self.port), "--log", str(self.log), *arguments]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it serves."""
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), *self._arguments], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said.startswith("serving"), said

    def kill(self) -> None:
        """What a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def lines(self, word: str) -> list[str]:
        """Labels of the cuvettes of which the log says that."""
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        return [line.partition(" ")[2] for line in text.splitlines() if line.startswith(f"{word} ")]

    def options(self, **changes: Any) -> dict[str, Any]:
        """Options of an evaluator of ``Measure``."""
        given: dict[str, Any] = {
            "address": f"127.0.0.1:{self.port}",
            "feature": "Photometer",
            "command": "Measure",
            "measures": {
                "product": {"unit": "mmol/l", "lower": 0, "upper": 10},
                "absorbance": {"unit": "", "lower": 0},
            },
            "kinds": ["parameters"],
            "parameters": {
                "Temperature": {"value": "{temperature}", "unit": "degC"},
                "Ph": "{ph}",
                "Label": "{key}",
            },
            "responses": {
                "product": "Product",
                "absorbance": {"response": "Absorbance.Mean", "std": "Absorbance.Deviation"},
            },
            "measured_at": "MeasuredAt",
            "tls": str(self.certificate) if self.certificate.exists() else "insecure",
        }
        return given | changes

    def glance(self, **changes: Any) -> dict[str, Any]:
        """Options of an evaluator of ``Glance``, which is not observable."""
        given: dict[str, Any] = {
            "address": f"127.0.0.1:{self.port}",
            "feature": "org.example/measure/Photometer/v1",
            "command": "Glance",
            "observable": False,
            "measures": {"transmission": {"unit": "percent", "lower": 0, "upper": 100}},
            "kinds": ["parameters"],
            "parameters": {"Ph": "{ph}"},
            "responses": {"transmission": "Transmission"},
            "tls": "insecure",
        }
        return given | changes

    def evaluator(self, **changes: Any) -> Sila2Evaluator:
        """An evaluator of ``Measure``."""
        return Sila2Evaluator(**self.options(**changes))


@contextmanager
def serving(folder: Path, *arguments: str, tls: bool = False) -> Iterator[Photometer]:
    """A photometer that is gone in the end."""
    photometer = Photometer(folder, *arguments, tls=tls)
    photometer.start()
    try:
        yield photometer
    finally:
        photometer.kill()


def cuvette(temperature: float, ph: float) -> Sample:
    """What is measured."""
    return Sample("parameters", json.dumps({"temperature": temperature, "ph": ph}))


def submit(evaluator: Evaluator, *samples: Sample, name: str = "c") -> list[Ticket]:
    """One job a sample, each in a batch of its own."""
    measures = tuple(measure.name for measure in evaluator.capabilities.measures)
    tickets: list[Ticket] = []
    for number, sample in enumerate(samples, 1):
        job = Job(f"{name}/{number}/sila2/1", sample, measures)
        tickets += evaluator.submit(Batch(f"{name} {number}", (job,)))
    return tickets


def deliveries(evaluator: Evaluator, tickets: Sequence[Ticket]) -> list[Delivery]:
    """One delivery a ticket, in order; waits for them, and for a server that comes back."""
    found: dict[str, Delivery] = {}
    for _ in range(1000):
        try:
            found = {delivery.jobs[0]: delivery for delivery in evaluator.receive(tickets)}
        except EvaluatorError as error:
            if not error.transient:
                raise
        if len(found) == len(tickets):
            return [found[ticket.job] for ticket in tickets]
        time.sleep(0.01)
    raise AssertionError(f"only {sorted(found)} of {[ticket.job for ticket in tickets]}")

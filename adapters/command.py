"""Any executable as an evaluator: JSON in, JSON out, no shell."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from adapters import credentials, declared
from adapters.at_hand import AtHand, Pool, request, require_workers
from adapters.messages import quote
from adapters.protocol import Capabilities, EvaluatorError, Job, OptionError, Source
from adapters.worker_process import Leash, WorkerProcess


class Command(AtHand):
    """Runs a program for each job, or keeps it running and asks it line by line.

    Args:
        command: The program and its arguments; no shell reads them.
        measures: What it measures; see :mod:`adapters.declared`.
        kinds: Kinds of sample that it takes.
        kept: Whether it is kept running, and answers each line with a line.
        workers: How many run at a time.
        batch_size: The most jobs of one submission; as many as workers by default.
        timeout: Seconds for one answer, after which it is killed with all that it started.
        memory: Megabytes that it may use.
        environment: Variables that it gets besides; a value ``env:NAME`` or
            ``keyring:SERVICE/USER`` is a secret by reference.
        idempotent: Whether asking twice for one job does no harm and gives the same.
        cost: Of one job.
        expected_duration: Seconds of one job.

    Raises:
        OptionError: an option cannot be used.
    """

    def __init__(
        self,
        *,
        command: Sequence[str],
        measures: declared.Measures,
        kinds: Sequence[str] = ("molecule", "parameters"),
        kept: bool = False,
        workers: int = 1,
        batch_size: int | None = None,
        timeout: float | None = None,
        memory: float | None = None,
        environment: Mapping[str, str] | None = None,
        idempotent: bool = False,
        cost: float = 0.0,
        expected_duration: float = 0.0,
    ) -> None:
        if not command or not command[0]:
            raise OptionError("command", "command is empty; name a program, as [./measure.sh]")
        if timeout is not None and timeout <= 0:
            raise OptionError("timeout", f"timeout is {timeout:g} s, and must be above 0")
        capabilities = Capabilities(
            name="command",
            version="1",
            sample_kinds=frozenset(kinds),
            measures=declared.measures(measures),
            batch_size=require_workers(workers, batch_size),
            synchronous=True,
            idempotent=idempotent,
            cost=cost,
            expected_duration=expected_duration,
        )
        super().__init__(capabilities, workers)
        self._command = list(command)
        self._limits = (timeout, None if memory is None else int(memory * 1e6))
        self._environment = dict(environment or {})
        for name, value in self._environment.items():
            if value.startswith(("env:", "keyring:")):
                credentials.check(value, f"environment.{name}")
        self._kept = kept
        self._pool: Pool | None = None

    def check(self, measures: Sequence[str]) -> None:
        """Make sure that the measures are declared and the program is there.

        Raises:
            EvaluatorError: it is not.
        """
        super().check(measures)
        self._program()

    def _program(self) -> Path:
        found = shutil.which(self._command[0])
        if found is None:
            there = Path(self._command[0]).exists()
            why = "may not be executed; chmod +x it" if there else "is not there"
            raise OptionError("command", f"the program {quote(self._command[0])} {why}")
        return Path(found)

    def sources(self) -> Sequence[Source]:
        """The program, where it is a file that somebody may change.

        Raises:
            EvaluatorError: it is not there.
        """
        return [source(self._program())]

    def _leash(self) -> Leash:
        resolved = {
            name: credentials.resolve(value, f"environment.{name}")
            if value.startswith(("env:", "keyring:"))
            else value
            for name, value in self._environment.items()
        }
        timeout, memory = self._limits
        return Leash(self._command, timeout, memory, resolved)

    def answer(self, job: Job) -> bytes:
        """What the program wrote for a job.

        Raises:
            ProgramError: it gave no answer.
        """
        if not self._kept:
            return WorkerProcess(self._leash(), kept=False).finish(request(job))
        if self._pool is None:
            self._pool = Pool(self._leash())
        return self._pool.ask(request(job))

    def health(self) -> str:
        """Where the program is.

        Raises:
            EvaluatorError: it is not there.
        """
        found = self._program()
        return f"{found} is there ({found.stat().st_size:,} bytes)"

    def close(self) -> None:
        """End programs that are kept running."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None


def source(file: Path) -> Source:
    """A file that decides what is measured.

    Raises:
        EvaluatorError: it cannot be read.
    """
    try:
        return Source(file, hashlib.sha256(file.read_bytes()).hexdigest())
    except OSError as error:
        raise EvaluatorError(f"{file} cannot be read: {error.strerror}") from error

"""A program that answers lines with lines, held on a short leash: time, memory, output.

It gets a process group of its own, so that it can be killed with all that it started.
"""

from __future__ import annotations

import os
import queue
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from adapters.messages import plain, quote

LARGEST = 16_000_000
"""Bytes of output; what writes more is killed."""
TAIL = 2000
"""Bytes of what it wrote to stderr that an error repeats, the last ones."""
TRY_LATER = 75
"""Exit code by which a program says that another try may help (EX_TEMPFAIL of sysexits.h)."""


class ProgramError(Exception):
    """The program gave no answer; the message says why.

    ``transient`` says whether another try may help.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


@dataclass(frozen=True)
class Leash:
    """What a program may use."""

    command: Sequence[str]
    timeout: float | None = None
    """Seconds for one answer; None for as long as it takes."""
    memory: int | None = None
    """Bytes of address space; None for all there is."""
    environment: Mapping[str, str] | None = None
    """Variables besides those of this process."""
    folder: str | None = None
    """Where it runs; here by default."""


class WorkerProcess:
    """One running program.

    Args:
        leash: What it may use.
        kept: Whether it is asked line by line; else it is asked once, and ends.

    Raises:
        ProgramError: it cannot be started.
    """

    def __init__(self, leash: Leash, *, kept: bool) -> None:
        self._leash = leash
        environment = {**os.environ, **(leash.environment or {})}
        try:
            self._process = subprocess.Popen(
                list(leash.command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=leash.folder,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            what = f"{quote(leash.command[0])} cannot be started: {error}"
            raise ProgramError(what) from error
        if leash.memory is not None:
            with suppress(ProcessLookupError):  # it has ended already, as its answer will tell
                limits = (leash.memory, leash.memory)
                resource.prlimit(self._process.pid, resource.RLIMIT_AS, limits)
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._tail = bytearray()
        self._too_much = False
        self._threads = [
            threading.Thread(target=self._read_lines if kept else self._read, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline(LARGEST + 1):
            if len(line) > LARGEST:
                self._too_much = True
                self.kill()
                break
            self._lines.put(line)
        self._lines.put(None)

    def _read(self) -> None:
        assert self._process.stdout is not None
        while part := os.read(self._process.stdout.fileno(), 1 << 20):
            self._lines.put(part)
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        while part := os.read(self._process.stderr.fileno(), 65536):
            self._tail += part
            del self._tail[:-TAIL]

    def ask(self, request: bytes) -> bytes:
        """Send one line, and wait for the line that answers it.

        Raises:
            ProgramError: there was none in time, or the program ended; it is not usable any more.
        """
        self._send(request)
        try:
            line = self._lines.get(timeout=self._leash.timeout)
        except queue.Empty:
            self.kill()
            raise ProgramError(self._late()) from None
        if line is None:
            raise self._ended()
        return line

    def finish(self, request: bytes) -> bytes:
        """Send a request, and wait until the program has ended; all that it wrote.

        Raises:
            ProgramError: it did not end in time, or not well.
        """
        deadline = None if self._leash.timeout is None else time.monotonic() + self._leash.timeout
        self._send(request, close=True)
        lines, size = [], 0
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                self.kill()
                raise ProgramError(self._late()) from None
            if line is None:
                break
            size += len(line)
            if size > LARGEST:
                self._too_much = True
                self.kill()
                break
            lines.append(line)
        self._process.wait()
        if self._process.returncode or self._too_much:
            raise self._ended()
        return b"".join(lines)

    def _send(self, request: bytes, *, close: bool = False) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # it has ended, as the wait for its answer will tell
            self._process.stdin.write(request)
            self._process.stdin.flush()
            if close:
                self._process.stdin.close()

    def _late(self) -> str:
        return f"no answer within {self._leash.timeout:g} s; it was stopped{self._said()}"

    def _ended(self) -> ProgramError:
        """Why there is no answer, by how the program ended."""
        self._process.wait()
        self._threads[1].join(1)
        code = self._process.returncode
        if self._too_much:
            return ProgramError(f"it wrote more than {LARGEST:,} bytes and was stopped")
        if code < 0:
            # Somebody from outside: another try may help. A crash is the program's own.
            outside = -code in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
            name = signal.Signals(-code).name
            return ProgramError(f"it was ended by {name}{self._said()}", transient=outside)
        what = f"it ended with exit code {code}" + ("" if code else " and gave no answer")
        return ProgramError(f"{what}{self._said()}", transient=code == TRY_LATER)

    def _said(self) -> str:
        text = plain(bytes(self._tail).decode("utf-8", "replace").strip())
        return f"; it said: {text}" if text else ""

    def kill(self) -> None:
        """End it, with all that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let it end by itself, or else end it."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

"""What is asked of a server: to start the command, for its results, for its progress."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from google.protobuf.message import DecodeError

from adapters.protocol import EvaluatorError, Job
from adapters.sila2_server import delivery, link
from adapters.sila2_server.connection import PATIENCE, Connection, Fault, Lost, Metadata, chained
from adapters.sila2_server.link import LOCK, Link
from adapters.sila2_server.options import Options
from adapters.sila2_server.template import SampleError
from adapters.sila2_server.wire import Codec, Shape, framework, framework_from

LARGE = 1_000_000
"""Bytes of a request above which a server that has no room for it never will."""
_RUNNING = 1
"""Of the states of an execution: before it waits, after it has ended."""


class Client:
    """One server, and the command on it that the spec names."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._connection: Connection | None = None
        self._link: Link | None = None
        self._finding = threading.Lock()
        self._running: set[str] = set()
        """Executions of which no end is known."""
        self._locked = False

    @property
    def found(self) -> dict[str, str]:
        """UUID of the server that was found last, and the command in full."""
        if self._link is None:
            return {}
        feature, command = self._link.feature.identifier, self._link.command.identifier
        return {"server": self._link.server, "command": f"{feature}/Command/{command}"}

    def link(self, *, wait: bool) -> Link:
        """The command, found anew where another server answers.

        Raises:
            OptionError: it does not fit the spec.
            EvaluatorError: the server cannot be reached.
        """
        with self._finding:
            if self._connection is None:
                self._connection = Connection(self._options.target, self._options.tls)
            server = self._connection.fact("ServerUUID", wait=wait)
            if self._link is None or self._link.server != server:
                self._link = link.find(self._connection, self._options, server)
            return self._link

    def prepare(self) -> None:
        """Make sure that the server is there, and locked for us if the spec says so.

        Raises:
            EvaluatorError: it is not.
        """
        found = self.link(wait=True)
        if found.lock is not None:
            self._lock(found)

    def health(self) -> str:
        """Name, version and features of the server.

        Raises:
            OptionError: the command does not fit the spec.
            EvaluatorError: the server cannot be reached.
        """
        self.link(wait=False)
        connection, given = self._connected(), self._options
        name, version = connection.fact("ServerName"), connection.fact("ServerVersion")
        features = ", ".join(one.split("/")[2] for one in connection.features())
        return f"{name} {version} at {given.target} ({features}); {given.command} fits"

    def start(self, job: Job) -> dict[str, Any]:
        """Start the command for one job; its execution, or the error that ended it.

        Raises:
            SampleError: it cannot be made of the sample.
            EvaluatorError: the server did not take it.
            ConnectionError: whether the server took it is not known.
        """
        try:
            answer = self._initiate(job)
        except Fault as fault:
            if fault.kind in ("not accepted", "metadata"):
                transient = fault.kind == "not accepted"
                raise EvaluatorError(
                    f"the server does not accept it: {fault.message}", transient=transient
                ) from fault
            return _failed(fault)
        except Lost as lost:
            said = f"the SiLA 2 server {lost.message}"
            if lost.untaken:
                raise EvaluatorError(said, transient=lost.full) from lost
            raise ConnectionError(said) from lost
        try:
            confirmed = framework_from("CommandConfirmation", answer)
        except DecodeError as error:
            raise ConnectionError("the SiLA 2 server confirmed it unreadably") from error
        execution = confirmed.execution.value
        self._running.add(execution)
        found: dict[str, Any] = {"execution": execution}
        if confirmed.HasField("lifetime"):
            found["lifetime"] = _seconds(confirmed.lifetime)
        return found

    def execute(self, job: Job) -> dict[str, Any]:
        """Execute a command that is not observable; its responses or its error.

        Raises:
            SampleError: it cannot be made of the sample.
        """
        try:
            return self._read(self._initiate(job))
        except Fault as fault:
            return _failed(fault)
        except Lost as lost:
            kind = "lost" if not lost.untaken else "not accepted" if lost.full else "refused"
            return {"error": delivery.error(kind, lost.message)}

    def results(self, executions: Sequence[str]) -> list[dict[str, Any] | str | None]:
        """What has become of executions: responses or error, what is in the way, None if running.

        Raises:
            EvaluatorError: the command does not fit any more.
        """
        found = self.link(wait=False) if self._link is None else self._link
        connection = self._connected()
        begun = [
            connection.start(f"{found.path}_Result", _uuid(one), timeout=PATIENCE)
            for one in executions
        ]
        results: list[dict[str, Any] | str | None] = []
        for execution, answer in zip(executions, chained(begun), strict=True):
            if isinstance(answer, Lost):
                results.append(answer.message)
            elif isinstance(answer, bytes):
                results.append(self._read(answer))
            elif answer.kind == "not finished":
                results.append(None)
                self._running.add(execution)
                continue
            else:
                results.append(_failed(answer))
            self._running.discard(execution)
        return results

    def progress(self, executions: Mapping[str, str]) -> dict[str, str]:
        """What executions are doing, by the key of the job; none that waits or has ended.

        Raises:
            EvaluatorError: the command does not fit any more.
        """
        found = self.link(wait=False) if self._link is None else self._link
        begun = {
            job: self._connected().first(f"{found.path}_Info", _uuid(one), timeout=PATIENCE)
            for job, one in executions.items()
        }
        said = {}
        for job, finish in begun.items():
            message = finish()
            if message is None:
                continue
            info = framework_from("ExecutionInfo", message)
            if info.status == _RUNNING:
                said[job] = _shown(info)
        return said

    def close(self) -> None:
        """End the connection; unlock what we locked, if nothing of ours is under way."""
        with self._finding:
            connection, self._connection = self._connection, None
            if connection is None:
                return
            if self._locked and not self._running and self._link is not None:
                body = Codec({"LockIdentifier": Shape("String")}).encode(
                    {"LockIdentifier": self._secret(self._options.lock)}
                )
                lock = self._link.lock
                if lock is not None:
                    with suppress(Fault, Lost):  # it ends by itself, too
                        connection.call(f"{lock.service}/UnlockServer", body, timeout=PATIENCE)
            connection.close()
            self._link = None

    # What it is made of ------------------------------------------------------------------------

    def _initiate(self, job: Job) -> bytes:
        found = self._link
        assert found is not None, "prepare comes first"
        body = found.request(self._options.parameters, job)
        metadata = self._metadata(found, job)
        timeout = self._options.timeout
        try:
            return self._connected().call(found.path, body, timeout=timeout, metadata=metadata)
        except Lost as lost:
            if lost.full and len(body) > LARGE:
                raise SampleError(f"it is too large: {lost.message}") from lost
            raise

    def _metadata(self, found: Link, job: Job) -> Metadata:
        given = {
            name: self._secret(value) if _is_reference(value) else value
            for name, value in self._options.metadata.items()
        }
        headers = found.headers(given, job)
        if found.lock is not None:
            key, codec = found.metadata[f"{LOCK}/Metadata/LockIdentifier"]
            secret = self._secret(self._options.lock)
            headers.append((key, codec.encode({"LockIdentifier": secret})))
        return headers

    def _read(self, answer: bytes) -> dict[str, Any]:
        found = self._link
        assert found is not None, "an answer has a link"
        original = {"message": base64.b64encode(answer).decode("ascii")}
        try:
            return original | {"responses": found.responses.decode(answer)}
        except DecodeError as error:
            wrong = f"the responses are no message of {found.command.identifier}: {error}"
            return original | {"error": delivery.error("unreadable", wrong)}

    def _lock(self, found: Link) -> None:
        assert found.lock is not None
        connection, service = self._connected(), found.lock.service
        answer = connection.ask("Get_IsLocked", b"", service=service)
        if connection.read({"IsLocked": Shape("Boolean")}, answer, "IsLocked"):
            return  # by us, it may be; if not, the command says so
        fields = {"LockIdentifier": Shape("String"), "Timeout": Shape("Integer")}
        secret = self._secret(self._options.lock)
        values = {"LockIdentifier": secret, "Timeout": self._options.lock_timeout}
        connection.ask("LockServer", Codec(fields).encode(values), service=service)
        self._locked = True

    def _secret(self, reference: str) -> str:
        from adapters.credentials import resolve

        return resolve(reference)

    def _connected(self) -> Connection:
        if self._connection is None:
            raise EvaluatorError("the connection was closed", transient=True)
        return self._connection


def _is_reference(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("env:", "keyring:"))


def _failed(fault: Fault) -> dict[str, Any]:
    said = delivery.error(fault.kind, fault.message, fault.identifier)
    return {"error": said, "message": base64.b64encode(fault.original).decode("ascii")}


def _uuid(execution: str) -> bytes:
    body: bytes = framework("CommandExecutionUUID", value=execution).SerializeToString()
    return body


def _seconds(duration: Any) -> float:
    return float(duration.seconds + duration.nanos / 1e9)


def _shown(info: Any) -> str:
    said = "running"
    if info.HasField("progress"):
        said += f", {100 * info.progress.value:.0f} %"
    if info.HasField("remaining"):
        said += f", about {_seconds(info.remaining):.0f} s left"
    return said

"""The connection to a SiLA 2 server: calls that end in time, and its errors by their kind."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from adapters.messages import plain
from adapters.protocol import EvaluatorError, OptionError
from adapters.sila2_server.options import INSECURE, SYSTEM
from adapters.sila2_server.wire import Codec, Shape, framework_from

Metadata = Sequence[tuple[str, bytes]]
"""SiLA client metadata as gRPC carries it."""

PATIENCE = 5.0
"""Seconds that anything but the measurement itself may take."""
RETURN = 2.0
"""Seconds in which a server that came back is found again."""

_NEVER_TAKEN = (
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
"""What a server answers instead of reading the request."""

_FRAMEWORK_ERRORS = ("not accepted", "unknown execution", "not finished", "metadata", "metadata")
_SERVICE = "sila2.org.silastandard.core.silaservice.v1.SiLAService"
_TEXT = Shape("String")


@dataclass(eq=False)
class Fault(Exception):
    """An error that the server issued, as SiLA 2 defines them."""

    kind: str
    """validation, defined, undefined, not accepted, unknown execution, not finished, metadata."""
    identifier: str
    """Of the parameter or the defined execution error, fully qualified; else empty."""
    message: str
    original: bytes
    """The error as it came."""


@dataclass(eq=False)
class Lost(Exception):
    """No answer: whether the server read the request is not known, unless ``untaken``."""

    message: str
    untaken: bool = False
    full: bool = False
    """Untaken because it was too much, in itself or beside others."""


class Connection:
    """A channel to one server, which finds it again when it comes back."""

    def __init__(self, target: str, tls: str) -> None:
        self.target = target
        # A server that was restarted is to be found again within a second, whatever came before;
        # and a channel of ours alone, so that nobody else's attempts delay it.
        options = [
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 500),
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", 64 * 1024 * 1024),
        ]
        if tls == INSECURE:
            self._channel = grpc.insecure_channel(target, options)
        else:
            self._channel = grpc.secure_channel(target, _credentials(tls), options)

    def close(self) -> None:
        """End it, with all calls under way."""
        self._channel.close()

    def call(
        self, path: str, body: bytes, *, timeout: float, metadata: Metadata = (), wait: bool = False
    ) -> bytes:
        """The bytes of the answer.

        Args:
            path: Service and method.
            wait: Whether to wait for a server that is not there at the moment.

        Raises:
            Fault: the server says that it cannot.
            Lost: it says nothing.
        """
        return self.start(path, body, timeout=timeout, metadata=metadata, wait=wait)()

    def start(
        self, path: str, body: bytes, *, timeout: float, metadata: Metadata = (), wait: bool = False
    ) -> Callable[[], bytes]:
        """The same, begun; what it returns waits for the answer, as often as it is called."""
        method: Any = self._channel.unary_unary(f"/{path}")
        future = method.future(body, timeout=timeout, metadata=tuple(metadata), wait_for_ready=wait)

        def finish() -> bytes:
            try:
                answer: bytes = future.result()
            except (grpc.RpcError, grpc.FutureCancelledError) as error:
                raise self._error(error, timeout) from error
            return answer

        return finish

    def first(self, path: str, body: bytes, *, timeout: float) -> Callable[[], bytes | None]:
        """Begin to listen; what it returns waits for the first message, None where none comes."""
        method: Any = self._channel.unary_stream(f"/{path}")
        stream = method(body, timeout=timeout)

        def finish() -> bytes | None:
            try:
                message: bytes | None = next(iter(stream), None)
            except grpc.RpcError:
                return None
            finally:
                stream.cancel()
            return message

        return finish

    def _error(self, error: BaseException, timeout: float) -> Fault | Lost:
        if not isinstance(error, grpc.Call):
            return Lost(f"the call to {self.target} was cut off")
        code, details = error.code(), error.details() or ""
        if code is grpc.StatusCode.ABORTED and (fault := _fault(details)):
            return fault
        said = {
            grpc.StatusCode.DEADLINE_EXCEEDED: f"gave no answer in {timeout:g} s",
            grpc.StatusCode.UNAVAILABLE: "cannot be reached",
        }.get(code, f"answered with {code.name}")
        reason = f"{self.target} {said}" + (f": {plain(details, 300)}" if details else "")
        full = code is grpc.StatusCode.RESOURCE_EXHAUSTED
        return Lost(reason, untaken=code in _NEVER_TAKEN, full=full)

    # The service that every server has ----------------------------------------------------------

    def fact(self, name: str, *, wait: bool = False) -> str:
        """A property of the server: ServerName, ServerUUID, ServerVersion ...

        Raises:
            EvaluatorError: it cannot be reached, or answers otherwise.
        """
        return str(self._property(name, _TEXT, wait))

    def features(self) -> list[str]:
        """Fully qualified identifiers of the features that the server has.

        Raises:
            EvaluatorError: as :meth:`fact`.
        """
        listed = self._property("ImplementedFeatures", Shape("List", None, {"item": _TEXT}))
        return [str(one["value"]) for one in listed]

    def definition(self, feature: str) -> str:
        """The definition of a feature, in XML.

        Raises:
            EvaluatorError: as :meth:`fact`, or it has no such feature.
        """
        asked = Codec({"FeatureIdentifier": _TEXT}).encode({"FeatureIdentifier": feature})
        answer = self.ask("GetFeatureDefinition", asked)
        return str(self.read({"FeatureDefinition": _TEXT}, answer, "FeatureDefinition"))

    def _property(self, name: str, shape: Shape, wait: bool = False) -> Any:
        return self.read({name: shape}, self.ask(f"Get_{name}", b"", wait=wait), name)

    def ask(
        self, method: str, body: bytes, *, service: str = _SERVICE, wait: bool = False
    ) -> bytes:
        """Call what measures nothing.

        Raises:
            EvaluatorError: there is no good answer.
        """
        path = f"{service}/{method}"
        try:
            return self.call(path, body, timeout=RETURN if wait else PATIENCE, wait=wait)
        except Lost as lost:
            raise EvaluatorError(self._why(path, body, lost, wait), transient=True) from lost
        except Fault as fault:
            raise EvaluatorError(f"{self.target} refuses {method}: {fault.message}") from fault

    def _why(self, path: str, body: bytes, lost: Lost, waited: bool) -> str:
        """What stands in the way: whoever waits for a connection is not told that."""
        if waited:
            try:
                self.call(path, body, timeout=PATIENCE)
            except Lost as found:
                lost = found
            except Fault:
                pass
        return f"the SiLA 2 server {lost.message}"

    def read(self, fields: dict[str, Shape], body: bytes, name: str) -> Any:
        """The value of one field of an answer.

        Raises:
            EvaluatorError: the answer lacks it.
        """
        try:
            return Codec(fields).decode(body)[name]["value"]
        except (DecodeError, KeyError) as error:
            raise EvaluatorError(f"{self.target} answers without {name}") from error


def _credentials(tls: str) -> grpc.ChannelCredentials:
    if tls == SYSTEM:
        return grpc.ssl_channel_credentials()
    try:
        return grpc.ssl_channel_credentials(Path(tls).expanduser().read_bytes())
    except OSError as error:
        raise OptionError(
            "tls",
            f"names the file {tls!r}, which cannot be read ({error.strerror}); name a file of root "
            f"certificates in PEM, {SYSTEM!r} or {INSECURE!r}",
        ) from error


def _fault(details: str) -> Fault | None:
    """The SiLA error in the details of an aborted call."""
    try:
        original = base64.b64decode(details, validate=True)
        error = framework_from("SiLAError", original)
    except (binascii.Error, ValueError, DecodeError):
        return None
    for kind in ("validation", "defined", "undefined"):
        if error.HasField(kind):
            inner = getattr(error, kind)
            identifier = getattr(inner, "identifier", "")
            return Fault(kind, plain(identifier), plain(inner.message), original)
    if not error.HasField("framework"):
        return None
    number = error.framework.type
    known = 0 <= number < len(_FRAMEWORK_ERRORS)
    kind = _FRAMEWORK_ERRORS[number] if known else "undefined"
    return Fault(kind, "", plain(error.framework.message), original)


def chained(finishers: Sequence[Callable[[], bytes]]) -> Iterator[bytes | Fault | Lost]:
    """What calls that were begun came to, in order; errors as values."""
    for finish in finishers:
        try:
            yield finish()
        except (Fault, Lost) as error:
            yield error

"""Requests to the service: credentials, limits, and what is worth asking again."""

from __future__ import annotations

import base64
import email.utils
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from adapters import credentials as secrets
from adapters.messages import plain, quote
from adapters.protocol import EvaluatorError, OptionError

BUSY = frozenset({425, 429, 503})
"""The service says that it took nothing, and may later."""
UNSURE = frozenset({408, 500, 502, 504})
"""It may have taken something."""
LARGEST = 64_000_000
"""Bytes of an answer that is read."""
PATIENCE_S = 5.0
"""The longest that one call waits between two tries; longer, the loop waits."""


class UnsureError(Exception):
    """Whether the service took what it was sent is not known."""


@dataclass(frozen=True)
class Answer:
    """What the service said."""

    status: int
    body: bytes
    media_type: str
    retry_after: float = 0.2
    """Seconds after which the service wants to be asked again."""

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            EvaluatorError: it is none.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise EvaluatorError(
                f"the service answered {self.status} with {quote(self.body)}, which is not JSON"
            ) from error

    def reason(self) -> str:
        """What the service says is wrong (RFC 9457 or its like), in one line."""
        text = self.body[:2000].decode("utf-8", "replace").strip()
        try:
            said = json.loads(self.body[:100_000])
            found = [said.get(key) for key in ("detail", "title", "error", "message")]
            text = next(str(one) for one in found if one)
        except (ValueError, AttributeError, StopIteration, RecursionError):
            pass
        return plain(" ".join(text.split()), 300) or "no reason given"


class Client:
    """Asks one service.

    Args:
        url: Its address; paths are below it.
        credentials: ``{"bearer": REFERENCE}``, ``{"user": NAME, "password": REFERENCE}`` or
            ``{"header": NAME, "value": REFERENCE}``; see :mod:`adapters.credentials`.
        timeout: Seconds for one request.
        tries: How often one request is tried.
        ca: File of the certificates that are trusted, where the system's are not enough.
        in_flight: Connections at a time.

    Raises:
        OptionError: an option cannot be used.
    """

    def __init__(
        self,
        url: str,
        credentials: Mapping[str, str],
        *,
        timeout: float,
        tries: int,
        ca: Path | None,
        in_flight: int,
    ) -> None:
        parsed = httpx.URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise OptionError("url", f"url is {quote(url)}; write such as https://assay.lab/api")
        if parsed.userinfo:
            raise OptionError("url", "url holds a password; name it by credentials")
        if ca is not None and not ca.is_file():
            raise OptionError("ca", f"ca is {quote(str(ca))}, and there is no such file")
        self._url = url.rstrip("/")
        self._credentials = dict(credentials)
        self._check_credentials()
        self._timeout, self._tries, self._ca, self._in_flight = timeout, tries, ca, in_flight
        self._client: httpx.Client | None = None
        self._guard = threading.Lock()

    def _check_credentials(self) -> None:
        given = set(self._credentials)
        if given not in ({"bearer"}, {"user", "password"}, {"header", "value"}, set()):
            raise OptionError(
                "credentials",
                "credentials are {bearer: env:NAME}, {user: NAME, password: env:NAME} or "
                f"{{header: NAME, value: env:NAME}}, and not {', '.join(sorted(given))}",
            )
        for key in given & {"bearer", "password", "value"}:
            secrets.check(self._credentials[key])

    def _headers(self) -> dict[str, str]:
        """The header that proves who asks; resolved for each connection, so secrets may change."""
        if "bearer" in self._credentials:
            return {"Authorization": f"Bearer {secrets.resolve(self._credentials['bearer'])}"}
        if "user" in self._credentials:
            password = secrets.resolve(self._credentials["password"])
            pair = f"{self._credentials['user']}:{password}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        if "header" in self._credentials:
            return {self._credentials["header"]: secrets.resolve(self._credentials["value"])}
        return {}

    def ask(
        self,
        method: str,
        path: str,
        document: object = None,
        *,
        key: str = "",
        again: bool = True,
        accepted: frozenset[int] = frozenset(),
    ) -> Answer:
        """One request, tried again where that does no harm.

        Args:
            path: Below the service's address.
            document: Sent as JSON.
            key: Sent as ``Idempotency-Key``.
            again: Whether the service takes the same request twice as one.
            accepted: Statuses that are answers, beside those of success.

        Raises:
            EvaluatorError: the service took nothing.
            UnsureError: whether it did is not known; only where ``again`` is False.
        """
        headers = {"Idempotency-Key": key} if key else {}
        for left in range(self._tries - 1, -1, -1):
            try:
                answer = self._once(method, path, document, headers)
            except httpx.ConnectError as error:
                pause, what = 0.2, f"{self._url} cannot be reached: {_why(error)}"
            except UnsureError as error:
                if not again:
                    raise
                raise EvaluatorError(str(error)) from error
            except httpx.HTTPError as error:
                pause, what = 0.2, f"{self._url} did not answer: {_why(error)}"
                if not again:
                    raise UnsureError(what) from error
            else:
                if answer.status < 300 or answer.status in accepted:
                    return answer
                what = f"{self._url}{path} answered {answer.status}: {answer.reason()}"
                if answer.status in UNSURE and not again:
                    raise UnsureError(what)
                if answer.status not in BUSY | UNSURE:
                    raise EvaluatorError(what)
                pause = answer.retry_after
            if not left or pause > PATIENCE_S:
                raise EvaluatorError(what, transient=True)
            time.sleep(pause)
        raise AssertionError("there is at least one try")

    def _once(self, method: str, path: str, document: object, headers: Mapping[str, str]) -> Answer:
        url = f"{self._url}{path}"
        with self._opened().stream(method, url, json=document, headers=headers) as response:
            parts, size = [], 0
            for part in response.iter_bytes():
                size += len(part)
                if size > LARGEST:
                    raise UnsureError(f"{url} answered with more than {LARGEST:,} bytes")
                parts.append(part)
            wanted = _retry_after(response.headers.get("retry-after", ""))
            media_type = response.headers.get("content-type", "application/octet-stream")
            return Answer(response.status_code, b"".join(parts), media_type, wanted)

    def _opened(self) -> httpx.Client:
        """The connections, made by whichever thread needs them first."""
        with self._guard:
            if self._client is None:
                self._client = httpx.Client(
                    timeout=self._timeout,
                    verify=str(self._ca) if self._ca else True,
                    limits=httpx.Limits(max_connections=self._in_flight),
                    headers=self._headers(),
                    follow_redirects=False,  # credentials go to the service that was named
                )
            return self._client

    def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _retry_after(said: str) -> float:
    """Seconds of a ``Retry-After``, which is a number or a date (RFC 9110, 10.2.3)."""
    if said.strip().isdecimal():
        return float(said)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.2


def _why(error: httpx.HTTPError) -> str:
    return plain(str(error)) or type(error).__name__

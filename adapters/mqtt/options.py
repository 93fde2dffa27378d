"""Options of the transport ``mqtt``, checked before anything is connected."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from adapters.messages import quote
from adapters.protocol import Job, OptionError

PORTS = {"mqtt": 1883, "mqtts": 8883}
PLACEHOLDERS = ("job", "label")
LONGEST_TOPIC = 65_535
"""Bytes, by the standard."""

_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Address:
    """Where the broker is."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


@dataclass(frozen=True)
class Access:
    """With what the broker is met: its address, and who we are to it."""

    address: Address
    protocol: Literal["5", "3.1.1"] = "5"
    user: str = ""
    """A reference such as ``env:NAME``, as is the password."""
    password: str = ""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    keep_session: int = 0
    """Seconds; 0 for a session that ends with its connection."""
    timeout: float = 10.0
    window: int = 100
    """The most messages that are held here and not acknowledged."""

    def context(self) -> ssl.SSLContext | None:
        """For TLS; None for a broker without.

        Raises:
            OptionError: a file cannot be read, or is no certificate or key.
        """
        if not self.address.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise OptionError("ca", _unreadable("ca", self.ca, error)) from error
        if self.certificate is not None:
            try:
                # An empty password, so that nobody is asked for one at the terminal.
                context.load_cert_chain(self.certificate, self.key, password="")
            except OSError as error:
                what = _unreadable("certificate", self.certificate, error)
                raise OptionError("certificate", f"{what}; its key is {self.key}") from error
        return context


def address(broker: str) -> Address:
    """The broker's address.

    Raises:
        OptionError: it is no ``mqtt://`` or ``mqtts://``, or has a user or a path in it.
    """
    right = "write mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS"
    try:
        parts = urlsplit(broker)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise OptionError("broker", f"the address cannot be read ({error}); {right}") from None
    if parts.username is not None or parts.password is not None:
        # Which is not shown: it may be a secret.
        what = "the address has a user in it; name user and password by reference, as env:NAME"
        raise OptionError("broker", what)
    if parts.scheme not in PORTS or not host or parts.path not in ("", "/") or parts.query:
        raise OptionError("broker", f"broker is {quote(broker)}; {right}")
    return Address(host, port or PORTS[parts.scheme], parts.scheme == "mqtts")


def require_topic(option: str, topic: str, placeholders: tuple[str, ...] = PLACEHOLDERS) -> None:
    """Refuse a template of a topic that nothing can be published on.

    Raises:
        OptionError: it is empty, too long, has a wildcard or an unknown placeholder.
    """
    if not topic or len(topic.encode()) > LONGEST_TOPIC or "\0" in topic:
        raise OptionError(option, f"{option} is {quote(topic)}; name a topic, such as lab/orders")
    if "+" in topic or "#" in topic:
        raise OptionError(option, f"{option} is {quote(topic)}: wildcards are for results alone")
    for name in _BRACES.findall(topic):
        if name not in placeholders:
            known = " and ".join(f"{{{one}}}" for one in placeholders) or "none"
            raise OptionError(option, f"{option} has {{{name}}}; placeholders are: {known}")


def topic(template: str, job: Job) -> str:
    """The topic of a job; its label has no slash in it, which would begin another level."""
    values = {"job": job.key, "label": job.label.replace("/", "-")}
    return _BRACES.sub(lambda found: values[found[1]], template)


class Results:
    """The filter by which results are subscribed to; ``{job}`` in it is a job's key.

    Raises:
        OptionError: it is no filter.
    """

    def __init__(self, template: str) -> None:
        levels = template.split("/")
        right = "write such as lab/+/results, lab/# or lab/results/{job}"
        for index, level in enumerate(levels):
            whole = level in ("+", "#", "{job}")
            if (not whole and re.search(r"[+#{}\0]", level)) or (
                level == "#" and index < len(levels) - 1
            ):
                raise OptionError("results", f"results has the level {quote(level)}; {right}")
        if not template or len(template.encode()) > LONGEST_TOPIC or levels.count("{job}") > 1:
            raise OptionError("results", f"results is {quote(template)}; {right}")
        if levels[0] == "$share":
            # Of a shared subscription the broker gives each message to one of the subscribers only.
            raise OptionError("results", f"results is shared, and would lose some; {right}")
        self.template = template
        self.filter = template.replace("{job}", "+/+/+/+")
        self._pattern = re.compile(
            "/".join(
                {"+": "[^/]*", "#": ".*", "{job}": "(?P<job>[^/]+/[^/]+/[^/]+/[^/]+)"}.get(
                    level, re.escape(level)
                )
                for level in levels
            ),
            re.DOTALL,
        )
        self.names_job = "{job}" in levels

    def job(self, topic: str) -> str | None:
        """The key of the job that a topic names; None where it names none."""
        found = self._pattern.fullmatch(topic) if self.names_job else None
        return found["job"] if found else None

    def reply_topic(self, key: str) -> str:
        """Where the result of a job may be published; empty where the filter leaves it open."""
        reply = self.template.replace("{job}", key)
        return "" if "+" in reply or "#" in reply else reply


def _unreadable(option: str, file: Path | None, error: OSError) -> str:
    return f"{option} is {quote(str(file))}, which cannot be read: {error.strerror or error}"

"""The evaluator ``mqtt``: publishes orders, and hands over the messages that answer them."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from adapters import credentials, declared
from adapters.checks import require_measures
from adapters.messages import plain
from adapters.mqtt import inbox, options
from adapters.mqtt.link import Link, Unanswered, Will
from adapters.mqtt.payload import Payload, Reader, pointers
from adapters.mqtt.payload import order as order_payload
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

GRACE = 2.0
"""Seconds that a look waits, at most, for a connection and what the broker kept."""
SENT_AGAIN = 1000
"""The most orders that are kept here, to be sent again after a lost connection."""

Scope = tuple[str, str]
"""Campaign and evaluator, as a job's key names them."""


class InDoubt(Exception):
    """Nobody knows whether the instrument has an order.

    No :class:`EvaluatorError`, which would say that it was not taken.
    """


class MqttEvaluator:
    """Instruments behind an MQTT broker. docs/transports/mqtt.md tells of each option.

    Raises:
        OptionError: an option is wrong.
    """

    def __init__(
        self,
        *,
        broker: str,
        orders: str,
        results: str,
        measures: declared.Measures,
        kinds: Sequence[str],
        payload: Payload | None = None,
        protocol: Literal[5, "5", "3.1.1"] = "5",
        client_id: str = "",
        keep_session: float = 2_592_000,
        user: str = "",
        password: str = "",
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        cancel: str = "",
        status: str = "",
        others: Literal["leave", "refuse"] = "leave",
        idempotent: bool = False,
        timeout: float = 10.0,
        window: int = 100,
        in_flight: int | None = None,
        cost: float = 0.0,
        expected_duration: float = 0.0,
    ) -> None:
        for option, reference in (("user", user), ("password", password)):
            if reference:
                credentials.check(reference, option)
        options.require_topic("orders", orders)
        if cancel:
            options.require_topic("cancel", cancel, ("job",))
        if status:
            options.require_topic("status", status, ())
        for option, number in (("keep_session", keep_session), ("timeout", timeout)):
            if not number > 0:
                raise OptionError(option, f"{option} is {number}; it is a number of seconds")
        for option, count in (("window", window), ("in_flight", in_flight)):
            if count is not None and count < 1:
                raise OptionError(option, f"{option} is {count}; it is 1 at least")
        self._access = options.Access(
            address=options.address(broker),
            protocol="3.1.1" if protocol == "3.1.1" else "5",
            user=user,
            password=password,
            ca=_file(ca),
            certificate=_file(certificate),
            key=_file(key),
            keep_session=int(keep_session),
            timeout=timeout,
            window=window,
        )
        if not self._access.address.tls and (ca or certificate or key):
            raise OptionError("broker", f"{broker} is without TLS; with it, write mqtts://")
        self._orders, self._cancel = orders, cancel
        self._results = options.Results(results)
        self._will = Will(status) if status else None
        self._client_id, self._leave = client_id, others == "leave"
        found = declared.measures(measures)
        self._reader = Reader(found, pointers(payload))
        if self._reader.pointers is None:
            _require_one(found, self._results, self._access.protocol)
        self._capabilities = Capabilities(
            name="mqtt",
            version="1",
            sample_kinds=frozenset(kinds),
            measures=found,
            idempotent=idempotent,
            cancellable=bool(cancel),
            in_flight=in_flight,
            cost=cost,
            expected_duration=expected_duration,
        )
        self._lines: dict[Scope, _Line] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What the instruments can do, as the options say."""
        return self._capabilities

    def check(self, measures: Sequence[str]) -> None:
        """Make sure that the measures are declared, and files of TLS can be read.

        Raises:
            OptionError: a file is missing or no certificate.
            EvaluatorError: a measure is not declared.
        """
        require_measures(self.capabilities, measures)
        self._access.context()

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        """Publish the order of each job, and wait until the broker has it.

        Raises:
            EvaluatorError: the broker does not have it.
            InDoubt: of an instrument that is not idempotent, when it may have it or not.
        """
        if len(batch.jobs) > self.capabilities.batch_size:
            raise EvaluatorError(f"an order is of one job, batch {batch.key!r} of several")
        for job in batch.jobs:
            kinds = self.capabilities.sample_kinds
            if job.sample.kind not in kinds:
                raise EvaluatorError(
                    f"{job.sample.kind!r} is not measured here, but {', '.join(sorted(kinds))}"
                )
            line = self._line(job.key)
            order = self._order(job)
            line.link.require()
            try:
                line.link.publish(*order)
            except Unanswered as error:
                if self.capabilities.idempotent:
                    raise EvaluatorError(f"{error}; it is sent again", transient=True) from error
                raise InDoubt(str(error)) from error
            if self.capabilities.idempotent:
                line.remember(job.key, order)
        return [Ticket(job.key, job.label) for job in batch.jobs]

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """Messages that have come and are not acknowledged, for the campaigns of these tickets.

        Raises:
            EvaluatorError: there are none, and the broker cannot be used.
        """
        lines = {id(line): line for line in (self._line(ticket.job) for ticket in tickets)}
        found: dict[str, Delivery] = {}
        problem = ""
        until = time.monotonic() + GRACE
        for line in lines.values():
            line.link.look(max(0.0, until - time.monotonic()))
            found |= {delivery.reference: delivery for delivery in line.inbox.deliveries()}
            problem = problem or (line.link.cannot(line.link.problem) if line.link.problem else "")
        if problem and not found:
            raise EvaluatorError(problem, transient=True)
        return list(found.values())

    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        """Read a message.

        Raises:
            EvaluatorError: it cannot be read, or is of no job.
        """
        return self._reader.outcomes(delivery)

    def acknowledge(self, delivery: Delivery) -> None:
        """Let the broker forget the message."""
        for line in self._lines.values():
            line.done(delivery.reference)

    def refuse(self, delivery: Delivery, reason: str) -> None:
        """Let the broker forget it as well: it is kept here, with the reason."""
        self.acknowledge(delivery)

    def cancel(self, tickets: Sequence[Ticket]) -> None:
        """Publish on the topic of cancellations, if there is one.

        Raises:
            EvaluatorError: the broker does not have it.
        """
        if not self._cancel or not tickets:
            return
        # A session of its own: that of the campaign may be another process's.
        link = Link(self._access, self._secrets)
        try:
            link.require()
            for ticket in tickets:
                topic = self._cancel.replace("{job}", ticket.job)
                link.publish(topic, json.dumps({"job": ticket.job}).encode(), unheard=True)
        except Unanswered as error:
            raise EvaluatorError(str(error), transient=True) from error
        finally:
            link.close()

    def health(self) -> str:
        """Meet the broker, as nobody's session, and subscribe to results.

        Raises:
            EvaluatorError: it cannot be reached, or does not let us.
        """
        link = Link(self._access, self._secrets, filter=self._results.filter)
        began = time.monotonic()
        try:
            link.require()
            took = time.monotonic() - began
        finally:
            link.close()
        return (
            f"{self._access.address} answered in {took * 1000:.0f} ms by MQTT "
            f"{self._access.protocol} and lets us subscribe to {self._results.filter}"
        )

    def close(self) -> None:
        """Take leave of the broker, which keeps what was not acknowledged."""
        for line in self._lines.values():
            line.link.close()

    # Lines -------------------------------------------------------------------------------------

    def _line(self, job: str) -> _Line:
        """The session that the results of a job come by."""
        scope = _scope(job) or (job, "")
        line = self._lines.get(scope)
        if line is None:
            line = self._lines[scope] = _Line(self, scope)
        return line

    def _order(self, job: Job) -> Order:
        properties = None
        if self._access.protocol == "5":
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType = "application/json"
            properties.CorrelationData = job.key.encode()
            reply = self._results.reply_topic(job.key)
            if reply:
                properties.ResponseTopic = reply
        return options.topic(self._orders, job), order_payload(job), properties

    def _secrets(self) -> tuple[str, str]:
        """User and password.

        Raises:
            OptionError: what a reference names is not there.
        """
        if not (self._access.user or self._access.password):
            return "", ""
        given = (("user", self._access.user), ("password", self._access.password))
        user, password = (credentials.resolve(one, name) if one else "" for name, one in given)
        return user, password


Order = tuple[str, bytes, Properties | None]
"""Topic, payload and properties."""


class _Line:
    """What one evaluator of one campaign has with the broker."""

    def __init__(self, owner: MqttEvaluator, scope: Scope) -> None:
        self._owner, self._scope = owner, scope
        self._own_session = not owner._client_id or "{campaign}" in owner._client_id
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self.inbox = inbox.Inbox(owner._access.window)
        self.link = Link(
            owner._access,
            owner._secrets,
            client=self._client(),
            filter=owner._results.filter,
            will=owner._will,
            inbox=self.inbox,
            on_message=self._message,
            on_return=self._send_again,
        )

    def _client(self) -> str:
        """The name of the session: the same for every process, another for every campaign.

        At most 23 letters and digits, which every broker takes.
        """
        if self._owner._client_id:
            return self._owner._client_id.replace("{campaign}", self._scope[0])
        named = "\0".join((*self._scope, self._owner._results.filter)).encode()
        return "al" + base64.b32encode(hashlib.sha256(named).digest()).decode().lower()[:20]

    def remember(self, job: str, order: Order) -> None:
        """Keep an order until it is answered."""
        self._orders[job] = order
        if len(self._orders) > SENT_AGAIN:
            self._orders.popitem(last=False)

    def done(self, reference: str) -> None:
        """A message is stored."""
        job = self.inbox.done(reference)
        if job is not None:
            self._orders.pop(job, None)

    def _send_again(self) -> None:
        """A broker that died may have lost what it had confirmed a moment before."""
        for order in list(self._orders.values()):
            self.link.tell(*order)

    def _message(self, message: paho.MQTTMessage) -> None:
        """Hold a message that is ours, or is nobody's; called by the connection's thread."""
        try:
            topic = message.topic
        except UnicodeDecodeError:  # which no broker should let pass
            topic = "?"
        about: Any = message.properties
        correlation = getattr(about, "CorrelationData", b"") if about is not None else b""
        media_type = getattr(about, "ContentType", "") if about is not None else ""
        body = bytes(message.payload)
        owner = self._owner
        named = owner._reader.job(body)
        told = named or owner._results.job(topic) or correlation.decode("utf-8", "replace") or None
        scope = _scope(told) if told else None
        if scope is not None and scope != self._scope and owner._leave:
            if self._own_session:  # whoever it is for has a copy
                self.link.acknowledge(message.mid)
            return
        plain_type = "application/json" if owner._reader.pointers is not None else "text/plain"
        delivery = Delivery(
            reference=inbox.reference(topic, body, correlation),
            body=body,
            media_type=plain(media_type, 100) or plain_type,
            # Where the payload names it, reading says so; for a stranger nobody claims to know.
            jobs=(told,) if told and not named and scope == self._scope else (),
        )
        self.inbox.put(delivery, told, message.mid, again=message.dup)


def _scope(job: str) -> Scope | None:
    """Campaign and evaluator in the key of a job; None for what is no such key."""
    parts = job.split("/")
    return (parts[0], parts[2]) if len(parts) == 4 and all(parts) else None


def _file(file: Path | None) -> Path | None:
    return None if file is None else Path(file).expanduser()


def _require_one(measures: Sequence[Any], results: options.Results, protocol: str) -> None:
    """Refuse numbers that nobody could tell apart."""
    if len(measures) != 1:
        what = f"a payload that is a number is of one measure, and there are {len(measures)}"
        raise OptionError("payload", f"{what}; give each an evaluator of its own")
    if protocol == "3.1.1" and not results.names_job:
        what = "a number does not say of which job it is"
        raise OptionError("results", f"{what}; have {{job}} in the topic of results")

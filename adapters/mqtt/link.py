"""One connection to the broker at a time, for one session there, which outlives it.

A connection that is lost is not mended in the background: whoever asks next makes another, with a
client of its own, so that nothing that was half sent goes out again by itself.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from adapters.messages import plain
from adapters.mqtt.inbox import Inbox
from adapters.mqtt.options import Access
from adapters.protocol import EvaluatorError

PAUSES = (0.2, 30.0)
"""Seconds between two tries to connect: at first, and at most."""
STEADY = 60.0
"""Seconds after which a connection is a good one. Some brokers do not say that another process took
the session over; so two that want it at one time pause longer and longer."""
KEEPALIVE = 20
"""Seconds of silence after which either side looks whether the other is there."""
TAKEN_OVER = 0x8E
NOBODY_LISTENS = 0x10


class Unanswered(Exception):
    """The broker did not say whether it has what was published."""


@dataclass(frozen=True)
class Will:
    """What the broker publishes, retained, while we are there and once we are gone."""

    topic: str
    here: str = "online"
    gone: str = "offline"


class _Client(paho.Client):
    """paho's, which keeps to itself why it cannot connect."""

    trouble: Exception | None = None

    def reconnect(self) -> MQTTErrorCode:
        try:
            return super().reconnect()
        except OSError as error:
            self.trouble = error
            raise


class Link:
    """The way to a broker, and a session there.

    Args:
        access: the broker, and who we are to it.
        secrets: user and password, asked for when they are needed.
        client: the name of the session; empty for one that ends with the connection.
        filter: what is subscribed to; empty for nothing.
        inbox: where messages go.
        on_message: called in a thread of its own with each message that comes.
        on_return: called in that thread when a connection is there again after one was lost.
    """

    def __init__(
        self,
        access: Access,
        secrets: Callable[[], tuple[str, str]],
        *,
        client: str = "",
        filter: str = "",  # noqa: A002 -- the standard's word
        will: Will | None = None,
        inbox: Inbox | None = None,
        on_message: Callable[[paho.MQTTMessage], None] = lambda message: None,
        on_return: Callable[[], None] = lambda: None,
    ) -> None:
        self._access = access
        self._secrets = secrets
        self._name = client
        self._filter = filter
        self._will = will
        self._inbox = inbox or Inbox(1)
        self._take = on_message
        self._on_return = on_return
        self._client: _Client | None = None
        self._state = threading.Condition()
        self._ready = False
        self._was_ready = False
        self._published: dict[int, ReasonCode] = {}
        self._pause = 0.0
        self._not_before = 0.0
        self._since = self._heard = 0.0
        self._why = ""
        self._hangs_until = 0.0
        self.problem = ""
        """Why there is no connection; empty while there is one, or none was tried."""
        self.largest: int | None = None
        """Bytes of a packet that the broker takes, where it says so."""

    # Coming and going --------------------------------------------------------------------------

    def look(self, grace: float) -> None:
        """Make sure of a connection if one is due, and give what waits for it a moment to come.

        Blocks for the grace, in seconds, at most, and only while a connection begins.
        """
        if self._inbox.starved:
            self.close()
        if self._client is None and time.monotonic() >= self._not_before:
            self._begin()
            until = time.monotonic() + grace
            with self._state:
                while self._client is not None and (left := until - time.monotonic()) > 0:
                    quiet = time.monotonic() - self._heard
                    if self._ready and quiet > min(0.1, grace):
                        break
                    self._state.wait(min(left, 0.05))

    def require(self) -> None:
        """Wait for a connection.

        Raises:
            EvaluatorError: there is none within the time; says why.
        """
        if time.monotonic() < self._hangs_until:
            raise EvaluatorError(self.cannot("it does not answer"), transient=True)
        if self._client is None:
            self._begin()
        with self._state:
            self._state.wait_for(lambda: self._ready or self._client is None, self._access.timeout)
            if self._ready:
                return
            client, why = self._client, self._why or "it does not answer"
        if client is not None:
            self._hangs(client, why)
        raise EvaluatorError(self.cannot(why), transient=True)

    def cannot(self, why: str) -> str:
        """The sentence for a person."""
        return f"the broker {self._access.address} cannot be used: {why}"

    def close(self) -> None:
        """Take leave. The session stays at the broker, with all that is not acknowledged."""
        client = self._client
        if client is None:
            return
        with self._state:
            ready = self._ready
        if ready:
            with suppress(Exception):
                self._settle(client)
                if self._will is not None:
                    said = client.publish(self._will.topic, self._will.gone, qos=1, retain=True)
                    said.wait_for_publish(1.0)
                client.disconnect()
                with self._state:
                    self._state.wait_for(lambda: self._client is not client, 2.0)
        self._end(client, "")
        self.problem, self._not_before = "", 0.0

    def _settle(self, client: _Client) -> None:
        """Wait until the broker has read all acknowledgements, or a second.

        What is asked of it in the same breath as a new connection is made, some brokers miss. So
        it is asked for what comes to nothing, and answers in turn.
        """
        settled = threading.Event()
        client.on_unsubscribe = lambda *_: settled.set()
        client.unsubscribe("assayloop/nothing")
        settled.wait(1.0)

    def _begin(self) -> None:
        """Start to connect; another thread goes on with it.

        Raises:
            OptionError: a credential or a file of TLS cannot be had.
        """
        access = self._access
        five = access.protocol == "5"
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._name,
            clean_session=None if five else not self._name,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = access.timeout
        context = access.context()
        if context is not None:
            client.tls_set_context(context)
        user, password = self._secrets()
        if user or password:
            client.username_pw_set(user, password or None)
        if self._will is not None:
            client.will_set(self._will.topic, self._will.gone, qos=1, retain=True)
        client.on_connect = self._connected
        client.on_connect_fail = self._failed
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        client.on_message = self._message
        client.on_publish = self._acknowledged
        asked: dict[str, Any] = {}
        if five:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = min(access.window, 65_535)
            if self._name:
                properties.SessionExpiryInterval = min(access.keep_session, 0xFFFF_FFFF)
            asked = {"clean_start": not self._name, "properties": properties}
        with self._state:
            self._client, self._ready, self._why = client, False, ""
            self._published.clear()
        client.connect_async(access.address.host, access.address.port, keepalive=KEEPALIVE, **asked)
        client.loop_start()

    def _end(self, client: _Client, why: str) -> None:
        """The connection of a client is over, whoever ended it."""
        with self._state:
            if self._client is not client:
                return
            was_ready, self._client, self._ready = self._ready, None, False
            self._inbox.disconnected()
            self._why = why
            if why:
                # What was there a moment ago is perhaps there again at the next try.
                self.problem = "" if was_ready else why
                if was_ready and time.monotonic() - self._since > STEADY:
                    self._pause = 0.0
                self._lengthen()
            self._state.notify_all()
        # Its thread ends by itself once its socket does; what it had not sent, it never will.
        open_socket = client.socket()
        if open_socket is not None:
            with suppress(OSError, AttributeError):
                open_socket.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]

    def _lengthen(self) -> None:
        """Pause longer before the next look; not for each of many orders that fail at one time."""
        at, (first, longest) = time.monotonic(), PAUSES
        if at >= self._not_before:
            self._pause = min(max(2 * self._pause, first), longest)
            # Not all at once, when a broker is back that many wait for.
            self._not_before = at + self._pause * random.uniform(0.8, 1.2)  # noqa: S311

    def _hangs(self, client: _Client, why: str) -> None:
        """The broker took its whole time: for as long again nobody waits for it."""
        self._end(client, why)
        self._hangs_until = time.monotonic() + self._access.timeout

    # Saying ------------------------------------------------------------------------------------

    def publish(
        self,
        topic: str,
        payload: bytes,
        properties: Properties | None = None,
        *,
        unheard: bool = False,
    ) -> None:
        """Publish, over the connection that there is, and wait until the broker has it.

        Args:
            unheard: whether it does not matter that nobody listens.

        Raises:
            EvaluatorError: the broker does not have it: no connection, or it said no.
            Unanswered: the broker may have it or not.
        """
        with self._state:
            client = self._client if self._ready else None
        if client is None:
            raise EvaluatorError(self.cannot(self.problem or "no connection"), transient=True)
        if self.largest is not None and len(payload) + len(topic.encode()) + 1000 > self.largest:
            raise EvaluatorError(
                f"an order of {len(payload)} bytes is more than the broker takes ({self.largest})"
            )
        sent = client.publish(topic, payload, qos=1, properties=properties)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise EvaluatorError(self.cannot("the connection was lost"), transient=True)
        with self._state:
            self._state.wait_for(
                lambda: sent.mid in self._published or self._client is not client,
                self._access.timeout,
            )
            said = self._published.pop(sent.mid, None)
            lost = self._client is not client
        if said is None:
            why = self._why if lost else f"no answer in {self._access.timeout:g} s"
            if lost:
                self._end(client, why or "the connection was lost")
            else:
                self._hangs(client, why)
            raise Unanswered(f"the broker did not confirm an order on {topic}: {why}")
        if said.value == NOBODY_LISTENS and not unheard:
            what = f"nobody listens to {topic}, and the broker kept nothing"
            raise EvaluatorError(f"{what}; is the instrument on?", transient=True)
        if said.is_failure:
            raise EvaluatorError(f"the broker refused an order on {topic}: {said}", transient=True)

    def tell(self, topic: str, payload: bytes, properties: Properties | None = None) -> None:
        """Publish without waiting; for the thread that must not wait for itself."""
        client = self._client
        if client is not None:
            client.publish(topic, payload, qos=1, properties=properties)

    def acknowledge(self, number: int) -> None:
        """Let the broker forget a message of this connection that nobody here wants."""
        client = self._client
        if number and client is not None:
            client.ack(number, 1)

    # What paho's thread calls ------------------------------------------------------------------

    def _connected(
        self, client: paho.Client, data: Any, flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        if client is not self._client:
            client.disconnect()  # whoever wanted it has given up
            return
        if code.is_failure:
            self._end(self._client, f"it refused us: {_refusal(code)}")
            return
        self.largest = getattr(properties, "MaximumPacketSize", None)
        self._inbox.connected(lambda number: (client.ack(number, 1), None)[1])
        if self._will is not None:
            client.publish(self._will.topic, self._will.here, qos=1, retain=True)
        if not self._filter:
            self._begun()
        elif self._access.protocol == "5":
            # What is retained comes with a new subscription, not with each connection.
            how = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            client.subscribe(self._filter, options=how)
        else:
            client.subscribe(self._filter, qos=1)

    def _subscribed(
        self, client: paho.Client, data: Any, mid: int, codes: list[ReasonCode], properties: Any
    ) -> None:
        if client is not self._client:
            return
        refused = [code for code in codes if code.is_failure]
        if refused:
            what = f"it does not let us subscribe to {self._filter}: {_refusal(refused[0])}"
            self._end(self._client, what)
        else:
            self._begun()

    def _begun(self) -> None:
        with self._state:
            again, self._was_ready = self._was_ready, True
            self._ready, self._since, self._heard = True, time.monotonic(), time.monotonic()
            self.problem = ""
            self._state.notify_all()
        if again:
            self._on_return()

    def _failed(self, client: paho.Client, data: Any) -> None:
        client.loop_stop()  # or it would try for ever
        if client is self._client:
            self._end(self._client, _unreachable(self._client.trouble))

    def _disconnected(
        self, client: paho.Client, data: Any, flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        current = self._client
        if current is None or client is not current:
            return
        with self._state:
            why = "the connection was lost"
            if not self._ready:
                why += " before it began; mqtt:// and mqtts:// may be mixed up, or it may want a "
                why += "certificate of ours"
            elif flags.is_disconnect_packet_from_server:
                why = f"it ended the connection: {_refusal(code)}"
        self._end(current, why)
        if flags.is_disconnect_packet_from_server and code.value == TAKEN_OVER:
            self._not_before = time.monotonic() + PAUSES[1]  # what comes, the other receives

    def _message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        if client is self._client:
            self._heard = time.monotonic()
            self._take(message)

    def _acknowledged(
        self, client: paho.Client, data: Any, mid: int, code: ReasonCode, properties: Any
    ) -> None:
        with self._state:
            if client is self._client:
                self._published[mid] = code
                self._state.notify_all()


def _refusal(code: ReasonCode) -> str:
    """A reason code, with a word that helps."""
    said = plain(str(code)).lower()
    if "user name" in said or "authoriz" in said:
        return f"{said}; look at the options user, password and client_id, and at its access list"
    return said


def _unreachable(error: Exception | None) -> str:
    said = plain(str(error or "no connection"))
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return f"its certificate is not to be trusted ({said}); name its authority by the option ca"
    return said

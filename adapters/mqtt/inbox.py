"""Messages that have come and are not acknowledged yet: few in number, and none twice.

The broker keeps a message until it is acknowledged, and sends it again over the next connection. So
what cannot be held here is let go of, and nothing is lost.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.protocol import Delivery

LARGEST = 64_000_000
"""Bytes of all messages held at one time; a single larger one is held alone."""
REMEMBERED = 10_000
"""Messages that are stored, of which a connection that was lost may not have told the broker."""

Acknowledge = Callable[[int], None]


@dataclass
class Held:
    """One message, or several that say the same."""

    delivery: Delivery
    job: str | None
    """Key of the job that it names, as far as that can be seen."""
    numbers: set[int] = field(default_factory=set)
    """The broker's, which stay the same when it sends them again."""
    present: set[int] = field(default_factory=set)
    """Those that came by the present connection, and may be acknowledged by it."""


def reference(topic: str, body: bytes, correlation: bytes) -> str:
    """What names a message: the same after a restart, and for what is published twice."""
    digest = hashlib.sha256(b"\0".join((topic.encode(), correlation, body))).hexdigest()
    return f"{topic[:200]}#{digest[:20]}"


class Inbox:
    """Holds messages until they are acknowledged. Every method may be called by any thread.

    Args:
        window: the most messages that it holds.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._stored: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._guard = threading.RLock()
        self._acknowledge: Acknowledge | None = None
        self._let_go = False

    def connected(self, acknowledge: Acknowledge) -> None:
        """A connection begins, by which messages are acknowledged from now on."""
        with self._guard:
            self._acknowledge = acknowledge
            self._let_go = False

    def disconnected(self) -> None:
        """The connection has ended; what it brought comes again by another."""
        with self._guard:
            self._acknowledge = None
            for held in self._held.values():
                held.present.clear()

    @property
    def starved(self) -> bool:
        """Whether a message was let go of, and all that was held instead has been taken.

        Only a new connection brings it again.
        """
        with self._guard:
            return self._let_go and not self._held

    def put(self, delivery: Delivery, job: str | None, number: int, *, again: bool) -> None:
        """Hold a message that has come.

        Args:
            number: the broker's; 0 of what it does not want to have acknowledged.
            again: whether the broker says that it may have sent it before.
        """
        name = delivery.reference
        with self._guard:
            if again and (name, number) in self._stored:
                self._say(number)
                return
            held = self._held.get(name)
            if held is None:
                size = sum(len(one.delivery.body) for one in self._held.values())
                full = len(self._held) >= self._window or size + len(delivery.body) > LARGEST
                if self._held and full:
                    self._let_go = True
                    return
                held = self._held[name] = Held(delivery, job)
            if number:
                held.numbers.add(number)
                held.present.add(number)

    def deliveries(self) -> list[Delivery]:
        """All that is held, in the order in which it came."""
        with self._guard:
            return [held.delivery for held in self._held.values()]

    def done(self, name: str) -> str | None:
        """A message is stored for good: let the broker forget it, now or when it sends it again.

        Returns:
            Key of the job that it named.
        """
        with self._guard:
            held = self._held.pop(name, None)
            if held is None:
                return None
            for number in sorted(held.present):
                self._say(number)
            self._stored.update(dict.fromkeys((name, number) for number in held.numbers))
            while len(self._stored) > REMEMBERED:  # it is handed over again then, and no harm
                self._stored.popitem(last=False)
            return held.job

    def _say(self, number: int) -> None:
        if number and self._acknowledge is not None:
            self._acknowledge(number)

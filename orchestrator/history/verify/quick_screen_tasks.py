"""The parts of a screening: a stretch of a chain folded, or a table read; both are weighed.

The weight of rows is their fingerprint (:mod:`orchestrator.history.verify.row_fingerprints`). What
the ledger makes of a chain is added to the chain's balance, and what is stored is taken off: the
balance is zero where both are the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from orchestrator.history.verify import chain_segment, stored_rows, tables_from_ledger
from orchestrator.history.verify.chain_segment import Carry, Segment, Stretch
from orchestrator.history.verify.row_fingerprints import Fingerprints, form


class Task(NamedTuple):
    """What is to be screened, for every process alike."""

    key: bytes
    """Of the fingerprints."""
    stretches: tuple[Stretch, ...]
    tables: tuple[str, ...]
    """What :mod:`orchestrator.history.verify.stored_rows` reads."""
    only: str | None
    """The chain, where it is one."""


@dataclass
class Finding:
    """What one process found."""

    balance: dict[str, int] = field(default_factory=dict)
    """By chain."""
    genesis: dict[str, str] = field(default_factory=dict)
    """Hash of the first entry, by chain."""
    unsound: set[str] = field(default_factory=set)
    """Chains in which something else is wrong, or looks so."""

    def add(self, other: Finding) -> None:
        """Put together what two processes found."""
        for chain, weight in other.balance.items():
            self.weigh(chain, weight)
        self.genesis |= other.genesis
        self.unsound |= other.unsound

    def weigh(self, chain: str, weight: int) -> None:
        """Add to the balance of a chain."""
        self.balance[chain] = self.balance.get(chain, 0) + weight


class Scales:
    """Weighs parts in one consistent view, and keeps what it finds. A forgery never raises.

    Args:
        session: The view.
        task: Of which the parts are.
    """

    def __init__(self, session: Session, task: Task) -> None:
        self.found = Finding()
        self._session, self._task = session, task
        self._fingerprints = Fingerprints(task.key)

    def stretch(
        self, part: Stretch, receive: Callable[[], Carry], send: Callable[[Carry], None]
    ) -> None:
        """Check and fold a stretch, and add what it made.

        Args:
            part: The stretch.
            receive: Gives the carry of the stretch that follows.
            send: Takes that for the one before it, as soon as it is known: the next process waits.
        """
        read = Segment(part)
        try:
            with tables_from_ledger.usual_text_readable(self._session.connection()):
                read = chain_segment.read(self._session, part)
        except Exception:  # a forged entry may hold anything
            self.found.unsound.add(part.chain)
        rest = read.settle(receive())
        if part.first == 1:
            self.found.genesis[part.chain] = read.genesis
            if rest:  # it changes rows that nothing made
                self.found.unsound.add(part.chain)
            rest = {}
        send(rest)
        try:
            self.found.weigh(part.chain, self._weight(read))
        except Exception:
            self.found.unsound.add(part.chain)

    def _weight(self, read: Segment) -> int:
        """Of the rows that a stretch made, and of the bytes of its artifacts."""
        total = 0
        dialect = self._session.get_bind().dialect
        for table, rows in read.made.items():
            shape = form(table, dialect)
            total += sum(self._fingerprints.of(table, shape.stored(row)) for row in rows.values())
        for row in read.made.get("artifact", {}).values():
            content = stored_rows.contents(row["sha256"], row["sha256"], row["size"])
            total += self._fingerprints.of(stored_rows.BYTES, content)
        return total

    def table(self, name: str) -> None:
        """Take off what is stored in a table, and look for references that lead nowhere."""
        try:
            try:
                with tables_from_ledger.usual_text_readable(self._session.connection()):
                    found = self._stored(name)
            except DBAPIError:  # a text that is not UTF-8
                found = self._stored(name)
            self.found.add(found)
        except Exception:
            self.found.unsound |= {part.chain for part in self._task.stretches}

    def _stored(self, name: str) -> Finding:
        found = Finding()
        for chain, kind, row in stored_rows.read(self._session, name, self._task.only):
            found.weigh(chain, -self._fingerprints.of(kind, row))
        found.unsound |= set(stored_rows.dangling(self._session, name, self._task.only))
        return found

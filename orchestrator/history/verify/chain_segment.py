"""A stretch of one chain: its entries checked, and the rows that they make.

Segments of a chain are settled from the last to the first. What an entry changes in a row that an
earlier segment made is handed on as a carry, so that the row is final, and can be forgotten, when
the segment that made it is settled. Memory holds one segment, and the rows that are under way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from adapters.messages import quote
from db.columns import parse
from db.ledger import GENESIS, KINDS, Row, changes, digest
from db.models import LedgerEntry
from orchestrator.history.verify import tables_from_ledger

LENGTH = 1000
"""Entries of a segment: some megabytes of payloads."""

Carry = dict[tuple[str, tables_from_ledger.Key], Row]
"""Columns that later entries set, by table and primary key."""


class Unsound(Exception):
    """Something is wrong with the chain, or looks so; a closer look says what."""


class _Line(NamedTuple):
    """An entry as the driver gives it: the columns in the order of the models."""

    chain: str
    sequence: int
    at: int
    clock_back: bool
    actor_kind: str
    actor_id: str
    on_behalf_of: str
    mode: str
    kind: str
    version: int
    payload: str
    previous: str
    hash: str


@dataclass(frozen=True)
class Stretch:
    """Which entries of which chain."""

    chain: str
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


@dataclass
class Segment:
    """What the entries of a stretch make and change."""

    stretch: Stretch
    genesis: str = ""
    """Hash of the chain's first entry, where it is here."""
    made: dict[str, dict[tables_from_ledger.Key, Row]] = field(default_factory=dict)
    foreign: Carry = field(default_factory=dict)
    """Changes of rows that earlier segments made."""

    def settle(self, carry: Carry) -> Carry:
        """Make the rows of this segment final; returns what is for earlier segments.

        Args:
            carry: What later segments hand on.
        """
        for (table, key), values in carry.items():
            row = self.made.get(table, {}).get(key)
            if row is None:
                row = self.foreign.setdefault((table, key), {})
            row.update(values)
        return self.foreign


def stretches(chain: str, entries: int) -> Iterator[Stretch]:
    """The stretches of a chain, from the last to the first."""
    for first in range((entries - 1) // LENGTH * LENGTH + 1, 0, -LENGTH):
        yield Stretch(chain, first, min(first + LENGTH - 1, entries))


def read(session: Session, stretch: Stretch) -> Segment:
    """Check the entries of a stretch and fold them.

    Raises:
        Unsound: an entry is missing, or not what it should be.
    """
    segment = Segment(stretch)
    source = tables_from_ledger.untyped("ledger_entry")
    query = (
        select(source)
        .where(source.c.chain == stretch.chain)
        .where(source.c.sequence >= stretch.first - 1, source.c.sequence <= stretch.last)
        .order_by(source.c.sequence)
    )
    last: LedgerEntry | None = None
    for row in tables_from_ledger.streamed(session, query):
        # It has an entry's attributes, without their conversions; a copy gives them faster.
        entry = cast(LedgerEntry, _Line(*row))
        if entry.sequence >= stretch.first:
            payload, canonical = parse(entry.payload)
            for what in link_faults(entry, last):
                raise Unsound(what)
            for what in content_faults(entry, last, canonical=canonical):
                raise Unsound(what)
            _add(segment, entry, payload)
            if entry.sequence == 1:
                segment.genesis = entry.hash
        last = entry
    if last is None or last.sequence != stretch.last:
        raise Unsound("entries are missing")
    return segment


def _add(segment: Segment, entry: LedgerEntry, payload: Any) -> None:
    for table, key, values, new in changes(entry, payload):
        there = segment.made.setdefault(table, {})
        if new:
            if key in there or (table, key) in segment.foreign:
                raise Unsound("a row is made again, or was changed before")
            there[key] = values
        elif key in there:
            there[key].update(values)
        else:
            segment.foreign.setdefault((table, key), {}).update(values)


def link_faults(entry: LedgerEntry, last: LedgerEntry | None) -> Iterator[str]:
    """What is wrong with an entry's place in the chain, and with its hash."""
    number = 1 if last is None else last.sequence + 1
    previous = GENESIS if last is None else last.hash
    if entry.sequence != number:
        yield f"follows entry {number - 1}: what was between them is missing"
    elif entry.previous != previous:
        yield f"names {quote(entry.previous)} as the hash before it, which is {previous}"
    if (found := digest(entry)) != entry.hash:
        yield f"was changed: its hash is {found}, and {quote(entry.hash)} is stored"


def content_faults(
    entry: LedgerEntry, last: LedgerEntry | None, *, canonical: bool
) -> Iterator[str]:
    """What is wrong with an entry's kind and time, and whether its payload is canonical JSON."""
    if entry.kind not in KINDS:
        yield f"its kind is {quote(entry.kind)}, which this release does not know"
    if not canonical:
        yield "its payload is not canonical JSON"
    back = last is not None and entry.at < last.at
    if bool(entry.clock_back) != back:
        yield f"the clock {'went' if back else 'did not go'} back before it, and it says otherwise"

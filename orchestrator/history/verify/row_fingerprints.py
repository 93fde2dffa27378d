"""One number for many rows, in whatever order they come: equal rows, equal numbers.

The fingerprint of a set of rows is the sum of a keyed hash of each (an additive multiset hash:
Bellare and Micciancio, "A New Paradigm for Collision-Free Hashing", EUROCRYPT 1997). The key is
drawn anew for every verification, after everything that is read was written, so nobody can have
chosen rows whose sums are the same; by chance they are with a probability of 2**-128.

Rows are compared more strictly than by value: 1, 1.0 and true differ here. So equal fingerprints
prove equal rows, and different ones only ask for a closer look.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Boolean, Dialect
from sqlalchemy.types import TypeDecorator

from db.ledger import Row
from db.models import CHAIN_COLUMN, Base

KEY_BYTES = 32
DIGEST_BYTES = 16
FORMAT = 2
"""Of marshal: it writes equal values as equal bytes; later ones write references."""


class Fingerprints:
    """Hashes rows under one key."""

    def __init__(self, key: bytes) -> None:
        self._keyed = hashlib.blake2b(key=key, digest_size=DIGEST_BYTES)

    def of(self, table: str, row: Sequence[Any]) -> int:
        """The summand of one row.

        Raises:
            ValueError: a value is none that a driver gives.
        """
        hasher = self._keyed.copy()
        hasher.update(marshal.dumps((table, *row), FORMAT))
        return int.from_bytes(hasher.digest(), "big")


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to a fingerprint, and so to a careful look.

    Raises:
        ValueError: one is none that a driver gives.
    """
    return one == other and marshal.dumps(one, FORMAT) == marshal.dumps(other, FORMAT)


class Form(NamedTuple):
    """How the rows of one table are stored."""

    names: tuple[str, ...]
    """Columns, in the order of the models."""
    chain: int | None
    """Which of them holds the chain; None in a table of the system chain."""
    conversions: tuple[tuple[int, Callable[[Any], Any]], ...]
    """What to do with a value of the fold that is not stored as it is."""

    def stored(self, row: Row) -> list[Any]:
        """A folded row as the driver reads it back."""
        values = [*map(row.get, self.names)]
        for index, convert in self.conversions:
            if values[index] is not None:
                values[index] = convert(values[index])
        return values


def form(table: str, dialect: Dialect) -> Form:
    """How a dialect stores the rows of a table."""
    columns = Base.metadata.tables[table].columns
    names = tuple(columns.keys())
    chain = CHAIN_COLUMN[table]
    found = ((index, conversion(column.type, dialect)) for index, column in enumerate(columns))
    conversions = tuple((index, convert) for index, convert in found if convert is not None)
    return Form(names, None if chain is None else names.index(chain), conversions)


def conversion(kind: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    """What makes a folded value that is not None the one that the driver reads back."""
    if isinstance(kind, TypeDecorator):
        return lambda value: kind.process_bind_param(value, dialect)
    if isinstance(kind, Boolean) and dialect.name == "sqlite":
        return lambda value: int(bool(value))
    return None

"""The bytes of artifacts as they are stored: what they are called, what they are, whether whole.

Each byte is read once. What an artifact is called counts as much as what it is: bytes under another
name are not there for whoever asks for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.artifacts import CHUNK
from db.models import SYSTEM
from orchestrator.history.verify import tables_from_ledger

TABLE = "artifact_chunk"


class Stored(NamedTuple):
    """All chunks of one name in one chain."""

    chain: Any
    named: Any
    """The SHA-256 that they are stored under."""
    sha256: str
    """That of their bytes; empty where they are not the chunks that anything was stored in."""
    size: int
    """Bytes, as far as they are whole."""


def read(session: Session, chain: str | None) -> Iterator[Stored]:
    """Those of one chain, or of every chain but the system's, by chain and name."""
    source = tables_from_ledger.untyped(TABLE)
    wanted = source.c.chain == chain if chain is not None else source.c.chain != SYSTEM
    query = (
        select(source.c.chain, source.c.sha256, source.c.number, source.c.data)
        .where(wanted)
        .order_by(source.c.chain, source.c.sha256, source.c.number)
        .execution_options(yield_per=8)  # mebibytes each
    )
    rows = session.execute(query).tuples()
    for (held, named), chunks in groupby(rows, key=lambda chunk: chunk[:2]):
        yield Stored(held, named, *_content((number, data) for _, _, number, data in chunks))


def _content(chunks: Iterable[tuple[Any, Any]]) -> tuple[str, int]:
    """SHA-256 and size of chunks; no SHA-256 where one is missing, too much or cut otherwise."""
    hasher, size, whole, last = hashlib.sha256(), 0, True, CHUNK
    for expected, (number, data) in enumerate(chunks):
        whole = whole and number == expected and isinstance(data, bytes)
        if whole:
            whole = last == CHUNK and len(data) <= CHUNK and (expected == 0 or data != b"")
            hasher.update(data)
            last = len(data)
            size += last
    return hasher.hexdigest() if whole else "", size

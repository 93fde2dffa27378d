"""What the tables hold of campaigns, read as it lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import CHAIN_COLUMN, SYSTEM
from orchestrator.history.verify import stored_artifacts, tables_from_ledger
from orchestrator.history.verify.row_fingerprints import form

BYTES = stored_artifacts.TABLE
"""The part that is the artifacts' bytes, of which name, hash and size are weighed."""

REFERENCES = (("candidate", "artifact"), ("attempt", "delivery"), ("measurement", "delivery"))
"""Columns that name an artifact of their own chain."""


def parts() -> tuple[str, ...]:
    """What is to be read: the folded tables of campaigns and the bytes, the largest first."""
    large = ("measurement", "candidate", "attempt", "job", BYTES, "artifact")
    chained = (name for name, chain in CHAIN_COLUMN.items() if chain is not None)
    return (*large, *(name for name in chained if name not in large))


def read(
    session: Session, part: str, only: str | None
) -> Iterator[tuple[str, str, Sequence[object]]]:
    """Chain, table and values of every row, in no order; without the system chain's.

    Args:
        only: The chain, where it is one.
    """
    if part == BYTES:
        yield from _contents(session, only)
        return
    shape = form(part, session.get_bind().dialect)
    assert shape.chain is not None
    source = tables_from_ledger.untyped(part)
    query = select(source)
    if only is not None:
        query = query.where(source.c[shape.names[shape.chain]] == only)
    for row in tables_from_ledger.streamed(session, query):
        chain = row[shape.chain]
        if chain != SYSTEM:
            yield chain, part, row


def _contents(session: Session, only: str | None) -> Iterator[tuple[str, str, Sequence[object]]]:
    """Name, hash and size of the bytes of every artifact."""
    for one in stored_artifacts.read(session, only):
        yield one.chain, BYTES, contents(one.named, one.sha256, one.size)


def contents(named: object, sha256: object, size: object) -> Sequence[object]:
    """What is weighed of an artifact's bytes: what they are called, what they are, how many."""
    return named, sha256, size


def dangling(session: Session, part: str, only: str | None) -> Iterator[Any]:
    """Chains with a row of that table that names an artifact which there is not."""
    for table, name in REFERENCES:
        if table != part:
            continue
        source, artifact = tables_from_ledger.untyped(table), tables_from_ledger.untyped("artifact")
        chain = source.c[CHAIN_COLUMN[table] or ""]
        there = select(artifact.c.sha256).where(
            artifact.c.chain == chain, artifact.c.sha256 == source.c[name]
        )
        query = select(chain).where(source.c[name].is_not(None), ~there.exists()).distinct()
        yield from session.scalars(query if only is None else query.where(chain == only))

"""Questions about the ledger: entries, heads and positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from db.models import LedgerEntry


def position(session: Session, chain: str) -> int:
    """Number of the last entry of a chain, 0 for none."""
    last = session.scalar(select(func.max(LedgerEntry.sequence)).where(LedgerEntry.chain == chain))
    return last or 0


def position_at(session: Session, chain: str, at: int) -> int:
    """Number of the last entry of a chain that was written by a time, 0 for none."""
    last = select(func.max(LedgerEntry.sequence)).where(LedgerEntry.chain == chain)
    return session.scalar(last.where(LedgerEntry.at <= at)) or 0


def entries(session: Session, chain: str, kind: str | None = None) -> Iterable[LedgerEntry]:
    """The entries of a chain, in order, streamed; of one kind, if it is named."""
    query = select(LedgerEntry).where(LedgerEntry.chain == chain).order_by(LedgerEntry.sequence)
    if kind is not None:
        query = query.where(LedgerEntry.kind == kind)
    return session.scalars(query.execution_options(yield_per=500))


def heads(session: Session) -> Sequence[LedgerEntry]:
    """The last entry of every chain, by the chain."""
    last = select(LedgerEntry.chain, func.max(LedgerEntry.sequence)).group_by(LedgerEntry.chain)
    place = tuple_(LedgerEntry.chain, LedgerEntry.sequence)
    query = select(LedgerEntry).where(place.in_(last)).order_by(LedgerEntry.chain)
    return session.scalars(query).all()


def chains(session: Session) -> Sequence[str]:
    """All chains that have an entry."""
    return session.scalars(select(LedgerEntry.chain).distinct().order_by(LedgerEntry.chain)).all()

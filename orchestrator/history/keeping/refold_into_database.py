"""Empty tables filled with what a chain's entries say, up to one of them.

The entries are checked and folded a stretch at a time, from the last to the first
(:mod:`orchestrator.history.verify.chain_segment`), so that each row is written once, as it is in
the end, and memory holds one stretch.
"""

from __future__ import annotations

from sqlalchemy import insert, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from db.models import Base, LedgerEntry
from orchestrator.errors import Problem, Unverified
from orchestrator.history.verify import chain_segment
from orchestrator.history.verify.chain_segment import Carry, Segment, Stretch

ROWS = 500
"""Rows written at a time; a row may hold some kilobytes."""


def refill(source: Session, target: Session, chain: str, last: int) -> None:
    """Copy the entries of a chain up to one, and fold them, in the target's transaction.

    Args:
        source: Where the ledger is; its folded tables are not looked at.
        target: A SQLite database with all tables, which hold nothing of the chain.
        chain: Which.
        last: Number of the last entry that counts.

    Raises:
        Unverified: the entries are not what was written.
    """
    # The last rows come first: what they refer to is there when the transaction ends.
    target.execute(text("PRAGMA defer_foreign_keys = ON"))
    entries = select(LedgerEntry.__table__).where(
        LedgerEntry.chain == chain, LedgerEntry.sequence <= last
    )
    ordered = entries.order_by(LedgerEntry.sequence).execution_options(yield_per=ROWS)
    for part in source.execute(ordered).mappings().partitions():
        target.execute(insert(LedgerEntry), [dict(row) for row in part])
    carry: Carry = {}
    for stretch in chain_segment.stretches(chain, last):
        found = _read(source, stretch)
        carry = found.settle(carry)
        _write(target, found)
    if carry:
        table, _ = next(iter(carry))
        raise _unsound(Stretch(chain, 1, last), f"a row of {table} is changed, and none makes it")


def _read(source: Session, stretch: Stretch) -> Segment:
    try:
        return chain_segment.read(source, stretch)
    except SQLAlchemyError:
        raise
    except Exception as error:  # a forged entry may hold anything
        raise _unsound(stretch, str(error)) from None


def _unsound(stretch: Stretch, what: str) -> Unverified:
    where = f"{stretch.chain}, entries {stretch.first} to {stretch.last}"
    return Unverified([Problem(where, what, "`assayloop audit verify` says where")])


def _write(target: Session, found: Segment) -> None:
    for name, rows in found.made.items():
        table = Base.metadata.tables[name]
        names = [column.name for column in table.columns]
        whole = [{column: row.get(column) for column in names} for row in rows.values()]
        target.execute(insert(table), whole)

"""Leases: who drives what at this moment. Operational, so no entry says what they should be.

A lease that is there and lies, or is gone, keeps a driver away or lets one in; what is written by
either still goes through the ledger. Only a row that no driver can have written is a problem.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from sqlalchemy import BigInteger, Column, Double, select
from sqlalchemy.orm import Session

from adapters.messages import plain, quote
from db.columns import storable
from db.models import Base, Lease
from orchestrator.errors import Problem
from orchestrator.history.verify import tables_from_ledger

_TABLE = Lease.__tablename__


def check(session: Session) -> Iterator[Problem]:
    """Every value of a lease that is not of its column's kind."""
    columns = Base.metadata.tables[_TABLE].columns
    source = tables_from_ledger.untyped(_TABLE)
    for row in session.execute(select(source)):
        for column in columns:
            value = row._mapping[column.name]
            if (kind := _unfit(column, value)) is not None:
                place = f"table {_TABLE}, {plain(str(row._mapping['name']), 80)}, {column.name}"
                yield Problem(place, f"{quote(value)} is no {kind}")


def _unfit(column: Column[object], value: object) -> str | None:
    """What the value must be and is not; None where it is."""
    if isinstance(column.type, BigInteger):
        return None if type(value) is int else "whole number"
    if isinstance(column.type, Double):
        return None if type(value) is float and math.isfinite(value) else "finite number"
    return None if isinstance(value, str) and storable(value) == value else "text"

"""A campaign as a table: one row a candidate, with what was measured of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import repository
from db.columns import canonical
from db.models import Campaign, Candidate, Measurement
from orchestrator.history.export.table_files import Column, Row
from orchestrator.verbs import replicates

FIXED = (
    Column("candidate", "int"),
    Column("round", "int"),
    Column("source", "text"),
    Column("external_ids", "[text]"),
    Column("edited_from", "int"),
    Column("object", "text"),
    Column("artifact", "text"),
    Column("key", "text"),
    Column("valid", "bool"),
    Column("reason", "text"),
    Column("filters", "text"),
    Column("duplicate_of", "int"),
    Column("point", "[float]"),
    Column("realised", "[float]"),
    Column("log_prior", "float"),
    Column("predicted_mean", "float"),
    Column("predicted_std", "float"),
    Column("acquisition", "float"),
    Column("objective", "float"),
    Column("feasible", "bool"),
    Column("objective_revision", "int"),
    Column("entry", "int"),
)
"""Columns that every campaign has; what they are, the models of :mod:`db.models` say."""


class _Measured(NamedTuple):
    """The columns of one measure in one unit."""

    value: Column
    std: Column
    number: Column


class Table(NamedTuple):
    """What a table has."""

    columns: tuple[Column, ...]
    rows: Iterator[Row]
    """In the order of candidates; read from the session as they are asked for."""


def table(session: Session, campaign: Campaign) -> Table:
    """The candidates of a campaign with the measurements that stand, replicates as their mean."""
    measures = _measures(session, campaign.id)
    columns = [*FIXED, *(column for one in measures.values() for column in one)]
    return Table(tuple(columns), _rows(session, campaign.id, measures, columns))


def _measures(session: Session, campaign: str) -> dict[tuple[str, str], _Measured]:
    """Columns by name and unit of the measure, in the order in which they first came."""
    found = session.execute(
        select(Measurement.name, Measurement.unit)
        .where(Measurement.campaign == campaign)
        .group_by(Measurement.name, Measurement.unit)
        .order_by(func.min(Measurement.number))
    )
    taken = {column.name for column in FIXED}
    return {(name, unit): _named(name, unit, taken) for name, unit in found}


def _named(name: str, unit: str, taken: set[str]) -> _Measured:
    """Headings such as ``mass (g/mol)`` that nothing else has."""
    suffix = f" ({unit})" if unit else ""
    while True:
        names = (name + suffix, f"{name} std{suffix}", f"{name} count{suffix}")
        if taken.isdisjoint(names):
            break
        name = f"measure {name}"
    taken.update(names)
    value, std, number = names
    return _Measured(
        Column(value, "float", unit), Column(std, "float", unit), Column(number, "int")
    )


def _rows(
    session: Session,
    campaign: str,
    measures: dict[tuple[str, str], _Measured],
    columns: list[Column],
) -> Iterator[Row]:
    query = select(Candidate).where(Candidate.campaign == campaign).order_by(Candidate.number)
    empty = dict.fromkeys(column.name for column in columns)
    for candidate, measurements in repository.measured(session, query):
        yield empty | _fixed(candidate) | _values(measurements, measures)


def _fixed(one: Candidate) -> Row:
    renamed = {"candidate": "number", "predicted_mean": "mean", "predicted_std": "std"}
    row = {column.name: getattr(one, renamed.get(column.name, column.name)) for column in FIXED}
    return row | {"filters": canonical(one.filters)}


def _values(rows: list[Measurement], measures: dict[tuple[str, str], _Measured]) -> Row:
    found: Row = {}
    for unit in dict.fromkeys(row.unit for row in rows):
        own = [row for row in rows if row.unit == unit]
        for name, reduced in replicates.reduce(own).items():
            columns = measures[name, unit]
            found[columns.value.name] = reduced.value
            found[columns.std.name] = reduced.std
            found[columns.number.name] = sum(row.name == name for row in own)
    return found

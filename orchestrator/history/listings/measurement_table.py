"""The history as a table: one row a measurement, for spreadsheets, scripts and notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import Session

from db.models import Campaign, Candidate, LedgerEntry, Measurement, MeasurementFlag
from db.session import Database
from orchestrator import moments
from orchestrator.errors import BadInput
from orchestrator.history.export import table_files, whole_files
from orchestrator.history.export.table_files import FORMATS, Column

if TYPE_CHECKING:
    import pandas

COLUMNS = (
    Column("measurement", "int"),
    Column("candidate", "int"),
    Column("round", "int"),
    Column("source", "text"),
    Column("latent", "[float]"),
    Column("object", "text"),
    Column("name", "text"),
    Column("value", "float"),
    Column("unit", "text"),
    Column("std", "float"),
    Column("censoring", "text"),
    Column("objective", "float"),
    Column("feasible", "bool"),
    Column("evaluator", "text"),
    Column("job", "int"),
    Column("attempt", "int"),
    Column("measured_at", "text"),
    Column("received_at", "text"),
    Column("actor", "text"),
    Column("on_behalf_of", "text"),
    Column("provenance", "text"),
    Column("delivery", "text"),
    Column("place", "text"),
    Column("supersedes", "int"),
    Column("flags", "[text]"),
    Column("entry", "int"),
)


def rows(
    database: Database,
    campaign: Campaign,
    conditions: Sequence[ColumnElement[bool]] = (),
    last: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Every measurement in order of arrival, superseded and flagged ones included.

    Args:
        database: Where the campaign is.
        campaign: Whose history it is.
        conditions: What a measurement must fulfil; of :mod:`orchestrator.history.listings.search`.
        last: Only so many, the last ones.
    """
    with database.read() as session:
        query = _query(campaign.id).where(*conditions)
        if last is not None:
            found = session.execute(query.order_by(Measurement.number.desc()).limit(last)).all()
            parts: Iterable[Sequence[Any]] = [found[::-1]] if found else []
        else:
            ordered = query.order_by(Measurement.number).execution_options(yield_per=1000)
            parts = session.execute(ordered).partitions()
        for part in parts:
            flags = _flags(session, campaign.id, part[0][0].number, part[-1][0].number)
            for measurement, candidate, actor, behalf in part:
                own = flags.get(measurement.number, [])
                yield _row(measurement, candidate, own) | {"actor": actor, "on_behalf_of": behalf}


def _query(campaign: str) -> Select[tuple[Measurement, Candidate, str, str]]:
    of_candidate = and_(
        Candidate.campaign == Measurement.campaign, Candidate.number == Measurement.candidate
    )
    of_entry = and_(
        LedgerEntry.chain == Measurement.campaign, LedgerEntry.sequence == Measurement.entry
    )
    return (
        select(Measurement, Candidate, LedgerEntry.actor_id, LedgerEntry.on_behalf_of)
        .join(Candidate, of_candidate)
        .join(LedgerEntry, of_entry)
        .where(Measurement.campaign == campaign)
    )


def _flags(session: Session, campaign: str, first: int, last: int) -> dict[int, list[str]]:
    """Kinds of the flags of measurements from one number to another."""
    query = (
        select(MeasurementFlag.measurement, MeasurementFlag.kind)
        .where(MeasurementFlag.campaign == campaign)
        .where(MeasurementFlag.measurement.between(first, last))
        .order_by(MeasurementFlag.measurement, MeasurementFlag.number)
    )
    flags: dict[int, list[str]] = {}
    for number, kind in session.execute(query).tuples():
        flags.setdefault(number, []).append(kind)
    return flags


def _row(measurement: Measurement, candidate: Candidate, flags: list[str]) -> dict[str, Any]:
    point = candidate.point if candidate.point is not None else candidate.realised
    return {
        "measurement": measurement.number,
        "candidate": candidate.number,
        "round": candidate.round,
        "source": measurement.source,
        "latent": None if point is None else list(point),
        "object": candidate.object if candidate.artifact is None else candidate.artifact,
        "name": measurement.name,
        "value": measurement.value,
        "unit": measurement.unit,
        "std": measurement.std,
        "censoring": measurement.censoring,
        "objective": candidate.objective,
        "feasible": candidate.feasible,
        "evaluator": measurement.evaluator,
        "job": measurement.job,
        "attempt": measurement.attempt,
        "measured_at": _time(measurement.measured_at),
        "received_at": _time(measurement.received_at),
        "actor": None,
        "on_behalf_of": None,
        "provenance": measurement.provenance,
        "delivery": measurement.delivery,
        "place": measurement.place,
        "supersedes": measurement.supersedes,
        "flags": flags,
        "entry": measurement.entry,
    }


def _time(at: int | None) -> str | None:
    return None if at is None else moments.iso(at)


def frame(database: Database, campaign: Campaign) -> pandas.DataFrame:
    """The history as a data frame."""
    return table_files.frame(COLUMNS, rows(database, campaign))


def export(
    database: Database,
    campaign: Campaign,
    form: str,
    out: Path,
    conditions: Sequence[ColumnElement[bool]] = (),
    last: int | None = None,
) -> int:
    """Write the history to a file, which is there whole or not at all.

    Args:
        database: Where the campaign is.
        campaign: Whose history it is.
        form: One of :data:`~orchestrator.history.export.table_files.FORMATS`.
        out: The file; replaced if it exists.
        conditions: As for :func:`rows`.
        last: As for :func:`rows`.

    Returns:
        Number of rows.

    Raises:
        BadInput: the format is unknown, or the file cannot be written.
    """
    if form not in FORMATS:
        raise BadInput.of("--format", f"{form!r} is unknown", f"one of {', '.join(FORMATS)}")
    with whole_files.writing(out, force=True) as partial:
        return table_files.write(partial, form, COLUMNS, rows(database, campaign, conditions, last))

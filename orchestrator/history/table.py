"""The history as a table: one row a measurement, for spreadsheets, scripts and notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select

from db import repository
from db.models import Campaign, Candidate, LedgerEntry, Measurement, MeasurementFlag
from db.session import Database
from orchestrator import moments
from orchestrator.errors import BadInput
from orchestrator.history import files
from orchestrator.history.files import FORMATS, Column

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
    database: Database, campaign: Campaign, *, last: int | None = None
) -> Iterator[dict[str, Any]]:
    """Every measurement in order of arrival, superseded and flagged ones included.

    Args:
        database: Where the campaign is.
        campaign: Whose history it is.
        last: How many of the last; all, where None.
    """
    with database.read() as session:
        flags: dict[int, list[str]] = {}
        for flag in session.scalars(
            select(MeasurementFlag).where(MeasurementFlag.campaign == campaign.id)
        ):
            flags.setdefault(flag.measurement, []).append(flag.kind)
        query = (
            select(Measurement, Candidate, LedgerEntry)
            .join(
                Candidate,
                and_(
                    Candidate.campaign == Measurement.campaign,
                    Candidate.number == Measurement.candidate,
                ),
            )
            .join(
                LedgerEntry,
                and_(
                    LedgerEntry.chain == Measurement.campaign,
                    LedgerEntry.sequence == Measurement.entry,
                ),
            )
            .where(Measurement.campaign == campaign.id)
            .order_by(Measurement.number)
            .execution_options(yield_per=1000)
        )
        if last is not None:
            newest = repository.next_number(session, Measurement, campaign.id)
            query = query.where(Measurement.number >= newest - last)
        for measurement, candidate, entry in session.execute(query):
            yield _row(measurement, candidate, entry, flags.get(measurement.number, []))


def _row(
    measurement: Measurement, candidate: Candidate, entry: LedgerEntry, flags: list[str]
) -> dict[str, Any]:
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
        "actor": entry.actor_id,
        "on_behalf_of": entry.on_behalf_of,
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
    return files.frame(COLUMNS, rows(database, campaign))


def export(database: Database, campaign: Campaign, form: str, out: Path) -> int:
    """Write the history to a file, which is there whole or not at all.

    Args:
        database: Where the campaign is.
        campaign: Whose history it is.
        form: One of :data:`~orchestrator.history.files.FORMATS`.
        out: The file; replaced if it exists.

    Returns:
        Number of rows.

    Raises:
        BadInput: the format is unknown, or the file cannot be written.
    """
    if form not in FORMATS:
        raise BadInput.of("--format", f"{form!r} is unknown", f"one of {', '.join(FORMATS)}")
    with files.writing(out, force=True) as partial:
        return files.write(partial, form, COLUMNS, rows(database, campaign))

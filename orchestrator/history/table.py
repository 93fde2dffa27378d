"""The history as a table: one row a measurement, for spreadsheets, scripts and notebooks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select

from db.models import Campaign, Candidate, LedgerEntry, Measurement, MeasurementFlag
from db.session import Database
from orchestrator import moments
from orchestrator.errors import BadInput

if TYPE_CHECKING:
    import pandas

FORMATS = ("csv", "jsonl", "parquet")


def rows(database: Database, campaign: Campaign) -> Iterator[dict[str, Any]]:
    """Every measurement in order of arrival, superseded and flagged ones included."""
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
    import pandas

    columns = list(_COLUMNS)
    return pandas.DataFrame(list(rows(database, campaign)), columns=columns)


_COLUMNS = tuple(_row(Measurement(), Candidate(), LedgerEntry(), []))
"""Names of the columns, in order, also for a history without a row."""


def export(database: Database, campaign: Campaign, form: str, out: Path) -> int:
    """Write the history to a file, which is there whole or not at all.

    Args:
        database: Where the campaign is.
        campaign: Whose history it is.
        form: One of :data:`FORMATS`. In CSV, lists are JSON, and text that a spreadsheet would
            take for a formula is preceded by an apostrophe.
        out: The file; replaced if it exists.

    Returns:
        Number of rows.

    Raises:
        BadInput: the format is unknown, or the file cannot be written.
    """
    if form not in FORMATS:
        raise BadInput.of("--format", f"{form!r} is unknown", f"one of {', '.join(FORMATS)}")
    partial = out.with_name(out.name + ".part")
    try:
        if form == "jsonl":
            count = _jsonl(database, campaign, partial)
        else:
            table = frame(database, campaign)
            count = len(table)
            if form == "parquet":
                table.to_parquet(partial, index=False)
            else:
                table.map(_csv_cell).to_csv(partial, index=False)
        partial.replace(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise BadInput.of("--out", f"{out} cannot be written: {error.strerror or error}") from None
    return count


def _jsonl(database: Database, campaign: Campaign, path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows(database, campaign):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def _csv_cell(value: object) -> object:
    if isinstance(value, list):
        return json.dumps(value)
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value

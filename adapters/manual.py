"""The person at the bench: jobs are a list, results are typed in or come as a filled table.

``assayloop jobs list`` and ``jobs sheet`` show what is to be measured, ``result enter`` and
``result import`` take in what was.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapters import declared, values
from adapters.checks import refusals, require_measures
from adapters.messages import quote
from adapters.protocol import (
    Batch,
    Capabilities,
    Censoring,
    Delivery,
    EvaluatorError,
    Outcome,
    OutcomeStatus,
    Reading,
    Sample,
    Ticket,
)

ENTERED = "application/vnd.assayloop.entered+json"
TABLE = "text/csv"
GOOD_ROWS = "; rows=good"
"""Added to the media type of a table of which the good rows count where others are refused."""

CANDIDATE, REPLICATE, OBJECT, NAME = "candidate", "replicate", "object", "name"
OPERATOR, INSTRUMENT, LOT, NOTE = "operator", "instrument", "lot", "note"
WORDS = (CANDIDATE, REPLICATE, OBJECT, NAME, OPERATOR, INSTRUMENT, LOT, NOTE)
"""Columns of a table that are no measures."""

LARGEST = 20_000_000
"""Bytes; no table that a person fills is larger."""


class Manual:
    """Asks nobody by itself; whoever is at the bench looks at the list.

    Args:
        measures: What can be measured; see :mod:`adapters.declared`.
        kinds: Kinds of sample; by default every kind.
        confirmed: Whether a second account has to confirm each result before it counts.
        cost: Of one job, in the campaign's unit.
        batch_size: The most jobs that are put on the list as one batch.
        expected_duration: Seconds that one job usually takes.

    Raises:
        OptionError: a measure is declared wrongly.
    """

    def __init__(
        self,
        *,
        measures: declared.Measures,
        kinds: Sequence[str] = ("molecule", "image", "automaton", "parameters"),
        confirmed: bool = False,
        cost: float = 0.0,
        batch_size: int = 96,
        expected_duration: float = 0.0,
    ) -> None:
        self._capabilities = Capabilities(
            name="manual",
            version="1",
            sample_kinds=frozenset(kinds),
            measures=declared.measures(measures),
            batch_size=batch_size,
            idempotent=True,  # a line that stands on the list twice is the same line
            cancellable=True,
            cost=cost,
            expected_duration=expected_duration,
        )
        self._confirmed = confirmed

    @property
    def capabilities(self) -> Capabilities:
        """What the person can do."""
        return self._capabilities

    @property
    def confirmed(self) -> bool:
        """Whether a second person has to confirm each result."""
        return self._confirmed

    def check(self, measures: Sequence[str]) -> None:
        """Make sure that these measures are declared.

        Raises:
            EvaluatorError: one is not.
        """
        require_measures(self.capabilities, measures)

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        """Put the jobs on the list, by candidate and replicate.

        Raises:
            EvaluatorError: a sample is of a kind that nobody here measures.
        """
        kinds = self.capabilities.sample_kinds
        for job in batch.jobs:
            if job.sample.kind not in kinds:
                raise EvaluatorError(
                    f"{job.sample.kind!r} is not measured here, but {', '.join(sorted(kinds))}"
                )
        return [Ticket(job.key, job.label) for job in batch.jobs]

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """Nothing: people come by themselves."""
        return []

    def acknowledge(self, delivery: Delivery) -> None:
        """Do nothing: who entered it has seen it."""

    def cancel(self, tickets: Sequence[Ticket]) -> None:
        """Do nothing: it is off the list."""

    def entered(self, job: str, readings: Sequence[Reading], note: str) -> Delivery:
        """What a person entered for one job, as canonical JSON."""
        document = {
            "job": job,
            "note": note,
            "readings": {
                one.name: {
                    "value": one.value,
                    "unit": one.unit,
                    "std": one.std,
                    "censoring": str(one.censoring),
                    "measured_at": one.measured_at,
                    "instrument": one.instrument,
                    "operator": one.operator,
                    "lot": one.lot,
                }
                for one in readings
            },
        }
        body = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return Delivery(f"entered for {job}", body.encode(), ENTERED, jobs=(job,))

    def sheet(self, tickets: Sequence[Ticket], samples: Mapping[str, Sample]) -> bytes:
        """A table to fill in, as CSV that spreadsheets open: UTF-8 with a byte-order mark."""
        out = io.StringIO()
        names = [_column(m.name, m.unit) for m in self.capabilities.measures]
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow([CANDIDATE, REPLICATE, NAME, OBJECT, *names, OPERATOR, NOTE])
        for ticket in tickets:
            sample = samples.get(ticket.job)
            content = "" if sample is None or isinstance(sample.content, bytes) else sample.content
            _, candidate, _, replicate = ticket.job.split("/")
            name = _inert(sample.name if sample else "")
            writer.writerow([candidate, replicate, name, _inert(content)] + [""] * len(names))
        return out.getvalue().encode("utf-8-sig")

    def filled(self, table: bytes, *, accept_good_rows: bool) -> Delivery:
        """A filled table as a delivery.

        Raises:
            EvaluatorError: it is too large.
        """
        if len(table) > LARGEST:
            raise EvaluatorError(f"the table has {len(table):,} bytes, more than {LARGEST:,}")
        media_type = TABLE + (GOOD_ROWS if accept_good_rows else "")
        return Delivery("a filled table", table, media_type)

    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        """Read what was entered, or a filled table.

        Raises:
            EvaluatorError: it cannot be read, or a row of a table is wrong; names every such row.
        """
        if delivery.media_type.startswith(TABLE):
            return self._rows(delivery)
        try:
            document = json.loads(delivery.body)
            readings = tuple(_reading(*item) for item in document["readings"].items())
            job = str(document["job"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise EvaluatorError(
                f"this is nothing that was entered ({type(error).__name__}: {error})"
            ) from error
        return [Outcome(job, OutcomeStatus.SUCCEEDED, readings)]

    def _rows(self, delivery: Delivery) -> list[Outcome]:
        """Outcomes of the filled rows of a table."""
        known = {_label(ticket.job): ticket for ticket in delivery.tickets}
        good, wrong, seen = [], [], set()
        for row in _table(delivery.body, self._columns()):
            try:
                if not any(row.cells.get(name, "").strip() for name in self._columns().values()):
                    continue  # not measured yet
                ticket = known.get(row.label())
                if ticket is None:
                    raise ValueError(
                        f"candidate {row.label()} has no job here; look at `jobs list`"
                    )
                if ticket.closed:
                    raise ValueError(f"the job of candidate {row.label()} is {ticket.closed}")
                if ticket.job in seen:
                    raise ValueError(f"candidate {row.label()} stands in an earlier row, too")
                seen.add(ticket.job)
                good.append(Outcome(ticket.job, OutcomeStatus.SUCCEEDED, self._measured(row)))
            except ValueError as error:
                wrong.append(f"row {row.number}: {error}")
        if wrong and not (good and delivery.media_type.endswith(GOOD_ROWS)):
            more = f"; and {len(wrong) - 20} rows more" if len(wrong) > 20 else ""
            raise EvaluatorError("; ".join(wrong[:20]) + more)
        if not good:
            raise EvaluatorError("no row of the table has a value")
        return good

    def _columns(self) -> dict[str, str]:
        """Columns of measures, by the measure: its name, alone or with its unit in brackets."""
        return {m.name: _column(m.name, m.unit) for m in self.capabilities.measures}

    def _measured(self, row: _Row) -> tuple[Reading, ...]:
        """The readings of one row.

        Raises:
            ValueError: a cell is no measurement; names the column.
        """
        readings = []
        for measure in self.capabilities.measures:
            text = row.cells.get(_column(measure.name, measure.unit), "")
            if not text.strip():
                continue
            try:
                written = values.read(text)
            except ValueError as error:
                raise ValueError(f"column {measure.name}: {error}") from None
            readings.append(
                Reading(
                    name=measure.name,
                    value=written.value,
                    unit=measure.unit if written.unit is None else written.unit,
                    std=written.std,
                    censoring=written.censoring,
                    place=f"row {row.number}, column {measure.name}",
                    instrument=row.cells.get(INSTRUMENT, "").strip(),
                    operator=row.cells.get(OPERATOR, "").strip(),
                    lot=row.cells.get(LOT, "").strip(),
                )
            )
        wrong = refusals(self.capabilities, (), readings)
        if wrong:
            raise ValueError("; ".join(wrong))
        return tuple(readings)


@dataclass(frozen=True)
class _Row:
    number: int
    """As a spreadsheet counts: the heading is row 1."""
    cells: Mapping[str, str]

    def label(self) -> str:
        candidate = self.cells.get(CANDIDATE, "").strip()
        replicate = self.cells.get(REPLICATE, "").strip() or "1"
        if not candidate.isdecimal() or not replicate.isdecimal():
            raise ValueError(
                f"column {CANDIDATE} is {quote(candidate)}; give the candidate's number"
            )
        return f"{int(candidate)}/{int(replicate)}"


def _label(key: str) -> str:
    _, candidate, _, replicate = key.split("/")
    return f"{candidate}/{replicate}"


def _column(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit else name


def _inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _table(body: bytes, columns: Mapping[str, str]) -> Iterator[_Row]:
    """The rows of a table, cells by heading; a measure's column may be headed by its bare name.

    Raises:
        EvaluatorError: it is no table, or has a column that nobody knows.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvaluatorError(
            f"byte {error.start + 1} of the table is not UTF-8; save it as CSV in UTF-8"
        ) from error
    if "\0" in text:
        raise EvaluatorError("the table holds NUL bytes; save it as CSV, not as a workbook")
    heading = text.partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise EvaluatorError(f"the table cannot be read: {error}") from error
    if not lines or CANDIDATE not in [cell.strip().lower() for cell in lines[0]]:
        raise EvaluatorError(
            f"row 1 has no heading {CANDIDATE!r}; it is {quote(heading.strip())}; write the table "
            "by `assayloop jobs sheet` and fill it in"
        )
    known = {word: word for word in WORDS} | dict(columns)
    known |= {whole: whole for whole in columns.values()}
    names = [known.get(cell.strip()) or known.get(cell.strip().lower()) for cell in lines[0]]
    strange = [
        cell for cell, name in zip(lines[0], names, strict=True) if not name and cell.strip()
    ]
    if strange:
        wanted = ", ".join(columns.values())
        raise EvaluatorError(
            f"row 1 has a column {quote(strange[0])}, which is no measure here; measures: {wanted}"
        )
    for number, cells in enumerate(lines[1:], 2):
        if len(cells) > len(names):
            raise EvaluatorError(f"row {number} has {len(cells)} cells, row 1 has {len(names)}")
        yield _Row(number, {n: cell for n, cell in zip(names, cells, strict=False) if n})


def _reading(name: str, quantity: Mapping[str, object]) -> Reading:
    std, at = quantity.get("std"), quantity.get("measured_at")
    return Reading(
        name=name,
        value=float(quantity["value"]),  # type: ignore[arg-type]
        unit=str(quantity["unit"]),
        std=None if std is None else float(std),  # type: ignore[arg-type]
        censoring=Censoring(str(quantity["censoring"])),
        measured_at=None if at is None else int(at),  # type: ignore[call-overload]
        place=f"/readings/{name.replace('~', '~0').replace('/', '~1')}/value",
        instrument=str(quantity["instrument"]),
        operator=str(quantity["operator"]),
        lot=str(quantity["lot"]),
    )

"""Worklists: what goes where, as CSV, as a workbook, or as a template of the user's says."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from adapters.file_drop.matching import label
from adapters.file_drop.places import Places
from adapters.messages import quote
from adapters.protocol import Batch, EvaluatorError, Job, OptionError
from adapters.reduction.options import Options
from adapters.reduction.plates import Role, Well

_KEYS = ("folder", "format", "view", "template", "suffix")
_LONGEST = 32_000
"""Characters in a cell; Excel takes 32,767."""
_EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001  (of a workbook; the same batch gives the same)


@dataclass(frozen=True)
class Line:
    """One place of a worklist."""

    well: str
    """Or the number of a place in a list."""
    role: str = "sample"
    job: Job | None = None
    dose: float | None = None

    @property
    def label(self) -> str:
        """What people call the job."""
        return (self.job.label or label(self.job.key)) if self.job else ""

    @property
    def parameters(self) -> Mapping[str, object]:
        """The parameters of a box's point, by name; empty for any other sample."""
        if self.job is None or self.job.sample.kind != "parameters":
            return {}
        try:
            found = json.loads(self.job.sample.content)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Style:
    """How worklists are written."""

    format: Literal["csv", "xlsx"]
    view: Literal["list", "map"]
    template: str
    """File of a Jinja template; empty for the table of ours."""
    suffix: str


def style(option: Mapping[str, object]) -> Style:
    """The style that the option ``worklist`` describes.

    Raises:
        OptionError: a key is unknown, or a value is wrong.
    """
    options = Options("worklist", option, _KEYS)
    form = options.word("format", ("csv", "xlsx"), "csv")
    file = options.text("template")
    if file and form == "xlsx":
        raise options.error("template", "a template makes text; leave 'format: xlsx' out")
    suffix = options.text("suffix", form).removeprefix(".")
    if not suffix.isalnum():
        raise options.error("suffix", "write letters and digits, such as csv or txt")
    view: Literal["list", "map"] = (
        "map" if options.word("view", ("list", "map"), "list") == "map" else "list"
    )
    return Style("xlsx" if form == "xlsx" else "csv", view, file, suffix)


def require_writable(batch: Batch, kinds: frozenset[str]) -> None:
    """Make sure that samples fit into the cells of a worklist.

    Raises:
        EvaluatorError: one is of another kind, no text, too long, or has control characters.
    """
    for job in batch.jobs:
        sample = job.sample
        if sample.kind not in kinds:
            raise EvaluatorError(
                f"{quote(sample.kind)} is not measured here, but {', '.join(sorted(kinds))}"
            )
        if not isinstance(sample.content, str):
            raise EvaluatorError(
                f"job {job.key} has a sample of bytes, which no cell of a worklist holds"
            )
        if len(sample.content) > _LONGEST:
            raise EvaluatorError(
                f"job {job.key} has a sample of {len(sample.content):,} characters; a cell of a "
                f"worklist holds {_LONGEST:,}"
            )
        for text in (sample.content, sample.name, job.label):
            if any(character < " " for character in text):
                raise EvaluatorError(f"job {job.key} has control characters in {quote(text)}")


def lines(places: Places, batch: Batch) -> list[Line]:
    """What stands where: along the rows of a plate with its controls, or down a list."""
    if places.layout is None:
        return [Line(places.name(number), job=job) for number, job in enumerate(batch.jobs)]
    jobs = {job.key: job for job in batch.jobs}
    wells: Sequence[Well] = places.layout.fill(list(jobs))
    return [
        Line(str(well.position), well.role.value, jobs.get(well.sample), well.dose)
        for well in wells
        if well.role is not Role.EMPTY
    ]


def render(style: Style, places: Places, batch: Batch, barcode: str) -> bytes:
    """The bytes of a worklist.

    Raises:
        EvaluatorError: the template fails.
    """
    held = lines(places, batch)
    measures = list(dict.fromkeys(name for job in batch.jobs for name in job.measures))
    made = template(style)
    if made is not None:
        return _templated(made, held, measures, batch, barcode)
    table = _table(held, barcode)
    plan = _map(held, places)
    if style.format == "xlsx":
        return _workbook({"Worklist": table} | ({"Plate": plan} if places.layout else {}))
    out = io.StringIO()
    chosen = plan if style.view == "map" and places.layout else table
    csv.writer(out, lineterminator="\r\n").writerows(
        [inert(cell) for cell in row] for row in chosen
    )
    return out.getvalue().encode("utf-8")


def inert(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{cell}"
    return "" if cell is None else cell


def _table(held: Sequence[Line], barcode: str) -> list[list[object]]:
    parameters = list(dict.fromkeys(name for line in held for name in line.parameters))
    doses = any(line.dose is not None for line in held)
    heading = ["barcode", "well", "role", "job", "name", *(["dose"] if doses else [])]
    rows: list[list[object]] = [[*heading, *parameters, *([] if parameters else ["sample"])]]
    for line in held:
        sample = line.job.sample if line.job else None
        row: list[object] = [
            barcode,
            line.well,
            line.role,
            line.label,
            sample.name if sample else "",
        ]
        row += [line.dose] if doses else []
        row += [_scalar(line.parameters.get(name)) for name in parameters]
        rows.append(row + ([] if parameters else [sample.content if sample else ""]))
    return rows


def _scalar(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value)


def _map(held: Sequence[Line], places: Places) -> list[list[object]]:
    """The plate as it lies on the bench: labels of jobs, roles of controls."""
    if places.layout is None:
        return []
    plate = places.layout.plate
    by_well = {line.well: line.label or line.role for line in held}
    rows: list[list[object]] = [["", *range(1, plate.columns + 1)]]
    for position in plate.positions():
        if position.column == 0:
            rows.append([str(position).rstrip("0123456789")])
        rows[-1].append(by_well.get(str(position), ""))
    return rows


def _workbook(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.worksheets[0])
    book.properties.created = book.properties.modified = _EPOCH
    book.properties.creator = "assayloop"
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for number, row in enumerate(rows, 1):
            for column, value in enumerate(row, 1):
                cell: Any = sheet.cell(number, column)
                cell.value = inert(value) if value != "" else None
                if isinstance(value, str) and value:
                    cell.data_type = "s"  # whatever it begins with
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def template(style: Style) -> Any:
    """The template, in a sandbox in which it reaches nothing but what it is given; None for none.

    Raises:
        OptionError: it cannot be read, or is no template.
    """
    if not style.template:
        return None
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        autoescape=False,  # no HTML: what would be a formula is made inert instead
        undefined=jinja2.StrictUndefined,
        finalize=inert,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["csv"] = _csv
    try:
        return environment.from_string(Path(style.template).expanduser().read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(
            "worklist", f"worklist.template {style.template} cannot be read: {error}"
        ) from error
    except jinja2.TemplateSyntaxError as error:
        raise OptionError(
            "worklist", f"worklist.template has an error in line {error.lineno}: {error.message}"
        ) from error


def _csv(value: object, delimiter: str = ",") -> str:
    """One cell, in quotation marks where it needs them, and no formula."""
    out = io.StringIO()
    csv.writer(out, lineterminator="", delimiter=delimiter).writerow([inert(value)])
    return out.getvalue()


def _templated(
    made: Any, held: Sequence[Line], measures: Sequence[str], batch: Batch, barcode: str
) -> bytes:
    import jinja2

    try:
        text: str = made.render(
            barcode=barcode, lines=held, measures=measures, jobs=batch.jobs, batch=batch.key
        )
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise EvaluatorError(
            f"the template of the worklist fails: {type(error).__name__}: {error}"
        ) from error
    return text.encode("utf-8")

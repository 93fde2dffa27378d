"""What a reader exports, as the option ``results`` of a spec describes it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal

from adapters.messages import known, quote
from adapters.protocol import EvaluatorError, Measure, OptionError
from adapters.reduction.options import Options
from adapters.units import require_unit

_KEYS = (
    "folder", "layout", "sheet", "range", "preamble", "encoding", "decimal", "delimiter",
    "columns", "values", "grids", "barcode", "no_value", "time_zone", "time_format",
    "accept_good_rows", "partial", "settle", "largest",
)  # fmt: skip
COLUMNS = (
    "barcode", "well", "job", "measure", "value", "unit", "std", "censoring", "measured_at",
    "instrument", "operator", "lot",
)  # fmt: skip
_VALUE = ("column", "unit", "std", "optional")
_RANGE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})(?::([A-Z]{1,3})([1-9][0-9]{0,6}))?")


@dataclass(frozen=True)
class Value:
    """How one measure is exported."""

    column: str
    """Heading of its column."""
    unit: str
    std: str = ""
    """Heading of the column of its standard deviation; empty where there is none."""
    optional: bool = False


@dataclass(frozen=True)
class Area:
    """A rectangle of cells, counted from 0; a last row or column of None is where the data ends."""

    top: int
    left: int
    bottom: int | None = None
    right: int | None = None


@dataclass(frozen=True)
class Plateless:
    """Where the barcode of a file with one plate stands, in place of a column."""

    kind: Literal["cell", "label", "name"]
    what: str
    """A cell, the label left of the barcode, or a regular expression for the file's name."""


@dataclass(frozen=True)
class Format:
    """What a reader exports."""

    layout: Literal["tidy", "grid"]
    columns: Mapping[str, str]
    """Headings by what they are (:data:`COLUMNS`)."""
    values: Mapping[str, Value]
    """By measure."""
    grids: Mapping[str, Area]
    """By measure, where its values stand."""
    barcode: Plateless | None
    sheet: str
    """Name of the one sheet that counts; empty for every sheet that has what is looked for."""
    area: Area | None
    preamble: int | None
    """Rows above the headings; None to look for them."""
    encoding: str
    decimal: str
    delimiter: str
    no_value: frozenset[str]
    """What a reader writes where a well gave nothing; in lower case."""
    zone: tzinfo | None
    time_format: str
    accept_good_rows: bool
    partial: bool
    settle: float
    largest: int


def read(option: Mapping[str, object], quantities: Sequence[Measure]) -> Format:
    """The format that the option ``results`` describes.

    Args:
        quantities: what the reader exports: measures, or the raw signals that are reduced to them.

    Raises:
        OptionError: a key is unknown, or a value is wrong.
    """
    options = Options("results", option, _KEYS)
    shape = options.word("layout", ("tidy", "grid"), "tidy")
    if shape == "grid" and options.get("barcode") is None:
        raise OptionError(
            "results",
            "results.barcode is missing; a grid has no column of barcodes, so say where it stands: "
            "{cell: B2}, {label: Plate ID} or {name: '([0-9A-Z]{12})'}",
        )
    encoding = options.text("encoding")
    if encoding:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise options.error("encoding", "write such as utf-8, utf-16 or cp1252") from error
    return Format(
        layout="grid" if shape == "grid" else "tidy",
        columns=_columns(options),
        values=_values(options, quantities),
        grids=_grids(options, quantities) if shape == "grid" else {},
        barcode=_barcode(options),
        sheet=options.text("sheet"),
        area=_area(options, "range", options.text("range")) if "range" in options else None,
        preamble=options.whole("preamble", 0, 0) if "preamble" in options else None,
        encoding=encoding,
        decimal=options.word("decimal", (".", ","), "."),
        delimiter=_delimiter(options),
        no_value=frozenset(one.lower() for one in _texts(options, "no_value")),
        zone=_zone(options),
        time_format=options.text("time_format"),
        accept_good_rows=_flag(options, "accept_good_rows"),
        partial=_flag(options, "partial"),
        settle=options.number("settle", 2.0, least=0) or 0.0,
        largest=options.whole("largest", 20_000_000),
    )


def _columns(options: Options) -> dict[str, str]:
    given = Options("results.columns", options.get("columns") or {}, COLUMNS)
    found = {name: given.text(name) for name in COLUMNS if name in given}
    if ("measure" in found) is not ("value" in found):
        raise options.error("columns", "name both measure and value, or a column a measure")
    default = {} if "job" in found else {"barcode": "barcode", "well": "well"}
    if options.get("barcode") is not None:
        default.pop("barcode", None)
        if "barcode" in found:
            raise options.error("columns", "the barcode is a column, or where 'barcode' says")
    return default | found


def _values(options: Options, quantities: Sequence[Measure]) -> dict[str, Value]:
    names = [measure.name for measure in quantities]
    given = Options("results.values", options.get("values") or {}, names)
    found = {}
    for measure in quantities:
        one = given.get(measure.name)
        if one is None or isinstance(one, str):
            found[measure.name] = Value(one or measure.name, measure.unit)
            continue
        inner = Options(f"results.values.{measure.name}", one, _VALUE)
        unit = inner.text("unit", measure.unit)
        try:
            require_unit(unit)
        except EvaluatorError as error:
            raise inner.error("unit", str(error)) from error
        optional = _flag(inner, "optional")
        found[measure.name] = Value(
            inner.text("column", measure.name), unit, inner.text("std"), optional
        )
    return found


def _grids(options: Options, quantities: Sequence[Measure]) -> dict[str, Area]:
    names = [measure.name for measure in quantities]
    given = options.get("grids")
    if given is None and len(names) == 1:
        given = {names[0]: options.get("range") or "B2"}
    if not isinstance(given, Mapping) or not given:
        raise options.error("grids", f"write the first cell of the grid of {', '.join(names)}")
    for name in given:
        if name not in names:
            raise options.error("grids", f"there is no {quote(name)}; {known(str(name), names)}")
    lacking = [name for name in names if name not in given]
    if lacking:
        raise options.error("grids", f"write the first cell of the grid of {lacking[0]}, too")
    return {name: _area(options, "grids", corner) for name, corner in given.items()}


def _area(options: Options, key: str, written: object) -> Area:
    found = _RANGE.fullmatch(written.upper()) if isinstance(written, str) else None
    if found is None:
        raise options.error(key, "write a cell such as B2, or a range such as B2:M9")
    top, left = int(found[2]) - 1, column(found[1])
    if found[3] is None:
        return Area(top, left)
    bottom, right = int(found[4]) - 1, column(found[3])
    if bottom < top or right < left:
        raise options.error(key, "write the upper left cell first")
    return Area(top, left, bottom, right)


def column(name: str) -> int:
    """The number of a column, from 0 on."""
    number = 0
    for letter in name.upper():
        number = 26 * number + ord(letter) - 64
    return number - 1


def _barcode(options: Options) -> Plateless | None:
    if options.get("barcode") is None:
        return None
    given = Options("results.barcode", options.get("barcode"), ("cell", "label", "name"))
    kinds: tuple[Literal["cell", "label", "name"], ...] = ("cell", "label", "name")
    said = [kind for kind in kinds if kind in given]
    if len(said) != 1:
        raise options.error("barcode", "write one of cell, label and name")
    what = given.text(said[0])
    if said[0] == "cell" and not _RANGE.fullmatch(what.upper()):
        raise given.error("cell", "write a cell such as B2")
    if said[0] == "name":
        try:
            grouped = re.compile(what).groups == 1
        except re.error:
            grouped = False
        if not grouped:
            raise given.error("name", "write a regular expression with one (group) for the barcode")
    return Plateless(said[0], what)


def _delimiter(options: Options) -> str:
    given = options.text("delimiter")
    written = {"tab": "\t", "comma": ",", "semicolon": ";"}.get(given, given)
    if len(written) > 1 or written in ('"', "\n", "\r"):
        raise options.error("delimiter", "write one character, or tab, comma or semicolon")
    return written


def _zone(options: Options) -> tzinfo | None:
    from zoneinfo import ZoneInfo

    name = options.text("time_zone")
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, KeyError) as error:
        raise options.error("time_zone", "write such as Europe/Zurich or UTC") from error


def _flag(options: Options, key: str) -> bool:
    given = options.get(key)
    if given not in (None, True, False):
        raise options.error(key, "write true or false")
    return bool(given)


def _texts(options: Options, key: str) -> Sequence[str]:
    given = options.get(key)
    if given is None:
        return ()
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise options.error(key, "write a list of texts")
    return given


def missing(wanted: str, there: Sequence[str]) -> str:
    """That a heading is missing, with the nearest of those that are there."""
    return f"{wanted!r} ({known(wanted, [one for one in there if one])})"

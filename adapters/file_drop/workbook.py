"""Result files that are workbooks (XLSX): looked through before a library meets them."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from typing import Any

from adapters.file_drop.cells import Cell, Fault, Formula, Percent, Sheet
from adapters.messages import quote
from adapters.protocol import EvaluatorError

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ZIP, OLE = b"PK", bytes.fromhex("d0cf11e0a1b11ae1")
"""First bytes of a workbook, and of one in the old format or with a password."""

LARGEST = 50_000_000
"""Bytes of a workbook once it is unpacked."""
RATIO = 200
"""How many times smaller packing makes it at most, where it is larger than a million bytes."""
MEMBERS = 1000
CELLS = 1_000_000


def is_workbook(body: bytes) -> bool:
    """Whether these bytes claim to be a workbook, or something else that only Office opens."""
    return body.startswith((ZIP, OLE))


def sheets(body: bytes) -> Sequence[Sheet]:
    """The sheets of a workbook, in order, without the hidden ones.

    Raises:
        EvaluatorError: it is none, is damaged, has a password, or would harm whoever opens it.
    """
    from openpyxl import load_workbook

    merged = _look_through(body)
    try:
        with warnings.catch_warnings(action="ignore"):  # styles and extensions that it leaves out
            book = load_workbook(io.BytesIO(body), read_only=True, keep_links=False)
            left = CELLS
            found = []
            for sheet in book.worksheets:
                if sheet.sheet_state != "visible":
                    continue
                rows = []
                for row in _rows(sheet, left):
                    left -= len(row) + 1
                    rows.append(row)
                path = str(getattr(sheet, "_worksheet_path", "")).lstrip("/")
                found.append(Sheet(sheet.title, rows, merged.get(path, ())))
    except EvaluatorError:
        raise
    except Exception as error:  # the library raises whatever its parts raise
        raise EvaluatorError(
            f"it is a damaged workbook ({type(error).__name__}: {quote(str(error))}); save it "
            "again in the spreadsheet, or export CSV"
        ) from error
    if not found:
        raise EvaluatorError("it has no visible sheet")
    return found


def _rows(sheet: Any, left: int) -> Iterator[Sequence[Cell]]:
    sheet.reset_dimensions()  # what a file says of its own size is not to be believed
    for row in sheet.iter_rows():
        left -= len(row) + 1
        if left < 0:
            raise EvaluatorError(
                f"it has more than {CELLS:,} cells; delete the empty rows and columns that count "
                "as used, or export CSV"
            )
        yield [_cell(cell) for cell in row]


def _cell(cell: Any) -> Cell:
    value = cell.value
    if cell.data_type == "f":
        return Formula(str(value))
    if cell.data_type == "e":
        return Fault(str(value))
    if value is None or isinstance(value, bool | date | time | timedelta):
        return value
    if isinstance(value, int | float):
        number = float(value) if abs(value) < 1e300 else float(str(value))
        return Percent(number) if "%" in (cell.number_format or "") else number
    return str(value).strip() or None


def _look_through(body: bytes) -> dict[str, list[tuple[int, int, int, int]]]:
    """Refuse what would harm; merged cells by the name of the sheet's part.

    Raises:
        EvaluatorError: it is no workbook, or a harmful one.
    """
    if body.startswith(OLE):
        if "EncryptedPackage".encode("utf-16-le") in body:
            raise EvaluatorError("it is protected by a password; save it without one")
        raise EvaluatorError("it is in the old format of Excel (.xls); save it as .xlsx or CSV")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            _measure(packed.infolist(), len(body))
            names = set(packed.namelist())
            if "[Content_Types].xml" not in names:
                raise EvaluatorError(
                    "it is an archive and no workbook; export the results as CSV or XLSX"
                )
            merged = {}
            for member in packed.infolist():
                if member.filename.lower().endswith((".xml", ".rels", ".vml")):
                    with packed.open(member) as part:
                        merged[member.filename] = _parse(part, member.filename)
            return merged
    except EvaluatorError:
        raise
    # RuntimeError: a member is encrypted; NotImplementedError: or packed in an unknown way.
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, KeyError) as error:
        raise EvaluatorError(
            "it is a workbook that ends too early or is damaged; export it again, and wait until "
            f"it is written ({quote(str(error))})"
        ) from error
    except (RuntimeError, NotImplementedError) as error:
        raise EvaluatorError("a part of it is encrypted; save it without a password") from error
    except Exception as error:  # zlib.error has no public base
        raise EvaluatorError(f"it is a damaged workbook: {quote(str(error))}") from error


def _measure(members: Sequence[zipfile.ZipInfo], packed: int) -> None:
    """Refuse what is too large once unpacked, and names that lead out of the archive."""
    for member in members:
        name = member.filename
        if name.startswith(("/", "\\")) or re.search(r"(^|[\\/])\.\.([\\/]|$)|^[A-Za-z]:", name):
            raise EvaluatorError(
                f"a part of it is named {quote(name, 60)}, a path out of the file; no spreadsheet "
                "writes that, so it is not opened"
            )
    size = sum(member.file_size for member in members)
    if len(members) > MEMBERS:
        raise EvaluatorError(f"it has {len(members):,} parts, more than {MEMBERS:,}")
    if size > LARGEST:
        raise EvaluatorError(
            f"unpacked it has {size:,} bytes, more than {LARGEST:,}; a plate's results have far "
            "less, so it is not opened"
        )
    if size > 1_000_000 and size > RATIO * packed:
        raise EvaluatorError(
            f"it is packed {size // packed} times smaller than its {size:,} bytes, as no results "
            f"are (at most {RATIO}); it is not opened"
        )


def _parse(part: Any, name: str) -> list[tuple[int, int, int, int]]:
    """Read one part of XML through; the merged cells in it.

    Raises:
        EvaluatorError: it declares entities or a document type, or is no XML.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse
    from openpyxl.utils import range_boundaries

    found = []
    try:
        for _, element in iterparse(part, forbid_dtd=True):
            if element.tag.endswith("}mergeCell"):
                left, top, right, bottom = range_boundaries(element.get("ref", ""))
                if left and top and right and bottom:
                    found.append((top - 1, left - 1, bottom - 1, right - 1))
            element.clear()
    except DefusedXmlException as error:
        raise EvaluatorError(
            f"its part {quote(name, 60)} declares entities, which may fetch or blow up other "
            "files; no spreadsheet writes that, so it is not opened"
        ) from error
    except ParseError as error:
        raise EvaluatorError(
            f"its part {quote(name, 60)} is damaged ({error}); save it again in the spreadsheet"
        ) from error
    return found

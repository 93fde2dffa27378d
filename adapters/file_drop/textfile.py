"""Result files that are text: any encoding that readers write, any delimiter."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence

from adapters.file_drop.cells import Cell, Formula, Sheet
from adapters.messages import quote
from adapters.protocol import EvaluatorError

DELIMITERS = (";", "\t", ",", "|")
"""Tried in this order: a comma is a decimal as often as not."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(body: bytes, encoding: str = "") -> str:
    """The text in these bytes.

    Args:
        encoding: as Python names it; empty to find it out: by the byte-order mark, or by the zero
            bytes of UTF-16, or UTF-8, or else what Windows writes in Western Europe.

    Raises:
        EvaluatorError: the bytes are not in this encoding, are in several, or are no text.
    """
    marked = next((name for mark, name in _MARKS if body.startswith(mark)), "")
    if not body.strip(b"\0\r\n\t \xef\xbb\xbf\xff\xfe"):
        raise EvaluatorError("it is empty; export the results again")
    name = encoding or marked or _unmarked(body)
    if name.lower().replace("_", "-") in ("utf-8", "utf8"):
        name = "utf-8-sig"
    try:
        found = body.decode(name)
    except (UnicodeDecodeError, UnicodeError) as error:
        start = getattr(error, "start", 0)
        line = body.count(b"\n", 0, start) + 1
        raise EvaluatorError(
            f"row {line} has a character that is not {name.removesuffix('-sig').upper()}; export "
            "the file in one encoding, UTF-8 best, or name it by 'encoding' under results"
        ) from error
    if "\0" in found:
        line = found.count("\n", 0, found.index("\0")) + 1
        raise EvaluatorError(
            f"row {line} holds NUL bytes, so that this is no text, or was not written to its end; "
            "export it again as CSV"
        )
    odd = sum(character < " " and character not in "\r\n\t\f" for character in found[:4000])
    if odd > 0.02 * len(found[:4000]):
        raise EvaluatorError(
            "it is neither a spreadsheet (.xlsx) nor text; export the results as CSV or XLSX, it "
            f"begins with {quote(body[:20])}"
        )
    return found


def _unmarked(body: bytes) -> str:
    """The encoding of text without a byte-order mark."""
    head = body[:4000]
    even, odd = (head[start::2].count(0) / max(len(head) // 2, 1) for start in (0, 1))
    if max(even, odd) > 0.4 and min(even, odd) < 0.1:
        return "utf-16-le" if odd > even else "utf-16-be"
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        _require_one(body, error.start)
        return "cp1252"
    return "utf-8"


def _require_one(body: bytes, start: int) -> None:
    """Refuse a file of which some rows are UTF-8 and others are not: it was pasted together.

    Raises:
        EvaluatorError: it is one.
    """
    for number, line in enumerate(body.split(b"\n"), 1):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            continue
        other = body.count(b"\n", 0, start) + 1
        raise EvaluatorError(
            f"it mixes encodings: row {number} is UTF-8 and row {other} is not; export it in one, "
            "UTF-8 best"
        )


def sheets(written: str, delimiter: str = "") -> Iterator[Sheet]:
    """The text as one sheet, once for each way to read it, the likeliest delimiter first.

    Raises:
        EvaluatorError: a quotation mark is never closed, or a cell is far too long.
    """
    found: list[Sheet] = []
    wrong = ""
    for one in [delimiter] if delimiter else DELIMITERS:
        if one not in written and not delimiter:
            continue
        try:
            found.append(Sheet("", list(_rows(written, one)), delimiter=one))
        except csv.Error as error:
            wrong = str(error)
    if wrong and not found:
        raise EvaluatorError(f"its rows cannot be read ({wrong}); export it again as CSV")
    yield from found or [Sheet("", list(_rows(written, ",")))]


def _rows(written: str, delimiter: str) -> Iterator[Sequence[Cell]]:
    # A mark in the middle of a cell (5" tube) is no quotation, so that this is not strict.
    for row in csv.reader(io.StringIO(written, newline=""), delimiter=delimiter):
        yield [_cell(cell) for cell in row]


def _cell(written: str) -> Cell:
    stripped = written.strip()
    if stripped.startswith("=") and len(stripped) > 1:
        return Formula(stripped)
    return stripped or None

"""Bad files: each is refused whole, with a reason that tells a bench scientist what to do."""

from __future__ import annotations

import io
import os
import re
import zipfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.protocol import (
    Batch,
    Delivery,
    EvaluatorError,
    Job,
    OutcomeStatus,
    Sample,
    Ticket,
)
from tests.plate_files import CAMPAIGN, GOOD, GRID, HEAD, ROWS, TICKETS, book, grid, key, reader


def cell(value: Any, row: int = 2, column: int = 2) -> bytes:
    """The workbook with another value in C3."""
    rows = [list(one) for one in ROWS]
    rows[row][column] = value
    return book(rows)


def packed(name: str, data: bytes, body: bytes | None = None) -> bytes:
    """The workbook with a part added or replaced."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(body or book(ROWS))) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for one in old.namelist():
            if one != name:
                new.writestr(one, old.read(one))
        new.writestr(name, data)
    return out.getvalue()


def sheet_with_entity() -> bytes:
    """A sheet that asks for a file of whoever opens it."""
    with zipfile.ZipFile(io.BytesIO(book(ROWS))) as old:
        xml = old.read("xl/worksheets/sheet1.xml").decode()
    xml = xml.removeprefix('<?xml version="1.0"?>')
    return f'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>{xml}'.encode()


def text(old: str, new: str) -> bytes:
    """The good table with one thing changed."""
    assert old in GOOD
    return GOOD.replace(old, new).encode()


@dataclass
class Bad:
    """A bad file, and what its reason must say."""

    name: str
    body: bytes
    says: tuple[str, ...]
    file: str = "run 3.csv"
    results: dict[str, Any] | None = None
    tickets: tuple[Ticket, ...] = TICKETS


LONG: dict[str, Any] = {
    "columns": {"measure": "assay", "value": "result", "unit": "unit"},
}

BAD = [
    Bad("another barcode", text("P1,A2", "P7,A2"), ("row 3", "'P7'", "has not sent", "P1")),
    Bad("an impossible value", text("71.5", "171.5"), ("row 2, column yield", "171.5", "100")),
    Bad("a negative value", text("71.5", "-0.5"), ("row 2, column yield", "-0.5", "less than 0")),
    Bad(
        "a wrong unit",
        b"barcode,well,assay,result,unit\nP1,A1,yield,71,mg\nP1,A1,ph,7,\n",
        ("row 2, column result", "wrong unit", "'mg' cannot be converted to 'percent'"),
        results=LONG | {"partial": True},
    ),
    Bad(
        "a unit that is none",
        b"barcode,well,assay,result,unit\nP1,A1,yield,71,prozent\nP1,A1,ph,7,\n",
        ("row 2, column result", "'prozent' is no unit"),
        results=LONG | {"partial": True},
    ),
    Bad(
        "a job of another campaign",
        f"job,yield,ph\n{key(1, CAMPAIGN[::-1])},71,7\n".encode(),
        ("row 2", "another campaign"),
        results={"columns": {"job": "job"}, "partial": True},
    ),
    Bad(
        "a job that nobody sent",
        b"job,yield,ph\n17,71,7\n",
        ("row 2", "'17'", "has not sent", "1, 2, 3"),
        results={"columns": {"job": "job"}, "partial": True},
    ),
    Bad(
        "a plate that was cancelled",
        GOOD.encode(),
        ("well A1 of plate P1 is cancelled", "no result is wanted"),
        tickets=tuple(replace(one, closed="cancelled") for one in TICKETS),
    ),
    Bad(
        "a comma where the decimal is a point",
        text("71.5", '"71,5"'),
        ("row 2, column yield", "'71,5' has a comma", "decimal"),
    ),
    Bad(
        "a comma that splits a cell",
        text("71.5", "71,5"),
        ("row 2 has 5 cells, the headings are 4", "decimal comma"),
    ),
    Bad(
        "commas that are both",
        b"barcode,well,yield,ph,note\nP1,A1,71,5\n",
        ("row 2 has 4 cells, the headings are 5", "another delimiter"),
        results={"decimal": ","},
    ),
    Bad(
        "a point where the decimal is a comma",
        b"barcode;well;yield;ph\nP1;A1;1.234;7\nP1;A2;68;7\nP1;A3;68;7\n",
        ("row 2, column yield", "'1.234'", "decimal is ','"),
        results={"decimal": ","},
    ),
    Bad("a huge number", text("71.5", "1.5e400"), ("row 2, column yield", "'1.5e400'", "larger")),
    Bad("a huge number in a workbook", cell("1E+400"), ("Sheet!C3", "larger than any"), "a.xlsx"),
    Bad("an empty cell", text("71.5", ""), ("row 2, column yield is empty", "give a number")),
    Bad("an empty cell of a workbook", cell(None), ("Sheet!C3 is empty",), "a.xlsx"),
    Bad(
        "a command in a cell",
        text("71.5", "=cmd|' /C calc'!A0"),
        ("row 2, column yield is a formula", "=cmd|", "paste its value"),
    ),
    Bad("a formula in a workbook", cell("=1+1"), ("Sheet!C3 is a formula", "=1+1"), "a.xlsx"),
    Bad("a formula for a well", text("P1,A1", "P1,=A1"), ("row 2, column well is a formula",)),
    Bad("an error of the spreadsheet", cell("#DIV/0!"), ("Sheet!C3", "#DIV/0!"), "a.xlsx"),
    Bad("not a number", text("71.5", "NaN"), ("row 2, column yield", "'NaN' is no measurement")),
    Bad("infinity", text("71.5", "-inf"), ("row 2, column yield", "-inf")),
    Bad("words", text("71.5", "see note"), ("row 2, column yield", "'see note' is no number")),
    Bad(
        "a date of Excel",
        cell(datetime(2026, 5, 1)),  # noqa: DTZ001
        ("Sheet!C3 is a date", "1.5", "format the column as numbers"),
        "a.xlsx",
    ),
    Bad("a date in text", text("71.5", "01.May"), ("row 2, column yield is a date", "'01.May'")),
    Bad("true", cell(True), ("Sheet!C3 is TRUE, which is no number",), "a.xlsx"),
    Bad("a well twice", text("P1,A2", "P1,A1"), ("row 3", "A1", "second value", "row 2")),
    Bad("a well too few", text("P1,A3,12.25,8\n", ""), ("plate P1 lacks well A3",)),
    Bad("a well that is none", text("P1,A2", "P1,J2"), ("row 3", "no well J2", "96 wells")),
    Bad("a well turned", text("P1,A2", "P1,2A"), ("row 3", "'2A'", "write A2", "swapped")),
    Bad("no well", text("P1,A2", "P1,"), ("row 3, column well is empty", "write the well")),
    Bad("a missing column", text("yield", "yeild"), ("row 1", "'yield'", "did you mean 'yeild'")),
    Bad("a column twice", text("yield,ph", "yield,ph,Yield"), ("row 1", "C and E", "rename")),
    Bad("no rows", HEAD.encode(), ("headings and no row",)),
    Bad("no byte", b"", ("it is empty",)),
    Bad("nothing but blanks", b"\r\n \r\n", ("it is empty",)),
    Bad("no table", b"Dear all,\nthe reader is broken.\n", ("lacks the heading 'barcode'",)),
    Bad("a picture", b"\x89PNG\r\n\x1a\n" + bytes(range(1, 32)) * 9, ("neither a spreadsheet",)),
    Bad("NUL bytes at the end", GOOD.encode() + bytes(50), ("NUL bytes", "row 5")),
    Bad(
        "two encodings",
        GOOD.encode() + "P1,B1,5,7 µ\n".encode() + "P1,B2,5,7 µ\n".encode("latin-1"),
        ("mixes encodings", "row 5 is UTF-8 and row 6 is not"),
    ),
    Bad(
        "another encoding than was said",
        GOOD.encode() + "P1,B2,5,7 µ\n".encode("latin-1"),
        ("row 5", "not UTF-8", "encoding"),
        results={"encoding": "utf-8"},
    ),
    Bad(
        "merged cells",
        book(ROWS, lambda sheet: sheet.merge_cells("C3:C4")),
        ("Sheet!C3", "merged cells C3:C4", "unmerge"),
        "a.xlsx",
    ),
    Bad("an archive", packed("x", b"y", b"PK\5\6" + bytes(18)), ("an archive",), "a.xlsx"),
    Bad("half a workbook", book(ROWS)[:-300], ("ends too early",), "a.xlsx"),
    Bad(
        "a damaged workbook",
        packed("xl/worksheets/sheet1.xml", b"<worksheet><row"),
        ("damaged", "sheet1.xml"),
        "a.xlsx",
    ),
    Bad(
        "a bomb",
        packed("xl/media/a.xml", b"<a>" + b" " * 40_000_000 + b"</a>"),
        ("times smaller", "not opened"),
        "a.xlsx",
    ),
    Bad(
        "a bomb of bombs",
        packed("xl/media/a.bin", bytes(60_000_000)),
        ("unpacked it has", "not opened"),
        "a.xlsx",
    ),
    Bad(
        "entities",
        packed("xl/worksheets/sheet1.xml", sheet_with_entity()),
        ("sheet1.xml", "declares entities"),
        "a.xlsx",
    ),
    *(
        Bad(
            f"a part that leads elsewhere {number}",
            packed(name, b"<x/>"),
            (repr(name), "path out of the file"),
            "a.xlsx",
        )
        for number, name in enumerate(
            ["../../etc/cron.d/x.xml", "/etc/x.xml", "xl/..\\x.xml", "C:x.xml"]
        )
    ),
    Bad("the old format", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), ("old format",), "a.xls"),
    Bad(
        "a password",
        bytes.fromhex("d0cf11e0a1b11ae1") + "EncryptedPackage".encode("utf-16-le") + bytes(600),
        ("protected by a password", "without one"),
        "a.xlsx",
    ),
    Bad(
        "a sheet that is not there",
        book(ROWS),
        ("no visible sheet 'Data'", "Sheet"),
        "a.xlsx",
        results={"sheet": "Data"},
    ),
    Bad("a name that leads elsewhere", GOOD.encode(), ("name leads",), "run\\..\\autoexec.csv"),
    Bad("a name on two lines", GOOD.encode(), ("control characters",), "a\nb.csv"),
    Bad(
        "two plates in a file of one",
        grid(upto="\n\nPlate:,P2\n"),
        ("two plates, P1 (row 1, column B) and P2",),
        results=GRID,
    ),
    Bad("a grid of nobody", grid(barcode="P9"), ("'P9'", "has not sent"), results=GRID),
    Bad("a grid turned", grid(turned=True), ("rows and columns are swapped",), results=GRID),
    Bad(
        "a grid elsewhere",
        grid(),
        ("row 4, column C", "headed '2', where 1 is expected", "elsewhere"),
        results=GRID | {"grids": {"yield": "C4", "ph": "C4"}},
    ),
    Bad("no grid", b"Plate:,P1\n", ("B4:M11 is empty",), results=GRID),
    Bad("a grid without a barcode", grid().replace(b"Plate", b"x"), ("'Plate'",), results=GRID),
    Bad(
        "a time in no zone",
        text(",ph\n", ",ph,at\n").replace(b"71.5,7", b"71.5,7,2026-05-01 12:00"),
        ("row 2, column at", "no time zone", "time_zone"),
        results={"columns": {"measured_at": "at"}},
    ),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda one: one.name)
def test_a_bad_file_is_refused_with_a_reason_and_moved(bad: Bad, tmp_path: Path) -> None:
    evaluator = reader(tmp_path, bad.results)
    folder = tmp_path / "results"
    (folder / bad.file).write_bytes(bad.body)
    (delivery,) = evaluator.receive(bad.tickets)
    assert delivery.body == bad.body, "bytes are kept as they are"
    with pytest.raises(EvaluatorError) as refusal:
        evaluator.parse(replace(delivery, tickets=bad.tickets))
    reason = str(refusal.value)
    assert [one for one in (*bad.says, bad.file[-4:]) if one not in reason] == [], reason
    for jargon in ("Traceback", "Exception", "None", "object at", "utf8"):
        assert jargon not in reason
    evaluator.refuse(delivery, reason)
    assert evaluator.receive(bad.tickets) == []
    names = {one.name for one in (folder / "rejected").iterdir()}
    moved = re.sub(r"[\\\n]", "_", bad.file).replace("..", "_")
    assert names == {moved, f"{moved}.reason.txt"}
    assert (folder / "rejected" / moved).read_bytes() == bad.body
    assert (folder / "rejected" / f"{moved}.reason.txt").read_text() == f"{reason}\n"
    assert {one.name for one in tmp_path.iterdir()} == {"results", "worklists"}
    assert {one.name for one in folder.iterdir()} == {"rejected"}


def test_the_good_file_is_good(tmp_path: Path) -> None:
    evaluator = reader(tmp_path)
    for body in (GOOD.encode(), book(ROWS)):
        outcomes = evaluator.parse(Delivery("a", body, tickets=TICKETS))
        assert [one.status for one in outcomes] == [OutcomeStatus.SUCCEEDED] * 3
        assert [one.readings[0].value for one in outcomes] == [71.5, 68, 12.25]
    outcomes = reader(tmp_path, GRID).parse(Delivery("a", grid(), tickets=TICKETS))
    assert [one.readings[0].value for one in outcomes] == [50] * 3


def test_a_file_that_is_far_too_large_is_never_held(tmp_path: Path) -> None:
    import tracemalloc

    evaluator = reader(tmp_path)
    file = tmp_path / "results" / "huge.csv"
    with file.open("wb") as out:
        out.write(HEAD.encode())
        out.truncate(100_000_000)
    tracemalloc.start()
    (delivery,) = evaluator.receive(TICKETS)
    assert tracemalloc.get_traced_memory()[1] < 60_000_000
    tracemalloc.stop()
    with pytest.raises(EvaluatorError, match=r"larger than 20,000,000 bytes.*100000000"):
        evaluator.parse(delivery)
    evaluator.refuse(delivery, "it is too large")
    assert (tmp_path / "results" / "rejected" / "huge.csv").stat().st_size == 100_000_000


def test_good_rows_count_where_that_is_said(tmp_path: Path) -> None:
    evaluator = reader(tmp_path, {"accept_good_rows": True})
    body = GOOD.replace("68,7.5", '"6,8",7.5') + "P9,A1,1,2\n"
    first, second, third = evaluator.parse(Delivery("a", body.encode(), tickets=TICKETS))
    assert (first.status, third.status) == (OutcomeStatus.SUCCEEDED, OutcomeStatus.SUCCEEDED)
    assert (second.status, second.job) == (OutcomeStatus.FAILED, key(2))
    assert second.reason.startswith("row 3, column yield is '6,8' has a comma")
    body = GOOD.replace(".", ",").replace(",7\n", ",x\n")
    with pytest.raises(EvaluatorError):
        evaluator.parse(Delivery("a", body.encode(), tickets=TICKETS))


def test_of_several_attempts_the_open_one_counts(tmp_path: Path) -> None:
    """A job that failed went out again, on another plate; results by label are of that one."""
    tickets = (
        Ticket(key(1), "P0:A1", closed="failed"),
        Ticket(key(1), "P1:A1"),
        Ticket(key(2), "P1:A2"),
        Ticket(key(2), "P0:A2", closed="failed"),
    )
    evaluator = reader(tmp_path, {"columns": {"job": "job"}})
    body = b"job,yield,ph\n1,50,7\n2,60,7\n"
    assert len(evaluator.parse(Delivery("a", body, tickets=tickets))) == 2
    with pytest.raises(EvaluatorError, match="well A1 of plate P0 is failed"):
        reader(tmp_path).parse(Delivery("a", f"{HEAD}P0,A1,5,7\n".encode(), tickets=tickets))


def test_a_plate_goes_on_without_a_job_that_was_cancelled(tmp_path: Path) -> None:
    tickets = (TICKETS[0], replace(TICKETS[1], closed="cancelled"), TICKETS[2])
    body = GOOD.replace("68,7.5", "900,7.5").encode()
    outcomes = reader(tmp_path).parse(Delivery("a", body, tickets=tickets))
    assert [one.job for one in outcomes] == [key(1), key(3)]


def test_a_file_that_comes_again_after_a_crash_is_read_as_before(tmp_path: Path) -> None:
    """The core has stored it, and died before it said so: it is not to be rejected."""
    answered = tuple(replace(one, closed="answered already") for one in TICKETS)
    evaluator = reader(tmp_path)
    before, after = (
        evaluator.parse(Delivery("a", GOOD.encode(), tickets=one)) for one in (TICKETS, answered)
    )
    assert before == after


def test_what_is_no_result_is_left_alone(tmp_path: Path) -> None:
    evaluator = reader(tmp_path)
    results = tmp_path / "results"
    secret = tmp_path / "secret.csv"
    secret.write_text(GOOD)
    for name in ("a.csv.part", "~$a.xlsx", ".a.csv", "a.tmp", "a.crdownload", "a.csv~"):
        (results / name).write_text(GOOD)
    (results / "link.csv").symlink_to(secret)
    (results / "folder.csv").mkdir()
    os.mkfifo(results / "pipe.csv")
    assert evaluator.receive(TICKETS) == []
    assert evaluator.health().endswith("0 files in " + str(results))
    forged = Delivery("../secret.csv sha256:00", GOOD.encode())
    with pytest.raises(EvaluatorError, match="cannot be moved"):
        evaluator.acknowledge(forged)
    assert secret.exists()


def test_a_file_of_another_campaign_waits_for_it(tmp_path: Path) -> None:
    """Two campaigns may share the folders of one reader."""
    theirs = reader(tmp_path)
    other = "11111111-5b1c-4a57-9a57-2f6c1d3f9f10"
    sample = Sample("parameters", '{"x": 1}')
    job = Job(key(1, other), sample, ("yield", "ph"))
    (ticket,) = theirs.submit(Batch(f"{other}/batch/1", (job,), "P2"))
    (tmp_path / "results" / "p2.csv").write_text(f"{HEAD}P2,A1,50,7\n")
    assert reader(tmp_path).receive(TICKETS) == []
    assert len(theirs.receive([ticket])) == 1


def test_the_clock_of_the_instrument_is_read(tmp_path: Path) -> None:
    results = {
        "columns": {"measured_at": "at", "operator": "who", "instrument": "where", "lot": "lot"},
        "time_zone": "Europe/Zurich",
        "time_format": "%d.%m.%Y %H:%M",
    }
    body = "barcode,well,yield,ph,at,who,where,lot\nP1,A1,<5,7,01.05.2026 14:30,Zoë,R3,L1\n"
    outcome = reader(tmp_path, results | {"partial": True}).parse(
        Delivery("a", body.encode(), tickets=TICKETS)
    )[0]
    reading = outcome.readings[0]
    assert reading.measured_at == datetime(2026, 5, 1, 12, 30, tzinfo=UTC).timestamp() * 1e6
    assert (reading.operator, reading.instrument, reading.lot) == ("Zoë", "R3", "L1")
    assert (reading.value, reading.censoring) == (5, "left")
    assert reading.place == "row 2, column yield"

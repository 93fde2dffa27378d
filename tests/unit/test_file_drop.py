"""Results of plate readers are read in every manner that they have."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.file_drop import FileDrop
from adapters.protocol import (
    Batch,
    Censoring,
    Checkable,
    Delivery,
    EvaluatorError,
    OptionError,
    Refusing,
    Ticket,
)
from adapters.registry import build
from adapters.units import convert
from tests.plate_files import GOOD, GRID, ROWS, TICKETS, book, grid, jobs, key, molecules, reader

# Manners of results ---------------------------------------------------------------------------

EXPECTED = [(71.5, 7), (68, 7.5), (12.25, 8)]
COMMAS = GOOD.replace(",", ";").replace(".", ",")
WIDE = GOOD.replace(",ph\n", ",ph,Bemerkung\n").replace(",7\n", ",7,20 µl geprüft\n")
SHEETS = [["anything"], [], *ROWS]

MANNERS: list[tuple[str, bytes, dict[str, Any]]] = [
    ("plain", GOOD.encode(), {}),
    ("byte-order mark", GOOD.encode("utf-8-sig"), {}),
    ("UTF-16", GOOD.encode("utf-16"), {}),
    ("UTF-16 without a mark", GOOD.encode("utf-16-le"), {}),
    ("UTF-16, the other way round", GOOD.encode("utf-16-be"), {}),
    ("Latin-1 and an extra column", WIDE.encode("latin-1"), {}),
    ("an encoding that is said", WIDE.encode("mac-roman"), {"encoding": "mac-roman"}),
    ("semicolons and commas", COMMAS.encode(), {"decimal": ","}),
    ("tabs", GOOD.replace(",", "\t").encode(), {}),
    ("bars", GOOD.replace(",", "|").encode(), {"delimiter": "|"}),
    ("quoted commas", GOOD.replace("71.5", '"71,5"').replace("68,7.5", '68,"7,5"')
        .replace("12.25", '"12,25"').encode(), {"decimal": ","}),
    ("line ends of old", GOOD.replace("\n", "\r").encode(), {}),
    ("a preamble", f"Reader 3000\nUser: Zoë\n\n{GOOD}".encode(), {}),
    ("a preamble that is counted", f"{GOOD[:22]}\n{GOOD}".encode(), {"preamble": 2}),
    ("a note below", f"{GOOD}\nMean,,50.6,\nend of run\n".encode(), {}),
    ("the heading again", GOOD.replace("P1,A3", "barcode,well,yield,ph\nP1,A3").encode(), {}),
    ("two tables", GOOD.replace("P1,A3", "\n\nbarcode,well,yield,ph\nP1,A3").encode(), {}),
    ("wells as readers write them", GOOD.replace("A1", "a01").replace("A2", "A 2").encode(), {}),
    ("headings in capitals", GOOD.replace("yield", " Yield ").encode(), {}),
    ("the whole plate", f"{GOOD}P1,H12,OVRFLW,\nP1,A4,9,9\n".encode(), {}),
    ("a workbook", book(ROWS), {}),
    ("a workbook with a preamble", book(SHEETS), {"sheet": "Sheet"}),
    ("a range of a workbook", book([["x", *one, "x"] for one in ROWS]), {"range": "B1:E4"}),
    ("no heading for measures", b"plate,well,what,value\n" + b"".join(
        f"P1,A{n},{what},{value}\n".encode()
        for n, row in enumerate(EXPECTED, 1)
        for what, value in zip(("yield", "PH", "colour"), (*row, 5), strict=True)
    ), {"columns": {"barcode": "plate", "measure": "what", "value": "value"}}),
    ("jobs by label", b"job,yield,ph\n1,71.5,7\n2,68,7.5\n3,12.25,8\n",
        {"columns": {"job": "job"}}),
    ("jobs by key", b"id,yield,ph\n" + b"".join(
        f"{key(n)},{a},{b}\n".encode() for n, (a, b) in enumerate(EXPECTED, 1)
    ), {"columns": {"job": "id"}}),
    ("another unit", b"barcode,well,yield,pH\nP1,A1,0.715,7\nP1,A2,.68,7.5\nP1,A3,0.1225,8\n",
        {"values": {"yield": {"unit": ""}, "ph": "pH"}}),
    ("the barcode above", b"Plate ID: P1\n\n" + GOOD.replace("P1,", "").replace("barcode,", "")
        .encode(), {"barcode": {"label": "plate id"}}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "results"), [one[1:] for one in MANNERS], ids=[m[0] for m in MANNERS]
)
def test_every_manner_says_the_same(tmp_path: Path, body: bytes, results: dict[str, Any]) -> None:
    evaluator = reader(tmp_path, results)
    (tmp_path / "results" / "a file.dat").write_bytes(body)
    (delivery,) = evaluator.receive(TICKETS)
    assert delivery.body == body
    outcomes = evaluator.parse(delivery)
    assert [one.job for one in outcomes] == [one.job for one in TICKETS]
    names = {"yield": 0, "ph": 1}
    for outcome, expected in zip(outcomes, EXPECTED, strict=True):
        assert not outcome.reason
        for one in outcome.readings:
            scale = 100 if (one.name, one.unit) == ("yield", "") else 1
            assert one.value * scale == pytest.approx(expected[names[one.name]])
            assert one.place
    assert outcomes == reader(tmp_path, results).parse(
        replace(delivery, reference="read again from the history")
    )
    evaluator.acknowledge(delivery)
    assert (tmp_path / "results" / "done" / "a file.dat").read_bytes() == body


def test_two_plates_in_one_file_are_two_plates(tmp_path: Path) -> None:
    tickets = (*TICKETS, Ticket(key(4), "P2:A1"))
    body = f"{GOOD}P2,A1,1,2\n".encode()
    outcomes = reader(tmp_path).parse(Delivery("a", body, tickets=tickets))
    assert [one.job for one in outcomes] == [key(1), key(2), key(3), key(4)]


def test_limits_and_deviations_come_along(tmp_path: Path) -> None:
    results = {
        "columns": {"censoring": "sign"},
        "values": {"yield": {"std": "sd"}},
        "no_value": ["OVRFLW"],
    }
    body = "barcode,well,sign,yield,sd,ph\nP1,A1,<,0.5,,7\nP1,A2,,71±2,0.5,7\nP1,A3,,OVRFLW,,7\n"
    first, second, third = reader(tmp_path, results).parse(
        Delivery("a", body.encode(), tickets=TICKETS)
    )
    assert (first.readings[0].value, first.readings[0].censoring) == (0.5, Censoring.LEFT)
    assert (second.readings[0].value, second.readings[0].std) == (71, 0.5)
    assert third.status == "failed"
    assert third.reason == "row 4, column yield: the reader says 'OVRFLW'"


def test_the_barcode_may_stand_in_the_name_of_the_file(tmp_path: Path) -> None:
    """The name is no part of the bytes, and is needed when they are read years later."""
    results = {"barcode": {"name": "^([A-Z0-9]+)_"}}
    body = GOOD.replace("P1,", "").replace("barcode,", "").encode()
    evaluator = reader(tmp_path, results)
    (tmp_path / "results" / "P1_20260501.csv").write_bytes(body)
    (delivery,) = evaluator.receive(TICKETS)
    later = Delivery("0" * 64, delivery.body, delivery.media_type, tickets=TICKETS)
    assert len(evaluator.parse(later)) == 3


def test_a_grid_is_read_by_its_wells(tmp_path: Path) -> None:
    lines = grid().decode().replace("A,50,50", "A,<3,97.5", 1)
    outcomes = reader(tmp_path, GRID).parse(Delivery("a", lines.encode(), tickets=TICKETS))
    first, second = (one.readings[0] for one in outcomes[:2])
    assert (first.value, first.censoring, second.value) == (3, "left", 97.5)
    assert second.place == "row 4, column C"
    rows: list[list[Any]] = [["Plate", "P1"], [], ["", *range(1, 13)]]
    rows += [[letter, *[5.5] * 12] for letter in "ABCDEFGH"]
    outcomes = reader(tmp_path, GRID).parse(Delivery("a", book(rows), tickets=TICKETS))
    assert outcomes[1].readings[0].place == "Sheet!C4"


def test_a_plate_of_384_is_read_in_a_moment(tmp_path: Path) -> None:
    plate = {"wells": 384}
    evaluator = molecules(tmp_path, plate=plate)
    tickets = tuple(evaluator.submit(Batch("c/batch/1", jobs(*["C"] * 384), "P1")))
    wells = [one.reference[3:] for one in tickets]
    body = "barcode,well,yield,ph\n" + "".join(f"P1,{one},5,7\n" for one in wells)
    began = time.perf_counter()
    assert len(evaluator.parse(Delivery("a", body.encode(), tickets=tickets))) == 384
    assert time.perf_counter() - began < 1


def test_percent_are_percent_however_a_spreadsheet_holds_them(tmp_path: Path) -> None:
    def shown(sheet: Any) -> None:
        sheet["C2"] = 0.715
        sheet["C2"].number_format = "0.0%"

    evaluator = reader(tmp_path)
    for body in (book(ROWS, shown), GOOD.replace("71.5", "71.5 %").encode()):
        first = evaluator.parse(Delivery("a", body, tickets=TICKETS))[0].readings[0]
        assert (first.value, convert(1, first.unit, "percent")) == (71.5, 1)


# The reduction --------------------------------------------------------------------------------

INHIBITION: dict[str, Any] = {
    "measures": {"inhibition": "percent"},
    "plate": {"wells": 96, "negative": "col 1", "positive": "col 12", "replicates": 2},
    "reduction": {"signal": "od", "gives": {"inhibition": "value"}, "quality": {"z_prime": 0.5}},
}


def raw(noise: float = 0.0) -> str:
    """Signals of a plate with two samples, of 25 and of 80 percent."""
    rows = ["barcode,well,od,instrument"]
    for number, letter in enumerate("ABCDEFGH"):
        shift = noise * (-1) ** number
        rows += [f"P1,{letter}1,{1 + shift},R3", f"P1,{letter}12,{0.1 + shift},R3"]
    rows += [f"P1,{well},{1 - 0.9 * share},R3" for well, share in
             [("A2", 0.24), ("A3", 0.26), ("A4", 0.8), ("A5", 0.8)]]  # fmt: skip
    return "\n".join(rows) + "\n"


def test_raw_signals_are_reduced(tmp_path: Path) -> None:
    evaluator = molecules(
        tmp_path,
        results={
            "folder": str(tmp_path / "results"),
            "columns": {"instrument": "instrument"},
        },
        **INHIBITION,
    )
    tickets = tuple(evaluator.submit(Batch("c/batch/1", jobs("C", "CC"), "P1")))
    assert [one.reference for one in tickets] == ["P1:A2", "P1:A4"]
    found = evaluator.parse(Delivery("a", raw().encode(), tickets=tickets))
    assert [one.readings[0].value for one in found] == pytest.approx([25, 80])
    assert [(one.suspect, one.readings[0].instrument) for one in found] == [("", "R3")] * 2
    assert found[0].readings[0].place == "A2:A3"
    # A plate whose controls are too alike is kept, and not believed.
    found = evaluator.parse(Delivery("a", raw(0.2).encode(), tickets=tickets))
    assert all("Z'" in one.suspect for one in found), found[0].suspect
    for old, new, says in (
        ("P1,A5", "P1,B5", "lacks the wells A5"),
        ("P1,A1,1.0", "P1,A1,", "row 2, column od is empty"),
        ("P1,A2", "P1,A3", "second value of od"),
    ):
        with pytest.raises(EvaluatorError, match=says):
            evaluator.parse(Delivery("a", raw().replace(old, new).encode(), tickets=tickets))
    only = evaluator.parse(Delivery("a", raw().encode(), tickets=tickets[1:]))
    assert [one.readings[0].value for one in only] == pytest.approx([80])


# Folders --------------------------------------------------------------------------------------


def test_a_file_that_is_being_written_is_left_until_it_rests(tmp_path: Path) -> None:
    evaluator = reader(tmp_path, {"settle": 0.6})
    file = tmp_path / "results" / "a.csv"
    for end in (20, 40, len(GOOD)):
        file.write_text(GOOD[:end])
        assert evaluator.receive(TICKETS) == []
        time.sleep(0.1)
    file.touch()
    os.utime(file, (time.time() - 3600,) * 2)  # a program that copies sets the time of the original
    assert evaluator.receive(TICKETS) == []
    os.utime(file, (time.time() + 3600,) * 2)  # the clock of a file server may be ahead
    assert evaluator.receive(TICKETS) == []
    time.sleep(0.65)
    assert [one.body.decode() for one in evaluator.receive(TICKETS)] == [GOOD]


def test_a_result_that_comes_before_the_tickets_are_stored_waits(tmp_path: Path) -> None:
    """A driver died after it wrote the list; whoever receives meanwhile must not refuse it."""
    mine = Batch(f"{key(1)}/batch/2", (replace(jobs("C")[0], key=key(9)),), "P9")
    (ticket,) = molecules(tmp_path).submit(mine)
    (tmp_path / "results" / "a.csv").write_text("barcode,well,yield,ph\nP9,A1,5,7\n")
    assert molecules(tmp_path).receive(TICKETS) == []
    assert len(molecules(tmp_path).receive([ticket])) == 1
    # From now on it is known, so that what comes late is told that it does.
    assert len(molecules(tmp_path).receive(TICKETS)) == 1


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    evaluator = reader(tmp_path)
    assert isinstance(evaluator, Refusing)
    results = tmp_path / "results"
    for number in range(3):
        (results / "a.csv").write_text(f"{GOOD}{number}")
        (delivery,) = evaluator.receive(TICKETS)
        evaluator.acknowledge(delivery)
    names = {one.name: one.read_text()[-1] for one in (results / "done").iterdir()}
    assert names == {"a.csv": "0", "a (2).csv": "1", "a (3).csv": "2"}
    # What the reader has written anew meanwhile is another result.
    (results / "a.csv").write_text(GOOD)
    (delivery,) = evaluator.receive(TICKETS)
    (results / "a.csv").write_text(f"{GOOD}P1,A1,,\n")
    evaluator.acknowledge(delivery)
    assert len(evaluator.receive(TICKETS)) == 1


def test_a_file_that_cannot_be_moved_is_said_and_not_taken_twice(tmp_path: Path) -> None:
    evaluator = reader(tmp_path)
    assert isinstance(evaluator, Checkable)
    assert "1 files in" not in evaluator.health()
    results = tmp_path / "results"
    (results / "done").symlink_to(tmp_path)
    (results / "a.csv").write_text(GOOD)
    (delivery,) = evaluator.receive(TICKETS)
    with pytest.raises(EvaluatorError, match=r"a\.csv cannot be moved to done/"):
        evaluator.acknowledge(delivery)
    assert evaluator.receive(TICKETS) == []
    with pytest.raises(EvaluatorError, match="move it by hand"):
        evaluator.health()


# Options --------------------------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"results": {}}, "results", "results.folder is None; write a folder"),
    ({"results": {"folder": "r", "decimals": ","}}, "results", "did you mean 'decimal'"),
    ({"results": {"folder": "r", "decimal": ";"}}, "results", "write . or ,"),
    ({"results": {"folder": "r", "layout": "grid"}}, "results", "results.barcode is missing"),
    ({"results": {"folder": "r", "encoding": "utf-9"}}, "results", "write such as utf-8"),
    ({"results": {"folder": "r", "time_zone": "Zurich"}}, "results", "Europe/Zurich"),
    ({"results": {"folder": "r", "values": {"yeild": "y"}}}, "results", "did you mean 'yield'"),
    ({"results": {"folder": "r", "barcode": {"name": "x"}}}, "results", "with one (group)"),
    ({"results": {"folder": "r"} | GRID | {"grids": {"yield": "B4:I15", "ph": "B4"}}}, "results",
        "rows and columns are swapped"),
    ({"worklist": {"folder": "w", "format": "pdf"}}, "worklist", "write csv or xlsx"),
    ({"worklist": {"folder": "w", "template": "no.j2"}}, "worklist", "no.j2 cannot be read"),
    ({"plate": {"wells": 95}}, "plate", "no plate of 95 wells"),
    ({"plate": {"replicates": 2}}, "plate", "say by 'reduction'"),
    ({"reduction": {"gives": {"x": "value"}}}, "reduction", "name each measure in both"),
    ({"batch_size": 0}, "batch_size", "write 1 or more"),
    ({"no_such": 1}, "no_such", "no option"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "option", "says"), WRONG)
def test_a_wrong_option_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    option: str,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    options: dict[str, Any] = {
        "worklist": {"folder": "w"},
        "results": {"folder": "r"},
        "measures": {"yield": "percent", "ph": ""},
        "kinds": ["parameters"],
        "plate": {"wells": 96},
    }
    given = json.loads(json.dumps(options | changes))
    with pytest.raises(OptionError) as refusal:
        build(FileDrop, "file_drop", given).check(["yield"])
    assert not list(tmp_path.iterdir()), "whoever only reads a spec leaves nothing behind"
    assert refusal.value.option == option
    assert says in str(refusal.value)

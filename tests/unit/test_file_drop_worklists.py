"""Worklists of the transport ``file_drop`` go out once, and harmless."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from openpyxl import load_workbook

from adapters.protocol import (
    Batch,
    Delivery,
    EvaluatorError,
    Job,
    Sample,
)
from tests.plate_files import jobs, key, molecules, reader

CODE128 = set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def written(folder: Path) -> dict[str, bytes]:
    """Files that a reader finds."""
    found = (folder / "worklists").iterdir()
    return {one.name: one.read_bytes() for one in found if one.is_file()}


# Worklists ------------------------------------------------------------------------------------


def test_a_worklist_says_what_is_where(tmp_path: Path) -> None:
    plate = {"wells": 96, "order": "columns", "negative": "A1", "positive": "B1", "blank": "H12"}
    evaluator = molecules(tmp_path, plate=plate)
    assert evaluator.capabilities.batch_size == 93
    tickets = evaluator.submit(Batch("c/batch/1", jobs("CCO", "c1ccccc1", name="LAB-7")))
    ((name, body),) = written(tmp_path).items()
    barcode = name.removesuffix(".csv")
    assert len(barcode) == 12
    assert set(barcode) <= CODE128
    assert [one.reference for one in tickets] == [f"{barcode}:C1", f"{barcode}:D1"]
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert [(one["well"], one["role"], one["job"], one["sample"]) for one in rows] == [
        ("A1", "negative", "", ""),
        ("B1", "positive", "", ""),
        ("C1", "sample", "1", "CCO"),
        ("D1", "sample", "2", "c1ccccc1"),
        ("H12", "blank", "", ""),
    ]
    assert {one["barcode"] for one in rows} == {barcode}


def test_a_plate_of_384_is_one_batch(tmp_path: Path) -> None:
    evaluator = molecules(tmp_path, plate={"wells": 384, "negative": "col 1", "positive": "col 2"})
    assert evaluator.capabilities.batch_size == 352
    tickets = evaluator.submit(Batch("c/batch/1", jobs(*["C"] * 352), "P384"))
    assert (tickets[0].reference, tickets[-1].reference) == ("P384:A3", "P384:P24")
    with pytest.raises(EvaluatorError, match="takes 352 jobs"):
        evaluator.submit(Batch("c/batch/2", jobs(*["C"] * 353)))


def test_a_batch_that_went_out_goes_out_no_more(tmp_path: Path) -> None:
    """A driver that died asks again; by then the robot may have taken the list away."""
    batch = Batch("c/batch/1", jobs("CCO"))
    first = molecules(tmp_path).submit(batch)
    before = written(tmp_path)
    assert molecules(tmp_path).submit(batch) == first
    assert written(tmp_path) == before
    for name in before:
        (tmp_path / "worklists" / name).unlink()
    assert molecules(tmp_path).submit(batch) == first
    assert written(tmp_path) == {}
    template = tmp_path / "broken.j2"
    template.write_text("{{ nothing }}")
    given = {"folder": str(tmp_path / "worklists"), "template": str(template), "suffix": "csv"}
    assert molecules(tmp_path, worklist=given).submit(batch) == first, "it is out already"
    with pytest.raises(EvaluatorError, match="was used for c/batch/1"):
        molecules(tmp_path).submit(Batch("c/batch/2", jobs("CCN"), first[0].reference[:12]))


def test_a_worklist_whose_writer_died_goes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it dies, the next one ends with one list in the folder."""
    batch = Batch("c/batch/1", jobs("CCO"))
    renamed = Path.replace
    for survived in range(3):
        left = [survived]

        def dying(self: Path, target: Path, left: list[int] = left) -> Path:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            return renamed(self, target)

        folder = tmp_path / str(survived)
        monkeypatch.setattr(Path, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            molecules(folder).submit(batch)
        monkeypatch.undo()
        assert written(folder) == {}
        molecules(folder).submit(batch)
        assert len(written(folder)) == 1


def test_no_cell_of_ours_is_a_formula(tmp_path: Path) -> None:
    evil = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)"]
    batch = Batch("c/batch/1", jobs(*evil, name="=1+1"))
    molecules(tmp_path / "csv").submit(batch)
    (body,) = written(tmp_path / "csv").values()
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert [one["sample"] for one in rows] == [f"'{one}" for one in evil]
    assert {one["name"] for one in rows} == {"'=1+1"}
    given = {"folder": str(tmp_path / "xlsx" / "worklists"), "format": "xlsx"}
    molecules(tmp_path / "xlsx", worklist=given).submit(batch)
    (body,) = written(tmp_path / "xlsx").values()
    table, plan = load_workbook(io.BytesIO(body)).worksheets
    assert {cell.data_type for sheet in (table, plan) for row in sheet for cell in row} <= {
        "s",
        "n",
    }
    assert table["F2"].value == f"'{evil[0]}"
    assert (plan["B1"].value, plan["A2"].value, plan["B2"].value) == (1, "A", "1")


def test_parameters_are_columns_and_stay_numbers(tmp_path: Path) -> None:
    batch = Batch(
        "c/batch/1", (Job(key(1), Sample("parameters", '{"ph": -7.5, "buffer": "=A1"}'), ()),)
    )
    reader(tmp_path).submit(batch)
    (body,) = written(tmp_path).values()
    (row,) = csv.DictReader(io.StringIO(body.decode()))
    assert (row["ph"], row["buffer"]) == ("-7.5", "'=A1")


def test_a_plate_map_is_the_plate(tmp_path: Path) -> None:
    given = {"folder": str(tmp_path / "worklists"), "view": "map"}
    plate = {"wells": 96, "negative": "A1"}
    molecules(tmp_path, worklist=given, plate=plate).submit(Batch("c/batch/1", jobs("C", "CC")))
    (body,) = written(tmp_path).values()
    rows = list(csv.reader(io.StringIO(body.decode())))
    assert rows[0] == ["", *map(str, range(1, 13))]
    assert rows[1][:4] == ["A", "negative", "1", "2"]
    assert [len(row) for row in rows] == [13] * 9


def test_a_template_of_the_user_makes_the_worklist(tmp_path: Path) -> None:
    template = tmp_path / "robot.j2"
    template.write_text(
        "#PLATE {{ barcode }}\n{% for line in lines %}\n"
        "ASPIRATE;{{ line.well }};{{ line.job.sample.content | csv(';') }};{{ line.label }};"
        "{{ line.job.sample.content }}\n"
        "{% endfor %}\n"
    )
    given = {"folder": str(tmp_path / "worklists"), "template": str(template), "suffix": "gwl"}
    evaluator = molecules(tmp_path, worklist=given)
    evaluator.submit(Batch("c/batch/1", jobs("=C", "C;C"), "P1"))
    body = "#PLATE P1\nASPIRATE;A1;'=C;1;'=C\nASPIRATE;A2;\"C;C\";2;C;C\n"
    assert written(tmp_path) == {"P1.gwl": body.encode()}


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ lines.__class__.__mro__ }}", "SecurityError"),
        ("{{ nothing }}", "'nothing' is undefined"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{% for", "worklist.template has an error in line 1"),
    ],
)
def test_a_template_reaches_nothing_else(tmp_path: Path, source: str, says: str) -> None:
    template = tmp_path / "robot.j2"
    template.write_text(source)
    given = {"folder": str(tmp_path / "worklists"), "template": str(template)}
    with pytest.raises(EvaluatorError, match=says):
        molecules(tmp_path, worklist=given).submit(Batch("c/batch/1", jobs("C")))
    assert written(tmp_path) == {}


@pytest.mark.parametrize("barcode", ["../../etc/x", "a b", ".hidden", "x" * 49, "a/b", "P1:A1"])
def test_a_barcode_names_no_other_file(tmp_path: Path, barcode: str) -> None:
    with pytest.raises(EvaluatorError, match="names no worklist"):
        molecules(tmp_path).submit(Batch("c/batch/1", jobs("C"), barcode))


def test_a_list_of_tubes_has_no_plate(tmp_path: Path) -> None:
    evaluator = molecules(tmp_path, plate=None, batch_size=3)
    tickets = evaluator.submit(Batch("c/batch/1", jobs("C", "CC"), "RACK"))
    assert [one.reference for one in tickets] == ["RACK:1", "RACK:2"]
    body = "barcode,well,yield,ph\nRACK,01,50,7\nRACK,2,60,7\n"
    found = evaluator.parse(Delivery("a", body.encode(), tickets=tuple(tickets)))
    assert [one.readings[0].value for one in found] == [50, 60]
    body = body.replace("RACK,2", "RACK,A2")
    with pytest.raises(EvaluatorError, match="'A2' is no place of the list; write a number from 1"):
        evaluator.parse(Delivery("a", body.encode(), tickets=tuple(tickets)))

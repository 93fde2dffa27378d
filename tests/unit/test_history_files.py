"""Campaigns as files: every number comes back, and nothing is left half-written."""

from __future__ import annotations

import csv
import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from sqlalchemy import text

from db import repository
from db.ledger import Draft
from db.models import SYSTEM, Campaign
from db.session import Database
from orchestrator.errors import BadInput, Unverified
from orchestrator.history.export import table_files, whole_files
from orchestrator.history.export.campaign_database import extract
from orchestrator.history.listings import candidate_table
from orchestrator.history.verify.verification import verify
from tests import histories
from tests.histories import ACTOR, CAMPAIGN

NUMBERS = (0.1 + 0.2, 5e-324, 1.7976931348623157e308, 2 / 3, -1e-17, 123456789.12345678)
TEXTS = ("=1+1", "+C", "-C", "@x", "'", "''x", "\t=1", "Å-4711 𝒙", 'a "b", c\nd', "＝1", "")


def row(database: Database) -> Campaign:
    with database.read() as session:
        return repository.campaign(session, CAMPAIGN)


def plain(cell: str) -> str:
    """A text as it was before CSV, by the stated rule."""
    return cell.removeprefix("'")


def measured(database: Database) -> None:
    """A campaign with numbers and texts that are easily lost."""
    histories.begin(database)
    draft = Draft("tell")
    for number, name in enumerate(TEXTS, 1):
        histories.candidate(draft, number, object=name, external_ids=[name], point=list(NUMBERS))
    for number, value in enumerate(NUMBERS, 1):
        histories.measurement(draft, number, number, value=value, name="mass", unit="g/mol")
    histories.measurement(draft, 7, 1, value=1.0, name="mass", unit="g/mol")
    histories.measurement(draft, 8, 2, value=9.0, name="valid", supersedes=None)
    histories.measurement(draft, 9, 2, value=2.5, name="=cmd", std=0.25)
    histories.flag(draft, 8, "late")
    histories.write(database, draft)


def read(database: Database, form: str, path: Path) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of the table as a file has them."""
    with database.read() as session:
        table = candidate_table.table(session, row(database))
        table_files.write(path, form, table.columns, table.rows)
    if form == "parquet":
        found = parquet.read_table(path)
        return found.column_names, [list(one.values()) for one in found.to_pylist()]
    with path.open(encoding="utf-8", newline="") as file:
        first, *rest = csv.reader(file)
    return first, rest


def test_every_number_and_text_of_a_table_comes_back(database: Database, tmp_path: Path) -> None:
    """A laboratory's report must not depend on the format in which it was given away."""
    measured(database)
    names, rows = read(database, "csv", tmp_path / "table.csv")
    kept, typed = read(database, "parquet", tmp_path / "table.parquet")
    assert [plain(name) for name in names] == kept
    place = {name: index for index, name in enumerate(kept)}
    assert [plain(one[place["object"]]) for one in rows] == list(TEXTS)
    assert [one[place["object"]] for one in typed] == list(TEXTS)
    for one, other in zip(rows, typed, strict=True):
        assert json.loads(one[place["point"]]) == other[place["point"]] == list(NUMBERS)
        assert json.loads(one[place["external_ids"]]) == other[place["external_ids"]]
        assert (one[place["round"]], other[place["round"]]) == ("", None)
        value = one[place["mass (g/mol)"]]
        assert (float(value) if value else None) == other[place["mass (g/mol)"]]
    values = [one[place["mass (g/mol)"]] for one in typed]
    assert values[0] == (NUMBERS[0] + 1.0) / 2  # of two replicates
    assert values[1:6] == list(NUMBERS[1:])
    assert typed[0][place["mass count (g/mol)"]] == 2
    assert typed[1][place["measure valid"]] == 9.0  # beside the column of that name
    assert (typed[1][place["=cmd"]], typed[1][place["=cmd std"]]) == (2.5, 0.25)
    schema = parquet.read_schema(tmp_path / "table.parquet")
    assert schema.field("mass (g/mol)").metadata == {b"unit": b"g/mol"}


def test_a_frame_has_types_and_units(tmp_path: Path) -> None:
    columns = (table_files.Column("n", "int"), table_files.Column("x (g)", "float", "g"))
    frame = table_files.frame(columns, [{"n": None, "x (g)": 0.1}, {"n": 2**53 + 1, "x (g)": None}])
    assert frame["n"].tolist()[1] == 2**53 + 1
    assert frame["x (g)"][0] == 0.1
    assert math.isnan(frame["x (g)"][1])
    assert frame.attrs["units"] == {"x (g)": "g"}


@settings(max_examples=50)
@given(st.text())
def test_no_text_is_a_formula_and_the_rule_is_undone_by_one_apostrophe(written: str) -> None:
    cell = table_files.csv_cell(written)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert plain(cell) == written


def test_what_fails_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    """Half an export looks like a whole one."""
    out = tmp_path / "table.csv"

    def broken() -> Iterator[dict[str, Any]]:
        yield {"n": 1}
        raise OSError(28, "No space left on device")

    def write(*, force: bool) -> None:
        with whole_files.writing(out, force=force) as partial:
            table_files.write(partial, "csv", [table_files.Column("n", "int")], broken())

    with pytest.raises(BadInput, match="cannot be written: No space left on device"):
        write(force=False)
    assert list(tmp_path.iterdir()) == []
    out.write_text("before")
    with pytest.raises(BadInput, match="exists; name another file, or replace it by --force"):
        write(force=False)
    with pytest.raises(BadInput, match="No space left"):
        write(force=True)
    assert [(one, one.read_text()) for one in tmp_path.iterdir()] == [(out, "before")]


# An extract -----------------------------------------------------------------------------------


def test_an_extract_is_one_campaign_that_verifies(database: Database, tmp_path: Path) -> None:
    """Who gets it opens it with this program, and sees the same history."""
    histories.everything(database)
    other = "99999999-2222-4333-8444-555555555555"
    histories.begin(database, other, name="not to be given away")
    out = tmp_path / "out" / "small.db"
    out.parent.mkdir()
    found = extract(database, row(database), out, ACTOR, force=False)
    assert list(out.parent.iterdir()) == [out]  # what lies beside it is not sent with it
    with closing(sqlite3.connect(out)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    with pytest.raises(BadInput, match="exists"):
        extract(database, row(database), out, ACTOR, force=False)
    taken = Database(f"sqlite:///{out}")
    with database.read() as source, taken.read() as target:
        assert [one.hash for one in repository.entries(target, CAMPAIGN)] == [
            one.hash for one in repository.entries(source, CAMPAIGN)
        ]
        assert repository.chains(target) == [CAMPAIGN, SYSTEM]
        assert [one.name for one in repository.campaigns(target)] == ["small"]
        *_, last = repository.entries(target, SYSTEM)
        assert json.loads(last.payload)["about"] == {"elsewhere": [other]}
    again = verify(taken)
    assert (again.ok, again.entries, again.anchors) == (True, found.entries, 1)
    histories.write(taken, Draft("pause"))  # it goes on, and its triggers refuse
    taken.close()


def test_an_extract_of_a_history_that_was_changed_is_refused(
    database: Database, tmp_path: Path
) -> None:
    histories.everything(database)
    sqlite = database.engine.dialect.name == "sqlite"
    with database.engine.begin() as connection:
        drop = "DROP TRIGGER artifact_chunk_no_update"
        connection.execute(text(drop if sqlite else f"{drop} ON artifact_chunk"))
        connection.execute(
            text("UPDATE artifact_chunk SET data = :data WHERE chain <> 'system'"), {"data": b"x"}
        )
    out = tmp_path / "out" / "small.db"
    out.parent.mkdir()
    with pytest.raises(Unverified, match="its bytes were changed"):
        extract(database, row(database), out, ACTOR, force=False)
    assert list(out.parent.iterdir()) == []

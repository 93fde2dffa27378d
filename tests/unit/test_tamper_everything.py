"""Nothing of a database can be changed unseen: every column of every table, and the schema itself.

Each change is looked for twice: as `assayloop audit verify` does it, where what the quick screen
calls sound is not looked at again, and by the careful walk alone.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from contextlib import closing
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, Double, Text, select, text
from sqlalchemy.exc import DBAPIError

from db.columns import Json, Vector
from db.models import Base
from db.session import Database
from orchestrator.cli import main
from orchestrator.history.verify import quick_screen, schema, tables_from_ledger
from orchestrator.history.verify.protections import Outside
from orchestrator.history.verify.verification import verify
from tests import histories
from tests.intruder import Intruder

EXEMPT = {"lease": "who drives at the moment: of that, only what makes no sense is reported"}
"""Tables whose values may be anything that makes sense, and why."""


@pytest.fixture
def crowd(intruder: Intruder) -> Intruder:
    """Somebody before a history with two rows at least in every table."""
    histories.more(intruder.database)
    return intruder


TABLES = sorted(Base.metadata.tables.keys() - EXEMPT.keys())
FIRST = ("artifact_chunk", "measurement", "secret")
"""Tables that are tried while working; the whole suite tries all."""
MOST = [pytest.param(one, marks=[] if one in FIRST else [pytest.mark.slow]) for one in TABLES]


def found(intruder: Intruder, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What a verification says, and what the careful walk says alone."""
    quickly = verify(intruder.database, outside=Outside())
    with monkeypatch.context() as patch:
        patch.setattr(quick_screen, "screen", lambda *_: iter(()))
        carefully = verify(intruder.database, outside=Outside())
    return [[str(one) for one in said.problems] for said in (quickly, carefully)]


def rows_of(intruder: Intruder, table: str) -> list[dict[str, Any]]:
    """Rows as the driver gives them."""
    with intruder.database.read() as session:
        query = select(tables_from_ledger.untyped(table))
        return [dict(row._mapping) for row in session.execute(query)]


def change(intruder: Intruder, table: str, row: dict[str, Any], name: str, value: Any) -> None:
    """Put another value into one column of one row."""
    keys = [column.name for column in Base.metadata.tables[table].primary_key]
    where = " AND ".join(f"{key} = :key_{key}" for key in keys)
    named = {f"key_{key}": row[key] for key in keys}
    intruder.does(f"UPDATE {table} SET {name} = :value WHERE {where}", value=value, **named)


def place(table: str) -> str:
    """What a problem of that table names."""
    names = {"ledger_entry": "entry", "artifact_chunk": "artifact", "anchor": "anchor"}
    return names.get(table, rf"\b{table}\b")


@pytest.fixture
def rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the schema out, whose tests are below: it takes longer than all the rows."""
    monkeypatch.setattr(schema, "changes", lambda _: iter(()))
    monkeypatch.setattr(schema, "unreadable", lambda _: iter(()))


# Another row's value --------------------------------------------------------------------------


def move(intruder: Intruder, table: str, rows: list[dict[str, Any]], name: str) -> bool:
    """Give a row the value that another has; exchange them where only one may have it.

    Returns:
        Whether there are two rows of which that can be done.
    """
    for here, there in permutations(rows, 2):
        if here[name] == there[name]:
            continue
        spare = -1 if isinstance(here[name], int) else "-"
        steps = (
            [(here, there[name])],
            [(here, spare), (there, here[name]), (here | {name: spare}, there[name])],
        )
        for changes in steps:
            try:
                for row, value in changes:
                    change(intruder, table, row, name, value)
            except (DBAPIError, sqlite3.Error):  # another row has that key
                intruder.puts(table, rows)
            else:
                break
        if Counter(map(repr, rows_of(intruder, table))) != Counter(map(repr, rows)):
            return True
    return False


@pytest.mark.usefixtures("rows_alone")
@pytest.mark.parametrize("table", MOST)
def test_another_rows_value_is_found(
    crowd: Intruder, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks right, has the right type, and fits every constraint."""
    rows = rows_of(crowd, table)
    assert len(rows) > 1
    for name in rows[0]:
        values = [row[name] for row in rows]
        if all(value == values[0] for value in values):
            continue  # there is no other
        assert move(crowd, table, rows, name), name
        for said in found(crowd, monkeypatch):
            assert any(re.search(place(table), one) for one in said), (name, said)
        crowd.puts(table, rows)
    assert found(crowd, monkeypatch) == [[], []]


# Nonsense -------------------------------------------------------------------------------------

NONSENSE: list[tuple[str, tuple[type[Any], ...], str]] = [
    ("NULL", (object,), "NULL"),
    ("a word", (BigInteger, Boolean, Double), "'noon'"),
    ("an absurd number", (BigInteger, Double), "9223372036854775807"),
    ("infinity", (Double,), "9e999"),
    ("text that is not UTF-8", (Text, Json), "CAST(x'ff41' AS TEXT)"),
    ("bytes", (object,), "x'00ff'"),
    ("no JSON", (Json,), "'{\"a'"),
    ("JSON of another shape", (Json,), "'[[1], null]'"),
    ("a torn vector", (Vector,), "x'00'"),
    ("an unknown word", (Text,), "'no such word'"),
]
"""What it is, for columns of which types, as SQL."""


@pytest.mark.slow
@pytest.mark.usefixtures("rows_alone")
@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("table", MOST)
def test_a_malformed_row_is_reported_with_its_place(
    crowd: Intruder, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite takes anything anywhere, and a verification that breaks on it proves nothing."""
    relax(crowd.database)
    rows = rows_of(crowd, table)
    crowd.puts(table, rows)  # now the last of them has the largest rowid
    for column in Base.metadata.tables[table].columns:
        for what, kinds, sql in NONSENSE:
            if not isinstance(column.type, kinds) or (what, rows[-1][column.name]) == (
                "NULL",
                None,
            ):
                continue
            last = f"SELECT max(rowid) FROM {table}"
            crowd.does(f"UPDATE {table} SET {column.name} = {sql} WHERE rowid = ({last})")
            for said in found(crowd, monkeypatch):
                assert any(re.search(place(table), one) for one in said), (column, what, said)
            crowd.puts(table, rows)


def relax(database: Database) -> None:
    """Let every column be NULL, as an intruder who edits the schema can."""
    assert database.engine.url.database is not None
    with closing(sqlite3.connect(database.engine.url.database, isolation_level=None)) as raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table'"
        )
        raw.execute("PRAGMA writable_schema = RESET")
    database.engine.dispose()


# The schema -----------------------------------------------------------------------------------

SCHEMA = [
    ("CREATE TABLE more (x INTEGER)", "table more: no release makes it"),
    ("ALTER TABLE candidate ADD COLUMN more INTEGER", "table candidate: column more was added"),
    ("CREATE VIEW more AS SELECT 1 AS x", "view more: no release makes it"),
    ("DROP INDEX ix_job_campaign_state", "table job: has no index ix_job_campaign_state"),
    ("CREATE INDEX more ON job (number)", "table job: index more was added"),
    (
        "DROP INDEX ix_job_campaign_state; CREATE INDEX ix_job_campaign_state ON job (number)",
        "table job: index ix_job_campaign_state",
    ),
    (
        "ALTER TABLE fit RENAME TO hidden; CREATE VIEW fit AS SELECT * FROM hidden",
        "table fit: is a view and no table",
    ),
]


@pytest.mark.parametrize(("statements", "said"), SCHEMA)
def test_a_changed_schema_is_found(
    intruder: Intruder, statements: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changes what tables are need not change a row."""
    with intruder.database.engine.begin() as connection:
        for one in statements.split("; "):
            connection.execute(text(one))
    for problems in found(intruder, monkeypatch):
        assert any(one.startswith(said) for one in problems), problems


def test_a_trigger_that_no_release_makes_is_found(
    intruder: Intruder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could write something else than what was told."""
    make = "CREATE TRIGGER more AFTER INSERT ON job BEGIN SELECT 1; END"
    if intruder.database.engine.dialect.name == "postgresql":
        make = (
            "CREATE TRIGGER more AFTER INSERT ON job FOR EACH STATEMENT "
            "EXECUTE FUNCTION assayloop_refuse()"
        )
    with intruder.database.engine.begin() as connection:
        connection.exec_driver_sql(make)
    for said in found(intruder, monkeypatch):
        assert said == ["table job: has a trigger more, which no release makes"]


@pytest.mark.slow
@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_rule_is_found(intruder: Intruder, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's other way to write something else."""
    with intruder.database.engine.begin() as connection:
        connection.execute(text("CREATE RULE more AS ON INSERT TO job DO INSTEAD NOTHING"))
    for said in found(intruder, monkeypatch):
        assert said == ["table job: the rule more was put on it"]


# The command ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE artifact_chunk SET sha256 = 'x' WHERE rowid = 2",
        "UPDATE ledger_entry SET payload = CAST(x'ff' AS TEXT) WHERE sequence = 2",
        "UPDATE ledger_entry SET payload = '{}' WHERE chain = 'system'",
        "UPDATE candidate SET point = 'x'",
        "UPDATE campaign SET id = x'00' WHERE name = 'other'",
        "UPDATE account SET role = 7",
        "UPDATE ledger_entry SET chain = CAST(x'ff' AS TEXT) WHERE rowid = 3",
        "UPDATE signing_key SET revoked_at = 'soon'",
        "UPDATE secret SET scopes = CAST(x'ff' AS TEXT), account = x'ff'",
        "UPDATE anchor SET signature = 'x', sequence = 'noon' WHERE rowid = 2",
        "INSERT INTO lease VALUES (x'ff', 'noon', 7, x'ff', 'a', 'b')",
    ],
)
def test_the_command_ends_in_exit_code_5_and_no_traceback(
    crowd: Intruder,
    statement: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """A script that runs every night must know; a reviewer must see where."""
    crowd.does(statement)
    crowd.leaves()
    monkeypatch.setenv("ASSAYLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSAYLOOP_DATABASE_URL", str(crowd.database.engine.url))
    code = main(["audit", "verify"])
    out, err = capsys.readouterr()
    assert code == 5, (out, err)
    assert "Traceback" not in out + err
    assert "Our fault" not in err

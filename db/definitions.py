"""Whether the tables with their columns, constraints and indexes are those that migrations made.

What this release makes is said by the models, in the words in which a database would be asked to
make it, and compared with what the database says that it has. Something added counts as much as
something changed: a rule or a view over a table can show other rows than are there. Tables of other
names are none of our business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection, Dialect, bindparam, text
from sqlalchemy.schema import CreateIndex, CreateTable

from db.models import Base

Place = tuple[str, str]
"""A table, and which part of it, such as ``column value``."""


FORM = "form"
"""The part of a table that is what stands around its columns and constraints."""


class _Found(NamedTuple):
    """What a database has."""

    parts: dict[Place, str]
    """The definition of each part of our tables."""
    others: list[tuple[str, str]]
    """Tables, and what else touches them."""


def faults(connection: Connection) -> Iterator[tuple[str, str]]:
    """Each part of a table that is not as this release makes it: the table, and what is wrong."""
    sqlite = connection.dialect.name == "sqlite"
    found = _on_sqlite(connection) if sqlite else _on_postgresql(connection)
    wanted = _made(connection.dialect)
    for place, definition in wanted.items():
        table, part = place
        there = found.parts.get(place)
        if (table, FORM) not in found.parts:  # another thing stands in its place
            continue
        if there is None:
            yield table, f"has no {part}"
        elif there != definition and _tokens(there) != _tokens(definition):
            yield table, f"{part} was changed: it is {_line(there)}, not {_line(definition)}"
    for table, part in sorted(found.parts.keys() - wanted.keys()):
        yield table, f"{part} was added: this release does not make it"
    yield from found.others


@lru_cache(maxsize=2)
def _made(dialect: Dialect) -> dict[Place, str]:
    """Every part that there must be."""
    made: dict[Place, str] = {}
    for name, table in Base.metadata.tables.items():
        made.update(_taken_apart(name, str(CreateTable(table).compile(dialect=dialect))))
        for index in table.indexes:
            made[name, f"index {index.name}"] = str(CreateIndex(index).compile(dialect=dialect))
    return made


def _taken_apart(table: str, statement: str) -> Iterator[tuple[Place, str]]:
    """The parts of a ``CREATE TABLE``: columns, constraints, and what stands around them."""
    head, _, rest = statement.partition("(")
    body, _, tail = rest.rpartition(")")
    yield (table, FORM), f"{head} {tail}"
    for part in _separated(body):
        words = _tokens(part)
        kind, name = (
            ("constraint", words[1:2]) if words[:1] == ["CONSTRAINT"] else ("column", words)
        )
        yield (table, f"{kind} {''.join(name[:1])}"), part


def _separated(body: str) -> Iterator[str]:
    """What stands between the commas that no bracket encloses."""
    depth, start = 0, 0
    for at, character in enumerate(body):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            yield body[start:at]
            start = at + 1
    yield body[start:]


def _tokens(definition: str) -> list[str]:
    """The words and signs of a definition; a name is the same with quotation marks and without."""
    return re.findall(r"\w+|[^\w\s]", re.sub(r'"(\w+)"', r"\1", definition))


def _line(definition: str) -> str:
    """A definition for a person, on one line."""
    shown = " ".join(definition.split())
    return shown if len(shown) <= 200 else f"{shown[:199]}…"


# SQLite ---------------------------------------------------------------------------------------


def _on_sqlite(connection: Connection) -> _Found:
    found = _Found({}, [])
    rows = connection.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_master"))
    for kind, name, table, statement in rows.tuples():
        if kind == "table" and name in Base.metadata.tables:
            found.parts.update(_taken_apart(name, str(statement)))
        elif kind == "index" and table in Base.metadata.tables and statement is not None:
            found.parts[table, f"index {name}"] = statement
        elif kind == "view" and name in Base.metadata.tables:
            found.others.append((name, "is a view, and must be a table"))
        elif kind == "view":
            over = [word for word in _tokens(str(statement)) if word in Base.metadata.tables]
            found.others.extend((one, f"the view {name} is over it") for one in dict.fromkeys(over))
    return found


# PostgreSQL -----------------------------------------------------------------------------------

_OURS = """
    WITH ours AS (
        SELECT oid, relname, relnamespace, relkind, relrowsecurity FROM pg_class
        WHERE relname IN :names AND pg_table_is_visible(oid)
    )
"""
_COLUMNS = """
    SELECT relname, 'column ' || attname, concat(
        attname, ' ', upper(format_type(atttypid, atttypmod)),
        ' COLLATE ' || nullif(attcollation, typcollation)::regcollation,
        ' DEFAULT ' || pg_get_expr(adbin, adrelid), attidentity, attgenerated,
        CASE WHEN attnotnull THEN ' NOT NULL' END)
    FROM ours JOIN pg_attribute ON attrelid = ours.oid JOIN pg_type ON pg_type.oid = atttypid
    LEFT JOIN pg_attrdef ON adrelid = ours.oid AND adnum = attnum
    WHERE relkind = 'r' AND attnum > 0 AND NOT attisdropped
"""
_CONSTRAINTS = """
    SELECT relname, 'constraint ' || conname,
        concat('CONSTRAINT ', conname, ' ', pg_get_constraintdef(pg_constraint.oid))
    FROM ours JOIN pg_constraint ON conrelid = ours.oid WHERE contype NOT IN ('n', 't')
"""
_INDEXES = """
    SELECT ours.relname, 'index ' || named.relname,
        concat(pg_get_indexdef(indexrelid), CASE WHEN NOT indisvalid THEN ' INVALID' END)
    FROM ours JOIN pg_index ON indrelid = ours.oid JOIN pg_class named ON named.oid = indexrelid
    WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype <> 'f')
"""
_OTHERS = """
    SELECT relname, 'is no plain table' FROM ours WHERE relkind <> 'r'
    UNION ALL SELECT relname, 'row security may hide rows of it' FROM ours WHERE relrowsecurity
    UNION ALL SELECT relname, concat('the rule ', rulename, ' was put on it')
    FROM ours JOIN pg_rewrite ON ev_class = ours.oid WHERE relkind = 'r'
    UNION ALL SELECT relname, concat('the table ', inhrelid::regclass, ' adds rows to it')
    FROM ours JOIN pg_inherits ON inhparent = ours.oid
    UNION SELECT ours.relname, concat('the view ', made.relname, ' is over it')
    FROM ours JOIN pg_depend ON refclassid = 'pg_class'::regclass AND refobjid = ours.oid
    JOIN pg_rewrite ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid
    JOIN pg_class made ON made.oid = ev_class AND made.relnamespace = ours.relnamespace
    WHERE made.relkind IN ('v', 'm') AND made.oid <> ours.oid
"""


def _on_postgresql(connection: Connection) -> _Found:
    names = {"names": list(Base.metadata.tables)}

    def asked(query: str) -> Iterator[tuple[str, ...]]:
        statement = text(_OURS + query).bindparams(bindparam("names", expanding=True))
        yield from (tuple(row) for row in connection.execute(statement, names))

    found = _Found({}, [(table, what) for table, what in asked(_OTHERS)])
    for query in (_COLUMNS, _CONSTRAINTS, _INDEXES):
        for table, part, definition in asked(query):
            found.parts[table, FORM] = f"CREATE TABLE {table}"
            found.parts[table, part] = _as_asked(table, definition)
    return found


def _as_asked(table: str, definition: str) -> str:
    """A definition in the words in which PostgreSQL was asked for it."""
    short = definition.replace("CHARACTER VARYING", "VARCHAR")
    short = re.sub(r"('[^']*')::(?:text|TEXT)\b", r"\1", short)
    short = re.sub(r" ON \S+ USING btree ", f" ON {table} ", short)
    return re.sub(r" WHERE \((.*)\)$", r" WHERE \1", short)

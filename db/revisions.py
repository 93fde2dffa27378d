"""Which schema revision a database is at, and which ones this release knows.

Every command looks before it opens a database, so Alembic, which takes longer to load than a list
takes to print, is left to :mod:`db.migrate`: the revisions are read from the migrations' own lines.
"""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import Engine, inspect, text

_HERE = Path(__file__).parent
_TABLE = "alembic_version"
_LINE = re.compile(r"^(revision|down_revision) = (?:None|['\"](\w+)['\"])$", re.MULTILINE)


def scripts() -> Path:
    """Where the migrations lie: under ``db`` in a wheel, at the top of a checkout."""
    packaged = _HERE / "migrations"
    return packaged if packaged.is_dir() else _HERE.parent / "alembic"


def current(engine: Engine) -> str | None:
    """The schema revision of a database, None for one without our tables.

    A migration leaves one row; where somebody put more, all are named.
    """
    with engine.connect() as connection:
        if not inspect(connection).has_table(_TABLE):
            return None
        found = connection.scalars(text(f"SELECT version_num FROM {_TABLE}")).all()  # noqa: S608
    return ", ".join(sorted(map(str, found))) or None


def newest() -> str:
    """The schema revision of this release."""
    known = _known()
    heads = known.keys() - known.values()
    if len(heads) != 1:
        raise RuntimeError(f"the migrations under {scripts()} end in {sorted(heads)}, not in one")
    return heads.pop()


def is_known(revision: str) -> bool:
    """Whether this release can upgrade from a schema revision."""
    return revision in _known()


def is_empty(engine: Engine) -> bool:
    """Whether the database has no tables at all."""
    return not inspect(engine).get_table_names()


def _known() -> dict[str, str | None]:
    """Each revision, and the one that it follows."""
    found: dict[str, str | None] = {}
    for file in (scripts() / "versions").glob("*.py"):
        lines = {name: value or None for name, value in _LINE.findall(file.read_text("utf-8"))}
        if lines.keys() != {"revision", "down_revision"} or lines["revision"] is None:
            raise RuntimeError(f"{file} does not say which revision it makes of which")
        found[lines["revision"]] = lines["down_revision"]
    return found

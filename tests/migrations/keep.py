"""Keep a database of this release's schema revision, for the releases that will have to upgrade it.

``python -m tests.migrations.keep`` writes ``kept/REVISION.sql``: run it once, in the release that
brings a migration. A kept file is never changed after its release.
"""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from db import migrate, revisions
from db.session import Database
from tests import histories

KEPT = Path(__file__).parent / "kept"


def keep() -> Path:
    """Write the file of the newest revision; returns its path."""
    file = KEPT / f"{revisions.newest()}.sql"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kept.db"
        database = Database(f"sqlite:///{path}")
        migrate.upgrade(database.engine)
        histories.everything(database)
        database.close()
        with sqlite3.connect(path) as connection:
            file.write_text("\n".join(connection.iterdump()) + "\n", encoding="utf-8")
    return file


def restore(file: Path, path: Path) -> None:
    """Make a database of a kept file."""
    with sqlite3.connect(path) as connection:
        connection.executescript(file.read_text(encoding="utf-8"))


if __name__ == "__main__":
    print(keep())

"""A campaign as a SQLite database of its own, which this program opens and verifies.

Its ledger is the campaign's and the system's, copied; its tables are folded from them, not copied.
With them come the artifacts and the anchors. What proves who an account is stays behind.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db import migrate, repository
from db.ledger import Actor
from db.models import SYSTEM, Anchor, ArtifactChunk, Campaign
from db.session import Database
from orchestrator.errors import BadInput, Unverified
from orchestrator.history.export import whole_files
from orchestrator.history.export.crate.importing import note_elsewhere
from orchestrator.history.keeping.copy_database import batches
from orchestrator.history.keeping.refold_into_database import refill
from orchestrator.history.verify.verification import Verification, verify


def extract(
    database: Database, campaign: Campaign, out: Path, actor: Actor, *, force: bool
) -> Verification:
    """Write the extract, and say what was verified in it.

    Where the system chain names other campaigns, one entry is added to it which says that they are
    elsewhere.

    Args:
        database: Where the campaign is.
        campaign: What to extract.
        out: The file.
        actor: Who does it.
        force: Replace the file if it exists.

    Raises:
        BadInput: it exists, or cannot be written.
        Unverified: the history is not what was written; nothing is left.
    """
    if "?" in str(out):  # begins the options in a database's URL
        raise BadInput.of("--out", f"{out}: a question mark cannot be part of the path")
    with whole_files.writing(out, force=force, private=True) as partial:
        made = Database(f"sqlite:///{partial}")
        try:
            _fill(database, made, campaign, actor)
            found = verify(made)
        except OperationalError as error:  # such as a full disk
            raise OSError(str(error.orig)) from None
        finally:
            made.close()
            for beside in ("-wal", "-shm"):
                partial.with_name(partial.name + beside).unlink(missing_ok=True)
        if found.problems:
            raise Unverified(found.problems)
        with closing(sqlite3.connect(partial)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")  # one file is all of it
    return found


def _fill(database: Database, made: Database, campaign: Campaign, actor: Actor) -> None:
    migrate.upgrade(made.engine)
    with database.read() as source, made.write() as target:
        for chain in (SYSTEM, campaign.id):
            refill(source, target, chain, repository.position(source, chain))
            _copy_beside(source, target, chain)
        note_elsewhere(target, actor)


def _copy_beside(source: Session, target: Session, chain: str) -> None:
    """Copy what no entry holds: the bytes of artifacts, and the anchors."""
    for model in (ArtifactChunk, Anchor):
        for rows in batches(source, model.__tablename__, chain):
            target.execute(insert(model), rows)

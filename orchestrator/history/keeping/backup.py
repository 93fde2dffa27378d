"""A backup, made while campaigns run: a folder that is there whole or not at all.

It is its owner's alone, wherever it is made. It holds the database by that database's own means,
and a manifest, which is written last::

    manifest.json     what this is a backup of: heads of all chains, SHA-256 of every file
    database.sqlite   by SQLite's online backup, or
    database.dump     by pg_dump, in its custom format

Artifacts, the weights of all models that campaigns used among them, lie in the database. What does
not: private keys and anchors, which belong elsewhere, and models of the user's own.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from adapters.messages import quote
from db import repository, revisions
from db.models import Lease
from db.session import Database, now
from orchestrator import moments, private_files
from orchestrator.errors import BadInput, Problem, Unverified
from orchestrator.history.export.crate.bag import writing
from orchestrator.history.keeping import postgres_tools
from orchestrator.history.keeping.copy_database import Progress, digest
from orchestrator.settings import Settings

FORMAT = "assayloop/backup/1"
MANIFEST = "manifest.json"
FILES = {"sqlite": "database.sqlite", "postgresql": "database.dump"}

PAGES = 1024
"""Copied between two words of progress: four mebibytes."""

BLOCK = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself."""

    format: str
    made_at: str
    made_by: str
    """The release of assayloop."""
    tool: str
    """What wrote the database's file, with its version."""
    database: str
    """sqlite or postgresql."""
    revision: str
    """Of the schema."""
    chains: dict[str, list[Any]]
    """Number and hash of the last entry of each chain."""
    heads: str
    """Hash of all heads, as :func:`orchestrator.history.keeping.copy_database.digest` makes it."""
    files: dict[str, dict[str, Any]]
    """Size and SHA-256 of each file, by name."""

    @property
    def file(self) -> str:
        """Name of the file that holds the database."""
        return FILES[self.database]


def make(database: Database, settings: Settings, out: Path, progress: Progress) -> Manifest:
    """Back up a database as it stands at one moment, while others write.

    Args:
        out: A folder that does not exist or is empty.
        progress: Told the number of pages, where SQLite copies them.

    Raises:
        BadInput: it cannot be written there, or PostgreSQL's tools cannot do it.
    """
    if out.suffix == ".zip":
        raise BadInput.of("PATH", f"{out} would be a file", "a backup is a folder; name one")
    if not out.parent.is_dir():
        raise BadInput.of("PATH", f"there is no folder {out.parent}", "make it first")
    kind = database.engine.dialect.name
    with writing(out, "PATH") as (_, place):
        file = place / FILES[kind]
        private_files.reserve(file)
        with database.read() as session:
            heads = repository.heads(session)
            if kind == "sqlite":
                tool = _copy_pages(session, file, progress)
            else:
                tool = _dump(session, settings, file)
        made = Manifest(
            format=FORMAT,
            made_at=moments.iso(now()),
            made_by=version("assayloop"),
            tool=tool,
            database=kind,
            revision=revisions.current(database.engine) or "",
            chains={head.chain: [head.sequence, head.hash] for head in heads},
            heads=digest(heads),
            files={file.name: _measured(file)},
        )
        with private_files.create(place / MANIFEST) as written:
            written.write((json.dumps(asdict(made), indent=2) + "\n").encode())
        for path in (file, place / MANIFEST, place):
            _flush(path)
    return made


def _copy_pages(session: Session, file: Path, progress: Progress) -> str:
    """SQLite's online backup: within our read transaction, so that no writer makes it begin anew.

    (https://www.sqlite.org/backup.html: it restarts where somebody else writes, but for a source
    whose connection holds its snapshot.)
    """
    source: Any = session.connection().connection.driver_connection
    try:
        with closing(sqlite3.connect(file)) as copy:
            source.backup(
                copy, pages=PAGES, progress=lambda _, left, total: progress(total - left, total)
            )
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without another beside it
            copy.execute(f"DELETE FROM {Lease.__tablename__}")  # noqa: S608 - a table's name
            copy.commit()
    except sqlite3.Error as error:  # such as a full disk
        raise OSError(str(error)) from None
    return f"SQLite {sqlite3.sqlite_version}"


def _dump(session: Session, settings: Settings, file: Path) -> str:
    """``pg_dump`` of the moment that our transaction sees, which it keeps open meanwhile."""
    tool = postgres_tools.dumper(settings, session.connection())
    snapshot = str(session.scalar(text("SELECT pg_export_snapshot()")))
    postgres_tools.dump(tool, settings, snapshot, file)
    return tool.version


def _flush(path: Path) -> None:
    """Wait until the disk has it."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _measured(file: Path) -> dict[str, Any]:
    with file.open("rb") as data:
        return {
            "size": file.stat().st_size,
            "sha256": hashlib.file_digest(data, "sha256").hexdigest(),
        }


# Reading --------------------------------------------------------------------------------------


def read(place: Path) -> Manifest:
    """The manifest of a backup whose files are what was written.

    Raises:
        BadInput: it is no backup, or one that was not written to its end.
        Unverified: a file was changed.
    """
    manifest = _manifest(place)
    damage = list(_damage(place, manifest))
    if damage:
        raise Unverified(damage)
    return manifest


def _manifest(place: Path) -> Manifest:
    file = place / MANIFEST
    try:
        found = json.loads(file.read_bytes())
        manifest = Manifest(**found)
        if manifest.format != FORMAT:
            raise ValueError(f"its format is {quote(manifest.format)}")
        if manifest.file not in manifest.files:
            raise ValueError(f"it names no {manifest.file}")
        return manifest
    except FileNotFoundError:
        what = f"{place} is no backup, or one that was not written to its end: no {MANIFEST}"
        raise BadInput.of("PATH", what, "name the folder that `assayloop db backup` made") from None
    except OSError as error:
        raise BadInput.of("PATH", f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadInput.of("PATH", f"{file} cannot be read as a manifest: {error}") from None


def _damage(place: Path, manifest: Manifest) -> Iterator[Problem]:
    for name, expected in manifest.files.items():
        file = place / Path(name).name
        try:
            found = _measured(file)
        except OSError as error:
            yield Problem(str(file), f"cannot be read: {error.strerror}")
            continue
        if found != expected:
            what = f"has {found['size']} bytes of SHA-256 {found['sha256']}"
            yield Problem(str(file), f"{what}; the manifest says {json.dumps(expected)}")

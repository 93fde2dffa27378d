"""A backup back into an empty database, compared with its manifest, at this release's schema."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from db import migrate, revisions
from db.session import Database
from orchestrator import private_files
from orchestrator.errors import BadInput
from orchestrator.history.export import whole_files
from orchestrator.history.keeping import backup, copy_database, postgres_tools
from orchestrator.history.keeping.backup import Manifest
from orchestrator.settings import TOOLS, Settings


def restore(place: Path, settings: Settings) -> Manifest:
    """Restore a backup, and bring it to this release's schema; what it holds is still unverified.

    Args:
        place: The folder of the backup.
        settings: Name the target: a SQLite file that does not exist, or a PostgreSQL database
            without tables, as the backup's kind is.

    Raises:
        BadInput: it is no whole backup, or of the other kind, or of a later release; or the target
            is not empty or cannot be written.
        Unverified: the backup is not what was written; or the chains that arrived are not.
    """
    manifest = backup.read(place)
    kind = "postgresql" if settings.sqlite_file is None else "sqlite"
    if kind != manifest.database:
        what = f"{place} is a backup of {manifest.database}, and {settings.shown_url} is {kind}"
        remedy = f"restore it into {manifest.database}, then `assayloop db copy` from there"
        raise BadInput.of("--to", what, remedy)
    if not revisions.is_known(manifest.revision):
        what = f"{place} was made by assayloop {manifest.made_by}, at revision {manifest.revision}"
        raise BadInput.of("PATH", what, "restore it by that release or a later one")
    copy_database.is_bare(settings, required=True)
    if kind == "sqlite":
        _put(place / manifest.file, settings)
    else:
        _load(place / manifest.file, manifest, settings)
    try:
        _bring_up(settings, manifest)
    except BaseException:
        if kind == "sqlite":
            copy_database.delete(settings)
        raise
    return manifest


def _bring_up(settings: Settings, manifest: Manifest) -> None:
    """Compare the chains with the manifest, at this release's schema."""
    opened = Database(settings.database_url)
    try:
        migrate.upgrade(opened.engine)
        with opened.read() as session:
            copy_database.require_heads(session, manifest.heads)
    finally:
        opened.close()


def _put(file: Path, settings: Settings) -> None:
    """Copy a file beside its place, and give it its name when it is whole."""
    target = settings.sqlite_file
    assert target is not None
    with whole_files.growing(target, "--to") as partial:
        private_files.make_folder(target.parent)
        private_files.reserve(partial)
        shutil.copyfile(file, partial)
        with partial.open("rb+") as data:
            os.fsync(data.fileno())


def _load(file: Path, manifest: Manifest, settings: Settings) -> None:
    tool = postgres_tools.find(settings, "pg_restore")
    if tool.major < (made := postgres_tools.major(manifest.tool)):
        what = f"{tool.path} is {tool.version}; the backup is of {manifest.tool}"
        raise BadInput.of(TOOLS, what, f"name the folder of the tools of release {made} or later")
    postgres_tools.load(tool, settings, file)

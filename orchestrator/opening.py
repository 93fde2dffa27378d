"""Where a command begins: the database of the settings, and the campaign that somebody names.

It knows nothing of what a campaign is made of (:mod:`orchestrator.wiring`), so that a list is
there as soon as the database has answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError

from db import repository, revisions
from db.models import Campaign
from db.session import Database
from orchestrator import private_files
from orchestrator.errors import BadInput, NotFound, SchemaMismatch
from orchestrator.settings import Settings


def database(settings: Settings, *, create: bool = False) -> Database:
    """The database of the settings, at this release's schema revision.

    Args:
        settings: Where it is.
        create: Make the SQLite file with its tables if there is none, or none with tables, which
            is what a process leaves that is killed while it makes them. A PostgreSQL database is
            only ever changed by ``assayloop db upgrade``.

    Raises:
        SchemaMismatch: it is at another revision; the message names the command that upgrades it.
        BadInput: it cannot be reached.
    """
    file = settings.sqlite_file
    if file is not None and not file.exists():
        if not create:
            raise SchemaMismatch(None, revisions.newest())
        return upgrade(settings)
    opened = Database(settings.database_url)
    with reachable(settings):
        found = revisions.current(opened.engine)
        unmade = file is not None and revisions.is_empty(opened.engine)
    if create and unmade:
        opened.close()
        return upgrade(settings)
    if found != revisions.newest():
        raise SchemaMismatch(found, revisions.newest())
    return opened


def upgrade(settings: Settings) -> Database:
    """The database of the settings, created or brought to this release's schema revision.

    Raises:
        BadInput: it cannot be reached or written.
    """
    from db import migrate  # loads Alembic, for which nobody waits who only reads

    file = settings.sqlite_file
    with reachable(settings):
        if file is not None:
            private_files.make_folder(file.parent)
        opened = Database(settings.database_url)
        migrate.upgrade(opened.engine)
    return opened


@contextmanager
def reachable(settings: Settings) -> Iterator[None]:
    """Say which database it is that cannot be opened.

    Raises:
        BadInput: instead of the driver's error.
    """
    try:
        yield
    except (DatabaseError, OSError) as error:
        reason = error.orig if isinstance(error, DatabaseError) else error.strerror
        what = f"{settings.shown_url} cannot be opened: {reason}"
        raise BadInput.of(settings.named_by, what) from None


def campaign(opened: Database, reference: str) -> Campaign:
    """The campaign that ``NAME``, ``NAME#2`` or a UUID names.

    Raises:
        NotFound: there is none; the message lists what there is.
    """
    with opened.read() as session:
        row = repository.find(session, reference)
        if row is None:
            known = dict.fromkeys(one.name for one in repository.campaigns(session))
            raise NotFound("campaign", reference, tuple(known))
        return row

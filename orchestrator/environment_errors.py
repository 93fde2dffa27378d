"""What goes wrong outside of us, in words: a full disk, a database that somebody changed."""

from __future__ import annotations

import errno
import sqlite3

import psycopg
from sqlalchemy.exc import DBAPIError, NoResultFound

from orchestrator.errors import AssayloopError, BadInput

FULL = "make room, then run the same again"
READ_ONLY = "ask whoever keeps it for the right to write"
DAMAGED = "`assayloop db restore` a backup, and keep this one for whoever looks into it"
AWAY = "is it running, and in reach? Then run the same again"

FILES = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: READ_ONLY,
    errno.EPERM: READ_ONLY,
    errno.EIO: "the disk does not answer as it should",
}
"""What helps, by the operating system's error number."""

SQLITE = {
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_IOERR: "the disk is full, or does not answer as it should",
    sqlite3.SQLITE_CANTOPEN: "its folder must be there, and be writable",
    sqlite3.SQLITE_BUSY: "another process holds it; run the same again",
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
}
"""By SQLite's primary result code."""

POSTGRESQL = {
    "25006": READ_ONLY,
    "42501": READ_ONLY,
    "08": AWAY,
    "53": "the server is short of disk, memory or connections; run the same again later",
    "57P": AWAY,
    "58": "the server's disk does not answer as it should",
    "XX": DAMAGED,
}
"""By SQLSTATE, or how it begins."""


def explained(error: BaseException) -> AssayloopError | None:
    """The error for a person, where its cause lies outside of us; None where it is our fault."""
    if isinstance(error, NoResultFound):  # only what another row names is asked for like that
        what = "a row is missing that another one names"
        return BadInput.of("the database", what, "`assayloop audit verify` says which")
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    if isinstance(error, OSError) and error.errno in FILES:
        place = "" if error.filename is None else str(error.filename)
        return BadInput.of(place, error.strerror or str(error), FILES[error.errno])
    remedy = _remedy(error)
    said = next(iter(str(error).splitlines()), "")
    return None if remedy is None else BadInput.of("the database", said, remedy)


def _remedy(error: BaseException) -> str | None:
    """What helps against an error of a database's driver."""
    if isinstance(error, sqlite3.Error):
        return SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    if isinstance(error, psycopg.Error):
        state = error.sqlstate
        if state is None:  # no server gave one
            return AWAY if isinstance(error, psycopg.OperationalError) else None
        return next((POSTGRESQL[one] for one in POSTGRESQL if state.startswith(one)), None)
    return None

"""Files and folders that are their owner's alone, whatever the umask.

The database holds what proves who somebody is, and a history is nobody's business but its owner's.
So whatever we make for ourselves is made closed, not closed after it was made: nobody can open it
in between. What is there already stays as it is, but for :func:`close`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

FOLDER, FILE = 0o700, 0o600
OTHERS = 0o077
"""What the group and everybody else may do."""


def make_folder(path: Path) -> Path:
    """Make a folder, and those above it that are missing, each for its owner alone.

    Returns:
        The path.

    Raises:
        OSError: it cannot be made.
    """
    if path.is_dir():
        return path
    if not path.parent.is_dir():
        make_folder(path.parent)
    try:
        path.mkdir(FOLDER)
    except FileExistsError:
        if not path.is_dir():
            raise
        return path  # another process was faster
    with suppress(PermissionError):  # a file system without modes; `db check` says so
        path.chmod(FOLDER)  # a umask may have taken something from the owner, too
    return path


def reserve(file: Path) -> None:
    """An empty file for its owner alone, where there is none, which something else then fills.

    SQLite gives what it writes beside a database the mode of the database.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(_opened(str(file), os.O_WRONLY | os.O_CREAT | os.O_EXCL))


def create(file: Path) -> BinaryIO:
    """A file to write, made anew, for its owner alone.

    Raises:
        FileExistsError: it is there.
        OSError: it cannot be made.
    """
    return open(file, "xb", opener=_opened)


def overwrite(file: Path) -> BinaryIO:
    """A file to write from its beginning, for its owner alone even if it was there and open.

    Raises:
        OSError: it cannot be written.
    """
    return open(file, "wb", opener=_opened)


def append(file: Path) -> BinaryIO:
    """A file to add to, unbuffered; made for its owner alone where there is none.

    Raises:
        OSError: it cannot be written.
    """
    reserve(file)
    return file.open("ab", buffering=0)


def _opened(path: str, flags: int) -> int:
    number = os.open(path, flags, FILE)
    with suppress(PermissionError):  # somebody else's, or a file system without modes
        os.fchmod(number, FILE)
    return number


def is_open(path: Path) -> bool:
    """Whether anybody but the owner may read, write or enter it; not where it is missing."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return not stat.S_ISLNK(mode) and bool(mode & OTHERS)


def within(place: Path) -> Iterator[Path]:
    """The path, and all that lies in it where it is a folder; no link is followed."""
    yield place
    if place.is_symlink():
        return
    for folder, names, files in os.walk(place):
        yield from (Path(folder) / name for name in (*names, *files))


def close(path: Path) -> bool:
    """Take from the group and everybody else what they may do with a file or folder of ours.

    By its name: opening a file of SQLite and closing it again would let go of the locks that this
    process has on it.

    Returns:
        Whether it was open, and was ours to close.
    """
    try:
        found = path.lstat()
        mode = found.st_mode
        ours = found.st_uid == os.geteuid() and (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
        if not ours or not mode & OTHERS:
            return False
        path.chmod(stat.S_IMODE(mode) & ~OTHERS)
    except OSError:  # it went away, or its file system has no modes
        return False
    return True


def close_all(place: Path) -> list[Path]:
    """:func:`close` for the path and all that lies in it; returns what was open."""
    return [path for path in within(place) if close(path)]

"""What of this installation others may read: of a home that was made before all was closed."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator import private_files
from orchestrator.settings import DEFAULT_HOME, Settings

FOLDERS = ("artifacts", "data", "logs", "models", "prefect", "reports")
"""Folders of a home that are made by us."""
SIDES = ("", "-wal", "-shm", "-journal")
"""Ends of the names of the files of a SQLite database."""


@dataclass(frozen=True)
class Open:
    """A file or folder that others may do something with."""

    path: Path
    mode: str
    """As it is, in octal digits."""
    right: str
    """As it should be."""
    inside: int
    """How many files and folders in it are open, too."""
    mended: bool
    """Whether ``assayloop db upgrade`` closes it."""

    @property
    def command(self) -> str:
        """What closes it."""
        deep = "-R " if self.inside else ""
        return f"chmod {deep}go-rwx {shlex.quote(str(self.path))}"


def find(settings: Settings) -> list[Open]:
    """What is open: the home, its folders, the database, the login, the keys and the anchors."""
    ours, others = _places(settings)
    found = [_look(path, deep, mended=True) for path, deep in ours]
    found += [_look(path, deep, mended=False) for path, deep in others]
    return [one for one in found if one is not None]


def mend(settings: Settings) -> list[Path]:
    """Close what is ours in the home; returns what was open.

    A home that holds something else, too, is somebody's own folder: of it, only what we made is
    closed. What lies outside the home is left as it is.
    """
    closed = []
    for path, deep in _places(settings)[0]:
        if deep:
            closed += private_files.close_all(path)
        elif private_files.close(path):
            closed.append(path)
    return closed


def _places(settings: Settings) -> tuple[list[tuple[Path, bool]], list[tuple[Path, bool]]]:
    """What is ours to close and what is not; each with whether all that lies in it goes with it."""
    home, file = settings.home, settings.sqlite_file
    ours = [(home / name, True) for name in FOLDERS]
    others: list[tuple[Path, bool]] = []
    (ours if _is_ours(settings) else others).insert(0, (home, False))
    if file is not None:
        files = [(file.with_name(f"{file.name}{end}"), False) for end in SIDES]
        (ours if file.parent == home else others).extend(files)
    kept = (settings.login, settings.anchors, settings.keys)
    others.extend((path, path.is_dir()) for path in kept)
    return ours, others


def _is_ours(settings: Settings) -> bool:
    """Whether a home was made by us: by its name, or since nothing else lies in it."""
    if settings.home.name == DEFAULT_HOME:
        return True
    file = settings.sqlite_file
    known = {*FOLDERS, *(f"{file.name}{end}" for end in SIDES if file is not None)}
    try:
        return set(os.listdir(settings.home)) <= known  # noqa: PTH208 - names are what is compared
    except OSError:
        return False


def _look(path: Path, deep: bool, *, mended: bool) -> Open | None:
    inside = sum(map(private_files.is_open, _below(path))) if deep else 0
    if not inside and not private_files.is_open(path):
        return None
    mode = path.lstat().st_mode
    right = private_files.FOLDER if stat.S_ISDIR(mode) else private_files.FILE
    return Open(path, f"{stat.S_IMODE(mode):04o}", f"{right:04o}", inside, mended)


def _below(path: Path) -> Iterator[Path]:
    return (one for one in private_files.within(path) if one != path)

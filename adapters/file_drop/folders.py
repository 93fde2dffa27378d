"""Folders that an instrument shares with us: whole files out, complete files in, nothing lost."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.messages import plain, quote
from adapters.protocol import EvaluatorError

DONE, REJECTED = "done", "rejected"
UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".swp", ".lock")
"""Endings of names that programs give to files which they still write."""


def is_unfinished(name: str) -> bool:
    """Whether a name says that the file is not there yet, or is no result at all."""
    return name.startswith((".", "~$")) or name.endswith("~") or name.lower().endswith(UNFINISHED)


def make(folder: Path) -> None:
    """Make a folder, unless it is there.

    Raises:
        EvaluatorError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluatorError(
            f"the folder {folder} cannot be made: {error.strerror}", transient=True
        ) from error


def write(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, even where the power fails.

    Raises:
        EvaluatorError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise EvaluatorError(
            f"{path} cannot be written: {error.strerror}", transient=True
        ) from error


def sync(folder: Path) -> None:
    """Have the names in a folder written to the disk, where the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@dataclass(frozen=True)
class Found:
    """One complete file."""

    name: str
    size: int
    changed: int
    """Nanoseconds by the file system's clock."""


class Inbox:
    """The folder that results come into.

    Args:
        folder: with ``done`` and ``rejected`` in it.
        settle: seconds for which a file must not have changed.
    """

    def __init__(self, folder: Path, settle: float) -> None:
        self.folder = folder
        self._settle = settle
        self._seen: dict[str, tuple[tuple[int, int], float]] = {}
        """By name: size and time of change, and since when they are so by our clock."""

    def complete(self) -> list[Found]:
        """Files that are written to their end, the oldest first.

        Raises:
            EvaluatorError: the folder cannot be read.
        """
        try:
            entries = list(os.scandir(self.folder))
        except OSError as error:
            raise EvaluatorError(
                f"the folder {self.folder} cannot be read: {error.strerror}", transient=True
            ) from error
        seen, found = {}, []
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # gone meanwhile
            if is_unfinished(entry.name) or not stat.S_ISREG(status.st_mode):
                continue
            state = (status.st_size, status.st_mtime_ns)
            now = time.monotonic()
            before, since = self._seen.get(entry.name, (state, now))
            since = since if before == state else now
            seen[entry.name] = (state, since)
            # The inode's own time of change cannot be set, as a copying program sets the other.
            touched = max(status.st_mtime, status.st_ctime)
            if now - since >= self._settle or 0 <= self._settle <= time.time() - touched:
                found.append(Found(entry.name, *state))
        self._seen = seen
        return sorted(found, key=lambda one: (one.changed, one.name))

    def read(self, name: str, largest: int) -> tuple[bytes | None, str]:
        """The bytes of a file, and their SHA-256; no bytes where it is larger than that.

        Raises:
            OSError: it is gone, is no regular file, or may not be read.
        """
        digest = hashlib.sha256()
        with self._open(name) as handle, os.fdopen(handle, "rb", closefd=False) as file:
            body = file.read(largest + 1)
            digest.update(body)
            if len(body) <= largest:
                return body, digest.hexdigest()
            del body
            while piece := file.read(1 << 20):
                digest.update(piece)
        return None, digest.hexdigest()

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[int]:
        """A file of this folder and no other, never by a link."""
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise OSError(f"{name!r} is no name of a file in this folder")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(self.folder / name, flags)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(f"{name!r} is no regular file")
            yield handle
        finally:
            os.close(handle)

    def move(self, name: str, sha256: str, into: str, reason: str = "") -> Path | None:
        """Put a file away, under its name or that name with a number; overwrites none.

        Args:
            sha256: of what was taken; where the file says something else by now, it is left.
            reason: is written beside it, where there is one.

        Returns:
            where it lies now; None where it is not there any more, or has other bytes.

        Raises:
            EvaluatorError: it cannot be moved.
        """
        try:
            with self._open(name) as handle, os.fdopen(handle, "rb", closefd=False) as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    return None
            target = self._free(into, name)
            (self.folder / name).replace(target)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EvaluatorError(
                f"{self.folder / name} cannot be moved to {into}/: {error.strerror or error}; it "
                "was dealt with, move it by hand"
            ) from error
        if reason:
            write(target.with_name(f"{target.name}.reason.txt"), f"{plain(reason)}\n".encode())
        sync(target.parent)
        sync(self.folder)
        return target

    def _free(self, into: str, name: str) -> Path:
        """A name that nobody has, and now we have."""
        folder = self.folder / into
        folder.mkdir(exist_ok=True)
        if folder.is_symlink():
            raise OSError(f"{folder} is a link")
        name = "".join(one if is_plain(f"a{one}") else "_" for one in name).replace("..", "_")
        stem, dot, suffix = name.rpartition(".")
        for number in range(1, 10_000):
            numbered = name
            if number > 1:
                numbered = f"{stem} ({number}).{suffix}" if dot and stem else f"{name} ({number})"
            target = folder / numbered
            try:
                os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            except FileExistsError:
                continue
            return target
        raise OSError(f"{folder} holds too many files of the name {quote(name)}")


def reference(name: str, sha256: str) -> str:
    """What a delivery is called: the file's name and the hash of its bytes."""
    plainly = is_plain(name) and "%" not in name and name.isprintable()
    written = name if plainly else f"%{urllib.parse.quote_from_bytes(os.fsencode(name), safe=' ')}"
    return f"{written} sha256:{sha256}"


def referred(delivery: str) -> tuple[str, str]:
    """The name and the hash in a reference; no name where it is none of ours."""
    written, _, sha256 = delivery.rpartition(" sha256:")
    if not written.startswith("%"):
        return written, sha256
    return os.fsdecode(urllib.parse.unquote_to_bytes(written[1:])), sha256


def is_plain(name: str) -> bool:
    """Whether a name is that of a file in a folder, and of none outside it on any system."""
    return (
        name not in ("", ".", "..")
        and not any(character in name for character in "/\\\0")
        and not any(ord(character) < 32 for character in name)
        and name[1:2] != ":"
    )

"""Files written together: a folder or .zip file that is there whole or not at all.

All of it is its owner's alone, wherever it is written: it holds a whole history.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from orchestrator import private_files
from orchestrator.errors import BadInput
from orchestrator.history.export.whole_files import growing


@dataclass(frozen=True)
class File:
    """One file that was written."""

    sha256: str
    size: int
    media_type: str


@dataclass
class Bag:
    """Takes files one after another, and keeps their hashes."""

    folder: Path | None
    archive: zipfile.ZipFile | None
    files: dict[str, File] = field(default_factory=dict)
    """By path."""

    def write(self, path: str, media_type: str, blocks: Iterable[bytes]) -> None:
        """Add one file."""
        hasher, size = hashlib.sha256(), 0
        with self._open(path) as file:
            for block in blocks:
                hasher.update(block)
                size += file.write(block)
        self.files[path] = File(hasher.hexdigest(), size, media_type)

    def _open(self, path: str) -> IO[bytes]:
        if self.archive is not None:
            entry = zipfile.ZipInfo(path)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = private_files.FILE << 16  # with none, nobody could read them
            return self.archive.open(entry, "w", force_zip64=True)
        assert self.folder is not None
        file = self.folder / path
        private_files.make_folder(file.parent)
        return private_files.overwrite(file)


@contextmanager
def writing(out: Path, option: str = "--out") -> Iterator[tuple[Bag, Path]]:
    """A bag, and the place beside ``out`` where it grows; it gets its name when all went well.

    Args:
        out: A file whose name ends in ``.zip``, replaced if it exists, or a folder that does not
            exist or is empty.
        option: What named it, for errors.

    Raises:
        BadInput: it cannot be written.
    """
    if out.suffix != ".zip" and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise BadInput.of(option, f"{out} exists", "name a new folder, or a file ending in .zip")
    with growing(out, option) as partial:
        if out.suffix == ".zip":
            private_files.reserve(partial)
            with zipfile.ZipFile(partial, "w") as archive:
                yield Bag(None, archive), partial
        else:
            private_files.make_folder(partial)
            yield Bag(partial, None), partial

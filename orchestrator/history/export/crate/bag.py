"""Files written together: a folder or .zip file that is there whole or not at all."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

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
            entry.external_attr = 0o644 << 16  # else unpacked files have no permission at all
            return self.archive.open(entry, "w", force_zip64=True)
        assert self.folder is not None
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("wb")


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
            with zipfile.ZipFile(partial, "w") as archive:
                yield Bag(None, archive), partial
        else:
            partial.mkdir()
            yield Bag(partial, None), partial

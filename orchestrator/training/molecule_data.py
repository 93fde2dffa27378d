"""SMILES files as token sequences with their properties, computed once and cached."""

from __future__ import annotations

import gzip
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import selfies
from numpy.typing import NDArray
from rdkit import Chem

from orchestrator.latent import chemistry
from orchestrator.latent.protocol import SpaceError
from orchestrator.latent.tokens import Vocabulary, learn
from orchestrator.training.data import sha256, write_atomically

MAX_ATOMS = 100
"""Larger molecules are skipped: none of the training sets' purposes needs them, and one of
thousands of atoms would decide the length of every sequence."""
SPLIT_SEED = 20180112
"""Seed of the one held-out split that all recipes share, so that their figures compare."""
_FORMAT = 1
_CHUNK = 2_000
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class MoleculeData:
    """A training set of n molecules, in the order of the file."""

    smiles: list[str]
    """Canonical, one a molecule, no two equal."""
    vocabulary: Vocabulary
    tokens: NDArray[np.uint16]
    """Shape ``n x longest``: identifiers, the end token, then padding."""
    lengths: NDArray[np.int64]
    """Shape ``n``: number of identifiers, end token included."""
    properties: NDArray[np.float32]
    """Shape ``n x 3``: QED, logP, synthetic accessibility."""
    sha256: str
    """Of the file as given."""
    skipped: int
    """Lines that were no usable molecule: refused by RDKit, of several parts, empty, too large."""

    def split(self, held_out: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices for training and held out; at most a tenth of the data is held out."""
        order = np.random.default_rng(SPLIT_SEED).permutation(len(self.smiles))
        held_out = min(held_out, len(order) // 10)
        return np.sort(order[held_out:]), np.sort(order[:held_out])


def load(path: Path, *, merges: int, cache: Path) -> MoleculeData:
    """Molecules of a file of SMILES, one a line, gzipped or not.

    The file is read and computed once (minutes for a quarter of a million lines), then cached
    under its hash.

    Raises:
        SpaceError: the file is missing, unreadable, or has fewer than 100 usable molecules.
    """
    digest = sha256(path)
    stored = cache / f"molecules-{digest[:16]}-{merges}-{_FORMAT}.npz"
    if not stored.exists():
        _prepare(path, merges, stored)
    with np.load(stored, allow_pickle=False) as arrays:
        vocabulary = Vocabulary(
            tuple(arrays["vocabulary"].tolist()),
            tuple((int(a), int(b)) for a, b in arrays["merges"]),
        )
        return MoleculeData(
            smiles=str(arrays["smiles"]).split("\n"),
            vocabulary=vocabulary,
            tokens=arrays["tokens"],
            lengths=(arrays["tokens"] != 0).sum(axis=1),
            properties=arrays["properties"],
            sha256=digest,
            skipped=int(arrays["skipped"]),
        )


def _prepare(path: Path, merges: int, stored: Path) -> None:
    lines = list(_lines(path))
    rows: dict[str, tuple[str, tuple[float, float, float]]] = {}
    skipped = 0
    for row in _measure_all(lines):
        if row is None:
            skipped += 1
        else:
            rows[row[0]] = (row[1], row[2])
    if len(rows) < 100:
        raise SpaceError(f"{path}: {len(rows)} usable molecules in {len(lines)} lines; 100 needed")
    if skipped:
        _LOG.warning("%s: %d of %d lines skipped, no usable molecule", path, skipped, len(lines))
    vocabulary, sequences = learn([text for text, _ in rows.values()], merges)
    tokens = np.zeros((len(rows), max(map(len, sequences)) + 1), dtype=np.uint16)
    for i, sequence in enumerate(sequences):
        tokens[i, : len(sequence)] = sequence
        tokens[i, len(sequence)] = 1
    with write_atomically(stored) as file:
        np.savez_compressed(
            file,
            smiles=np.array("\n".join(rows)),
            vocabulary=np.array(vocabulary.tokens),
            merges=np.array(vocabulary.merges, dtype=np.uint16).reshape(-1, 2),
            tokens=tokens,
            properties=np.array([p for _, p in rows.values()], dtype=np.float32),
            skipped=np.array(skipped),
        )


def _lines(path: Path) -> Iterator[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", errors="replace") as file:
            for line in file:
                yield line.strip()
    except (OSError, EOFError) as error:
        raise SpaceError(f"{path} cannot be read: {error}") from error


_Row = tuple[str, str, tuple[float, float, float]]


def _measure_all(lines: list[str]) -> Iterator[_Row | None]:
    if len(lines) < 2 * _CHUNK:
        yield from map(_measure, lines)
        return
    # Fresh processes: a forked one would inherit the locks of torch's threads.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield from pool.map(_measure, lines, chunksize=_CHUNK)


def _measure(line: str) -> _Row | None:
    """Canonical SMILES, SELFIES and properties; None where the line is no usable molecule."""
    words = line.split()
    molecule = chemistry.parse(words[0]) if words else None
    if molecule is None or not 0 < molecule.GetNumAtoms() <= MAX_ATOMS:
        return None
    smiles = Chem.MolToSmiles(molecule)
    if "." in smiles:
        return None
    try:
        return smiles, selfies.encoder(smiles), chemistry.properties(molecule)
    except selfies.EncoderError:
        return None

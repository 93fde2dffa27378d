"""SMILES files as token sequences with their properties, computed once and cached."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import selfies
from numpy.typing import NDArray
from rdkit import Chem

from orchestrator.latent import chemistry
from orchestrator.latent.protocol import SpaceError
from orchestrator.latent.tokens import Vocabulary, learn
from orchestrator.training.data import prepared, sha256, write_atomically
from orchestrator.training.smiles_files import read_smiles

MAX_ATOMS = 100
"""Larger molecules are skipped: none of the training sets' purposes needs them, and one of
thousands of atoms would decide the length of every sequence."""
SPLIT_SEED = 20180112
"""Seed of the one held-out split that all recipes share, so that their figures compare."""
FEWEST = 100
_FORMAT = 2
_CHUNK = 2_000
_LOG = logging.getLogger(__name__)

Found = TypeVar("Found")


class _Named(Protocol):
    @property
    def smiles(self) -> str:
        """Canonical."""


Named = TypeVar("Named", bound=_Named)


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
    skipped: Mapping[str, int]
    """Lines that were no usable molecule, by the reason."""

    def split(self, held_out: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices for training and held out; at most a tenth of the data is held out."""
        order = np.random.default_rng(SPLIT_SEED).permutation(len(self.smiles))
        held_out = min(held_out, len(order) // 10)
        return np.sort(order[held_out:]), np.sort(order[:held_out])

    def batches(
        self, members: NDArray[np.int64], size: int, rng: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        """Members once, in batches of equal sequence length, shuffled."""
        lengths = self.lengths[members]
        batches = []
        for length in np.unique(lengths):
            same = rng.permutation(members[lengths == length])
            batches += np.array_split(same, -(-len(same) // size))
        return [batches[i] for i in rng.permutation(len(batches))]


def load(path: Path, *, merges: int, cache: Path, at_most: int | None = None) -> MoleculeData:
    """Molecules of a file of SMILES, one a line, gzipped or not.

    The file is read and computed once (minutes for a quarter of a million lines), then cached
    under its hash. Of a file with more than ``at_most`` lines every k-th is read, beginning with
    the first, for the smallest k that keeps the limit.

    Raises:
        SpaceError: the file is missing, unreadable, or has fewer than 100 usable molecules.
    """
    digest = sha256(path)
    part = "" if at_most is None else f"-of-{at_most}"
    stored = cache / f"molecules-{digest[:16]}-{merges}{part}-{_FORMAT}.npz"
    if not stored.exists():
        _prepare(path, merges, at_most, stored)
    with prepared(stored) as arrays:
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
            skipped=json.loads(str(arrays["skipped"])),
        )


def _prepare(path: Path, merges: int, at_most: int | None, stored: Path) -> None:
    lines = list(read_smiles(path))
    if at_most is not None:
        lines = lines[:: max(1, -(-len(lines) // at_most))]
    rows, _, skipped = distinct(_measure, lines)
    check_enough(path, len(rows), len(lines), skipped)
    vocabulary, sequences = learn([row.selfies for row in rows.values()], merges)
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
            properties=np.array([row.properties for row in rows.values()], dtype=np.float32),
            skipped=np.array(json.dumps(skipped)),
        )


def check_enough(path: Path, usable: int, lines: int, skipped: Mapping[str, int]) -> None:
    """Refuse a file with too few molecules, and warn of lines that were skipped.

    Raises:
        SpaceError: fewer than ``FEWEST`` molecules are usable.
    """
    why = "; ".join(f"{reason}: {n}" for reason, n in skipped.items())
    if usable < FEWEST:
        what = f"{path}: {usable} usable molecules in {lines} lines; {FEWEST} needed"
        raise SpaceError(f"{what} ({why})" if why else what)
    if skipped:
        _LOG.warning("%s: of %d lines these were skipped: %s", path, lines, why)


class Usable(NamedTuple):
    """A molecule to train on."""

    smiles: str
    """Canonical."""


class _Measured(NamedTuple):
    smiles: str
    selfies: str
    properties: tuple[float, float, float]


def judge(text: str) -> Usable | str:
    """What a SMILES is, or the reason why it cannot be used."""
    molecule = whole(text)
    found = molecule if isinstance(molecule, str) else _written(molecule)
    return found if isinstance(found, str) else Usable(found[0])


def _measure(text: str) -> _Measured | str:
    molecule = whole(text)
    found = molecule if isinstance(molecule, str) else _written(molecule)
    return found if isinstance(found, str) else _Measured(*found, chemistry.properties(molecule))


def _written(molecule: Chem.Mol) -> tuple[str, str] | str:
    """Canonical SMILES and SELFIES, or why there are none."""
    smiles = Chem.MolToSmiles(molecule)
    try:
        return smiles, selfies.encoder(smiles)
    except selfies.EncoderError:
        return "not to be written as SELFIES"


def whole(text: str) -> Chem.Mol | str:
    """The one molecule that a SMILES is, or the reason why it is none to train on."""
    if not text:
        return "empty"
    molecule = chemistry.parse(text)
    if molecule is None or not molecule.GetNumAtoms():
        return "no SMILES"
    if molecule.GetNumAtoms() > MAX_ATOMS:
        return f"more than {MAX_ATOMS} heavy atoms"
    if len(Chem.GetMolFrags(molecule)) > 1:
        return "of several parts"
    return molecule


class Distinct(NamedTuple, Generic[Named]):
    """What lines were found to be."""

    rows: dict[str, Named]
    """The molecules, in order, by their SMILES."""
    places: list[int]
    """Of each, the index of its line."""
    skipped: Counter[str]
    """How many lines are left out, by the reason."""


def distinct(judge: Callable[[str], Named | str], lines: list[str]) -> Distinct[Named]:
    """The molecules of lines; of two that are the same one the first is taken.

    Args:
        judge: what a line is, or the reason why it cannot be used.
        lines: one molecule each.
    """
    found: Distinct[Named] = Distinct({}, [], Counter())
    for place, row in enumerate(each(judge, lines)):
        if isinstance(row, str):
            found.skipped[row] += 1
        elif row.smiles in found.rows:
            found.skipped["came before"] += 1
        else:
            found.rows[row.smiles] = row
            found.places.append(place)
    return found


def each(function: Callable[[str], Found], lines: list[str]) -> Iterator[Found]:
    """The function of each line, in their order; of many lines in several processes."""
    if len(lines) < 2 * _CHUNK:
        yield from map(function, lines)
        return
    # Fresh processes: a forked one would inherit the locks of torch's threads.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield from pool.map(function, lines, chunksize=_CHUNK)

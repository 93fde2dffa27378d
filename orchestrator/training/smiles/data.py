"""Molecules as one-hot SMILES with QED and the outcomes of assays, split by scaffold."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

from orchestrator.latent import chemistry
from orchestrator.latent.protocol import SpaceError
from orchestrator.latent.smiles_networks import REDUCTION
from orchestrator.latent.smiles_tokens import Alphabet, split
from orchestrator.training.data import prepared, sha256, write_atomically
from orchestrator.training.molecules.data import check_enough, distinct, whole
from orchestrator.training.smiles_files import is_csv, read_columns, read_smiles

LONGEST = 99
"""Tokens of a SMILES that is not skipped; with its end it fills 100 positions. In Tox21 97 of 100
molecules are shorter, and one of 300 tokens would make every sequence three times as long."""
TRAINING = 0.8
"""Share of the molecules after which no further scaffold goes into training."""
_FORMAT = 1
_OUTCOMES = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "": np.nan}
"""Cells of a column of outcomes; with decimals where other software met empty ones."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SmilesData:
    """A training set of n molecules, in the order of the file."""

    smiles: list[str]
    """Canonical, no two equal."""
    alphabet: Alphabet
    tokens: NDArray[np.uint8]
    """Shape ``n x length``: identifiers, then ends; the length is a multiple of ``REDUCTION``."""
    qed: NDArray[np.float32]
    """Shape ``n``; Bickerton et al. 2012, doi:10.1038/nchem.1243."""
    outcomes: NDArray[np.float32]
    """Shape ``n x k``: 0, 1, or NaN where nothing was measured."""
    outcome_names: tuple[str, ...]
    scaffolds: list[str]
    """Murcko scaffold of each, as SMILES; empty for molecules without a ring."""
    sha256: str
    """Of the file as given."""
    skipped: Mapping[str, int]
    """Lines that were no usable molecule, by the reason."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Shape ``n``: number of tokens, one end included."""
        return np.asarray((self.tokens != 0).sum(axis=1) + 1)

    def split(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices for training and held out; no scaffold is in both.

        The rule: scaffolds in the order of how many molecules they have, the most first, equals by
        their SMILES, go into training until it has ``TRAINING`` of all; the others, the rarest,
        are held out (Bemis and Murcko 1996, doi:10.1021/jm9602928; the order is MoleculeNet's,
        Wu et al. 2018, doi:10.1039/C7SC02664A).

        Raises:
            SpaceError: nothing would be held out.
        """
        sizes = Counter(self.scaffolds)
        trained: set[str] = set()
        taken = 0
        for scaffold in sorted(sizes, key=lambda one: (-sizes[one], one)):
            if taken >= TRAINING * len(self.smiles):
                break
            trained.add(scaffold)
            taken += sizes[scaffold]
        inside = np.array([scaffold in trained for scaffold in self.scaffolds])
        if inside.all():
            raise SpaceError(
                f"the {len(inside)} molecules have {len(sizes)} scaffolds, too few to hold any out"
            )
        return np.flatnonzero(inside), np.flatnonzero(~inside)


def load(path: Path, *, cache: Path) -> SmilesData:
    """Molecules of a file of SMILES, or of a CSV file with a column ``smiles``; gzipped or not.

    Every other column that holds 0 and 1 and nothing else is an outcome, missing where a cell is
    empty. The file is read and computed once, then cached under its hash.

    Raises:
        SpaceError: the file is missing, unreadable, or has fewer than ``FEWEST`` usable molecules.
    """
    digest = sha256(path)
    stored = cache / f"smiles-{digest[:16]}-{_FORMAT}.npz"
    if not stored.exists():
        _prepare(path, stored)
    with prepared(stored) as arrays:
        smiles = str(arrays["smiles"]).split("\n")
        alphabet = Alphabet.of(smiles)
        longest = max(len(split(text)) for text in smiles) + 1
        return SmilesData(
            smiles=smiles,
            alphabet=alphabet,
            tokens=alphabet.encode(smiles, -(-longest // REDUCTION) * REDUCTION),
            qed=arrays["qed"],
            outcomes=arrays["outcomes"],
            outcome_names=tuple(json.loads(str(arrays["outcome_names"]))),
            scaffolds=str(arrays["scaffolds"]).split("\n"),
            sha256=digest,
            skipped=json.loads(str(arrays["skipped"])),
        )


def _prepare(path: Path, stored: Path) -> None:
    columns = read_columns(path) if is_csv(path) else {"smiles": list(read_smiles(path))}
    lines = columns.pop("smiles")
    names, outcomes = _outcomes(path, columns, len(lines))
    rows, places, skipped = distinct(_measure, lines)
    check_enough(path, len(rows), len(lines), skipped)
    with write_atomically(stored) as file:
        np.savez_compressed(
            file,
            smiles=np.array("\n".join(rows)),
            scaffolds=np.array("\n".join(row.scaffold for row in rows.values())),
            qed=np.array([row.qed for row in rows.values()], dtype=np.float32),
            outcomes=outcomes[places],
            outcome_names=np.array(json.dumps(names)),
            skipped=np.array(json.dumps(skipped)),
        )


def _outcomes(
    path: Path, columns: Mapping[str, list[str]], lines: int
) -> tuple[list[str], NDArray[np.float32]]:
    """The columns that hold 0 and 1 and nothing else, ``lines x k``, by name."""
    found = {}
    for name, cells in columns.items():
        texts = set(cells)
        if not {_OUTCOMES.get(text) for text in texts} >= {0.0, 1.0}:
            continue
        if other := sorted(texts - set(_OUTCOMES)):
            why = "%s: column %s is no outcome, since it holds %r besides 0 and 1"
            _LOG.warning(why, path, name, other[0])
            continue
        found[name] = [_OUTCOMES[text] for text in cells]
    outcomes = np.array(list(found.values()), dtype=np.float32)
    return list(found), outcomes.reshape(len(found), lines).T


class _Measured(NamedTuple):
    smiles: str
    qed: float
    scaffold: str


def _measure(text: str) -> _Measured | str:
    molecule = whole(text)
    if isinstance(molecule, str):
        return molecule
    smiles = Chem.MolToSmiles(molecule)
    if len(split(smiles)) > LONGEST:
        return f"more than {LONGEST} tokens"
    scaffold = MurckoScaffold.MurckoScaffoldSmiles(mol=molecule)
    return _Measured(smiles, chemistry.qed(molecule), scaffold)

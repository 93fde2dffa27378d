"""The MOSES metrics of generated molecules.

Polykovskiy et al. 2020, doi:10.3389/fphar.2020.565644. Left out is the share that passes the
medicinal chemistry filters: RDKit does not carry their list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors, rdFingerprintGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold
from scipy.stats import wasserstein_distance

from orchestrator.latent import chemistry
from orchestrator.training.molecules.data import each

PROPERTIES = ("logP", "SA", "QED", "weight")
"""Molecular weight in g/mol."""
_BITS = 1024
_MORGAN = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=_BITS)
_ROWS, _COLUMNS = 1_024, 4_096
"""Similarities are computed in blocks of this shape, 16 MiB each."""

Prints = NDArray[np.uint8]
"""Morgan fingerprints of radius 2, ``n x 128``: eight bits a byte."""


class Measured(NamedTuple):
    """What the metrics read of one molecule."""

    smiles: str
    """Canonical."""
    fragments: list[str]
    """Between the bonds of BRICS (Degen et al. 2008, doi:10.1002/cmdc.200800178)."""
    scaffold: str | None
    """Of Bemis and Murcko 1996, doi:10.1021/jm9602928; None below two rings."""
    fingerprint: NDArray[np.uint8]
    """Shape ``128``."""
    properties: tuple[float, ...]
    """As in ``PROPERTIES``; empty where they were not asked for."""


def measure(text: str, *, with_properties: bool = True) -> Measured:
    """Everything of a valid SMILES; about 4 ms, of which 3 go into the properties."""
    molecule = Chem.MolFromSmiles(text)
    return Measured(
        Chem.MolToSmiles(molecule),
        Chem.MolToSmiles(Chem.FragmentOnBRICSBonds(molecule)).split("."),
        _scaffold(molecule),
        np.packbits(_MORGAN.GetFingerprintAsNumPy(molecule)),
        _properties(molecule) if with_properties else (),
    )


def _scaffold(molecule: Chem.Mol) -> str | None:
    try:
        scaffold = MurckoScaffold.GetScaffoldForMol(molecule)
    except (ValueError, RuntimeError):  # of a few molecules RDKit can write none
        return None
    return Chem.MolToSmiles(scaffold) if scaffold.GetRingInfo().NumRings() >= 2 else None


def _properties(molecule: Chem.Mol) -> tuple[float, ...]:
    return (
        float(Crippen.MolLogP(molecule)),
        chemistry.sa_score(molecule),
        chemistry.qed(molecule),
        float(Descriptors.MolWt(molecule)),
    )


@dataclass(frozen=True, eq=False)
class Summary:
    """What the metrics compare of a set of n molecules; sums of parts are those of the whole."""

    smiles: list[str]
    """Canonical, in the order given."""
    fragments: Counter[str]
    scaffolds: Counter[str]
    fingerprints: Prints
    properties: NDArray[np.float64]
    """Shape ``n x 4``, or ``n x 0``."""

    @classmethod
    def of(cls, smiles: Sequence[str], *, with_properties: bool = True) -> Summary:
        """Of valid SMILES, at least one; of many in several processes."""
        function = partial(measure, with_properties=with_properties)
        found = list(each(function, list(smiles)))
        return cls(
            [one.smiles for one in found],
            Counter(fragment for one in found for fragment in one.fragments),
            Counter(one.scaffold for one in found if one.scaffold is not None),
            np.array([one.fingerprint for one in found]),
            np.array([one.properties for one in found]),
        )

    @classmethod
    def joined(cls, parts: Sequence[Summary]) -> Summary:
        """Of all molecules of some parts, at least one."""
        fragments: Counter[str] = Counter()
        scaffolds: Counter[str] = Counter()
        for part in parts:
            fragments.update(part.fragments)
            scaffolds.update(part.scaffolds)
        return cls(
            [text for part in parts for text in part.smiles],
            fragments,
            scaffolds,
            np.concatenate([part.fingerprints for part in parts]),
            np.concatenate([part.properties for part in parts]),
        )


def of_generated(
    generated: Sequence[str | None], valid: Summary, training: Iterable[str]
) -> dict[str, float]:
    """The metrics that need no test set.

    Args:
        generated: canonical SMILES in the order drawn; None where one was invalid.
        valid: of the valid ones, in this order; at least one.
        training: canonical SMILES of the molecules trained on.
    """
    different = set(valid.smiles)
    diversity, diversity_2 = internal_diversity(valid.fingerprints)
    return {
        "valid": len(valid.smiles) / len(generated),
        "unique@1k": unique(valid.smiles, 1_000),
        "unique@10k": unique(valid.smiles, 10_000),
        "Novelty": len(different.difference(training)) / len(different),
        "IntDiv": diversity,
        "IntDiv2": diversity_2,
    }


def against(valid: Summary, reference: Summary, label: str) -> dict[str, float]:
    """The likeness of generated molecules to a reference set, named after the label."""
    return {
        f"SNN/{label}": float(nearest(valid.fingerprints, reference.fingerprints).mean()),
        f"Frag/{label}": cosine(valid.fragments, reference.fragments),
        f"Scaf/{label}": cosine(valid.scaffolds, reference.scaffolds),
    }


def property_distances(valid: Summary, reference: Summary) -> dict[str, float]:
    """Wasserstein-1 distances of the properties, each in the property's own unit."""
    pairs = zip(PROPERTIES, valid.properties.T, reference.properties.T, strict=True)
    return {name: float(wasserstein_distance(one, other)) for name, one, other in pairs}


def unique(smiles: Sequence[str], most: int) -> float:
    """Share of different ones among the first ``most``, or all if there are fewer."""
    first = smiles[:most]
    return len(set(first)) / len(first)


def cosine(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Cosine of the angle between two vectors of counts; 0 where one of them is empty."""
    lengths = [np.sqrt(float(sum(n * n for n in counts.values()))) for counts in (one, other)]
    shared = sum(n * other.get(name, 0) for name, n in one.items())
    return float(shared / (lengths[0] * lengths[1])) if all(lengths) else 0.0


def nearest(prints: Prints, reference: Prints) -> NDArray[np.float32]:
    """Tanimoto similarity of each fingerprint to the nearest one of a reference, shape ``n``."""
    best = np.zeros(len(prints), dtype=np.float32)
    for rows, found in _similarities(prints, reference):
        np.maximum(best[rows], found.max(axis=1), out=best[rows])
    return best


def internal_diversity(prints: Prints) -> tuple[float, float]:
    """1 - mean similarity over all ordered pairs, and 1 - a root mean square of it.

    The root is of each molecule's mean square, and then the mean is taken, as the program of the
    metrics' authors has it, which their published figures come from.
    """
    sums, squares = np.zeros((2, len(prints)))
    for rows, found in _similarities(prints, prints):
        sums[rows] += found.sum(axis=1)
        squares[rows] += np.einsum("ij,ij->i", found, found)
    return (
        float(1 - (sums / len(prints)).mean()),
        float(1 - np.sqrt(squares / len(prints)).mean()),
    )


def _similarities(prints: Prints, reference: Prints) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Rows of the first, and their Tanimoto similarities to a block of the second."""
    for start in range(0, len(reference), _COLUMNS):
        columns = _bits(reference[start : start + _COLUMNS])
        sizes = columns.sum(axis=1)
        for first in range(0, len(prints), _ROWS):
            rows = slice(first, first + _ROWS)
            bits = _bits(prints[rows])
            common = bits @ columns.T
            yield rows, common / (bits.sum(axis=1)[:, None] + sizes - common)


def _bits(prints: Prints) -> NDArray[np.float32]:
    return np.unpackbits(prints, axis=1).astype(np.float32)

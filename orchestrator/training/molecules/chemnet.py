"""Fréchet ChemNet distance (Preuer et al. 2018, doi:10.1021/acs.jcim.8b00234).

ChemNet and its weights are those of the package ``fcd``, by the metric's authors, which is
installed by ``pip install assayloop[fcd]``; the arithmetic is ours, since theirs calls functions
that newer releases of NumPy and SciPy took away.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh

Floats = NDArray[np.float64]
LONGEST = 349
"""Letters of a SMILES that ChemNet was trained on, without its end; longer ones are left out."""
WIDTH = 512
"""Activations of its last hidden layer."""
_BATCH = 128


def installed() -> bool:
    """Whether the package with the weights is there."""
    return importlib.util.find_spec("fcd") is not None


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over molecules of ChemNet's activations, which add up over sets."""

    count: int
    total: Floats
    """Shape ``512``."""
    products: Floats
    """Shape ``512 x 512``: of the outer products."""

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.count + other.count, self.total + other.total, self.products + other.products
        )

    @property
    def mean(self) -> Floats:
        """Shape ``512``."""
        return self.total / self.count

    @property
    def covariance(self) -> Floats:
        """Shape ``512 x 512``; of at least two molecules."""
        centred = self.products - self.count * np.outer(self.mean, self.mean)
        return np.asarray(centred / (self.count - 1))


def moments(smiles: Sequence[str]) -> Moments:
    """Of canonical SMILES; about 300 a second on one core. Needs the package ``fcd``."""
    from fcd import load_ref_model
    from fcd.utils import get_one_hot

    network = load_ref_model()
    usable = [text for text in smiles if len(text) <= LONGEST]
    made = Moments(0, np.zeros(WIDTH), np.zeros((WIDTH, WIDTH)))
    for start in range(0, len(usable), _BATCH):
        rows = [get_one_hot(text, LONGEST + 1) for text in usable[start : start + _BATCH]]
        # ChemNet was trained on letters scaled by the size of its alphabet.
        letters = torch.from_numpy(np.stack(rows) / rows[0].shape[1]).float()
        with torch.inference_mode():
            found = network(letters.transpose(1, 2)).double().numpy()
        made += Moments(len(found), found.sum(axis=0), found.T @ found)
    return made


def distance(one: Moments, other: Moments) -> float:
    """Squared Fréchet distance of the normal distributions with these moments, 0 if they agree.

    It is biased upwards for small sets: compare numbers of equally many molecules only.
    """
    gap = one.mean - other.mean
    first, second = one.covariance, other.covariance
    values, vectors = eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    # The trace of (first second)^(1/2) by a symmetric matrix of the same eigenvalues.
    shared = np.sqrt(eigh(root @ second @ root, eigvals_only=True).clip(0)).sum()
    return float(gap @ gap + np.trace(first) + np.trace(second) - 2 * shared)

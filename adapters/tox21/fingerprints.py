"""What the network reads of a molecule: counts of its circular fragments.

Rogers and Hahn 2010, doi:10.1021/ci100050t: radius 2, folded to ``SIZE`` bins.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, RDLogger
from rdkit.Chem import rdFingerprintGenerator

SIZE = 1024
RADIUS = 2
LONGEST = 2000
"""Characters of a SMILES that is read; longer ones are no drug."""


def counts(smiles: str) -> NDArray[np.float32] | None:
    """Logarithms of one plus each count, shape ``SIZE``; None where RDKit reads no molecule."""
    if not smiles or len(smiles) > LONGEST:
        return None
    RDLogger.DisableLog("rdApp.*")
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or molecule.GetNumAtoms() == 0:
        return None
    found: NDArray[np.uint32] = _generator().GetCountFingerprintAsNumPy(molecule)
    return np.log1p(found, dtype=np.float32)


@cache
def _generator() -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=SIZE)

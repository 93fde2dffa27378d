"""Rings that a network closes and no chemist would: strained, or unsaturated beyond what is stable.

A ring of 8 to 11 atoms with three double bonds or more, such as an eight-membered triene, has
neither the aromaticity of a smaller one nor the room of a larger one; a triple bond or two double
bonds at one atom do not fit into a ring of fewer than 9 atoms (cyclooctyne and 1,2-cyclononadiene
are the smallest that can be kept, and are reagents).
"""

from __future__ import annotations

from rdkit import Chem

MEDIUM = range(8, 12)
"""Atoms of a ring that is neither usual nor large."""
LARGE = 9
"""Atoms of the smallest ring in which three atoms may lie in a line."""
DOUBLE_BONDS = 2
"""The most of a medium ring."""


def unusual(molecule: Chem.Mol) -> bool:
    """Whether a ring is one of these; aromatic bonds are not counted."""
    rings = molecule.GetRingInfo()
    for atoms, bonds in zip(rings.AtomRings(), rings.BondRings(), strict=True):
        kinds = [molecule.GetBondWithIdx(bond).GetBondType() for bond in bonds]
        doubles = kinds.count(Chem.BondType.DOUBLE)
        if len(atoms) in MEDIUM and doubles > DOUBLE_BONDS:
            return True
        if len(atoms) < LARGE and (Chem.BondType.TRIPLE in kinds or _cumulated(molecule, atoms)):
            return True
    return False


def _cumulated(molecule: Chem.Mol, ring: tuple[int, ...]) -> bool:
    """Whether an atom of a ring has two double bonds in it."""
    members = set(ring)
    return any(
        sum(
            bond.GetBondType() == Chem.BondType.DOUBLE and bond.GetOtherAtomIdx(atom) in members
            for bond in molecule.GetAtomWithIdx(atom).GetBonds()
        )
        > 1
        for atom in ring
        if molecule.GetAtomWithIdx(atom).GetAtomicNum() == 6
    )

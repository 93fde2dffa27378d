"""Valences that RDKit takes and no chemist would draw.

RDKit's chemistry problems refuse what cannot be: carbon with five bonds, nitrogen with four and no
charge. Of the elements that can take more bonds than usual it allows any that some compound has, so
that a string made by a network may hold sulfur of valence 4 with a hydrogen in a ring. Here such an
atom must be in a group in which it is stable: with oxygen or nitrogen bound twice (sulfoxides,
sulfones, sulfoximines, phosphates), for phosphorus sulfur too (thiotepa); with halogens alone but
for one bond (SF5), for iodine oxygen and nitrogen too (Dess-Martin periodinane).
"""

from __future__ import annotations

from typing import NamedTuple

from rdkit import Chem

_HALOGENS = frozenset({9, 17, 35, 53})
_NAMES = {15: "phosphorus", 16: "sulfur", 34: "selenium", 17: "chlorine", 35: "bromine"} | {
    53: "iodine",
    52: "tellurium",
    33: "arsenic",
}
_USUAL = {15: 3, 33: 3, 16: 2, 34: 2, 52: 2, 17: 1, 35: 1, 53: 1}
"""Largest valence, by atomic number, that needs no particular neighbours."""


class _Neighbours(NamedTuple):
    oxo: int
    """Oxygen or nitrogen bound twice; of phosphorus, sulfur and selenium too."""
    ligands: int
    """Halogens; of iodine, whatever is more electronegative."""
    others: int


def oddity(molecule: Chem.Mol) -> str:
    """The first atom whose valence is unusual, in words; empty where there is none."""
    for problem in Chem.DetectChemistryProblems(molecule):
        return f"unusual valence: {problem.Message()}"
    for atom in molecule.GetAtoms():
        usual = _USUAL.get(atom.GetAtomicNum())
        valence = atom.GetTotalValence()
        if usual is None or atom.GetIsAromatic() or valence <= usual + atom.GetFormalCharge():
            continue
        if why := _unusual(atom):
            name = _NAMES[atom.GetAtomicNum()]
            return f"unusual valence: {name} (atom {atom.GetIdx()}) of valence {valence} {why}"
    return ""


def _unusual(atom: Chem.Atom) -> str:
    """Why an atom of more than its usual bonds is not in a group where it is stable."""
    found = _neighbours(atom)
    phosphonate = atom.GetAtomicNum() == 15 and found.oxo > 0  # (RO)2P(=O)H is on sale
    if atom.GetTotalNumHs() and not phosphonate:
        return "bears hydrogen"
    if found.oxo or (found.ligands and found.others <= 1):
        return ""
    return "has neither oxygen nor nitrogen bound twice"


def _neighbours(atom: Chem.Atom) -> _Neighbours:
    element = atom.GetAtomicNum()
    doubly = {7, 8, 16, 34} if element == 15 else {7, 8}
    singly = {7, 8, *_HALOGENS} if element == 53 else _HALOGENS
    oxo = ligands = others = 0
    for bond in atom.GetBonds():
        number = bond.GetOtherAtom(atom).GetAtomicNum()
        oxo += bond.GetBondType() == Chem.BondType.DOUBLE and number in doubly
        ligands += number in singly
        others += number not in singly
    return _Neighbours(oxo, ligands, others)

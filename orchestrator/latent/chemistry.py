"""What the molecule space and its training ask RDKit.

QED: Bickerton et al. 2012, doi:10.1038/nchem.1243. logP: Wildman and Crippen 1999,
doi:10.1021/ci990307l. Synthetic accessibility: Ertl and Schuffenhauer 2009,
doi:10.1186/1758-2946-1-8, as in RDKit's Contrib folder. Structural alerts: BRENK (Brenk et al.
2008, doi:10.1002/cmdc.200700139) and PAINS (Baell and Holloway 2010, doi:10.1021/jm901137j).
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

from rdkit import Chem, RDConfig, rdBase
from rdkit.Chem import QED, Crippen
from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

PROPERTIES = ("qed", "logp", "sa_score")
"""What the property head predicts, in this order."""


def parse(smiles: str) -> Chem.Mol | None:
    """The molecule, or None where RDKit refuses the text; nothing is logged."""
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(smiles)


def canonical(molecule: Chem.Mol) -> str:
    """RDKit's canonical SMILES."""
    return str(Chem.MolToSmiles(molecule))


def saturate(molecule: Chem.Mol) -> None:
    """Gives every radical centre its hydrogens, in place."""
    for atom in molecule.GetAtoms():
        if atom.GetNumRadicalElectrons():
            atom.SetNoImplicit(False)
            atom.SetNumRadicalElectrons(0)
            molecule.UpdatePropertyCache()


def sa_score(molecule: Chem.Mol) -> float:
    """Synthetic accessibility, 1 (easy) to 10 (hard)."""
    return float(_sascorer().calculateScore(molecule))


def qed(molecule: Chem.Mol) -> float:
    """QED, 0 to 1; of hydrogens that it leaves where they are nothing is logged."""
    with rdBase.BlockLogs():
        return float(QED.qed(molecule))


def properties(molecule: Chem.Mol) -> tuple[float, float, float]:
    """QED in [0, 1], Crippen logP, and synthetic accessibility, as in ``PROPERTIES``."""
    return qed(molecule), float(Crippen.MolLogP(molecule)), sa_score(molecule)


def has_structural_alert(molecule: Chem.Mol) -> bool:
    """Whether a BRENK or PAINS substructure is present."""
    return bool(_alerts().HasMatch(molecule))


def draw_svg(molecule: Chem.Mol, width: int = 300, height: int = 220) -> bytes:
    """A drawing of the molecule; sizes in pixels."""
    drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule)
    drawer.FinishDrawing()
    return str(drawer.GetDrawingText()).encode()


def draw_png(molecule: Chem.Mol, width: int, height: int) -> bytes:
    """The same as a PNG image, for figures."""
    drawer = rdMolDraw2D.MolDraw2DCairo(width, height)
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule)
    drawer.FinishDrawing()
    return bytes(drawer.GetDrawingText())


@cache
def _sascorer() -> ModuleType:
    # RDKit ships it as a file outside any package, so that it cannot be imported by name.
    path = Path(RDConfig.RDContribDir) / "SA_Score" / "sascorer.py"
    spec = importlib.util.spec_from_file_location("rdkit_contrib_sascorer", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"RDKit's synthetic accessibility score is missing: {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _alerts() -> FilterCatalog:
    parameters = FilterCatalogParams()
    parameters.AddCatalog(FilterCatalogParams.FilterCatalogs.BRENK)
    parameters.AddCatalog(FilterCatalogParams.FilterCatalogs.PAINS)
    return FilterCatalog(parameters)

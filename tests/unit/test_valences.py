"""What a network writes and no chemist would draw is told apart from what is on the shelf."""

from __future__ import annotations

import pytest
from rdkit import Chem

from orchestrator.latent import chemistry
from orchestrator.latent.rings import unusual
from orchestrator.latent.valences import oddity
from orchestrator.spec.model import MOLECULE_FILTERS, SpaceSpec

SOUND = [
    "CS(=O)(=O)c1ccccc1",
    "CS(C)=O",
    "CS(C)(=N)=O",
    "c1ccsc1",
    "C[S+](C)C",
    "COP(=O)(OC)OC",
    "COP(=O)OC",
    "CP(C)C",
    "FS(F)(F)(F)(F)c1ccccc1",
    "OCl(=O)(=O)=O",
    "O=I(=O)c1ccccc1",
    "Ic1ccccc1",
    "OB(O)c1ccccc1",
    "C[N+](=O)[O-]",
    "C1CN1P(=S)(N2CC2)N3CC3",  # thiotepa
    "CCOP(=S)(OCC)Oc1ccc(cc1)[N+](=O)[O-]",  # parathion
    "FC(F)(F)C(=O)OI(OC(=O)C(F)(F)F)c1ccccc1",  # PIFA
    "CC(=O)OI1(OC(C)=O)(OC(C)=O)OC(=O)c2ccccc12",  # Dess-Martin periodinane
]
ODD = [
    ("C1=C[SH]=CC=C1", "sulfur (atom 2) of valence 4 bears hydrogen"),
    ("C[SH](C)C", "sulfur (atom 1) of valence 4 bears hydrogen"),
    ("C1=CS(C)=CC=C1", "sulfur (atom 2) of valence 4 has neither oxygen nor nitrogen bound twice"),
    ("CP(=C)(C)C", "phosphorus (atom 1) of valence 5 has neither"),
    ("C[PH](C)(C)C", "phosphorus (atom 1) of valence 5 bears hydrogen"),
    ("CI(C)C", "iodine (atom 1) of valence 3 has neither"),
    ("C[Se](C)(C)C", "selenium (atom 1) of valence 4 has neither"),
]


@pytest.mark.parametrize("smiles", SOUND)
def test_what_is_on_the_shelf_passes(smiles: str) -> None:
    """A filter that refused sulfones would cost a campaign half of its drugs."""
    assert oddity(chemistry.parse(smiles)) == ""


@pytest.mark.parametrize(("smiles", "said"), ODD)
def test_what_nobody_would_draw_is_named_with_its_atom(smiles: str, said: str) -> None:
    molecule = chemistry.parse(smiles)
    assert molecule is not None, "RDKit takes it, or there were nothing to say"
    assert oddity(molecule).startswith(f"unusual valence: {said}")


@pytest.mark.parametrize(
    ("smiles", "odd"),
    [
        ("C1=CC=CC=CCC1", True),  # cyclooctatriene
        ("C1=CC=CC=CC=C1", True),
        ("C1=CC=NC=CC=N1", True),
        ("C1CCC=C=CC1", True),  # an allene of seven
        ("C1CCCC#CC1", True),
        ("C1CC=CCCC=C1", False),  # 1,5-cyclooctadiene, a solvent's worth of it
        ("c1ccc2ccccc2c1", False),
        ("C1=CC=CC=CC1", False),  # tropilidene
        ("O=C1NCCc2ccccc2CCCC1", False),
        ("C1CCCCCCCCCCC1", False),
        ("CC=C=CC", False),
    ],
)
def test_rings_that_no_chemist_would_close_are_told_apart(smiles: str, odd: bool) -> None:
    assert unusual(chemistry.parse(smiles)) is odd


def test_what_rdkit_calls_a_problem_is_one() -> None:
    """A molecule that was made without its checks."""
    molecule = Chem.MolFromSmiles("CC(C)(C)(C)C", sanitize=False)
    assert "valence" in oddity(molecule)


@pytest.mark.parametrize("kind", ["molecules", "smiles"])
def test_molecules_are_filtered_unless_that_is_switched_off(kind: str) -> None:
    """A first campaign must not show what no chemist would make."""
    silent = SpaceSpec.model_validate({"kind": kind})
    assert silent.filters == MOLECULE_FILTERS
    assert SpaceSpec.model_validate({"kind": kind, "filters": []}).filters == ()
    some = SpaceSpec.model_validate({"kind": kind, "filters": ["synthesizable"]})
    assert some.filters == ("synthesizable",)
    # Else the unchanged file of a campaign that ran before would count as a changed spec.
    assert silent.model_dump(exclude_unset=True) == {"kind": kind}
    assert SpaceSpec.model_validate(silent.model_dump(mode="json")) == silent


def test_other_spaces_have_no_filters_by_default() -> None:
    assert SpaceSpec.model_validate({"kind": "digits"}).filters == ()

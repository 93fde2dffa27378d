"""The values of the rdkit evaluator are those that chemists know."""

from __future__ import annotations

import pytest
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import AllChem, Crippen, Descriptors, Lipinski, rdMolDescriptors
from rdkit.Contrib.SA_Score import sascorer

from adapters.protocol import Batch, EvaluatorError, Job, OptionError, Outcome, Sample, Ticket
from adapters.rdkit_properties import MEASURES, RDKitEvaluator

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
SALBUTAMOL = "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1"
CELECOXIB = "Cc1ccc(cc1)-c1cc(nn1-c1ccc(cc1)S(N)(=O)=O)C(F)(F)F"
CYCLOOCTANE = "C1CCCCCCC1"


def measure(smiles: str | bytes, *measures: str, **options: str) -> Outcome:
    """The outcome of one molecule."""
    evaluator = RDKitEvaluator(**options)  # type: ignore[arg-type]
    evaluator.submit(Batch("b", (Job("k", Sample("molecule", smiles), measures),)))
    (delivery,) = evaluator.receive([Ticket("k")])
    (outcome,) = evaluator.parse(delivery)
    return outcome


def values(smiles: str, *measures: str, **options: str) -> dict[str, float]:
    """The readings of one molecule."""
    outcome = measure(smiles, *measures, **options)
    assert not outcome.reason
    return {reading.name: reading.value for reading in outcome.readings}


def test_aspirin_has_its_published_values() -> None:
    """Values that stand in every database (PubChem CID 2244) and in the QED paper's range."""
    found = values(
        ASPIRIN, "mol_weight", "tpsa", "hbd", "hba", "rotatable_bonds", "logp", "qed", "sa_score"
    )
    assert found["mol_weight"] == pytest.approx(180.16, abs=0.005)
    assert found["tpsa"] == pytest.approx(63.6)
    assert (found["hbd"], found["hba"], found["rotatable_bonds"]) == (1, 3, 2)
    assert found["logp"] == pytest.approx(1.3101)
    assert found["qed"] == pytest.approx(0.55, abs=0.005)
    assert found["sa_score"] == pytest.approx(1.58, abs=0.005)


@pytest.mark.parametrize("smiles", [ASPIRIN, SALBUTAMOL, CELECOXIB, CYCLOOCTANE, "[Na+].[Cl-]"])
def test_values_equal_rdkits_own_descriptors(smiles: str) -> None:
    """A campaign's QED is the QED that anybody gets from RDKit."""
    molecule = Chem.MolFromSmiles(smiles)
    expected = {
        "qed": Descriptors.qed(molecule),
        "logp": Crippen.MolLogP(molecule),
        "tpsa": Descriptors.TPSA(molecule),
        "mol_weight": Descriptors.MolWt(molecule),
        "hbd": Lipinski.NumHDonors(molecule),
        "hba": Lipinski.NumHAcceptors(molecule),
        "rotatable_bonds": Lipinski.NumRotatableBonds(molecule),
        "sa_score": sascorer.calculateScore(molecule),
    }
    assert values(smiles, *expected) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("smiles", "penalty"), [(CYCLOOCTANE, 2), (ASPIRIN, 0), ("C1CCC2CCCCCCCC2CC1", 3), ("CC", 0)]
)
def test_penalized_logp_punishes_rings_beyond_six(smiles: str, penalty: int) -> None:
    """Without the penalty an optimiser would build macrocycles."""
    found = values(smiles, "penalized_logp", "logp", "sa_score")
    expected = found["logp"] - found["sa_score"] - penalty
    assert found["penalized_logp"] == pytest.approx(expected, abs=1e-12)


def test_similarity_equals_that_of_the_benchmarks() -> None:
    """Scores compare with GuacaMol's only when the fingerprints are counted as it does."""
    a, b = Chem.MolFromSmiles(SALBUTAMOL), Chem.MolFromSmiles("CC(C)NCC(O)c1ccc(O)c(O)c1")
    with rdBase.BlockLogs():  # the older functions are deprecated; that is their use here
        expected = {
            "ecfp4": [AllChem.GetMorganFingerprint(m, 2) for m in (a, b)],
            "ecfp6": [AllChem.GetMorganFingerprint(m, 3) for m in (a, b)],
            "fcfp4": [AllChem.GetMorganFingerprint(m, 2, useFeatures=True) for m in (a, b)],
            "atom_pair": [rdMolDescriptors.GetAtomPairFingerprint(m, maxLength=10) for m in (a, b)],
            "path": [AllChem.RDKFingerprint(m) for m in (a, b)],
        }
    for name, pair in expected.items():
        found = values(SALBUTAMOL, "similarity", fingerprint=name, reference=Chem.MolToSmiles(b))
        assert found["similarity"] == pytest.approx(DataStructs.TanimotoSimilarity(*pair)), name
        assert values(SALBUTAMOL, "similarity", fingerprint=name, reference=SALBUTAMOL) == {
            "similarity": 1.0
        }


def test_only_wanted_measures_are_given() -> None:
    """A campaign pays for what it asked."""
    assert list(values(ASPIRIN, "qed")) == ["qed"]


def test_units_are_declared() -> None:
    """A polar surface in angstrom**2 can be constrained in nm**2."""
    units = {m.name: m.unit for m in MEASURES if m.unit}
    assert units == {"tpsa": "angstrom**2", "mol_weight": "g/mol"}


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("C1CC", "'C1CC' is not a SMILES: a ring or bracket stays open"),
        ("Xx", "'Xx' is not a SMILES"),
        ("C\0C", "is not a SMILES"),
        ("c1cccc1", "not a possible molecule: Can't kekulize"),
        ("CF(C)C", "Explicit valence for atom # 1 F, 3, is greater than permitted"),
        ("", "the SMILES is empty"),
        ("CCO ethanol", "'CCO ethanol' has a blank"),
        ("C" * 5000, "is 5000 characters long, at most 2000 are read"),
        (b"CCO", "are bytes; a molecule is a SMILES text"),
    ],
)
def test_what_is_no_molecule_is_rejected(
    smiles: str | bytes, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A chemist reads what is wrong with it, in the record and not in the terminal's noise."""
    outcome = measure(smiles, "qed")
    assert outcome.status.value == "rejected"
    assert reason in outcome.reason
    assert not capfd.readouterr().err


def test_check_finds_what_the_options_lack() -> None:
    """A campaign must not start that can never have its measure."""
    RDKitEvaluator().check(["qed", "logp"])
    RDKitEvaluator(reference=ASPIRIN).check(["similarity"])
    with pytest.raises(OptionError, match="'similarity' of evaluator 'rdkit' needs the option"):
        RDKitEvaluator().check(["similarity"])
    with pytest.raises(OptionError, match=r"'reference' .* is no molecule: 'C1CC' is not a SMILES"):
        RDKitEvaluator(reference="C1CC").check(["similarity"])
    with pytest.raises(EvaluatorError, match="no measure 'qde'; did you mean 'qed'"):
        RDKitEvaluator().check(["qde"])

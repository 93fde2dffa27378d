"""Properties of molecules by RDKit.

Each measure follows its usual definition:

- ``qed``: Bickerton et al. 2012, Nature Chemistry 4:90, with average weights.
- ``logp``: octanol-water partition coefficient, Wildman and Crippen 1999, JCICS 39:868.
- ``tpsa``: topological polar surface area, Ertl et al. 2000, J. Med. Chem. 43:3714, N and O only.
- ``sa_score``: Ertl and Schuffenhauer 2009, J. Cheminformatics 1:8, as in RDKit's contributions.
- ``penalized_logp``: ``logp - sa_score - max(0, largest ring - 6)``, the largest ring being that of
  RDKit's smallest set of smallest rings; the three terms are not standardised. This is J(m) of
  Gómez-Bombarelli et al. 2018, ACS Central Science 4:268. (Kusner et al. 2017 and those after them
  standardise each term over ZINC: their values are not comparable with these.)
- ``similarity``: Tanimoto similarity to the molecule ``reference`` by the fingerprint of that name,
  with the fingerprints of Brown et al. 2019 (GuacaMol), JCIM 59:1096.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from adapters.calculator import Calculator, RejectedError
from adapters.messages import quote
from adapters.protocol import Capabilities, Measure, OptionError, Sample

if TYPE_CHECKING:
    from rdkit.Chem import Mol

Fingerprint = Literal["ecfp4", "ecfp6", "fcfp4", "atom_pair", "path"]
"""``ecfp4``, ``ecfp6``, ``fcfp4`` (Rogers and Hahn 2010, JCIM 50:742) and ``atom_pair`` (Carhart et
al. 1985, JCICS 25:64; distances up to 10 bonds) count their features without folding; ``path`` is
RDKit's fingerprint of paths of 1 to 7 bonds, folded into 2048 bits."""

LONGEST = 2000
"""Characters of the longest SMILES that is read. RDKit's perception of rings grows much faster
than the molecule, and no molecule of this kind (ZINC: at most 120 characters) comes near."""

MEASURES = (
    Measure("qed", lower=0, upper=1, description="quantitative estimate of drug-likeness"),
    Measure("logp", description="octanol-water partition coefficient, Crippen"),
    Measure("tpsa", "angstrom**2", lower=0, description="topological polar surface area"),
    Measure("mol_weight", "g/mol", lower=0, description="average molecular weight"),
    Measure("hbd", lower=0, description="hydrogen bond donors"),
    Measure("hba", lower=0, description="hydrogen bond acceptors"),
    Measure("rotatable_bonds", lower=0, description="rotatable bonds, amide bonds excluded"),
    Measure("sa_score", lower=1, upper=10, description="synthetic accessibility, 1 is easy"),
    Measure("penalized_logp", description="logp - sa_score - penalty of rings larger than 6"),
    Measure("similarity", lower=0, upper=1, description="Tanimoto similarity to the reference"),
)


class RDKitEvaluator(Calculator):
    """Computes the wanted properties of a SMILES, and only those."""

    def __init__(self, *, reference: str | None = None, fingerprint: Fingerprint = "ecfp4") -> None:
        super().__init__(
            Capabilities(
                name="rdkit",
                version=f"1+rdkit.{version('rdkit')}",
                sample_kinds=frozenset({"molecule"}),
                measures=MEASURES,
                batch_size=100,
                synchronous=True,
                idempotent=True,
                expected_duration=0.005,
            )
        )
        self._reference = reference
        self._fingerprint = fingerprint

    def check(self, measures: Sequence[str]) -> None:
        """Make sure that the measures are known, and that similarity has something to compare with.

        Raises:
            OptionError: ``similarity`` is wanted and ``reference`` is missing or unreadable.
            EvaluatorError: a measure is not declared.
        """
        super().check(measures)
        if "similarity" in measures:
            _ = self._reference_features

    def provenance(self) -> Mapping[str, str]:
        """What similarity is measured to; nothing where there is no reference."""
        if self._reference is None:
            return {}
        return {"reference": self._reference, "fingerprint": self._fingerprint}

    def calculate(self, sample: Sample, wanted: Sequence[str]) -> Mapping[str, float]:
        """The wanted properties of a molecule."""
        from rdkit import rdBase

        with rdBase.BlockLogs():  # a reason is given in the outcome, not on the terminal
            molecule = read_smiles(sample.content)
            return {
                name: self._similarity(molecule)
                if name == "similarity"
                else float(_PROPERTIES[name](molecule))
                for name in wanted
            }

    def _similarity(self, molecule: Mol) -> float:
        from rdkit.DataStructs import TanimotoSimilarity

        features = self._features(molecule)
        return float(TanimotoSimilarity(features, self._reference_features))

    def _features(self, molecule: Mol) -> Any:
        if self._fingerprint == "path":
            return self._generator.GetFingerprint(molecule)
        return self._generator.GetSparseCountFingerprint(molecule)

    @cached_property
    def _generator(self) -> Any:
        from rdkit.Chem import rdFingerprintGenerator as rdkit  # noqa: N813

        match self._fingerprint:
            case "ecfp4":
                return rdkit.GetMorganGenerator(radius=2)
            case "ecfp6":
                return rdkit.GetMorganGenerator(radius=3)
            case "fcfp4":
                pharmacophores = rdkit.GetMorganFeatureAtomInvGen()
                return rdkit.GetMorganGenerator(radius=2, atomInvariantsGenerator=pharmacophores)
            case "atom_pair":
                return rdkit.GetAtomPairGenerator(maxDistance=10)
            case "path":
                return rdkit.GetRDKitFPGenerator(minPath=1, maxPath=7, fpSize=2048)

    @cached_property
    def _reference_features(self) -> Any:
        if self._reference is None:
            raise OptionError(
                "reference",
                "measure 'similarity' of evaluator 'rdkit' needs the option 'reference', "
                "the SMILES of the molecule to compare with",
            )
        from rdkit import rdBase

        try:
            with rdBase.BlockLogs():
                return self._features(read_smiles(self._reference))
        except RejectedError as error:
            raise OptionError(
                "reference", f"option 'reference' of evaluator 'rdkit' is no molecule: {error}"
            ) from error


def read_smiles(content: str | bytes) -> Mol:
    """The molecule of a SMILES, sanitised.

    Raises:
        RejectedError: it is none, and why in a chemist's words.
    """
    from rdkit import Chem

    if isinstance(content, bytes):
        raise RejectedError(f"{quote(content)} are bytes; a molecule is a SMILES text")
    if not content.strip():
        raise RejectedError("the SMILES is empty")
    if any(character.isspace() for character in content[: LONGEST + 1]):
        raise RejectedError(f"{quote(content)} has a blank; a SMILES has none, nor a name after it")
    if len(content) > LONGEST:
        raise RejectedError(
            f"the SMILES {quote(content)} is {len(content)} characters long, "
            f"at most {LONGEST} are read"
        )
    drawn = None if "\0" in content else Chem.MolFromSmiles(content, sanitize=False)
    if drawn is None:
        raise RejectedError(
            f"{quote(content)} is not a SMILES: a ring or bracket stays open, "
            "or a symbol is no element"
        )
    problems = [problem.Message() for problem in Chem.DetectChemistryProblems(drawn)]
    molecule = Chem.MolFromSmiles(content)
    if molecule is None:
        raise RejectedError(
            f"{quote(content)} is not a possible molecule: "
            f"{'; '.join(problems) or 'it cannot be sanitised'}"
        )
    if molecule.GetNumAtoms() == 0:
        raise RejectedError(f"{quote(content)} has no atoms")
    return molecule


def _qed(molecule: Mol) -> float:
    from rdkit.Chem.QED import qed

    return float(qed(molecule))


def _logp(molecule: Mol) -> float:
    from rdkit.Chem.rdMolDescriptors import CalcCrippenDescriptors

    return float(CalcCrippenDescriptors(molecule)[0])


def _weight(molecule: Mol) -> float:
    from rdkit.Chem.Descriptors import MolWt

    return float(MolWt(molecule))


def _sa_score(molecule: Mol) -> float:
    from rdkit.Contrib.SA_Score import sascorer

    return float(sascorer.calculateScore(molecule))


def _penalized_logp(molecule: Mol) -> float:
    largest = max((len(ring) for ring in molecule.GetRingInfo().AtomRings()), default=0)
    return _logp(molecule) - _sa_score(molecule) - max(0, largest - 6)


def _descriptor(name: str) -> Callable[[Mol], float]:
    """A function of RDKit's compiled descriptors, looked up when it is used."""

    def calculate(molecule: Mol) -> float:
        from rdkit.Chem import rdMolDescriptors

        return float(getattr(rdMolDescriptors, name)(molecule))

    return calculate


_PROPERTIES: Mapping[str, Callable[[Mol], float]] = {
    "qed": _qed,
    "logp": _logp,
    "tpsa": _descriptor("CalcTPSA"),
    "mol_weight": _weight,
    "hbd": _descriptor("CalcNumHBD"),
    "hba": _descriptor("CalcNumHBA"),
    "rotatable_bonds": _descriptor("CalcNumRotatableBonds"),
    "sa_score": _sa_score,
    "penalized_logp": _penalized_logp,
}

"""Twelve assays of the Tox21 challenge, predicted: a cheap look at safety before anything is made.

The measures are calibrated probabilities that a molecule is active in an assay of nuclear receptors
(``nr_…``) or of stress responses (``sr_…``), by a network trained on the outcomes of the challenge
(Huang et al. 2016, doi:10.3389/fenvs.2015.00085). A prediction is no measurement: what the network
is worth on scaffolds that it has never seen, and how well its probabilities are calibrated there,
is on its card, by assay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.calculator import RejectedError
from adapters.messages import quote
from adapters.protocol import Capabilities, Measure, Sample
from adapters.trained_calculator import TrainedCalculator

if TYPE_CHECKING:
    from adapters.tox21.network import Predictor

SHIPPED = Path(__file__).parent / "weights" / "tox21.safetensors"

ASSAYS: Mapping[str, str] = {
    "NR-AR": "androgen receptor",
    "NR-AR-LBD": "androgen receptor, ligand-binding domain",
    "NR-AhR": "aryl hydrocarbon receptor",
    "NR-Aromatase": "aromatase",
    "NR-ER": "oestrogen receptor alpha",
    "NR-ER-LBD": "oestrogen receptor alpha, ligand-binding domain",
    "NR-PPAR-gamma": "peroxisome proliferator-activated receptor gamma",
    "SR-ARE": "antioxidant response element",
    "SR-ATAD5": "genotoxicity by ATAD5",
    "SR-HSE": "heat shock response",
    "SR-MMP": "mitochondrial membrane potential",
    "SR-p53": "p53 pathway",
}
"""Names in the challenge, and what is active."""


def measure_name(assay: str) -> str:
    """An assay of the challenge as a measure is called: ``NR-AhR`` is ``nr_ahr``."""
    return assay.lower().replace("-", "_")


MEASURES = tuple(
    Measure(measure_name(assay), lower=0, upper=1, description=f"probability of activity: {what}")
    for assay, what in ASSAYS.items()
)


class Tox21(TrainedCalculator):
    """Predicted activity of a molecule in the twelve assays.

    Args:
        weights: Another network's weights, a safetensors file with its model card beside it; the
            shipped ones when left out.
    """

    def __init__(self, *, weights: Path | None = None) -> None:
        super().__init__(
            Capabilities(
                name="tox21",
                version="1",
                sample_kinds=frozenset({"molecule"}),
                measures=MEASURES,
                batch_size=100,
                synchronous=True,
                idempotent=True,
                replicates=False,
                expected_duration=0.01,
            ),
            weights or SHIPPED,
        )

    def calculate(self, sample: Sample, wanted: Sequence[str]) -> Mapping[str, float]:
        """The wanted probabilities of a molecule."""
        from adapters.tox21.fingerprints import counts

        if isinstance(sample.content, bytes):
            raise RejectedError(f"{quote(sample.content)} is no SMILES")
        row = counts(sample.content)
        if row is None:
            raise RejectedError(f"{quote(sample.content)} is no molecule that RDKit reads")
        values = self.trained.probabilities(row[None])[0]
        return {name: float(values[self.trained.column(name)]) for name in wanted}

    @cached_property
    def trained(self) -> Predictor:
        """The network, loaded when it is first asked for.

        Raises:
            EvaluatorError: the weights are missing or changed.
        """
        from adapters.tox21.network import load

        return load(self.file)

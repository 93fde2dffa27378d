"""The molecule autoencoder trained on MOSES, and judged by its metrics against its test sets.

What the metrics read of a test set is computed once, in blocks that are cached under the hash of
the set, so that an interrupted preparation goes on where it was.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.latent.molecule_codec import Codec
from orchestrator.latent.protocol import SpaceError
from orchestrator.training.data import sha256, write_atomically
from orchestrator.training.molecules import chemnet
from orchestrator.training.molecules.autoencoder import MoleculeTask
from orchestrator.training.molecules.chemnet import Moments
from orchestrator.training.molecules.data import MoleculeData
from orchestrator.training.molecules.figures import drawn
from orchestrator.training.molecules.moses_metrics import (
    Summary,
    against,
    of_generated,
    property_distances,
)
from orchestrator.training.recipes import Recipe
from orchestrator.training.smiles_files import read_smiles

TEST_SETS: Mapping[str, str] = {"Test": "moses-test", "TestSF": "moses-scaffolds"}
"""Names of the test sets by what the metrics call them; properties are compared with the first."""
DRAWS = 3
"""From the prior for each held-out molecule: with 10,000 of these as many as the authors draw."""
_BLOCK = 10_000
_FORMAT = 1


class MosesTask(MoleculeTask):
    """Trains like any other molecule recipe; its evaluation adds the metrics, as ``moses``."""

    def __init__(self, recipe: Recipe, data: MoleculeData, cache: Path) -> None:
        """Prepares the test sets too, half an hour on two cores the first time.

        Raises:
            SpaceError: the test sets are not in ``cache``.
        """
        super().__init__(recipe, data)
        self._references = references(cache)

    def evaluate(self) -> dict[str, Any]:
        """As every molecule autoencoder, and by the metrics of MOSES on draws of their own."""
        self.network.eval()
        codec = Codec(self.network, self.data.vocabulary, int(self.data.lengths.max()))
        rng = np.random.default_rng((self.recipe.seed, 2))
        generated = drawn(codec, DRAWS * len(self.held_out), rng)
        training = [self.data.smiles[i] for i in self.training]
        return {**super().evaluate(), "moses": metrics(generated, training, self._references)}


@dataclass(frozen=True, eq=False)
class Reference:
    """What the metrics read of a test set."""

    summary: Summary
    moments: Moments | None
    """None where the package with ChemNet is not installed."""


def metrics(
    generated: Sequence[str | None],
    training: Iterable[str],
    test_sets: Mapping[str, Reference],
) -> dict[str, float]:
    """The metrics by the names that their authors give them.

    Args:
        generated: canonical SMILES in the order drawn; None where one was invalid.
        training: canonical SMILES of the molecules trained on.
        test_sets: by label; ``Test`` has properties.
    """
    smiles = [text for text in generated if text is not None]
    if len(smiles) < 2:
        return {"valid": len(smiles) / len(generated)}
    valid = Summary.of(smiles)
    found = of_generated(generated, valid, training)
    moments = chemnet.moments(valid.smiles) if chemnet.installed() else None
    for label, reference in test_sets.items():
        found |= against(valid, reference.summary, label)
        if moments is not None and reference.moments is not None:
            found[f"FCD/{label}"] = chemnet.distance(moments, reference.moments)
    return found | property_distances(valid, test_sets["Test"].summary)


def check_test_sets(cache: Path) -> None:
    """Refuse to begin what would end without anything to compare with.

    Raises:
        SpaceError: a test set is missing.
    """
    for name in TEST_SETS.values():
        if not (cache / f"{name}.smi.gz").is_file():
            raise SpaceError(f"there is no {name} yet: run `assayloop data get moses`")


def references(cache: Path) -> dict[str, Reference]:
    """Of all test sets, by label; what is not yet in the cache is computed.

    Raises:
        SpaceError: a test set is missing.
    """
    check_test_sets(cache)
    return {
        label: _reference(cache / f"{name}.smi.gz", cache, with_properties=label == "Test")
        for label, name in TEST_SETS.items()
    }


def _reference(path: Path, cache: Path, *, with_properties: bool) -> Reference:
    smiles = list(read_smiles(path))
    digest = sha256(path)[:16]
    parts, moments = [], []
    for start in range(0, len(smiles), _BLOCK):
        what = "whole" if with_properties else "structure"
        kept = cache / f"moses-{digest}-{what}-{start}-{_BLOCK}-{_FORMAT}.npz"
        if not kept.exists():
            block = smiles[start : start + _BLOCK]
            _write(kept, Summary.of(block, with_properties=with_properties))
        parts.append(_read(kept))
        if chemnet.installed():
            moments.append(_moments(parts[-1].smiles, kept.with_suffix(".chemnet.npz")))
    total = sum(moments[1:], moments[0]) if moments else None
    return Reference(Summary.joined(parts), total)


def _write(path: Path, summary: Summary) -> None:
    with write_atomically(path) as file:
        np.savez_compressed(
            file,
            smiles=np.array("\n".join(summary.smiles)),
            fragments=np.array(json.dumps(summary.fragments)),
            scaffolds=np.array(json.dumps(summary.scaffolds)),
            fingerprints=summary.fingerprints,
            properties=summary.properties,
        )


def _read(path: Path) -> Summary:
    with np.load(path, allow_pickle=False) as arrays:
        return Summary(
            str(arrays["smiles"]).split("\n"),
            Counter(json.loads(str(arrays["fragments"]))),
            Counter(json.loads(str(arrays["scaffolds"]))),
            arrays["fingerprints"],
            arrays["properties"],
        )


def _moments(smiles: Sequence[str], path: Path) -> Moments:
    if not path.exists():
        made = chemnet.moments(smiles)
        with write_atomically(path) as file:
            np.savez(file, count=made.count, total=made.total, products=made.products)
    with np.load(path, allow_pickle=False) as arrays:
        return Moments(int(arrays["count"]), arrays["total"], arrays["products"])

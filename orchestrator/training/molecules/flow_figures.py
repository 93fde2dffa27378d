"""How good a flow autoencoder is: every figure is of the decoder alone, in one pass.

Draws are from N(0, I), untruncated. Speeds are of one thread, in the processor's time, and of
molecules not decoded before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from orchestrator.latent.blocks import SIZE
from orchestrator.latent.flow_codec import FlowCodec
from orchestrator.latent.flow_networks import FlowVae
from orchestrator.latent.molecule_codec import smiles_of
from orchestrator.latent.molecules import LIMIT
from orchestrator.training.molecules.data import MoleculeData
from orchestrator.training.molecules.figures import prior

STEPS = (0.1, 0.3, 1.0)
"""Deviations of a normal step in every coordinate of the base space, in prior deviations."""
_STEPPED = 1_000
"""Held-out molecules from which steps are taken."""
_BLOCKS, _SINGLES = 20, 20
"""Decoded for the speeds: blocks, and single points."""


def figures(
    network: FlowVae,
    data: MoleculeData,
    training: NDArray[np.int64],
    held_out: NDArray[np.int64],
    seed: int,
) -> dict[str, Any]:
    """Everything about one trained network; the prior is drawn as often as there are held out."""
    network.eval()
    codec = FlowCodec(network, data.vocabulary, int(data.lengths.max()))
    rng = np.random.default_rng((seed, 1))
    points = codec.encode([data.tokens[i, : data.lengths[i] - 1].tolist() for i in held_out])
    smiles = codec.decode(points)
    exact = [a == data.smiles[i] for a, i in zip(smiles, held_out, strict=True)]
    draws = codec.decode(rng.standard_normal((len(held_out), network.latent)))
    return {
        "held_out": len(held_out),
        "helper": "none: all is by the decoder alone, so the figures with and without are one",
        "reconstruction_exact": float(np.mean(exact)),
        "held_out_within_bounds": float(np.mean((np.abs(points) <= LIMIT).all(axis=1))),
        "held_out_coordinates_within_bounds": float(np.mean(np.abs(points) <= LIMIT)),
        **speeds(codec, rng),
        **locality(codec, points[:_STEPPED], smiles[:_STEPPED], rng),
        **prior(draws, data, training, held_out, rng),
    }


def speeds(codec: FlowCodec, rng: np.random.Generator) -> dict[str, Any]:
    """Molecules a second in full blocks, and milliseconds for one (the median), on one thread."""
    with _one_thread():
        codec.decode(rng.standard_normal((SIZE, codec.network.latent)))
        blocks = rng.standard_normal((_BLOCKS, SIZE, codec.network.latent))
        smiles_of.cache_clear()
        started = time.process_time()
        for block in blocks:
            codec.decode(block)
        seconds = time.process_time() - started
        single = []
        for point in rng.standard_normal((_SINGLES, 1, codec.network.latent)):
            started = time.process_time()
            codec.decode(point)
            single.append(time.process_time() - started)
    return {
        "decode_per_second": round(_BLOCKS * SIZE / seconds),
        "decode_one_ms": round(1e3 * float(np.median(single)), 1),
        "threads": 1,
    }


def locality(
    codec: FlowCodec,
    points: NDArray[np.float64],
    smiles: Sequence[str | None],
    rng: np.random.Generator,
) -> dict[str, float]:
    """How like a point's molecule its neighbours are, by the size of the step between them.

    Tanimoto similarity of Morgan fingerprints (radius 2, 2,048 bits), mean over valid neighbours,
    the same molecule included; the share of neighbours that are valid and another molecule; and the
    similarity of those.
    """
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    found: dict[str, float] = {}
    for step in STEPS:
        moved = codec.decode(points + step * rng.standard_normal(points.shape))
        similar, other = [], []
        for here, there in zip(smiles, moved, strict=True):
            if here is None or there is None:
                continue
            pair = [generator.GetFingerprint(Chem.MolFromSmiles(one)) for one in (here, there)]
            similar.append(DataStructs.TanimotoSimilarity(*pair))
            if here != there:
                other.append(similar[-1])
        name = f"step_{step:g}"
        found[f"{name}_new_valid"] = len(other) / len(points)
        if similar:
            found[f"{name}_tanimoto"] = float(np.mean(similar))
        if other:
            found[f"{name}_tanimoto_of_new"] = float(np.mean(other))
    return found


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

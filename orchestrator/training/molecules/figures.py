"""How good a molecule autoencoder is: figures on held-out molecules and on draws from its prior.

Validity, uniqueness, novelty and internal diversity as in MOSES (Polykovskiy et al. 2020,
doi:10.3389/fphar.2020.565644); active units as in Burda et al. 2016, arXiv:1509.00519; the Fréchet
ChemNet distance where ``fcd`` is installed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from scipy.stats import wasserstein_distance
from torch import Tensor

from orchestrator.latent import chemistry
from orchestrator.latent.molecule_codec import Codec
from orchestrator.latent.molecule_networks import MoleculeVae
from orchestrator.training.molecules import chemnet
from orchestrator.training.molecules.data import MoleculeData
from orchestrator.training.variational import ACTIVE, unit_divergences

_DIVERSITY_SAMPLE = 1_000
_PARALLEL_FROM = 2_000
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Encoder(Protocol):
    """What gives molecules their posteriors."""

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log variances ``n x d`` of sequences ``n x length`` of one length."""


class Decoder(Protocol):
    """What gives points their molecules."""

    def decode(self, points: NDArray[np.float64]) -> list[str | None]:
        """Canonical SMILES of points ``n x d``; None where one is no molecule."""


def figures(
    network: MoleculeVae,
    data: MoleculeData,
    training: NDArray[np.int64],
    held_out: NDArray[np.int64],
    seed: int,
) -> dict[str, Any]:
    """Everything about one trained network; the prior is drawn as often as there are held out."""
    network.eval()
    codec = Codec(network, data.vocabulary, int(data.lengths.max()))
    rng = np.random.default_rng((seed, 1))
    sequences = [data.tokens[i, : data.lengths[i] - 1].tolist() for i in held_out]
    started = time.perf_counter()
    means = codec.encode(sequences)
    encoded = time.perf_counter()
    smiles = codec.decode(means)
    decoded = time.perf_counter()
    exact = [a == data.smiles[i] for a, i in zip(smiles, held_out, strict=True)]
    return {
        "held_out": len(held_out),
        "reconstruction_exact": float(np.mean(exact)),
        "encode_per_second": round(len(held_out) / (encoded - started)),
        "decode_per_second": round(len(held_out) / (decoded - encoded)),
        "threads": torch.get_num_threads(),
        **_posterior(*posteriors(network, data, held_out)),
        **_head(codec, means, data.properties[held_out]),
        **prior(drawn(codec, len(held_out), rng), data, training, held_out, rng),
    }


def posteriors(
    network: Encoder, data: MoleculeData, rows: NDArray[np.int64]
) -> tuple[Tensor, Tensor]:
    """Means and log variances ``n x d`` of molecules, in their order."""
    lengths = data.lengths[rows]
    found, places = [], []
    with torch.inference_mode():
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length)
            tokens = data.tokens[rows[same], :length].astype(np.int64)
            found.append(torch.stack(network.encode(torch.from_numpy(tokens))))
            places.append(same)
    order = np.argsort(np.concatenate(places))
    means, log_variances = torch.cat(found, dim=1)[:, torch.from_numpy(order)]
    return means, log_variances


def _posterior(means: Tensor, log_variances: Tensor) -> dict[str, Any]:
    """Divergence of each unit, and how many are active."""
    divergence = unit_divergences(means, log_variances).mean(dim=0)
    return {
        "active_units": int((means.var(dim=0) > ACTIVE).sum()),
        "kl_nats": float(divergence.sum()),
        "kl_nats_per_unit": [round(value, 3) for value in sorted(divergence.tolist())],
    }


def _head(codec: Codec, means: NDArray[np.float64], actual: NDArray[np.float32]) -> dict[str, Any]:
    if codec.network.head is None:
        return {}
    residual = ((codec.properties(means) - actual) ** 2).mean(axis=0) / actual.var(axis=0)
    names = chemistry.PROPERTIES
    return {f"head_r2_{name}": float(1 - r) for name, r in zip(names, residual, strict=True)}


def prior(
    draws: Sequence[str | None],
    data: MoleculeData,
    training: NDArray[np.int64],
    held_out: NDArray[np.int64],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Molecules of as many draws from the prior as there are held out, against those."""
    smiles = [s for s in draws if s is not None]
    if not smiles:
        return {"prior_valid": 0.0}
    unique = sorted(set(smiles))
    known = {data.smiles[i] for i in training}
    measured = np.array(_parallel(_properties, smiles))
    distances = {
        f"prior_wasserstein_{name}": float(
            wasserstein_distance(measured[:, i], data.properties[held_out, i])
        )
        for i, name in enumerate(chemistry.PROPERTIES)
    }
    return {
        "prior_valid": len(smiles) / len(held_out),
        "prior_unique": len(unique) / len(smiles),
        "prior_novel": float(np.mean([s not in known for s in unique])),
        "prior_internal_diversity": _diversity(unique, rng),
        "prior_best_qed": float(measured[:, 0].max()),
        **distances,
        **_chemnet(smiles, [data.smiles[i] for i in held_out]),
    }


def drawn(codec: Codec, count: int, rng: np.random.Generator) -> list[str | None]:
    """Canonical SMILES of draws from N(0, I), untruncated; None where one is no molecule."""
    return codec.decode(rng.standard_normal((count, codec.network.latent)))


def _chemnet(smiles: Sequence[str], held_out: Sequence[str]) -> dict[str, float]:
    if not chemnet.installed() or len(smiles) < 2:
        return {}
    return {"prior_fcd": chemnet.distance(chemnet.moments(smiles), chemnet.moments(held_out))}


def _diversity(smiles: list[str], rng: np.random.Generator) -> float:
    """1 - mean Tanimoto similarity of Morgan fingerprints (radius 2, 1,024 bits) over pairs."""
    chosen = rng.permutation(len(smiles))[:_DIVERSITY_SAMPLE]
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(smiles[i])) for i in chosen]
    similar = [np.mean(DataStructs.BulkTanimotoSimilarity(p, prints)) for p in prints]
    return float(1 - np.mean(similar))


def _properties(smiles: str) -> tuple[float, float, float]:
    return chemistry.properties(Chem.MolFromSmiles(smiles))


def _parallel(function: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    if len(items) < _PARALLEL_FROM:
        return list(map(function, items))
    # Fresh processes: a forked one would inherit the locks of torch's threads.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return list(pool.map(function, items, chunksize=500))

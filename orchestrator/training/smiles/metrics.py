"""How good an autoencoder of SMILES is, on held-out scaffolds and on draws from its prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import nn
from torch.nn import functional

from orchestrator.latent import chemistry
from orchestrator.latent.smiles_networks import SmilesAutoencoder
from orchestrator.training.smiles.data import SmilesData

Floats = NDArray[np.float64]
DRAWS = 1_000
"""Points from the prior."""
_BLOCK = 256
_TEST_WIDTH, _TEST_STEPS = 128, 200


def means(network: SmilesAutoencoder, tokens: NDArray[np.uint8]) -> Floats:
    """Latent points ``n x d`` of identifiers ``n x length``: means where there is a posterior."""
    network.eval()
    with torch.inference_mode():
        parts = [
            network.encode(torch.from_numpy(tokens[i : i + _BLOCK].astype(np.int64)))[0]
            for i in range(0, len(tokens), _BLOCK)
        ]
    return np.asarray(torch.cat(parts).double().numpy())


def metrics(
    network: SmilesAutoencoder,
    data: SmilesData,
    training: NDArray[np.int64],
    held_out: NDArray[np.int64],
    seed: int,
) -> dict[str, Any]:
    """Reconstruction of the held-out molecules, and what the prior decodes to."""
    points = means(network, data.tokens[held_out])
    written = _decode(network, points)
    texts = data.alphabet.decode(written)
    exact = [text == data.smiles[i] for text, i in zip(texts, held_out, strict=True)]
    lengths = data.lengths[held_out]
    counted = np.arange(data.tokens.shape[1]) < lengths[:, None]
    right = (written == data.tokens[held_out])[counted]
    return {
        "held_out": len(held_out),
        "reconstruction_exact": float(np.mean(exact)),
        "reconstruction_tokens": float(right.mean()),
        **_prior(network, data, {data.smiles[i] for i in training}, seed),
    }


def _decode(network: SmilesAutoencoder, points: Floats) -> NDArray[np.int64]:
    blocks = torch.split(torch.from_numpy(points).float(), _BLOCK)
    return np.asarray(torch.cat([network.decode(block) for block in blocks]).numpy())


def _prior(
    network: SmilesAutoencoder, data: SmilesData, known: set[str], seed: int
) -> dict[str, Any]:
    """Draws from N(0, I): the share that RDKit reads as a molecule; of these, different and new."""
    points = np.random.default_rng((seed, 1)).standard_normal((DRAWS, network.latent))
    texts = data.alphabet.decode(_decode(network, points))
    molecules = [chemistry.parse(text) for text in texts]
    found = [chemistry.canonical(one) for one in molecules if one is not None and one.GetNumAtoms()]
    if not found:
        return {"prior_valid": 0.0}
    unique = sorted(set(found))
    return {
        "prior_valid": len(found) / len(texts),
        "prior_unique": len(unique) / len(found),
        "prior_novel": float(np.mean([one not in known for one in unique])),
        "prior_samples": unique[:: -(-len(unique) // 10)],
    }


def head_metrics(
    read: Floats,
    qed: NDArray[np.float32],
    outcomes: NDArray[np.float32],
    names: Sequence[str],
) -> dict[str, Any]:
    """R2 of QED, and the area under the ROC curve of each outcome that occurs both ways.

    Args:
        read: QED and a score for each outcome, ``n x (1 + k)``.
        qed: true values, shape n.
        outcomes: 0, 1 or NaN, ``n x k``.
        names: of the outcomes.
    """
    areas = {}
    for name, scores, labels in zip(names, read[:, 1:].T, outcomes.T, strict=True):
        known = ~np.isnan(labels)
        if len(np.unique(labels[known])) == 2:
            areas[name] = roc_auc(scores[known], labels[known] == 1)
    return {
        "head_r2_qed": float(1 - ((read[:, 0] - qed) ** 2).mean() / qed.var()),
        "head_roc_auc": float(np.mean(list(areas.values()))) if areas else None,
        "head_roc_auc_by_outcome": areas,
    }


def roc_auc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Share of pairs of a positive and a negative that the scores put in this order, ties half.

    By the Mann-Whitney statistic (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747).
    """
    n = int(positive.sum())
    above = rankdata(scores)[positive].sum() - n * (n + 1) / 2
    return float(above / (n * (len(scores) - n)))


def two_sample_accuracy(codes: Floats, seed: int) -> float:
    """How often a classifier tells codes ``n x d`` from as many draws from N(0, I); 0.5 is chance.

    A network of one hidden layer learns from one half of both and is asked about the other half
    (classifier two-sample test: Lopez-Paz and Oquab 2017, arXiv:1610.06545).
    """
    rng = np.random.default_rng((seed, 2))
    codes = rng.permutation(codes)[: len(codes) // 2 * 2]
    drawn = rng.standard_normal(codes.shape)
    halves = np.stack([codes, drawn]).reshape(2, 2, -1, codes.shape[1]).swapaxes(0, 1)
    learned, asked = torch.from_numpy(halves.reshape(2, -1, codes.shape[1])).float()
    of_prior = torch.arange(2).repeat_interleave(len(asked) // 2).float()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        classifier = nn.Sequential(
            nn.Linear(codes.shape[1], _TEST_WIDTH), nn.ReLU(), nn.Linear(_TEST_WIDTH, 1)
        )
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=1e-3, weight_decay=1e-2)
    for _ in range(_TEST_STEPS):
        optimiser.zero_grad()
        logits = classifier(learned).squeeze(1)
        functional.binary_cross_entropy_with_logits(logits, of_prior).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.inference_mode():
        said = classifier(asked).squeeze(1) > 0
    return float((said == of_prior.bool()).double().mean())

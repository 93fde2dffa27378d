"""Figures of autoencoders of SMILES: the latent plane coloured by QED, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from orchestrator.latent import registry
from orchestrator.latent.protocol import SpaceError
from orchestrator.latent.registry import Model
from orchestrator.latent.restore import restored
from orchestrator.latent.smiles_networks import SmilesAutoencoder
from orchestrator.plots.models import property_planes
from orchestrator.training.smiles_data import SmilesData
from orchestrator.training.smiles_metrics import means


def property_figures(models: Sequence[Model], data: SmilesData) -> Iterator[tuple[str, Figure]]:
    """The first two principal components of each model's latent points of held-out molecules.

    Raises:
        SpaceError: a model was trained on other data.
    """
    _, held_out = data.split()
    planes = []
    for model in models:
        points = means(_network(model, data), data.tokens[held_out])
        planes.append((model.name, *principal_plane(points)))
    yield f"{models[0].name}-latent", property_planes(planes, data.qed[held_out], "QED")


def _network(model: Model, data: SmilesData) -> SmilesAutoencoder:
    card, tensors = registry.load(str(model.folder))
    if (trained := card["data"]["sha256"]) != data.sha256:
        raise SpaceError(
            f"{model.name} was trained on {card['data']['file']} of SHA-256 {trained}, "
            f"and --data has {data.sha256}; name the file that it was trained on"
        )
    return restored(SmilesAutoencoder(**card["network"]), tensors)


def principal_plane(
    points: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points ``n x d`` as ``n x 2`` along their principal axes, and the variance that each holds.

    The sign of an axis, which is arbitrary, is such that its largest component is positive.
    """
    centred = points - points.mean(axis=0)
    _, scales, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    axes *= np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])[:, None]
    return centred @ axes.T, (scales**2 / (scales**2).sum())[:2]

"""Figures of autoencoders of SMILES: the latent plane coloured by QED, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from orchestrator.latent import registry
from orchestrator.latent.registry import Model
from orchestrator.latent.restore import restored
from orchestrator.latent.smiles_networks import SmilesAutoencoder
from orchestrator.plots.landscape import principal_plane
from orchestrator.plots.models import property_planes
from orchestrator.training.all_models import check_data
from orchestrator.training.smiles.data import SmilesData
from orchestrator.training.smiles.metrics import means


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
    check_data(model, data.sha256)
    return restored(SmilesAutoencoder(**card["network"]), tensors)

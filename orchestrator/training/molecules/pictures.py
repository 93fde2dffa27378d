"""Figures of models of molecules: where held-out ones lie, and what the prior decodes to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from orchestrator.latent import chemistry
from orchestrator.latent.protocol import Space
from orchestrator.latent.registry import Model
from orchestrator.plots.landscape import principal_plane
from orchestrator.plots.models import Map, distributions, maps, strips
from orchestrator.plots.molecules import units
from orchestrator.plots.objects import show
from orchestrator.plots.style import MUTED, Floats, title
from orchestrator.training.all_models import molecules_of, space_of
from orchestrator.training.molecules.data import MoleculeData

_NAMES = ("QED", "logP", "synthetic accessibility")
"""Of :data:`orchestrator.latent.chemistry.PROPERTIES`."""
_HELD_OUT, _DRAWS = 2_000, 2_000
_SCATTERED = 1_000
"""Of the held-out molecules, those whose points are drawn."""
_ROWS, _COLUMNS = 4, 8
"""Draws that are shown."""


def molecule_figures(
    models: Sequence[Model], path: Path, cache: Path
) -> Iterator[tuple[str, Figure]]:
    """Of each model its latent plane coloured by property, and its prior beside the data.

    Raises:
        SpaceError: the data cannot be read, or a model was trained on others.
    """
    for model in models:
        data = molecules_of(model, path, cache)
        space = space_of(model)
        _, held_out = data.split(_HELD_OUT)
        yield f"{model.name}-latent", _plane(space, data, held_out[:_SCATTERED].tolist())
        decoded = space.decode(
            space.sample_prior(_DRAWS, np.random.default_rng(1)), np.random.default_rng(1)
        )
        smiles = [str(one.content) for one in decoded if one.valid]
        drawn = np.array([chemistry.properties(chemistry.parse(one)) for one in smiles])
        found = data.properties[held_out].astype(np.float64)
        labels = ("held-out molecules", "draws from the prior")
        yield f"{model.name}-properties", distributions(_NAMES, found, drawn, labels)
        yield f"{model.name}-samples", _samples(space, smiles, drawn)
        metrics = model.card["metrics"]
        if "kl_nats_per_unit" in metrics:
            figure = units(metrics["kl_nats_per_unit"], metrics["active_units"])
            yield f"{model.name}-units", figure


def _plane(space: Space, data: MoleculeData, rows: list[int]) -> Figure:
    """Two principal components of the latent points, once for each property."""
    points, shares = principal_plane(space.encode([data.smiles[i] for i in rows]))
    properties = data.properties[rows].T.astype(np.float64)
    shown = [
        Map("held-out molecules", name, values, points)
        for name, values in zip(_NAMES, properties, strict=True)
    ]
    first, second = (f"component {i + 1} ({share:.0%})" for i, share in enumerate(shares))
    return maps(shown, float(np.quantile(np.abs(points), 0.999)), (first, second))


def _samples(space: Space, smiles: Sequence[str], properties: Floats) -> Figure:
    figure, rows = strips([""] * _ROWS, _COLUMNS, height=0.8)
    panels = [axes for row in rows for axes in row]
    for axes in panels:
        axes.set_axis_off()
    for axes, one, (qed, _, _) in zip(panels, smiles, properties, strict=False):
        show(axes, space, one)
        title(axes, f"QED {qed:.2f}")
        axes.title.set(size=7, color=MUTED)
    return figure

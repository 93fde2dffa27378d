"""The figure of the curve: its points against what each variant makes of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from matplotlib.figure import Figure

from orchestrator.latent import registry
from orchestrator.latent.registry import Model
from orchestrator.latent.restore import restored
from orchestrator.plots.style import BLUE, INK, MUTED, ORANGE, panels, title
from orchestrator.training.curve.autoencoders import draw, pass_through
from orchestrator.training.curve.networks import COLUMNS, VARIANTS, CurveVaes

_POINTS = 600
_SPELLED = {
    "gaussian": "Gaussian, σ = 1",
    "bernoulli": "Bernoulli",
    "learned_from_large": "Gaussian,\nσ learned from 1",
    "learned_from_small": "Gaussian,\nσ learned from 0.02",
}


def curve_figures(model: Model) -> Iterator[tuple[str, Figure]]:
    """One panel a variant; the best one with divergence has an orange title."""
    card, tensors = registry.load(str(model.folder))
    network = restored(CurveVaes(int(card["network"]["hidden"])), tensors)
    points = torch.from_numpy(draw(_POINTS, np.random.default_rng(1))).float()
    found = pass_through(network, points).numpy()
    figure, rows = panels(len(VARIANTS) // COLUMNS, COLUMNS, side=1.75)
    panel = (axes for row in rows for axes in row)
    for variant, after, axes in zip(VARIANTS, found, panel, strict=True):
        axes.plot(*points.T.numpy(), "o", ms=1.6, mew=0, color=MUTED, alpha=0.45)
        axes.plot(*after.T, "o", ms=1.8, mew=0, color=BLUE)
        axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
        rmse = card["metrics"]["rmse"][variant.name]
        latents = "1 latent" if variant.latent == 1 else f"{variant.latent} latents"
        title(axes, f"{latents}, {variant.activation}: {rmse:.1f}")
        best = variant.name == card["metrics"]["best_with_kl"]
        axes.title.set(size=8.5, color=ORANGE if best else INK)
    for row, variant in zip(rows, VARIANTS[::COLUMNS], strict=True):
        kl = "with KL" if variant.kl else "no KL"
        row[0].set_ylabel(f"{_SPELLED[variant.likelihood]}\n{kl}", size=8.5, color=INK)
    figure.suptitle(
        "Points (grey) and what they are decoded to after encoding (blue); "
        "the number is the RMSE in units of the noise",
        size=9.5,
        color=INK,
    )
    yield f"{model.name}-variants", figure

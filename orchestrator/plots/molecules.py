"""Figures of molecule autoencoders, drawn from plain arrays, with the looks of :mod:`.style`."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from orchestrator.plots.style import BLUE, canvas, name_axes
from orchestrator.plots.style import title as set_title


def units(divergences: Sequence[float], active: int) -> Figure:
    """Divergence of each latent unit, the largest first.

    Args:
        divergences: in nats, at least one.
        active: how many of them carry anything.
    """
    figure, axes = canvas()
    ordered = sorted(divergences, reverse=True)
    axes.bar(range(1, len(ordered) + 1), ordered, color=BLUE, width=0.8)
    axes.set_xlim(0, len(ordered) + 1)
    name_axes(axes, "latent unit, by rank", "divergence in nats")
    set_title(axes, f"{active} of {len(ordered)} units active, {sum(ordered):.3g} nats")
    return figure

"""Figures of models of digits: where the test images lie, what comes back, what the plane holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from orchestrator.latent import registry
from orchestrator.latent.digit_networks import SIDE, DigitVae
from orchestrator.latent.digits import LIMIT
from orchestrator.latent.registry import Model
from orchestrator.plots.models import Images, latent_planes, mosaic, reconstructions
from orchestrator.training.data import DigitData
from orchestrator.training.digits import BLOCK

_SHOWN = 36
"""Test images that are shown with what they decode to."""
_MANIFOLD = 15
"""Decoded images a side."""


def plane_figures(models: Sequence[Model], data: DigitData) -> Iterator[tuple[str, Figure]]:
    """All planes side by side; of each model its reconstructions and its manifold."""
    planes = []
    for model in models:
        card, tensors = registry.load(str(model.folder))
        network = DigitVae(**card["network"])
        network.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()})
        network.eval()
        means = encoded(lambda images, n=network: n.encode(images)[0], data.test_images)  # type: ignore[misc]
        planes.append((model.name, means))
        after = decoded(network.grey, means[:_SHOWN])
        yield f"{model.name}-reconstruction", reconstructions(data.test_images[:_SHOWN], after)
        if network.latent == 2:
            yield f"{model.name}-manifold", manifold(network.grey)
    if all(means.shape[1] == 2 for _, means in planes):
        name = f"{models[0].name}-latent"
        yield name, latent_planes(planes, data.test_labels, LIMIT)


def manifold(grey: Callable[[Tensor], Tensor]) -> Figure:
    """What a plane decodes to at equal steps of probability of its normal prior."""
    axis = ndtri((np.arange(_MANIFOLD) + 0.5) / _MANIFOLD)
    z1, z2 = np.meshgrid(axis, axis[::-1])
    images = decoded(grey, np.stack([z1.ravel(), z2.ravel()], axis=1))
    picture = images.reshape(_MANIFOLD, _MANIFOLD, SIDE, SIDE).swapaxes(1, 2)
    text = f"decoded at the {_MANIFOLD} x {_MANIFOLD} quantiles of the prior"
    return mosaic(255 - picture.reshape(_MANIFOLD * SIDE, -1), text)


def encoded(mean: Callable[[Tensor], Tensor], images: Images) -> NDArray[np.float64]:
    """Latent means ``n x d`` of grey images ``n x 28 x 28``."""
    with torch.inference_mode():
        parts = [
            mean(torch.from_numpy(images[start : start + BLOCK]).float().div(255).unsqueeze(1))
            for start in range(0, len(images), BLOCK)
        ]
    return np.asarray(torch.cat(parts).double().numpy())


def decoded(grey: Callable[[Tensor], Tensor], points: NDArray[np.float64]) -> Images:
    """Grey images ``n x 28 x 28`` of points ``n x d``."""
    with torch.inference_mode():
        return np.asarray(grey(torch.from_numpy(points).float()).numpy())

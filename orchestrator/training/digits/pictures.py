"""Figures of models of digits: where the test images lie, what comes back, what the plane holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from adapters.mnist_classifier.network import load
from orchestrator.latent import registry
from orchestrator.latent.asked_digits import Maker, frozen_space, maker
from orchestrator.latent.digit_networks import CLASSES, SIDE
from orchestrator.latent.digits import LIMIT, network_of
from orchestrator.latent.registry import Model
from orchestrator.plots.models import (
    Images,
    latent_planes,
    mosaic,
    named_images,
    norms,
    reconstructions,
)
from orchestrator.plots.style import Floats
from orchestrator.training.data import DigitData
from orchestrator.training.digits.classifiers import BLOCK, load_second_classifier
from orchestrator.training.variational import sample

_SHOWN = 36
"""Test images that are shown with what they decode to."""
_MISREAD = 60
"""Misread test images that are shown at most."""
_MANIFOLD = 15
"""Decoded images a side."""
_ASKED = 16
"""Draws from the prior, of which each digit is made."""


def digit_figures(models: Sequence[Model], data: DigitData) -> Iterator[tuple[str, Figure]]:
    """Of each model its reconstructions, and its manifold or norms; all planes side by side."""
    planes = []
    for model in models:
        network = network_of(*registry.load(str(model.folder)))
        means, drawn = encoded(network.encode, data.test_images)
        after = decoded(network.grey, means[:_SHOWN])
        yield f"{model.name}-reconstruction", reconstructions(data.test_images[:_SHOWN], after)
        if network.latent == 2:
            planes.append((model.name, means))
            yield f"{model.name}-manifold", manifold(network.grey)
        else:
            yield f"{model.name}-norms", norms(drawn, means)
    if planes:
        name = f"{planes[0][0]}-latent"
        yield name, latent_planes(planes, data.test_labels, LIMIT)


def misread_figures(classifiers: Sequence[Model], data: DigitData) -> Iterator[tuple[str, Figure]]:
    """Of each classifier the test images that it misreads, those first of which it was surest."""
    for model in classifiers:
        second = model.card["task"] == "digits-cnn-second"
        read = load_second_classifier(model.folder) if second else load(model.weights)
        said = read.probabilities(data.test_images)
        wrong = np.flatnonzero(said.argmax(axis=1) != data.test_labels)
        wrong = wrong[np.argsort(-said[wrong].max(axis=1), kind="stable")]
        shown = [
            (data.test_images[i], f"{data.test_labels[i]} as {said[i].argmax()}")
            for i in wrong[:_MISREAD].tolist()
        ]
        text = f"{len(wrong)} of {len(said)} test images are misread"
        yield f"{model.name}-misread", named_images(shown, text)


def manifold(grey: Callable[[Tensor], Tensor]) -> Figure:
    """What a plane decodes to at equal steps of probability of its normal prior."""
    axis = ndtri((np.arange(_MANIFOLD) + 0.5) / _MANIFOLD)
    z1, z2 = np.meshgrid(axis, axis[::-1])
    images = decoded(grey, np.stack([z1.ravel(), z2.ravel()], axis=1))
    picture = images.reshape(_MANIFOLD, _MANIFOLD, SIDE, SIDE).swapaxes(1, 2)
    text = f"decoded at the {_MANIFOLD} x {_MANIFOLD} quantiles of the prior"
    return mosaic(255 - picture.reshape(_MANIFOLD * SIDE, -1), text)


def asked_figures(models: Sequence[Model]) -> Iterator[tuple[str, Figure]]:
    """Of models that are asked for a digit: all ten, made of the same draws from the prior."""
    for model in models:
        make = maker(model)
        rng = torch.Generator().manual_seed(0)
        drawn = torch.randn(_ASKED, model.card["network"]["latent"], generator=rng)
        _, images = _made(make, drawn.repeat(CLASSES, 1), np.repeat(np.arange(CLASSES), _ASKED))
        picture = images.reshape(CLASSES, _ASKED, SIDE, SIDE).swapaxes(1, 2)
        text = f"one digit a row, of the same {_ASKED} draws"
        yield f"{model.name}-asked", mosaic(255 - picture.reshape(CLASSES * SIDE, -1), text)


def moves(model: Model, data: DigitData) -> Figure:
    """Where constraints move draws from the prior, beside where images of the digits lie."""
    encode = frozen_space(model.card["space"], model.card["space_sha256"]).encode
    means, _ = encoded(encode, data.test_images)
    rng = torch.Generator().manual_seed(0)
    drawn = torch.randn(len(data.test_labels), 2, generator=rng)
    moved, _ = _made(maker(model), drawn, data.test_labels)
    planes = [
        ("test images, encoded", means),
        ("draws, by digit asked for", drawn.double().numpy()),
        ("the same draws, moved", moved),
    ]
    return latent_planes(planes, data.test_labels, LIMIT)


def _made(make: Maker, drawn: Tensor, digits: NDArray[np.int64]) -> tuple[Floats, Images]:
    """Points ``n x d`` and images ``n x 28 x 28`` that are made of draws, in blocks."""
    with torch.inference_mode():
        blocks = zip(
            torch.split(drawn, BLOCK), torch.split(torch.from_numpy(digits), BLOCK), strict=True
        )
        points, images = zip(*(make(*block) for block in blocks), strict=True)
    return torch.cat(points).double().numpy(), torch.cat(images).numpy()


def encoded(
    posterior: Callable[[Tensor], tuple[Tensor, Tensor]], images: Images
) -> tuple[Floats, Floats]:
    """Latent means and one draw of each posterior, both ``n x d``, of images ``n x 28 x 28``."""
    rng = torch.Generator().manual_seed(0)
    means, drawn = [], []
    with torch.inference_mode():
        for block in torch.split(torch.from_numpy(images), BLOCK):
            mean, log_variance = posterior(block.float().div(255).unsqueeze(1))
            means.append(mean)
            drawn.append(sample(mean, log_variance, rng))
    return torch.cat(means).double().numpy(), torch.cat(drawn).double().numpy()


def decoded(grey: Callable[[Tensor], Tensor], points: Floats) -> Images:
    """Grey images ``n x 28 x 28`` of points ``n x d``."""
    with torch.inference_mode():
        return np.asarray(grey(torch.from_numpy(points).float()).numpy())

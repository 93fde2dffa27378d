"""VAEs of a noisy curve in the plane: why some collapse to a clump, and which ones follow it.

All variants are trained side by side in one run, each with its own weights. What they show:

- A Gaussian likelihood of standard deviation 1 says that an error of 0.2 costs 0.02 nats; to say
  where on the curve a point lies costs several nats of divergence. The best that such a model can
  do is to encode nothing and to decode every point to the mean (Lucas et al. 2019,
  arXiv:1911.02469).
- A Bernoulli likelihood of a coordinate in [0, 1] is no better: near 1/2 its curvature is that of a
  Gaussian of standard deviation 1/2.
- Without the divergence there is no such price, but nothing ties the points to the prior either.
- With a standard deviation that is learned (Rybkin et al. 2021, arXiv:2006.13202) errors can be
  priced at the scale of the noise, which pays for the divergence. Where it starts matters: from 1,
  the mean and then a straight line are found first, and a deviation that fits those prices all else
  too low; from the scale of the noise, the curve is found first.
- With one latent, the curve must be laid out along a line from the first steps on. Most runs tear
  it in pieces, which would have to pass through each other to come into order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from orchestrator.training.curve.networks import VARIANTS, CurveVaes
from orchestrator.training.recipes import Recipe

NOISE = 0.02
"""Standard deviation of either coordinate around the curve."""


class CurveTask:
    """The sum of the losses of all variants, which share nothing.

    ``network``: ``hidden``, the width of the layers, and ``points``, how many are drawn.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        rng = np.random.default_rng((recipe.seed, 0))
        self.points = torch.from_numpy(draw(int(recipe.network["points"]), rng)).float()
        self.held_out = torch.from_numpy(draw(1_000, rng)).float()
        self.data_sha256 = hashlib.sha256(self.points.numpy().tobytes()).hexdigest()
        self.network = CurveVaes(int(recipe.network["hidden"]))

    def data_counts(self) -> dict[str, int]:
        """Points for training and held out."""
        return {"training": len(self.points), "held_out": len(self.held_out)}

    def batches(self, size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """All points once, shuffled."""
        order = rng.permutation(len(self.points))
        return np.array_split(order, max(1, len(order) // size))

    def loss(self, batch: NDArray[np.int64], done: float) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of points; terms are means over the variants that have them."""
        reconstruction, kl = self.network.loss(self.points[batch])
        kl = kl[self.network.get_buffer("_kl").flatten()]
        return reconstruction.sum() + kl.sum(), {
            "reconstruction": reconstruction.mean().item(),
            "kl": kl.mean().item(),
        }

    def evaluate(self) -> dict[str, Any]:
        """On held-out points: the best variant with divergence, and every variant's error.

        ``rmse`` is the root of the mean squared distance between a point and what it is decoded to
        after encoding, in units of the noise; that of the mean of all points is ``rmse_of_mean``.
        """
        found = pass_through(self.network, self.held_out)
        distances = {
            variant.name: _rmse(self.held_out, one) / NOISE
            for variant, one in zip(VARIANTS, found, strict=True)
        }
        with_kl = [variant.name for variant in VARIANTS if variant.kl]
        best = min(with_kl, key=distances.__getitem__)
        return {
            "best_with_kl": best,
            "best_with_kl_rmse": distances[best],
            "rmse_of_mean": _rmse(self.held_out, self.held_out.mean(dim=0)) / NOISE,
            "rmse": distances,
        }

    def card(self) -> Mapping[str, Any]:
        """The width of the layers, and what was drawn."""
        return {"network": dict(self.recipe.network), "noise": NOISE}


def draw(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Points around an S in the unit square, ``n x 2``, uniform along its parameter."""
    t = rng.uniform(-1.0, 1.0, n)
    curve = np.stack([0.5 - 0.35 * np.sin(1.5 * np.pi * t), 0.5 + 0.38 * t], axis=1)
    return np.asarray(curve + NOISE * rng.standard_normal((n, 2)))


def pass_through(model: CurveVaes, points: Tensor) -> Tensor:
    """What points, ``n x 2``, are decoded to from their latent means, ``v x n x 2``."""
    with torch.inference_mode():
        return model.decode(model.encode(points)[0])


def _rmse(points: Tensor, found: Tensor) -> float:
    return float(((points - found) ** 2).sum(dim=1).mean().sqrt())

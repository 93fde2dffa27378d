"""Layers that several networks are made of."""

from __future__ import annotations

from torch import nn


def perceptron(before: int, hidden: int, after: int) -> nn.Sequential:
    """Two rectified hidden layers of one width, from ``n x before`` to ``n x after``."""
    return nn.Sequential(
        nn.Linear(before, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, after),
    )

"""The contract of a proposer: it picks points to evaluate next.

A proposer keeps nothing between calls: the same problem, fit, data, pending points and generator
state give the same proposal, in any process with the same thread count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from orchestrator.latent.protocol import Points, Space
from orchestrator.objective import Objective
from orchestrator.surrogates.protocol import Data, Fit, Floats


@dataclass(frozen=True)
class Problem:
    """What is to be solved."""

    space: Space
    objective: Objective
    at: Literal["proposed", "realised"] = "proposed"
    """Where the surrogate reads a candidate: at its own point, or where its object encodes to."""
    filters: tuple[str, ...] = ()
    """Filters of the space that an object must pass to be evaluated."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """Points to evaluate next, and what was expected of them.

    Raises:
        ValueError: the shapes do not belong together.
    """

    points: Points
    """Shape ``q x d``, distinct, inside the bounds, none of them measured or pending."""
    mean: Floats | None = None
    """Predicted objective, in the spec's own direction, shape q; None without a model."""
    std: Floats | None = None
    """Standard deviation of the predicted objective, shape q."""
    acquisition: Floats | None = None
    """Acquisition value at the time each point was chosen, shape q."""
    state: dict[str, Any] = field(default_factory=dict)
    """How and why these were chosen, as a JSON object."""

    def __post_init__(self) -> None:
        for column in (self.mean, self.std, self.acquisition):
            if self.points.ndim != 2 or (
                column is not None and column.shape != self.points.shape[:1]
            ):
                raise ValueError("a proposal has q x d points and q of everything else")


@runtime_checkable
class Proposer(Protocol):
    """A strategy that picks points."""

    @property
    def needs_fit(self) -> bool:
        """Whether ``propose`` reads the fit; if not, none is made for it."""
        ...

    def propose(
        self,
        problem: Problem,
        fit: Fit | None,
        data: Data,
        pending: Points,
        q: int,
        rng: np.random.Generator,
    ) -> Proposal:
        """Pick q points.

        Args:
            problem: the space and the objective.
            fit: surrogate of the outcomes; present if ``needs_fit``.
            data: what was measured so far, in candidate order; rows may repeat or lack values.
            pending: points whose results are not known yet, as the surrogate reads them,
                ``p x d``.
            q: how many points to pick, at least 1.
            rng: the only source of chance.
        """
        ...

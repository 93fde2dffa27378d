"""The contract of a surrogate: it is fitted to data, and its fit can be stored and rebuilt.

A fit is stored as its ``state``, a JSON object. ``restore`` rebuilds the posterior of a state and
the data that it was fitted to, bit for bit, in any process with the same thread count; so a stored
proposal can be replayed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Data:
    """What a surrogate is fitted to, in candidate order.

    Raises:
        ValueError: the shapes do not belong together; the message gives them.
    """

    points: Floats
    """Shape ``n x d``, in the space's own coordinates."""
    values: Floats
    """Outcomes, shape ``n x m``; NaN where missing or undefined."""
    std: Floats
    """Standard deviations of the outcomes, shape ``n x m``; NaN where unknown."""
    outcomes: tuple[str, ...]
    """Labels of the m outcomes."""
    sides: Floats | None = None
    """Shape ``n x m``: 1 where the true outcome lies above the value, which is a detection limit,
    -1 where it lies below, else 0; None where none is censored."""

    def __post_init__(self) -> None:
        expected = (len(self.points), len(self.outcomes))
        if self.points.ndim != 2 or self.values.shape != expected or self.std.shape != expected:
            raise ValueError(
                f"points {self.points.shape}, values {self.values.shape} and std "
                f"{self.std.shape} are not n x d, n x m and n x m with m = {len(self.outcomes)}"
            )
        if self.sides is not None and self.sides.shape != expected:
            raise ValueError(f"sides {self.sides.shape} is not {expected}")

    @cached_property
    def hash(self) -> str:
        """SHA-256 over shapes, labels and the little-endian bytes of every number."""
        digest = hashlib.sha256(b"assayloop data 1\n")
        digest.update(repr((self.points.shape, self.values.shape, self.outcomes)).encode())
        for array in (self.points, self.values, self.std):
            plain = np.where(np.isnan(array), np.nan, array)  # one bit pattern for every NaN
            digest.update(np.ascontiguousarray(plain, dtype="<f8").tobytes())
        if self.sides is not None:
            digest.update(np.ascontiguousarray(self.sides, dtype="<f8").tobytes())
        return digest.hexdigest()


@runtime_checkable
class Fit(Protocol):
    """A surrogate fitted to data."""

    @property
    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs beside the data, as a JSON object: hyperparameters, counts."""
        ...

    @property
    def model(self) -> Any:
        """A BoTorch ``ModelList`` of one single-outcome model for each outcome, in their order.

        Each gives the posterior in the outcome's own units, at points in the space's coordinates,
        and can be conditioned on observations.
        """
        ...

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the noise-free outcomes at ``n x d`` points.

        Returns:
            Two arrays of shape ``n x m``, in the outcomes' own units.
        """
        ...


@runtime_checkable
class Surrogate(Protocol):
    """A model of the outcomes."""

    def fit(self, data: Data, bounds: Floats, previous: dict[str, Any] | None) -> Fit:
        """Fit to the data; deterministic for one thread count.

        Args:
            data: what was measured; any of it may be missing.
            bounds: limits of the space, shape ``2 x d``.
            previous: state of an earlier fit to start from, or None.
        """
        ...

    def restore(self, state: dict[str, Any], data: Data, bounds: Floats) -> Fit:
        """The fit of a stored state and the data that it was fitted to, bit for bit.

        Raises:
            ValueError: the state belongs to other data or another surrogate.
        """
        ...

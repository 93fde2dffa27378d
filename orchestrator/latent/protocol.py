"""The contract of a space: what every place that candidates live in can do.

Arrays are float64 numpy arrays of shape ``n x d`` unless said otherwise. A space is deterministic:
the same points and generator state give the same objects, for one thread count.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""Shape ``n x d``, in the space's own coordinates."""


class SpaceError(Exception):
    """A space or its model cannot be used as asked; the message is read by a person."""


@dataclass(frozen=True)
class Decoded:
    """What one point decoded to."""

    content: str | bytes | None
    """Canonical text of the object (SMILES) or its bytes (PNG); None where nothing valid is."""
    key: str
    """Canonical key: equal for equal objects; empty where nothing valid came out."""
    valid: bool
    reason: str = ""
    """Why it is invalid, for a person."""


@dataclass(frozen=True)
class Rendering:
    """A picture of an object."""

    media_type: str
    """``image/svg+xml`` or ``image/png``."""
    data: bytes


@runtime_checkable
class Particular(Protocol):
    """What a space is, too, some of whose filters say that what was decoded is no object at all."""

    def fault(self, content: str | bytes, filters: Collection[str]) -> str:
        """Why it is none, by those of these filters that say so; empty where it is one."""
        ...


@runtime_checkable
class Space(Protocol):
    """A place where candidates live."""

    @property
    def sample_kind(self) -> str:
        """Kind of the decoded objects, as evaluators name it: ``molecule``, ``image`` ..."""
        ...

    @property
    def media_type(self) -> str:
        """Media type of ``Decoded.content``: ``chemical/x-daylight-smiles``, ``image/png`` ..."""
        ...

    @property
    def dim(self) -> int:
        """Number of coordinates, d."""
        ...

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Shape ``2 x d``: lower and upper limit of each coordinate that campaigns search."""
        ...

    @property
    def model_hash(self) -> str:
        """SHA-256 of the model that points belong to; empty for a space without one.

        Of all that decides the decoding, as :func:`orchestrator.latent.model_cards.model_hash`
        makes it of a card.
        """
        ...

    @property
    def filters(self) -> Mapping[str, Callable[[str | bytes], bool]]:
        """Known filters by name: whether the content of a valid object passes."""
        ...

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        """Objects of ``n x d`` points, in order. Batched; never raises for an odd point."""
        ...

    def read(self, objects: Sequence[str | bytes]) -> list[Decoded]:
        """Given objects as they would have been decoded: canonical, with its key.

        What is no object of this kind comes back invalid, with the reason. One that the model
        cannot encode is an object all the same: somebody may have measured it.
        """
        ...

    def encode(self, objects: Sequence[str | bytes]) -> Points:
        """Points of n objects, ``n x d``.

        Raises:
            SpaceError: an object is none of this space, or the model cannot write it; the message
                quotes it.
        """
        ...

    def log_prior(self, points: Points) -> NDArray[np.float64]:
        """Log density of the prior at ``n x d`` points, shape ``n``."""
        ...

    def sample_prior(self, n: int, rng: np.random.Generator) -> Points:
        """n draws from the prior inside the bounds, ``n x d``."""
        ...

    def render(self, content: str | bytes) -> Rendering:
        """A picture of one object."""
        ...

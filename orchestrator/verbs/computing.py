"""What propose, decode and refit compute from what they have read.

Neither database nor clock has a part in it: the same arguments give the same bits in any process
with the same thread count, weights and packages. So what is stored can be computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from orchestrator.latent.protocol import Decoded, Particular, Points
from orchestrator.latent.realise import realised
from orchestrator.proposers import registry
from orchestrator.proposers.protocol import Proposal
from orchestrator.surrogates.protocol import Data
from orchestrator.verbs import dataset
from orchestrator.wiring import Parts

PROPOSED_WITH = ("assayloop", "botorch", "gpytorch", "numpy", "scipy", "torch")
"""Distributions on which fits and points depend."""
DECODED_WITH = {"molecule": ("rdkit", "selfies"), "image": ("pillow",)}
"""Distributions on which objects depend beside numpy, torch and our own, by kind of sample."""


@cache
def version(name: str) -> str:
    """Version of an installed distribution; ``none`` where it is not installed."""
    try:
        return installed_version(name)
    except PackageNotFoundError:
        return "none"


def proposed_with() -> dict[str, str]:
    """Versions that are kept with every fit and proposal."""
    return {name: version(name) for name in PROPOSED_WITH}


def decoded_with(sample_kind: str) -> dict[str, str]:
    """Versions that are kept wherever objects of a kind were made of points."""
    names = ("assayloop", "numpy", "torch", *DECODED_WITH.get(sample_kind, ()))
    return {name: version(name) for name in sorted(names)}


def data(session: Session, parts: Parts, position: int) -> Data:
    """The data set of the campaign at a ledger position, as its parts read it."""
    return dataset.data(
        session,
        parts.campaign,
        parts.objective,
        position=position,
        at=parts.spec.surrogate.at,
        dim=parts.space.dim,
    )


def proposal(
    parts: Parts,
    kind: str,
    fit: dict[str, Any] | None,
    known: Data,
    pending: Points,
    q: int,
    stream: Sequence[int],
) -> Proposal:
    """Pick q points.

    Args:
        parts: space, objective, proposers and surrogate.
        kind: name of the proposer.
        fit: state of the fit to restore, or None.
        known: what it was fitted to.
        pending: points under way, p x d.
        q: how many.
        stream: seeds of the random stream.

    Raises:
        ValueError: the fit belongs to other data.
    """
    proposer = parts.proposer if kind == parts.spec.proposer.kind else registry.proposer(kind)
    return proposer.propose(
        parts.problem,
        None if fit is None else parts.surrogate.restore(fit, known, parts.space.bounds),
        known,
        pending,
        q,
        np.random.default_rng(list(stream)),
    )


def decoding(parts: Parts, points: Points, stream: Sequence[int]) -> tuple[list[Decoded], Points]:
    """Objects of points n x d, and where they encode to, n x d."""
    decoded = parts.space.decode(points, np.random.default_rng(list(stream)))
    decoded = [_judged(parts, one) for one in decoded]
    return decoded, realised(parts.space, decoded)


def _judged(parts: Parts, one: Decoded) -> Decoded:
    """What was decoded, or nothing where a filter of the spec says that it is no object."""
    if one.content is None or not isinstance(parts.space, Particular):
        return one
    fault = parts.space.fault(one.content, parts.spec.space.filters)
    return Decoded(None, "", valid=False, reason=fault) if fault else one

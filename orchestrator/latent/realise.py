"""Where objects lie: a decoder loses some of what a point says, so its object encodes elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.latent.protocol import Decoded, Points, Space, SpaceError


def realised(space: Space, decoded: Sequence[Decoded]) -> Points:
    """The realised point of each object, ``n x d``: where it encodes to.

    NaN where there is no object, or where the model cannot read it: a decoder can write what its
    own vocabulary has no word for once it is in canonical form.
    """
    points = np.full((len(decoded), space.dim), np.nan)
    rows = [index for index, one in enumerate(decoded) if one.content is not None]
    points[rows] = _encoded(space, [one.content for one in decoded if one.content is not None])
    return points


def _encoded(space: Space, contents: Sequence[str | bytes]) -> Points:
    """One call where all can be read; else halves, so that a few bad ones cost a few calls."""
    if not contents:
        return np.empty((0, space.dim))
    try:
        return space.encode(contents)
    except SpaceError:
        if len(contents) == 1:
            return np.full((1, space.dim), np.nan)
    middle = len(contents) // 2
    return np.concatenate([_encoded(space, contents[:middle]), _encoded(space, contents[middle:])])

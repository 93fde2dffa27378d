"""Automata as sequences of integers: the transitions state by state, a before b, then the end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orchestrator.latent.transitions import LARGEST, LETTERS, SMALLEST, Tables

END = LARGEST
"""Ends a sequence, starts it for the decoder, and pads it; smaller tokens are states."""
TOKENS = LARGEST + 1
LENGTH = LETTERS * LARGEST + 1
"""Every sequence is padded to this length."""


def tokens_of(tables: Tables) -> NDArray[np.int64]:
    """Sequences ``k x 17`` of tables ``k x n x 2``."""
    tokens = np.full((len(tables), LENGTH), END)
    transitions = tables.shape[1] * LETTERS
    tokens[:, :transitions] = tables.reshape(len(tables), transitions)
    return tokens


def table_of(tokens: NDArray[np.int64]) -> tuple[Tables | None, str]:
    """The table ``1 x n x 2`` of one sequence, or None and why it is no complete automaton."""
    ends = np.flatnonzero(tokens == END)
    found = tokens[: ends[0]] if len(ends) else tokens
    states = len(found) // LETTERS
    if len(found) % LETTERS:
        return None, f"incomplete: {len(found)} transitions of two letters, an odd number"
    if states < SMALLEST:
        return None, f"too small: {states} states"
    if (largest := int(found.max())) >= states:
        return None, f"incomplete: a transition goes to state {largest}, which has none itself"
    return found.reshape(1, states, LETTERS), ""

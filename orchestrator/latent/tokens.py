"""SELFIES as sequences of integers, with frequent neighbours merged into one token.

SELFIES (Krenn et al. 2020, doi:10.1088/2632-2153/aba947) always decodes to a valid molecule, and so
does every concatenation of its tokens. Merging frequent neighbours (byte-pair encoding, Sennrich et
al. 2016, arXiv:1508.07909) keeps that property and makes sequences several times shorter, which
is what a recurrent decoder's time goes into.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import selfies
from numpy.typing import NDArray

from orchestrator.latent.protocol import SpaceError

PAD = 0
END = 1
FIRST = 2
"""Identifier of the first real token; 0 pads and 1 ends (and starts) a sequence."""


@dataclass(frozen=True)
class Vocabulary:
    """Base tokens in a fixed order, then merges in the order they were learned."""

    tokens: tuple[str, ...]
    """Single SELFIES tokens; token i has the identifier ``FIRST + i``."""
    merges: tuple[tuple[int, int], ...]
    """Identifier pairs; merge j has the identifier ``FIRST + len(tokens) + j``."""

    def __len__(self) -> int:
        return FIRST + len(self.tokens) + len(self.merges)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {token: FIRST + i for i, token in enumerate(self.tokens)}

    @cached_property
    def _rank(self) -> dict[tuple[int, int], int]:
        return {pair: j for j, pair in enumerate(self.merges)}

    @cached_property
    def _text(self) -> list[str]:
        text = ["", "", *self.tokens]
        for left, right in self.merges:
            text.append(text[left] + text[right])
        return text

    def encode(self, text: str) -> list[int]:
        """Identifiers of one SELFIES string, without the end token.

        Raises:
            SpaceError: a token was not in the data that the vocabulary was learned on.
        """
        ids = []
        for token in selfies.split_selfies(text):
            if token not in self._index:
                raise SpaceError(f"the model does not know the SELFIES token {token}")
            ids.append(self._index[token])
        offset = FIRST + len(self.tokens)
        while len(ids) > 1:
            rank, pair = min(
                (self._rank.get(pair, len(self.merges)), pair) for pair in pairwise(ids)
            )
            if rank == len(self.merges):
                break
            ids = _merge_list(ids, pair, offset + rank)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """SELFIES of identifiers up to the first end token."""
        parts = []
        for i in ids:
            if i == END:
                break
            parts.append(self._text[i])
        return "".join(parts)


def _merge_list(ids: Sequence[int], pair: tuple[int, int], new: int) -> list[int]:
    """``ids`` with every occurrence of ``pair``, left to right, replaced by ``new``."""
    merged: list[int] = []
    i = 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def learn(texts: Sequence[str], merges: int) -> tuple[Vocabulary, list[NDArray[np.uint16]]]:
    """The vocabulary of SELFIES strings with up to so many merges, and the strings in it.

    Each merge is the most frequent pair of neighbours; a pair seen once is not merged.
    """
    split = [list(selfies.split_selfies(text)) for text in texts]
    tokens = tuple(sorted({token for sequence in split for token in sequence}))
    index = {token: FIRST + i for i, token in enumerate(tokens)}
    flat = np.array([i for s in split for i in [*map(index.__getitem__, s), END]], dtype=np.int64)
    learned: list[tuple[int, int]] = []
    size = FIRST + len(tokens) + merges
    for new in range(FIRST + len(tokens), size):
        inside = (flat[:-1] != END) & (flat[1:] != END)
        counts = np.bincount((flat[:-1] * size + flat[1:])[inside], minlength=1)
        best = int(counts.argmax())
        if counts[best] < 2:
            break
        pair = divmod(best, size)
        flat = _merge_flat(flat, pair, new)
        learned.append(pair)
    ends = np.flatnonzero(flat == END)
    sequences = np.split(flat.astype(np.uint16), ends + 1)[:-1]
    return Vocabulary(tokens, tuple(learned)), [sequence[:-1] for sequence in sequences]


def _merge_flat(flat: NDArray[np.int64], pair: tuple[int, int], new: int) -> NDArray[np.int64]:
    """The same as :func:`_merge_list`, for millions of tokens at once."""
    hit = np.flatnonzero((flat[:-1] == pair[0]) & (flat[1:] == pair[1]))
    if pair[0] == pair[1] and len(hit):
        # In a run of equal tokens hits overlap: left to right, every second one counts.
        start = np.r_[True, np.diff(hit) != 1]
        position = np.arange(len(hit))
        hit = hit[(position - np.maximum.accumulate(np.where(start, position, 0))) % 2 == 0]
    flat = flat.copy()
    flat[hit] = new
    return np.delete(flat, hit + 1)

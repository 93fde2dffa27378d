"""Automata to train on: drawn at random, no two isomorphic, none that is hard to reset.

The automata that campaigns look for have long reset words. Training sees none whose shortest one is
longer than half of Černý's bound, so that a campaign that finds such an automaton found it, and did
not remember it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orchestrator.latent.automaton_tokens import LENGTH, table_of, tokens_of
from orchestrator.latent.protocol import SpaceError
from orchestrator.latent.transitions import (
    LARGEST,
    LETTERS,
    Tables,
    bound,
    canonical,
    codes,
    parse,
    reset_lengths,
    text,
)
from orchestrator.training.data import prepared, write_atomically

SIZES = range(3, LARGEST + 1)
"""Numbers of states that are drawn; with two there is no automaton below half of the bound."""
CELL = 4000
"""Automata kept of one number of states and one reset length: most that are drawn uniformly have
short reset words, and a model of those alone would know nothing of long ones."""
DRAWS = 500_000
"""Automata drawn of each number of states."""
_BLOCK = 20_000
_LOG = logging.getLogger(__name__)
_FEWEST = 100
"""A file with fewer automata is refused."""


@dataclass(frozen=True)
class AutomatonData:
    """Complete synchronizing automata in canonical form, in a fixed order, no two equal."""

    tokens: NDArray[np.int64]
    """Shape ``k x 17``, as the network reads them."""
    lengths: NDArray[np.int64]
    """Reset lengths, shape k."""
    states: NDArray[np.int64]
    """Numbers of states, shape k."""
    skipped: int
    """Lines of a file that were none, or not synchronizing, or isomorphic to another."""
    sha256: str
    """Of the file, or of the tokens where they were drawn."""

    def split(self, held_out: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices for training and held out, at most a tenth; the same every time."""
        order = np.random.default_rng(0).permutation(len(self.tokens))
        held_out = min(held_out, len(order) // 10)
        return order[held_out:], order[:held_out]


def load(path: Path | None, *, seed: int, cache: Path) -> AutomatonData:
    """The automata of a file, or without one those that are drawn; these are drawn once and kept.

    Raises:
        SpaceError: the file is missing, or has too few automata.
    """
    if path is not None:
        return read(path)
    kept = cache / f"automata-{seed}-{DRAWS}-{CELL}.npz"
    if not kept.exists():
        data = drawn(seed, DRAWS, CELL)
        with write_atomically(kept) as file:
            np.savez_compressed(file, tokens=data.tokens, lengths=data.lengths, states=data.states)
    with prepared(kept) as arrays:
        return _whole(arrays["tokens"], arrays["lengths"], arrays["states"])


def drawn(seed: int, draws: int, cell: int) -> AutomatonData:
    """The automata of :func:`draw`, as they are trained on."""
    return _whole(*_joined(draw(seed, draws, cell)))


def _whole(
    tokens: NDArray[np.int64], lengths: NDArray[np.int64], states: NDArray[np.int64]
) -> AutomatonData:
    digest = hashlib.sha256(tokens.astype(np.uint8).tobytes()).hexdigest()
    return AutomatonData(tokens, lengths, states, 0, digest)


def word(tokens: NDArray[np.int64]) -> str:
    """The text of a sequence that is a complete automaton."""
    table, _ = table_of(tokens)
    assert table is not None
    return text(table[0])


def draw(seed: int, draws: int, cell: int) -> Iterator[Tables]:
    """Random automata, in canonical form and all different: one array for each size.

    Each letter begins as a random permutation of the states, of which each image is then replaced
    by a random state with a probability that is itself drawn uniformly. So permutations, which
    make words long, come up as well as uniformly random maps.

    Args:
        seed: the same gives the same automata.
        draws: automata drawn of each size.
        cell: the most that are kept of one size and one reset length, the first drawn.
    """
    for n in SIZES:
        rng = np.random.default_rng((seed, n))
        room = np.full(bound(n) + 1, cell)
        room[0] = 0
        room[bound(n) // 2 + 1 :] = 0
        known: set[int] = set()
        kept = []
        for start in range(0, draws, _BLOCK):
            tables = _random(min(_BLOCK, draws - start), n, rng)
            lengths = reset_lengths(tables)
            wanted = room[lengths] > 0
            tables, lengths = canonical(tables[wanted]), lengths[wanted]
            new = _admit(codes(tables), lengths, room, known)
            kept.append(tables[new])
        yield np.concatenate(kept)


def _random(k: int, n: int, rng: np.random.Generator) -> Tables:
    """k automata of n states."""
    shape = (k, n, LETTERS)
    permuted = rng.permuted(np.broadcast_to(np.arange(n)[:, None], shape), axis=1)
    replaced = rng.random(shape) < rng.random((k, 1, LETTERS))
    return np.where(replaced, rng.integers(n, size=shape), permuted)


def _admit(
    found: NDArray[np.int64], lengths: NDArray[np.int64], room: NDArray[np.int64], known: set[int]
) -> list[int]:
    """Indices of automata that are new while there is room; updates both."""
    new = []
    for index, (code, length) in enumerate(zip(found.tolist(), lengths.tolist(), strict=True)):
        if room[length] and code not in known:
            known.add(code)
            room[length] -= 1
            new.append(index)
    return new


def read(path: Path) -> AutomatonData:
    """Automata of a text file, one a line, in the form of the space, such as ``1230-0120``.

    Lines that are no complete synchronizing automaton, and those that are isomorphic to an earlier
    one, are counted and skipped.

    Raises:
        SpaceError: the file cannot be read, or fewer than 100 automata are left.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpaceError(f"training data {path} cannot be read: {error.strerror}") from error
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    by_size: dict[int, list[Tables]] = {}
    for line in lines:
        try:
            table = parse(line)
        except SpaceError:
            continue
        by_size.setdefault(table.shape[1], []).append(table)
    usable = []
    for _, tables in sorted(by_size.items()):
        stacked = canonical(np.concatenate(tables))
        stacked = stacked[np.sort(np.unique(codes(stacked), return_index=True)[1])]
        usable.append(stacked[reset_lengths(stacked) > 0])
    count = sum(map(len, usable))
    if count < _FEWEST:
        raise SpaceError(
            f"{path}: {count} usable automata; at least {_FEWEST} are needed, one a line, written "
            "as 1230-0120"
        )
    tokens, lengths, states = _joined(usable)
    digest = hashlib.sha256(content).hexdigest()
    if skipped := len(lines) - count:
        why = "no complete synchronizing automaton, or isomorphic to one before"
        _LOG.warning("%s: of %d lines %d were skipped: %s", path, len(lines), skipped, why)
    return AutomatonData(tokens, lengths, states, skipped, digest)


def _joined(
    parts: Iterator[Tables] | list[Tables],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    tokens, lengths, states = [np.empty((0, LENGTH), dtype=np.int64)], [], []
    for tables in parts:
        tokens.append(tokens_of(tables))
        lengths.append(reset_lengths(tables))
        states.append(np.full(len(tables), tables.shape[1]))
    return np.concatenate(tokens), np.concatenate(lengths), np.concatenate(states)

"""Automata as arrays of transitions: their text, canonical form and reset length, many at once.

A deterministic finite automaton without initial and final states is a table of where each state
goes under each letter. A word resets it if it leads from every state to one and the same; an
automaton that has such a word is synchronizing. Černý (1964) conjectured that the shortest one has
at most (n - 1)² letters for n states; two letters and up to 12 states have been searched without a
counterexample (Kisielewicz, Kowalski and Szykuła 2016, doi:10.1007/978-3-319-40946-7_15).
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from orchestrator.latent.protocol import SpaceError

LETTERS = 2
SMALLEST, LARGEST = 2, 8
"""Numbers of states."""
_BLOCK = 4096
"""Automata that are brought into canonical form at a time, so that memory stays small."""

Tables = NDArray[np.int64]
"""Shape ``k x n x 2``: where each of n states goes under each of two letters, for k automata."""


def bound(states: int) -> int:
    """Černý's bound, the largest reset length of so many states."""
    return (states - 1) ** 2


def parse(content: str | bytes, largest: int = LARGEST) -> Tables:
    """The table ``1 x n x 2`` of a text: where the states 0, 1, ... go under a, a hyphen, under b.

    ``1230-0120`` has four states; a leads from 0 to 1, and b leads from 3 to 0.

    Args:
        content: The text.
        largest: The most states that it may have; a digit names 10 at most.

    Raises:
        SpaceError: the text is none, or the automaton is incomplete, too small or too large.
    """
    text = content if isinstance(content, str) else content.decode("utf-8", "backslashreplace")
    found = re.fullmatch(r"([0-9]+)-([0-9]+)", text, flags=re.ASCII)
    if found is None:
        raise SpaceError(f"{text[:60]!r} is no automaton; one is written as 1230-0120")
    under_a, under_b = ([int(digit) for digit in word] for word in found.groups())
    if len(under_a) != len(under_b) or not SMALLEST <= len(under_a) <= largest:
        raise SpaceError(
            f"automaton {text[:60]!r} has {len(under_a)} transitions of a and {len(under_b)} of b; "
            f"it must have as many of either as it has states, {SMALLEST} to {largest}"
        )
    if (last := max(under_a + under_b)) >= len(under_a):
        raise SpaceError(
            f"automaton {text[:60]!r} goes to the state {last}; "
            f"its {len(under_a)} states are counted from 0"
        )
    return np.array([under_a, under_b], dtype=np.int64).T[None]


def text(table: NDArray[np.int64]) -> str:
    """The text of one table ``n x 2``, which :func:`parse` reads."""
    return "-".join("".join(map(str, word)) for word in table.T.tolist())


def codes(tables: Tables) -> NDArray[np.int64]:
    """One number for each table of up to 8 states, shape k: three bits a transition."""
    shifts = 3 * np.arange(tables.shape[1] * LETTERS)
    return np.asarray((tables.reshape(len(tables), len(shifts)) << shifts).sum(axis=1))


def canonical(tables: Tables) -> Tables:
    """The same automata with states and letters renamed: equal for isomorphic ones.

    States are numbered in the order in which a breadth-first walk meets them, under the first
    letter before the second; where the walk ends before all are numbered, it starts anew at one
    that is not. Of all such numberings, from every start and with the letters in either order, the
    one whose rows are first in lexicographic order is canonical. (With one start it is the string
    of Almeida, Moreira and Reis 2007, doi:10.1016/j.tcs.2007.07.029.)
    """
    parts = [_canonical(tables[i : i + _BLOCK]) for i in range(0, len(tables), _BLOCK)]
    return np.concatenate(parts) if parts else tables


def _canonical(tables: Tables) -> Tables:
    """Every numbering at once, row by row; those that fall behind are dropped after each row."""
    k, n, _ = tables.shape
    moves = np.stack([tables, tables[:, :, ::-1]], axis=1).reshape(2 * k, n, LETTERS)
    which = np.arange(2 * k)  # of the moves, two orders of letters for each automaton
    number = np.full((2 * k, n), -1)  # of each state, and the states in this order
    order = np.full((2 * k, n), -1)
    count = np.zeros(2 * k, dtype=np.int64)
    rows = np.empty_like(tables)
    for step in range(n):
        ended, start = np.nonzero((count == step)[:, None] & (number < 0))
        walking = np.flatnonzero(count > step)
        chosen = np.concatenate([walking, ended])
        which, number, order, count = which[chosen], number[chosen], order[chosen], count[chosen]
        fresh = np.arange(len(walking), len(chosen))
        number[fresh, start], order[fresh, step], count[fresh] = step, start, step + 1
        every = np.arange(len(which))
        row = np.empty((len(which), LETTERS), dtype=np.int64)
        for letter in range(LETTERS):
            target = moves[which, order[:, step], letter]
            met = np.flatnonzero(number[every, target] < 0)
            number[met, target[met]], order[met, count[met]] = count[met], target[met]
            count[met] += 1
            row[:, letter] = number[every, target]
        rank = row @ np.array([n, 1])
        first = np.full(k, n * n)
        np.minimum.at(first, which // 2, rank)
        kept = rank == first[which // 2]
        which, number, order, count = which[kept], number[kept], order[kept], count[kept]
        rows[which // 2, step] = row[kept]
    return rows


def reset_lengths(tables: Tables) -> NDArray[np.int64]:
    """Letters of the shortest reset word of each automaton, shape k; 0 where there is none.

    Exact: a breadth-first search over sets of states, as bits, from all states to any single one.
    """
    k, n, _ = tables.shape
    images = np.zeros((k, LETTERS, 1 << n), dtype=np.uint8)
    bits = (1 << tables).astype(np.uint8)
    for state in range(n):
        known = images[:, :, : 1 << state]
        images[:, :, 1 << state : 2 << state] = known | bits[:, state, :, None]
    # Who came to a set of states last: 0 is nobody, and of those of one layer one goes on.
    visitor = np.zeros((k, 1 << n), dtype=np.int32)
    lengths = np.zeros(k, dtype=np.int64)
    row, subset = np.arange(k), np.full(k, (1 << n) - 1)
    length = 0
    while len(row):
        length += 1
        after = np.concatenate([images[row, letter, subset] for letter in range(LETTERS)])
        row = np.tile(row, LETTERS)
        fresh = visitor[row, after] == 0
        row, subset = row[fresh], after[fresh]
        own = np.arange(1, len(row) + 1)
        visitor[row, subset] = own
        lengths[row[subset & (subset - 1) == 0]] = length
        going = (visitor[row, subset] == own) & (lengths[row] == 0)
        row, subset = row[going], subset[going]
    return lengths

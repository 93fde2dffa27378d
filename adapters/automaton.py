"""The shortest reset word of a finite automaton with two letters, by exact search.

An automaton is a text: where the states 0, 1, ... go under letter a, a hyphen, where they go under
letter b. ``1230-0120`` has four states. A word resets it if it leads from every state to the same
one; the search goes breadth first over sets of states, so that the first such word is a shortest.
Černý's bound of n states is (n - 1)², which is the longest that any with up to 12 states needs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from adapters.calculator import Calculator, RejectedError
from adapters.messages import quote
from adapters.protocol import Capabilities, Measure, Sample

SMALLEST, LARGEST = 2, 8
"""Numbers of states."""

MEASURES = (
    Measure(
        "reset_length", lower=1, upper=(LARGEST - 1) ** 2, description="letters of the shortest "
        "word that leads from every state to the same one",
    ),
    Measure(
        "cerny_share", lower=0, upper=1, description="reset length as a share of Černý's bound, "
        "(n - 1)² for n states",
    ),
)  # fmt: skip


class AutomatonEvaluator(Calculator):
    """Reset length of automata; those that no word resets are rejected."""

    def __init__(self) -> None:
        super().__init__(
            Capabilities(
                name="automata",
                version="1",
                sample_kinds=frozenset({"automaton"}),
                measures=MEASURES,
                batch_size=100,
                synchronous=True,
                idempotent=True,
                expected_duration=0.001,
            )
        )

    def calculate(self, sample: Sample, wanted: Sequence[str]) -> Mapping[str, float]:
        """Both measures of an automaton."""
        moves = read_automaton(sample.content)
        word = shortest_reset_word(moves)
        if word is None:
            raise RejectedError(f"no word resets the automaton {quote(sample.content)}")
        share = len(word) / (len(moves[0]) - 1) ** 2
        return {"reset_length": float(len(word)), "cerny_share": share}


def read_automaton(content: str | bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where each state goes under a, and under b.

    Raises:
        RejectedError: the content is no complete automaton of 2 to 8 states.
    """
    if isinstance(content, bytes):
        raise RejectedError(f"{quote(content)} are bytes; an automaton is text such as 1230-0120")
    found = re.fullmatch(r"([0-9]+)-([0-9]+)", content, flags=re.ASCII)
    if found is None:
        raise RejectedError(f"{quote(content)} is no automaton; one is written as 1230-0120")
    n = len(found[1])
    if n != len(found[2]) or not SMALLEST <= n <= LARGEST:
        raise RejectedError(
            f"{quote(content)} has {n} transitions of a and {len(found[2])} of b; an automaton has "
            f"as many of either as it has states, {SMALLEST} to {LARGEST}"
        )
    a, b = (tuple(map(int, word)) for word in found.groups())
    if (largest := max(a + b)) >= n:
        raise RejectedError(
            f"{quote(content)} goes to the state {largest}; its {n} states are counted from 0"
        )
    return a, b


def shortest_reset_word(moves: Sequence[Sequence[int]]) -> str | None:
    """The first in the alphabet of the shortest reset words; None where there is none.

    Args:
        moves: where each of n states goes, letter by letter, a first.
    """
    images = [[1 << target for target in word] for word in moves]
    everything = (1 << len(moves[0])) - 1
    words = {everything: ""}
    layer = [everything]
    while layer:
        after = []
        for subset in layer:
            for letter, image in zip("ab", images, strict=True):
                found = 0
                for state, bit in enumerate(image):
                    if subset >> state & 1:
                        found |= bit
                if found in words:
                    continue
                words[found] = words[subset] + letter
                if found & (found - 1) == 0:
                    return words[found]
                after.append(found)
        layer = after
    return None

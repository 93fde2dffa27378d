"""Token sequences: what is merged comes apart again, and what is unknown is named."""

from __future__ import annotations

import pytest
import selfies
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.latent.protocol import SpaceError
from orchestrator.latent.tokens import END, learn

TEXTS = [
    selfies.encoder(smiles)
    for smiles in ("CCCCCCC", "CCCCC", "c1ccccc1C", "c1ccccc1CCO", "CC(=O)Nc1ccccc1", "CCCC", "C")
]
VOCABULARY, SEQUENCES = learn(TEXTS, merges=12)
BASE = st.lists(st.sampled_from(VOCABULARY.tokens), min_size=1, max_size=40).map("".join)


def test_learning_and_encoding_agree_on_runs_of_equal_tokens_too() -> None:
    """Training would see other sequences than campaigns do."""
    assert [VOCABULARY.encode(text) for text in TEXTS] == [s.tolist() for s in SEQUENCES]
    assert len(SEQUENCES[0]) < 7


@given(BASE)
def test_every_sequence_of_known_tokens_comes_back(text: str) -> None:
    ids = VOCABULARY.encode(text)
    assert VOCABULARY.decode([*ids, END, 5]) == text
    assert all(1 < i < len(VOCABULARY) for i in ids)


def test_a_pair_seen_once_is_not_merged() -> None:
    assert learn(["[C][N]"], merges=5)[0].merges == ()


def test_an_unknown_token_is_named() -> None:
    with pytest.raises(SpaceError, match=r"\[Si\]"):
        VOCABULARY.encode("[C][Si][C]")

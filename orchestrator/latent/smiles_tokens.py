"""SMILES as sequences of small integers, with an element of two letters as one token.

SMILES: Weininger 1988, doi:10.1021/ci00057a005. One-hot sequences of its characters are what the
autoencoder of Gómez-Bombarelli et al. 2018, doi:10.1021/acscentsci.7b00572, reads and writes. Left
as two characters, "Cl" and "Br" would be a carbon or a boron and a letter that means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

END = 0
"""Identifier that ends a sequence, and fills it up to the common length."""
_BRACKET = re.compile(r"(\[[^\]]*\])")
_OUTSIDE = re.compile(r"Cl|Br|.")
_INSIDE = re.compile(r"[A-Z][a-z]|se|as|te|.")
"""Between brackets a capital and a small letter are always one element; outside, "Sc" is a sulphur
and an aromatic carbon."""


def split(smiles: str) -> list[str]:
    """Tokens of a SMILES; joined they are the text again."""
    parts = enumerate(_BRACKET.split(smiles))
    return [token for i, part in parts for token in (_INSIDE if i % 2 else _OUTSIDE).findall(part)]


@dataclass(frozen=True)
class Alphabet:
    """The tokens of a data set in a fixed order; token i has the identifier ``1 + i``."""

    tokens: tuple[str, ...]

    def __len__(self) -> int:
        return 1 + len(self.tokens)

    @classmethod
    def of(cls, smiles: Iterable[str]) -> Alphabet:
        """All tokens of some SMILES, sorted."""
        return cls(tuple(sorted({token for text in smiles for token in split(text)})))

    @cached_property
    def _index(self) -> dict[str, int]:
        return {token: 1 + i for i, token in enumerate(self.tokens)}

    def encode(self, smiles: Sequence[str], length: int) -> NDArray[np.uint8]:
        """Identifiers ``n x length``, each row with at least one end.

        Raises:
            KeyError: a token is not of this alphabet.
            ValueError: a SMILES has ``length`` tokens or more.
        """
        rows = np.full((len(smiles), length), END, dtype=np.uint8)
        for row, text in zip(rows, smiles, strict=True):
            found = [self._index[token] for token in split(text)]
            if len(found) >= length:
                raise ValueError(f"{text} has {len(found)} tokens; at most {length - 1} fit")
            row[: len(found)] = found
        return rows

    def decode(self, rows: NDArray[np.integer[Any]]) -> list[str]:
        """The texts of identifiers ``n x length``, each up to its first end."""
        texts = []
        for row in rows.tolist():
            stop = row.index(END) if END in row else len(row)
            texts.append("".join(self.tokens[i - 1] for i in row[:stop]))
        return texts

"""Between points and molecules: the network, the token sequences it knows, and SMILES.

A point that lies in the posterior of the molecule that the decoder writes there decodes to that
molecule. Most of the space is not like that: between the molecules that a model was trained on lie
many points at which its decoder writes what no chemist would make. There the language model helps
to write, and what it wrote is encoded and written once more: a step of a walk to where the model
knows molecules (Bengio et al. 2013, arXiv:1305.6663).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import selfies
import torch
from numpy.typing import NDArray
from scipy.special import chdtri

from orchestrator.latent import chemistry
from orchestrator.latent.blocks import in_blocks
from orchestrator.latent.molecule_networks import MoleculeVae
from orchestrator.latent.protocol import Points, SpaceError
from orchestrator.latent.tokens import END, Vocabulary

_FLUENCY = 4.0
"""Weight of the language model's log probabilities beside the decoder's where it helps."""
_OUTSIDE = 0.01
"""A point lies in a molecule's posterior unless it is further out than all but this share of it."""
_READ = 8
"""The encoder's blocks are small, since each is of sequences of one length."""
_KEPT = 8192
"""Molecules remembered: a walk reads what it wrote, a search encodes what it decoded, and many
points decode to one molecule."""


class Codec:
    """The network between molecules and points, in blocks of one size."""

    def __init__(self, network: MoleculeVae, vocabulary: Vocabulary, longest: int) -> None:
        self.network = network
        self.vocabulary = vocabulary
        self.longest = longest
        """No decoded sequence is longer than the longest one of the training data."""
        self.tokens = lru_cache(_KEPT)(self._tokens)
        self._posteriors_kept: dict[tuple[int, ...], NDArray[np.float64]] = {}

    def decode(self, points: Points) -> list[str | None]:
        """Canonical SMILES of points ``n x d``; None where a point decodes to no molecule."""
        sequences = self._write(points)
        found: list[str | None] = [None] * len(points)
        for i in np.flatnonzero(self._held(points, sequences)).tolist():
            smiles = smiles_of(self.vocabulary.decode(sequences[i]))
            # Of several ways to write a molecule the encoder was shown the canonical one.
            if self._known(smiles) == sequences[i]:
                found[i] = smiles
        rest = [i for i, smiles in enumerate(found) if smiles is None]
        for i, smiles in zip(rest, self._walked(points[rest]), strict=True):
            found[i] = smiles
        return found

    def _held(self, points: Points, sequences: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
        """Whether each point lies in the posterior of its sequence, shape ``n``."""
        means, variances = self._posteriors(sequences)
        distances = ((points - means) ** 2 / variances).sum(axis=1)
        return np.asarray(distances <= chdtri(points.shape[1], _OUTSIDE))

    def _walked(self, points: Points) -> list[str | None]:
        """What is written fluently at points, and again at where that encodes to."""
        found = self._fluent(points)
        known = {i: ids for i, one in enumerate(found) if (ids := self._known(one)) is not None}
        again = self._fluent(self.encode(list(known.values())))
        for i, smiles in zip(known, again, strict=True):
            found[i] = smiles or found[i]
        return found

    def _fluent(self, points: Points) -> list[str | None]:
        return [
            smiles_of(self.vocabulary.decode(sequence))
            for sequence in self._write(points, _FLUENCY)
        ]

    def _write(self, points: Points, fluency: float = 0.0) -> list[list[int]]:
        """Token sequences of points ``n x d``, without end tokens."""
        write = partial(self.network.write, longest=self.longest, fluency=fluency)
        blocks = in_blocks(write, points.astype(np.float32))
        return [_ended(sequence) for _, block in blocks for sequence in block.tolist()]

    def _tokens(self, smiles: str) -> list[int]:
        """Identifiers of a canonical SMILES, without the end token.

        Raises:
            SpaceError: it cannot be written as SELFIES, or has a token that the model never saw.
        """
        try:
            return self.vocabulary.encode(selfies.encoder(smiles))
        except (SpaceError, selfies.EncoderError) as error:
            raise SpaceError(f"SMILES {smiles!r} cannot be encoded: {error}") from error

    def _known(self, smiles: str | None) -> list[int] | None:
        try:
            return None if smiles is None else self.tokens(smiles)
        except SpaceError:
            return None

    def encode(self, sequences: Sequence[Sequence[int]]) -> Points:
        """Posterior means ``n x d`` of token sequences without their end token."""
        return np.asarray(self._posteriors(sequences)[0])

    def _posteriors(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Posterior means and variances, ``2 x n x d``."""
        asked = [tuple(sequence) for sequence in sequences]
        kept = self._posteriors_kept
        if len(kept) > _KEPT:
            kept.clear()
        by_length: dict[int, list[tuple[int, ...]]] = {}
        for sequence in dict.fromkeys(asked):
            if sequence not in kept:
                by_length.setdefault(len(sequence), []).append(sequence)
        for members in by_length.values():
            tokens = np.array([(*sequence, END) for sequence in members])
            for rows, block in in_blocks(self._posterior, tokens, _READ):
                kept.update(zip(members[rows], block.double().numpy(), strict=True))
        found = np.empty((2, len(asked), self.network.latent))
        for i, sequence in enumerate(asked):
            found[:, i] = kept[sequence]
        return found

    def _posterior(self, tokens: torch.Tensor) -> torch.Tensor:
        """Posterior means and variances ``n x 2 x d`` of tokens ``n x length``, end included."""
        mean, log_variance = self.network.encode(tokens)
        return torch.stack([mean, log_variance.exp()], dim=1)

    def properties(self, points: Points) -> NDArray[np.float64]:
        """The head's QED, logP and synthetic accessibility at points, ``n x 3``.

        Raises:
            SpaceError: the model was trained without labels, and has no head.
        """
        if self.network.head is None:
            raise SpaceError("this model was trained without properties, and predicts none")
        with torch.inference_mode():
            values = self.network.properties(torch.from_numpy(points).float())
            values = values * self.network.std_properties + self.network.mean_properties
            return np.asarray(values.double().numpy())


def _ended(tokens: list[int]) -> list[int]:
    return tokens[: tokens.index(END)] if END in tokens else tokens


def vocabulary_of(card: dict[str, Any]) -> Vocabulary:
    """The vocabulary that a model card carries."""
    stored = card["vocabulary"]
    return Vocabulary(tuple(stored["tokens"]), tuple((a, b) for a, b in stored["merges"]))


@lru_cache(_KEPT)
def smiles_of(text: str) -> str | None:
    """Canonical SMILES of a SELFIES string; None where RDKit refuses it or nothing is left.

    A token such as ``[C@@H1]`` where the string ends leaves a radical; it is given its hydrogen.
    """
    molecule = chemistry.parse(selfies.decoder(text)) if text else None
    if molecule is None or molecule.GetNumAtoms() == 0:
        return None
    chemistry.saturate(molecule)
    # Reading the canonical form once more settles what the first reading leaves open.
    again = chemistry.parse(chemistry.canonical(molecule))
    return None if again is None else chemistry.canonical(again)

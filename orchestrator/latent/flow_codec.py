"""Between base points of a flow and molecules, by the decoder alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import selfies
import torch
from numpy.typing import NDArray
from torch import Tensor

from orchestrator.latent.blocks import in_blocks
from orchestrator.latent.flow_networks import FlowVae
from orchestrator.latent.flow_writing import Writer
from orchestrator.latent.molecule_codec import smiles_of
from orchestrator.latent.protocol import Points, SpaceError
from orchestrator.latent.tokens import END, Vocabulary

_READ = 8
"""The encoder's blocks are small, since each is of sequences of one length."""
_KEPT = 8192


class FlowCodec:
    """Points to codes by the flow, codes to tokens by the decoder, and back by the encoder."""

    def __init__(self, network: FlowVae, vocabulary: Vocabulary, longest: int) -> None:
        self.network = network
        self.vocabulary = vocabulary
        self.longest = longest
        """No decoded sequence is longer than the longest one of the training data."""
        self.tokens = lru_cache(_KEPT)(self._tokens)
        self._inverses = network.flow.inverses()
        self._writer = Writer(network)

    def decode(self, points: Points) -> list[str | None]:
        """Canonical SMILES of points ``n x d``; None where a point decodes to no molecule."""
        return [smiles_of(self.vocabulary.decode(sequence)) for sequence in self.write(points)]

    def write(self, points: Points) -> list[list[int]]:
        """Token sequences of points ``n x d``, without end tokens."""
        blocks = [block for _, block in in_blocks(self._begin, points.astype(np.float32))]
        return self._writer.write(torch.cat(blocks), self.longest) if blocks else []

    def _begin(self, points: Tensor) -> Tensor:
        return self._writer.begin(self.network.flow.from_base(points, self._inverses))

    def encode(self, sequences: Sequence[Sequence[int]]) -> Points:
        """Base points ``n x d`` of posterior means, of token sequences without their end token."""
        found = np.empty((len(sequences), self.network.latent))
        by_length: dict[int, list[int]] = {}
        for i, sequence in enumerate(sequences):
            by_length.setdefault(len(sequence), []).append(i)
        for rows in by_length.values():
            tokens = np.array([(*sequences[i], END) for i in rows])
            for part, block in in_blocks(self._read, tokens, _READ):
                found[rows[part]] = block.double().numpy()
        return found

    def _read(self, tokens: Tensor) -> Tensor:
        return self.network.flow.to_base(self.network.encode(tokens)[0])[0]

    def properties(self, points: Points) -> NDArray[np.float64]:
        """Nothing.

        Raises:
            SpaceError: such a model is trained without labels, and has no head.
        """
        raise SpaceError("this model was trained without properties, and predicts none")

    def _tokens(self, smiles: str) -> list[int]:
        """Identifiers of a canonical SMILES, without the end token.

        Raises:
            SpaceError: it cannot be written as SELFIES, or has a token that the model never saw.
        """
        try:
            return self.vocabulary.encode(selfies.encoder(smiles))
        except (SpaceError, selfies.EncoderError) as error:
            raise SpaceError(f"SMILES {smiles!r} cannot be encoded: {error}") from error

"""The autoencoder of molecules whose codes have a learned prior, shared by training and space.

An encoder of token sequences, a decoder that sees the code at every step, and a flow from a
standard normal to the codes, which is the prior: points are searched where the flow begins.
A learned prior of an autoencoder's codes: Chen et al. 2017, arXiv:1611.02731.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orchestrator.latent.flows import Flow
from orchestrator.latent.molecule_networks import shifted
from orchestrator.latent.tokens import PAD

_NARROWEST, _WIDEST = -10.0, 2.0
"""Limits of a posterior's log variance."""


class FlowVae(nn.Module):
    """Bidirectional GRU encoder, GRU decoder, and a flow as the prior of its codes.

    Sequences of one batch have one length: nothing is padded while encoding.
    """

    def __init__(
        self,
        vocabulary: int,
        latent: int = 64,
        embedding: int = 128,
        encoder: int = 320,
        decoder: int = 384,
        layers: int = 12,
        hidden: int = 224,
    ) -> None:
        super().__init__()
        self.latent = latent
        self.embedding = nn.Embedding(vocabulary, embedding, padding_idx=PAD)
        self.encoder = nn.GRU(embedding, encoder, bidirectional=True, batch_first=True)
        self.posterior = nn.Linear(4 * encoder, 2 * latent)
        self.start = nn.Linear(latent, decoder)
        self.decoder = nn.GRU(embedding + latent, decoder, batch_first=True)
        self.output = nn.Sequential(
            nn.Linear(decoder + latent, embedding), nn.GELU(), nn.Linear(embedding, vocabulary)
        )
        self.flow = Flow(latent, layers, hidden)

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance of codes, each ``n x d``, of tokens ``n x length``.

        Tokens end with the end token and are not padded.
        """
        out, hidden = self.encoder(self.embedding(tokens))
        read = torch.cat([hidden[0], hidden[1], out.max(dim=1).values], dim=1)
        mean, log_variance = self.posterior(read).chunk(2, dim=1)
        return mean, log_variance.clamp(_NARROWEST, _WIDEST)

    def logits(self, codes: Tensor, tokens: Tensor, before: Tensor | None = None) -> Tensor:
        """Logits ``n x length x vocabulary`` of each token given those before it.

        Args:
            codes: ``n x d``.
            tokens: ``n x length``.
            before: what stands before each token, where that is not the true one.
        """
        before = shifted(tokens) if before is None else before
        repeated = codes.unsqueeze(1).expand(-1, tokens.shape[1], -1)
        inputs = torch.cat([self.embedding(before), repeated], dim=2)
        hidden, _ = self.decoder(inputs, torch.tanh(self.start(codes)).unsqueeze(0))
        logits: Tensor = self.output(torch.cat([hidden, repeated], dim=2))
        return logits

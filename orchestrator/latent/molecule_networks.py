"""The variational autoencoder of molecules, shared by its training and its space.

A recurrent autoencoder of token sequences with a property head, after Gómez-Bombarelli et al. 2018,
doi:10.1021/acscentsci.7b00572; gated recurrent units: Cho et al. 2014, arXiv:1406.1078. The decoder
sees the latent point at every step, so that it cannot forget it along the sequence.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orchestrator.latent.tokens import END, PAD

PROPERTIES = 3


class MoleculeVae(nn.Module):
    """Bidirectional GRU encoder, GRU decoder, property head.

    Sequences of one batch have one length: nothing is padded while encoding.
    """

    mean_properties: Tensor
    std_properties: Tensor

    def __init__(
        self,
        vocabulary: int,
        latent: int = 56,
        embedding: int = 128,
        encoder: int = 256,
        decoder: int = 512,
        head: int = 128,
    ) -> None:
        super().__init__()
        self.latent = latent
        self.embedding = nn.Embedding(vocabulary, embedding, padding_idx=PAD)
        self.encoder = nn.GRU(embedding, encoder, bidirectional=True, batch_first=True)
        self.posterior = nn.Linear(2 * encoder, 2 * latent)
        self.start = nn.Linear(latent, decoder)
        self.decoder = nn.GRU(embedding + latent, decoder, batch_first=True)
        self.output = nn.Sequential(
            nn.Linear(decoder, embedding), nn.GELU(), nn.Linear(embedding, vocabulary)
        )
        self.head = nn.Sequential(nn.Linear(latent, head), nn.GELU(), nn.Linear(head, PROPERTIES))
        self.register_buffer("mean_properties", torch.zeros(PROPERTIES))
        self.register_buffer("std_properties", torch.ones(PROPERTIES))

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance, each ``n x d``, of tokens ``n x length``.

        Tokens end with the end token and are not padded.
        """
        _, hidden = self.encoder(self.embedding(tokens))
        both = torch.cat([hidden[0], hidden[1]], dim=1)
        mean, log_variance = self.posterior(both).chunk(2, dim=1)
        return mean, log_variance.clamp(-12.0, 4.0)

    def logits(self, points: Tensor, tokens: Tensor) -> Tensor:
        """Logits ``n x length x vocabulary`` of each token given those before it."""
        before = torch.cat([torch.full_like(tokens[:, :1], END), tokens[:, :-1]], dim=1)
        repeated = points.unsqueeze(1).expand(-1, tokens.shape[1], -1)
        inputs = torch.cat([self.embedding(before), repeated], dim=2)
        hidden, _ = self.decoder(inputs, torch.tanh(self.start(points)).unsqueeze(0))
        logits: Tensor = self.output(hidden)
        return logits

    def properties(self, points: Tensor) -> Tensor:
        """Standardised QED, logP and synthetic accessibility, ``n x 3``, of points ``n x d``."""
        values: Tensor = self.head(points)
        return values

    @torch.inference_mode()
    def decode(self, points: Tensor, longest: int) -> Tensor:
        """Most probable tokens one after the other, ``n x length``, of points ``n x d``.

        Stops when every sequence has ended, at ``longest`` tokens at the latest.
        """
        n = len(points)
        hidden = torch.tanh(self.start(points)).unsqueeze(0)
        token = torch.full((n, 1), END)
        repeated = points.unsqueeze(1)
        ended = torch.zeros(n, dtype=torch.bool)
        steps = []
        for _ in range(longest):
            inputs = torch.cat([self.embedding(token), repeated], dim=2)
            out, hidden = self.decoder(inputs, hidden)
            token = self.output(out).argmax(dim=2)
            steps.append(token)
            ended |= token.squeeze(1) == END
            if bool(ended.all()):
                break
        return torch.cat(steps, dim=1)

"""The variational autoencoder of molecules, shared by its training and its space.

A recurrent autoencoder of token sequences with a property head, after Gómez-Bombarelli et al. 2018,
doi:10.1021/acscentsci.7b00572; gated recurrent units: Cho et al. 2014, arXiv:1406.1078. The decoder
sees the latent point at every step, so that it cannot forget it along the sequence. A language
model that knows no point can have a say in each token, as in shallow fusion (Gulcehre et al. 2015,
arXiv:1503.03535): where the point leaves the decoder in doubt, the molecule then comes out as
molecules are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orchestrator.latent.tokens import END, PAD

PROPERTIES = 3


class Language(nn.Module):
    """What follows what in token sequences: a GRU that knows nothing but the tokens before."""

    def __init__(self, vocabulary: int, embedding: int = 96, hidden: int = 256) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.gru = nn.GRU(embedding, hidden, batch_first=True)
        self.output = nn.Sequential(
            nn.Linear(hidden, embedding), nn.GELU(), nn.Linear(embedding, vocabulary)
        )

    def forward(self, before: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits ``n x length x vocabulary`` of what follows each token, and the state after."""
        out, hidden = self.gru(self.embedding(before), hidden)
        return self.output(out), hidden


class MoleculeVae(nn.Module):
    """Bidirectional GRU encoder, GRU decoder, property head, and a language model beside them.

    Sequences of one batch have one length: nothing is padded while encoding. ``head`` is the width
    of the property head, 0 for none.
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
        self.head = _head(latent, head) if head else None
        self.language = Language(vocabulary)
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
        before = shifted(tokens)
        repeated = points.unsqueeze(1).expand(-1, tokens.shape[1], -1)
        inputs = torch.cat([self.embedding(before), repeated], dim=2)
        hidden, _ = self.decoder(inputs, torch.tanh(self.start(points)).unsqueeze(0))
        logits: Tensor = self.output(hidden)
        return logits

    def properties(self, points: Tensor) -> Tensor:
        """Standardised QED, logP and synthetic accessibility, ``n x 3``, of points ``n x d``.

        With no head there are none of them, ``n x 0``.
        """
        return points[:, :0] if self.head is None else self.head(points)

    @torch.inference_mode()
    def write(self, points: Tensor, longest: int, fluency: float = 0.0) -> Tensor:
        """Most probable tokens one after the other, ``n x length``, of points ``n x d``.

        ``fluency`` is the weight of the language model's log probabilities beside the decoder's.
        Stops when every sequence has ended, at ``longest`` tokens at the latest.
        """
        n = len(points)
        hidden = torch.tanh(self.start(points)).unsqueeze(0)
        spoken: Tensor | None = None
        token = torch.full((n, 1), END)
        repeated = points.unsqueeze(1)
        ended = torch.zeros(n, dtype=torch.bool)
        steps = []
        for _ in range(longest):
            inputs = torch.cat([self.embedding(token), repeated], dim=2)
            out, hidden = self.decoder(inputs, hidden)
            scores = self.output(out)
            if fluency:
                said, spoken = self.language(token, spoken)
                scores = scores.log_softmax(dim=2) + fluency * said.log_softmax(dim=2)
            token = scores.argmax(dim=2)
            steps.append(token)
            ended |= token.squeeze(1) == END
            if bool(ended.all()):
                break
        return torch.cat(steps, dim=1)


def _head(latent: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(latent, width), nn.GELU(), nn.Linear(width, PROPERTIES))


def shifted(tokens: Tensor) -> Tensor:
    """The token before each of ``n x length``; before the first one, the end."""
    return torch.cat([torch.full_like(tokens[:, :1], END), tokens[:, :-1]], dim=1)

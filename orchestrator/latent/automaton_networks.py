"""The variational autoencoder of automata, shared by its training and its space.

A one-dimensional convolutional encoder and a recurrent decoder of sequences, with a head that
reads the reset length, after Gómez-Bombarelli et al. 2018, doi:10.1021/acscentsci.7b00572; gated
recurrent units: Cho et al. 2014, arXiv:1406.1078. The decoder sees the latent point at every step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from orchestrator.latent.automaton_tokens import END, LENGTH, TOKENS


class AutomatonVae(nn.Module):
    """Convolutional encoder, GRU decoder, head for the reset length; sequences have 17 tokens."""

    mean_length: Tensor
    std_length: Tensor

    def __init__(
        self, latent: int = 16, channels: int = 96, decoder: int = 192, head: int = 64
    ) -> None:
        super().__init__()
        self.latent = latent
        narrowed = (LENGTH + 3) // 4
        self.encoder = nn.Sequential(
            nn.Conv1d(TOKENS, channels, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(channels, channels, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(channels, 2 * channels, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(2 * channels * narrowed, 2 * channels),
            nn.GELU(),
            nn.Linear(2 * channels, 2 * latent),
        )
        self.start = nn.Linear(latent, decoder)
        self.decoder = nn.GRU(TOKENS + latent, decoder, batch_first=True)
        self.output = nn.Linear(decoder, TOKENS)
        self.head = nn.Sequential(nn.Linear(latent, head), nn.GELU(), nn.Linear(head, 1))
        self.register_buffer("mean_length", torch.zeros(()))
        self.register_buffer("std_length", torch.ones(()))

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance, each ``n x d``, of tokens ``n x 17``."""
        mean, log_variance = self.encoder(_one_hot(tokens).transpose(1, 2)).chunk(2, dim=1)
        return mean, log_variance.clamp(-12.0, 4.0)

    def logits(self, points: Tensor, tokens: Tensor) -> Tensor:
        """Logits ``n x 17 x 9`` of each token given those before it."""
        before = torch.cat([torch.full_like(tokens[:, :1], END), tokens[:, :-1]], dim=1)
        repeated = points.unsqueeze(1).expand(-1, tokens.shape[1], -1)
        inputs = torch.cat([_one_hot(before), repeated], dim=2)
        hidden, _ = self.decoder(inputs, torch.tanh(self.start(points)).unsqueeze(0))
        logits: Tensor = self.output(hidden)
        return logits

    def reset_length(self, points: Tensor) -> Tensor:
        """Standardised reset length that the head reads, shape n, at points ``n x d``."""
        return self.head(points).squeeze(1)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def decode(self, points: Tensor) -> Tensor:
        """Most probable tokens one after the other, ``n x 17``, of points ``n x d``."""
        hidden = torch.tanh(self.start(points)).unsqueeze(0)
        token = torch.full((len(points), 1), END)
        steps = []
        for _ in range(LENGTH):
            inputs = torch.cat([_one_hot(token), points.unsqueeze(1)], dim=2)
            out, hidden = self.decoder(inputs, hidden)
            token = self.output(out).argmax(dim=2)
            steps.append(token)
        return torch.cat(steps, dim=1)


def _one_hot(tokens: Tensor) -> Tensor:
    return functional.one_hot(tokens, TOKENS).float()

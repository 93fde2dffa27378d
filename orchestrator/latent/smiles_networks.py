"""Autoencoders of one-hot SMILES: convolutional encoder, recurrent or convolutional decoder.

After Gómez-Bombarelli et al. 2018, doi:10.1021/acscentsci.7b00572; batch normalisation: Ioffe and
Szegedy 2015, arXiv:1502.03167. Nearest upsampling before a convolution, instead of a transposed
convolution, spreads what it knows evenly over the positions (Odena et al. 2016,
doi:10.23915/distill.00003).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from orchestrator.latent.layers import perceptron
from orchestrator.latent.smiles_tokens import END

Posterior = Literal["point", "standardised", "normal"]
"""What the encoder gives: a point, a point whose coordinates have mean 0 and variance 1 over the
data, or mean and log variance of a normal distribution."""
DecoderKind = Literal["gru", "upsampling"]
REDUCTION = 4
"""The encoder halves the length twice, so that it must be a multiple of this."""
_KERNEL = 5
"""Tokens that a convolution sees at once: about an atom with its bond, branch and ring marks."""


class SmilesAutoencoder(nn.Module):
    """Encoder, decoder, and a property head where ``head`` is its width.

    Args:
        vocabulary: number of identifiers, the end included.
        length: of the padded sequences, a multiple of ``REDUCTION``.
        latent: dimension of the latent space.
        channels: of the first convolution; the second has twice as many.
        hidden: width of the dense layer between convolutions and latent space.
        posterior: what the encoder gives.
        decoder: all positions at once from upsampled features, or token by token.
        head: width of the two hidden layers of the property head; 0 for none.
        outcomes: the head has one output for QED and one for each of these.
    """

    def __init__(
        self,
        vocabulary: int,
        length: int,
        latent: int = 256,
        channels: int = 64,
        hidden: int = 1024,
        posterior: Posterior = "normal",
        decoder: DecoderKind = "upsampling",
        head: int = 0,
        outcomes: int = 0,
    ) -> None:
        super().__init__()
        self.vocabulary, self.latent, self.posterior = vocabulary, latent, posterior
        flat = 2 * channels * (length // REDUCTION)
        self.encoder = nn.Sequential(
            *_convolution(vocabulary, channels, stride=2),
            *_convolution(channels, 2 * channels, stride=2),
            nn.Flatten(),
            nn.Linear(flat, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2 * latent if posterior == "normal" else latent),
        )
        if posterior == "standardised":
            self.encoder.append(nn.BatchNorm1d(latent, affine=False))
        build = GruDecoder if decoder == "gru" else UpsamplingDecoder
        self.decoder = build(vocabulary, length, latent, channels, hidden)
        self.head = perceptron(latent, head, 1 + outcomes) if head else None

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor | None]:
        """Points ``n x d`` of identifiers ``n x length``: the mean, and its log variance if any."""
        features = self.encoder(one_hot(tokens, self.vocabulary).transpose(1, 2))
        if self.posterior != "normal":
            return features, None
        mean, log_variance = features.chunk(2, dim=1)
        return mean, log_variance.clamp(-12.0, 4.0)

    def logits(self, points: Tensor, tokens: Tensor) -> Tensor:
        """Logits ``n x m x vocabulary`` of the first m identifiers, ``n x m``, at points.

        A recurrent decoder is told the identifiers before each; the other one only their number.
        """
        logits: Tensor = self.decoder(points, tokens)
        return logits

    def predict(self, points: Tensor) -> Tensor:
        """At points: standardised QED, then a logit for each outcome; ``n x 0`` with no head."""
        return points[:, :0] if self.head is None else self.head(points)

    @torch.inference_mode()
    def decode(self, points: Tensor) -> Tensor:
        """Most probable identifiers, ``n x length``, of points ``n x d``."""
        return self.decoder.greedy(points)


class UpsamplingDecoder(nn.Module):
    """Dense layers, then twice a nearest upsampling and a convolution; all positions at once."""

    def __init__(
        self, vocabulary: int, length: int, latent: int, channels: int, hidden: int
    ) -> None:
        super().__init__()
        self.length = length
        self.layers = nn.Sequential(
            nn.Linear(latent, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2 * channels * (length // REDUCTION)),
            nn.ReLU(),
            nn.Unflatten(1, (2 * channels, length // REDUCTION)),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *_convolution(2 * channels, 2 * channels),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *_convolution(2 * channels, channels),
            nn.Conv1d(channels, vocabulary, _KERNEL, padding=_KERNEL // 2),
        )

    def forward(self, points: Tensor, tokens: Tensor) -> Tensor:
        """Logits of as many positions as there are tokens."""
        logits: Tensor = self.layers(points).transpose(1, 2)
        return logits[:, : tokens.shape[1]]

    def greedy(self, points: Tensor) -> Tensor:
        """The most probable identifier of each position."""
        logits: Tensor = self.layers(points)
        return logits.argmax(dim=1)


class GruDecoder(nn.Module):
    """A gated recurrent unit that sees the token before and, at every step, the latent point."""

    def __init__(
        self, vocabulary: int, length: int, latent: int, channels: int, hidden: int
    ) -> None:
        super().__init__()
        self.vocabulary, self.length = vocabulary, length
        self.start = nn.Linear(latent, hidden)
        self.gru = nn.GRU(vocabulary + latent, hidden, batch_first=True)
        self.output = nn.Linear(hidden, vocabulary)

    def forward(self, points: Tensor, tokens: Tensor) -> Tensor:
        """Logits of each token given those before it."""
        before = torch.cat([torch.full_like(tokens[:, :1], END), tokens[:, :-1]], dim=1)
        logits, _ = self._steps(points, before, torch.tanh(self.start(points)).unsqueeze(0))
        return logits

    def greedy(self, points: Tensor) -> Tensor:
        """The most probable token after those before it, up to the end, then ends."""
        hidden = torch.tanh(self.start(points)).unsqueeze(0)
        written = torch.full((len(points), self.length), END)
        token = written[:, :1]
        ended = torch.zeros(len(points), 1, dtype=torch.bool)
        for step in range(self.length):
            logits, hidden = self._steps(points, token, hidden)
            token = logits.argmax(dim=2).masked_fill(ended, END)
            written[:, step : step + 1] = token
            ended = ended | (token == END)
            if bool(ended.all()):
                break
        return written

    def _steps(self, points: Tensor, before: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        repeated = points.unsqueeze(1).expand(-1, before.shape[1], -1)
        inputs = torch.cat([one_hot(before, self.vocabulary), repeated], dim=2)
        out, hidden = self.gru(inputs, hidden)
        return self.output(out), hidden


def one_hot(tokens: Tensor, vocabulary: int) -> Tensor:
    """Identifiers ``n x m`` as ``n x m x vocabulary``, with a one each."""
    return functional.one_hot(tokens, vocabulary).float()


def _convolution(before: int, after: int, *, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv1d(before, after, _KERNEL, stride=stride, padding=_KERNEL // 2, bias=False),
        nn.BatchNorm1d(after),
        nn.ReLU(),
    ]

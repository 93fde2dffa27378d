"""A transformer in the place of the recurrent network, for ``benchmarks/architectures.py``.

Vaswani et al. 2017, arXiv:1706.03762, with the normalisation before each layer. Encoder and decoder
see token sequences as :class:`orchestrator.latent.molecule_networks.MoleculeVae` does; the latent
point is added at every position, so that the decoder cannot forget it along the sequence.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orchestrator.latent.molecule_networks import shifted
from orchestrator.latent.tokens import END

_LONGEST = 512


class TransformerVae(nn.Module):
    """Variational autoencoder of token sequences of one length, with ``layers`` on either side."""

    def __init__(self, vocabulary: int, latent: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.latent = latent
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(0.02 * torch.randn(_LONGEST, width))
        self.encoder = _layers(width, layers, heads)
        self.posterior = nn.Linear(width, 2 * latent)
        self.start = nn.Linear(latent, width)
        self.decoder = _layers(width, layers, heads)
        self.output = nn.Linear(width, vocabulary)

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance, each ``n x d``, of tokens ``n x length``."""
        hidden = self.encoder(self._placed(tokens)).mean(dim=1)
        mean, log_variance = self.posterior(hidden).chunk(2, dim=1)
        return mean, log_variance.clamp(-12.0, 4.0)

    def logits(self, points: Tensor, tokens: Tensor) -> Tensor:
        """Logits ``n x length x vocabulary`` of each token given those before it."""
        return self._after(points, shifted(tokens))

    @torch.inference_mode()
    def write(self, points: Tensor, longest: int) -> Tensor:
        """Most probable tokens one after the other, ``n x length``, of points ``n x d``."""
        before = torch.full((len(points), 1), END)
        ended = torch.zeros(len(points), dtype=torch.bool)
        while before.shape[1] <= longest and not bool(ended.all()):
            token = self._after(points, before)[:, -1:].argmax(dim=2)
            before = torch.cat([before, token], dim=1)
            ended |= token.squeeze(1) == END
        return before[:, 1:]

    def _after(self, points: Tensor, before: Tensor) -> Tensor:
        length = before.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        placed = self._placed(before) + self.start(points).unsqueeze(1)
        logits: Tensor = self.output(self.decoder(placed, mask=mask, is_causal=True))
        return logits

    def _placed(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.embedding(tokens)
        return embedded + self.position[: tokens.shape[1]]


def _layers(width: int, layers: int, heads: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

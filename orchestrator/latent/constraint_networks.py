"""Latent constraints: a critic and an actor beside a frozen space of digits.

Engel, Hoffman and Roberts 2018, arXiv:1711.05772. The critic says whether a point is one that
images of a digit are encoded to; the actor moves draws from the prior to where the critic agrees.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.func import functional_call

from orchestrator.latent.digit_networks import CLASSES, beside
from orchestrator.latent.layers import perceptron


class LatentConstraints(nn.Module):
    """Both networks; points are ``n x d``, digits 0 to 9 of shape n."""

    def __init__(self, latent: int = 2, hidden: int = 96) -> None:
        super().__init__()
        self.latent = latent
        self.critic = perceptron(latent + CLASSES, hidden, 1)
        self.actor = perceptron(latent + CLASSES, hidden, 2 * latent)

    def judge(self, points: Tensor, digits: Tensor) -> Tensor:
        """Logits, shape n, of being points that images of these digits are encoded to."""
        logits: Tensor = self.critic(beside(points, digits))
        return logits.squeeze(1)

    def advise(self, points: Tensor, digits: Tensor) -> Tensor:
        """The same logits, from which the actor learns and the critic does not."""
        weights = {name: one.detach() for name, one in self.critic.named_parameters()}
        logits: Tensor = functional_call(self.critic, weights, (beside(points, digits),))
        return logits.squeeze(1)

    def move(self, points: Tensor, digits: Tensor) -> Tensor:
        """Where the actor puts draws from the prior: a gate mixes each with a new coordinate."""
        new, gate = self.actor(beside(points, digits)).chunk(2, dim=1)
        gate = gate.sigmoid()
        moved: Tensor = (1 - gate) * points + gate * new
        return moved

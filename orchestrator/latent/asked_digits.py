"""Images of a digit that is asked for: what models that learned the labels make of prior draws."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from orchestrator.latent import registry
from orchestrator.latent.constraint_networks import LatentConstraints
from orchestrator.latent.digit_networks import ConditionalDigitVae, DigitVae
from orchestrator.latent.protocol import SpaceError
from orchestrator.latent.restore import restored

Maker = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From draws of the prior ``n x d`` and digits of shape n to the points that they become,
``n x d``, and the images there, bytes ``n x 28 x 28``."""


def conditional(network: ConditionalDigitVae) -> Maker:
    """Draws stay where they are, and are decoded as the digit."""
    return lambda points, digits: (points, network.grey(points, digits))


def constrained(constraints: LatentConstraints, space: DigitVae) -> Maker:
    """Draws are moved to where the space holds the digit, and decoded as anything there is."""

    def make(points: Tensor, digits: Tensor) -> tuple[Tensor, Tensor]:
        moved = constraints.move(points, digits)
        return moved, space.grey(moved)

    return make


def maker(model: registry.Model) -> Maker:
    """That of a trained model.

    Raises:
        SpaceError: it was trained for something else, its files are not those of its card, or the
            space that its constraints were learned in is not at hand.
    """
    card, tensors = registry.load(str(model.folder))
    match card.get("task"):
        case "digits-cvae":
            return conditional(restored(ConditionalDigitVae(**card["network"]), tensors))
        case "digits-constraints":
            constraints = restored(LatentConstraints(**card["network"]), tensors)
            return constrained(constraints, frozen_space(card["space"], card["space_sha256"]))
        case other:
            raise SpaceError(
                f"model {model.name!r} was trained for {other}; "
                "needed: digits-cvae or digits-constraints"
            )


def frozen_space(name: str, sha256: str | None = None) -> DigitVae:
    """The network of a shipped space of digits, not to be trained further.

    Raises:
        SpaceError: there is none of that name, or its weights have another hash.
    """
    card, tensors = registry.load(name, task="digits-vae")
    if sha256 is not None and card["weights_sha256"] != sha256:
        raise SpaceError(
            f"the constraints were learned in a space {name} of SHA-256 {sha256}, and the one at "
            f"hand has {card['weights_sha256']}; train them again"
        )
    return restored(DigitVae(**card["network"]), tensors).requires_grad_(False)

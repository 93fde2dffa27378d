"""The codec that a card's model of molecules needs: which one, its network says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from orchestrator.latent.flow_codec import FlowCodec
from orchestrator.latent.flow_networks import FlowVae
from orchestrator.latent.molecule_codec import Codec, vocabulary_of
from orchestrator.latent.molecule_networks import MoleculeVae
from orchestrator.latent.protocol import SpaceError
from orchestrator.latent.restore import restored

FLOW = "flow"
"""The ``kind`` of a network whose prior is learned; older cards say no kind."""


def codec_of(card: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Codec | FlowCodec:
    """Between points and molecules, by the model of a card.

    Raises:
        SpaceError: the weights are not of the network on the card, or its kind is unknown.
    """
    sizes = dict(card["network"])
    kind = sizes.pop("kind", None)
    vocabulary, longest = vocabulary_of(dict(card)), int(card["longest"])
    if kind is None:
        return Codec(restored(MoleculeVae(**sizes), tensors), vocabulary, longest)
    if kind == FLOW:
        return FlowCodec(restored(FlowVae(**sizes), tensors), vocabulary, longest)
    raise SpaceError(
        f"the card's network is of kind {kind!r}; a model of molecules has kind {FLOW!r} or none"
    )

"""Networks as their training left them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import nn

from orchestrator.latent.protocol import SpaceError

Network = TypeVar("Network", bound=nn.Module)


def restored(network: Network, tensors: Mapping[str, NDArray[Any]]) -> Network:
    """The network with these weights, by name, ready to be asked.

    Raises:
        SpaceError: they are of another network; somebody changed the card that describes it.
    """
    try:
        network.load_state_dict({name: torch.from_numpy(one) for name, one in tensors.items()})
    except RuntimeError as error:
        why = str(error).splitlines()[-1].strip()
        raise SpaceError(f"the weights are not of the network on their card: {why}") from error
    return network.eval()

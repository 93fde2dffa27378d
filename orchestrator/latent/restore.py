"""Networks as their training left them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def restored(network: Network, tensors: Mapping[str, NDArray[Any]]) -> Network:
    """The network with these weights, by name, ready to be asked."""
    network.load_state_dict({name: torch.from_numpy(one) for name, one in tensors.items()})
    return network.eval()

"""Networks asked in blocks of one size.

What a row gives must depend neither on its neighbours nor on their number, and matrix products of
another shape may round differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SIZE = 64


def in_blocks(
    network: Callable[[Tensor], Tensor], rows: NDArray[np.generic], size: int = SIZE
) -> Iterator[tuple[slice, Tensor]]:
    """What a network makes of rows ``n x ...``: which rows, and what became of them.

    Args:
        network: from a block ``size x ...`` to as many rows.
        rows: inputs, in the network's precision.
        size: of each block; the last one is filled up with its last row.
    """
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        filling = np.repeat(part[-1:], size - len(part), axis=0)
        with torch.inference_mode():
            made = network(torch.from_numpy(np.concatenate([part, filling])))
        yield slice(start, start + len(part)), made[: len(part)]

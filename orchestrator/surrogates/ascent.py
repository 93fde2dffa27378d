"""L-BFGS-B as surrogates and proposers use it: bounded, by iterations, never by time.

The optimiser's own matrices have a few dozen rows at most. BLAS would still spread them over every
core, which costs more than it gives, slows whatever runs beside it, and makes the last bit depend
on the machine; so BLAS has one thread here. Torch keeps the threads that it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

Floats = NDArray[np.float64]


def ascend(
    function: Callable[[Floats], tuple[float, Floats]],
    start: Floats,
    bounds: Floats,
    iterations: int,
) -> Floats:
    """Climb from a start, shape ``k``, to a local maximum in the box.

    Args:
        function: gives its value and gradient at a point of shape ``k``.
        start: clipped to the box.
        bounds: lower and upper limits, shape ``2 x k``.
        iterations: the most steps; line searches may take as many evaluations again.
    """

    def loss(at: Floats) -> tuple[float, Floats]:
        value, slope = function(at)
        return -value, -slope

    with _pools().limit(limits=1, user_api="blas"):
        result = minimize(
            loss,
            np.clip(start, *bounds),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds.T,
            options={"maxiter": iterations, "maxfun": 2 * iterations, "ftol": 1e-7},
        )
    return np.asarray(result.x, dtype=np.float64)


@cache
def _pools() -> ThreadpoolController:
    """Thread pools of the libraries loaded; looked for once, since that takes milliseconds."""
    return ThreadpoolController()

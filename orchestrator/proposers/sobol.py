"""Scrambled Sobol points: spread more evenly than independent draws (Owen, 1998).

Over a box the points fill the bounds. Where the prior is a standard normal in more than three
dimensions, nearly all of the box lies outside the shell that holds the prior, so the points go
through the inverse of the normal distribution function instead. Whether the prior is a standard
normal is read off the space's own log prior at a few probes.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, qmc

from orchestrator.latent.protocol import Points, Space
from orchestrator.proposers.protocol import Problem, Proposal
from orchestrator.surrogates.protocol import Data, Fit

_PLANE = 3
"""Up to this dimension a regular cover of the whole box is affordable, whatever the prior."""


class SobolProposer:
    """One scrambled Sobol block a round, scrambled afresh from the round's own generator."""

    needs_fit = False

    def propose(
        self,
        problem: Problem,
        fit: Fit | None,
        data: Data,
        pending: Points,
        q: int,
        rng: np.random.Generator,
    ) -> Proposal:
        """Pick q points; see :class:`orchestrator.proposers.protocol.Proposer`."""
        space = problem.space
        lower, upper = space.bounds
        engine = qmc.Sobol(space.dim, scramble=True, rng=rng)
        # A whole power of two, cut to q: the balance of the sequence holds for those only.
        cube = engine.random_base2(max(0, int(np.ceil(np.log2(q)))))[:q]
        normal = space.dim > _PLANE and standard_normal(space)
        if normal:
            low, high = norm.cdf(lower), norm.cdf(upper)
            points = np.clip(norm.ppf(low + cube * (high - low)), lower, upper)
        else:
            points = lower + cube * (upper - lower)
        return Proposal(points, state={"kind": "sobol", "cover": "prior" if normal else "bounds"})


def standard_normal(space: Space) -> bool:
    """Whether the log prior falls like that of a standard normal."""
    lower, upper = space.bounds
    probes = np.random.default_rng(0).uniform(lower / 2, upper / 2, (8, space.dim))
    fall = space.log_prior(probes) - space.log_prior(probes[:1])
    squares = np.square(probes).sum(axis=1)
    return bool(np.allclose(fall, (squares[0] - squares) / 2, atol=1e-6))

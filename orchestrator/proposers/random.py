"""Draws from the prior of the space: the baseline that every other proposer has to beat."""

from __future__ import annotations

import numpy as np

from orchestrator.latent.protocol import Points
from orchestrator.proposers.protocol import Problem, Proposal
from orchestrator.surrogates.protocol import Data, Fit


class RandomProposer:
    """Independent draws from the prior; reads neither fit nor data."""

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
        return Proposal(problem.space.sample_prior(q, rng), state={"kind": "random"})

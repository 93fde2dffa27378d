"""The conformance kit of spaces: proves a space sound before a campaign relies on it.

A space's own test is three lines, run by pytest::

    class TestMine(SpaceConformance):
        def space(self): return MySpace("runs/7")

Everything else is drawn from the space itself; class attributes say what is known of it besides.
"""

from __future__ import annotations

from orchestrator.latent.testing.objects import ObjectChecks
from orchestrator.latent.testing.points import PointChecks

__all__ = ["SpaceConformance"]


class SpaceConformance(PointChecks, ObjectChecks):
    """Everything the core relies on in a space. Give it ``space``."""

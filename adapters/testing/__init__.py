"""The conformance kit: proves an evaluator sound before it meets a real sample.

An adapter's own test is three lines, run by pytest::

    class TestReactor(EvaluatorConformance):
        def evaluator(self): return Reactor(port="/dev/ttyUSB0")
        def samples(self): return [Sample("parameters", '{"temperature": 60}')]

What the capabilities claim decides what is checked beyond the core; what is left out is a warning,
which pytest's summary prints with the reason.
"""

from __future__ import annotations

from adapters.testing.bench import LeftOut
from adapters.testing.contract import ContractChecks
from adapters.testing.hostile import HostileChecks
from adapters.testing.manners import MannersChecks
from adapters.testing.measures import MeasureChecks
from adapters.testing.transport import TransportChecks
from adapters.testing.weights import WeightChecks

__all__ = ["EvaluatorConformance", "LeftOut"]


class EvaluatorConformance(
    MeasureChecks, WeightChecks, ContractChecks, TransportChecks, MannersChecks, HostileChecks
):
    """Everything the core relies on in an evaluator. Give it ``evaluator`` and ``samples``."""

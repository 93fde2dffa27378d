"""Evaluators of the command line's tests, installed like anybody's plug-in (see ``plugin/``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.calculator import Calculator
from adapters.function import evaluator
from adapters.protocol import Batch, Capabilities, Measure, Sample, Ticket


@evaluator(
    measures=[
        Measure("yield", "percent", lower=0, upper=100, description="share of the product"),
        Measure("mass", "g/mol"),
    ],
    idempotent=True,
    batch_size=4,
    cost=2.5,
)
def reactor(parameters: dict[str, Any]) -> dict[str, float]:
    """A yield with its maximum of 80 % at x = 0.3, y = 0.6."""
    distance = (parameters["x"] - 0.3) ** 2 + (parameters["y"] - 0.6) ** 2
    return {"yield": 80 - 40 * distance, "mass": 100 + parameters["x"]}


class Breaking(Calculator):
    """Breaks while it is being asked, so that nobody knows whether it measured."""

    def __init__(self) -> None:
        super().__init__(
            Capabilities(
                name="breaking",
                version="1",
                sample_kinds=frozenset({"parameters"}),
                measures=(Measure("score"),),
                synchronous=True,
            )
        )

    def calculate(self, sample: Sample, wanted: Sequence[str]) -> Mapping[str, float]:
        """Never asked for."""
        return {"score": 1.0}

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        """Lose the connection."""
        raise ConnectionResetError("the instrument hung up")

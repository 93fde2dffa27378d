"""The conformance kit of assayloop, and what is known of the reactor: run it with pytest."""

import json

import pytest
from flow_reactor import flow_reactor

from adapters.protocol import Evaluator, Sample
from adapters.testing import EvaluatorConformance


class TestFlowReactor(EvaluatorConformance):
    """Everything that a campaign relies on."""

    def evaluator(self) -> Evaluator:
        """As the entry point gives it."""
        return flow_reactor

    def samples(self) -> list[Sample]:
        """Objects of the box, as campaigns send them."""
        points = [(60, 10), (90, 5), (140, 1)]
        return [
            Sample("parameters", json.dumps({"residence_time": time, "temperature": temperature}))
            for temperature, time in points
        ]


def test_b_is_lost_where_it_is_too_hot_and_too_slow() -> None:
    """Between too little and too much lies the best."""
    yields = [
        flow_reactor({"temperature": 80, "residence_time": time})["yield"] for time in (1, 9, 99)
    ]
    assert yields[1] == pytest.approx(77.4, abs=1)
    assert yields[0] < yields[1] > yields[2]

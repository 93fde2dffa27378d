"""The kit on the transport ``mqtt``, against Mosquitto and a simulated instrument."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from adapters.mqtt import MqttEvaluator
from adapters.protocol import Sample
from adapters.testing import EvaluatorConformance
from tests.broker import broker, cuvette, instrument, options

pytestmark = pytest.mark.slow  # servers are started


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Options for a broker with an instrument that measures at once."""
    with broker(tmp_path_factory.mktemp("mqtt")) as found, instrument(found, "--seconds", "0"):
        yield options(found)


class Kit(EvaluatorConformance):
    """What the three have in common."""

    changes: dict[str, Any]

    @pytest.fixture(autouse=True)
    def _closed(self, given: dict[str, Any]) -> Iterator[None]:
        self._given, self._made = given | self.changes, list[MqttEvaluator]()
        yield
        for one in self._made:
            one.close()

    def evaluator(self) -> MqttEvaluator:
        self._made.append(MqttEvaluator(**self._given))
        return self._made[-1]

    def samples(self) -> Sequence[Sample]:
        return [cuvette(60, 8), cuvette(40, 7), cuvette(40, -1)]

    def non_finite_samples(self) -> Sequence[Sample]:
        return [cuvette(60, 14.5)]


class TestMqtt5(Kit):
    changes: dict[str, Any] = {"cancel": "lab/spectrometer/cancel"}  # noqa: RUF012


class TestMqtt311NotIdempotent(Kit):
    changes: dict[str, Any] = {"protocol": "3.1.1", "idempotent": False}  # noqa: RUF012

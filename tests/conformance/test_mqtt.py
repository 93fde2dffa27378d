"""The kit on the transport ``mqtt``, against Mosquitto and a simulated instrument."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from adapters.mqtt import MqttEvaluator
from adapters.protocol import Sample
from adapters.testing import EvaluatorConformance
from tests.broker import Broker, Instrument, broker, cuvette, instrument, options

pytestmark = pytest.mark.slow  # servers are started


SECRET = "planted-2718"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Instrument]]:
    """A broker that wants a password, and an instrument that measures at once."""
    folder = tmp_path_factory.mktemp("mqtt")
    file = folder / "passwords"
    known = ["mosquitto_passwd", "-b", "-c", str(file), "reader", SECRET]
    subprocess.run(known, check=True, capture_output=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MQTT_USER", "reader")
        patch.setenv("MQTT_PASSWORD", SECRET)
        lines = ("allow_anonymous false", f"password_file {file}")
        quick = ("--seconds", "0", "--user", "reader")
        with broker(folder, *lines) as found, instrument(found, *quick) as device:
            yield found, device


class Kit(EvaluatorConformance):
    """What the two have in common."""

    changes: dict[str, Any]

    @pytest.fixture(autouse=True)
    def _closed(self, lab: tuple[Broker, Instrument]) -> Iterator[None]:
        self.broker, self.instrument = lab
        self._made = list[MqttEvaluator]()
        yield
        for one in self._made:
            one.close()

    def evaluator(self, **changes: Any) -> MqttEvaluator:
        who = {"user": "env:MQTT_USER", "password": "env:MQTT_PASSWORD"}
        self._made.append(MqttEvaluator(**options(self.broker, **who, **self.changes, **changes)))
        return self._made[-1]

    def unreachable(self) -> MqttEvaluator:
        return MqttEvaluator(**options(self.broker, broker="mqtt://127.0.0.1:1"))

    def secrets(self) -> Sequence[str]:
        return [SECRET]

    def samples(self) -> Sequence[Sample]:
        return [cuvette(60, 8), cuvette(40, 7), cuvette(40, -1)]

    def non_finite_samples(self) -> Sequence[Sample]:
        return [cuvette(60, 14.5)]


class TestMqtt5(Kit):
    changes: dict[str, Any] = {"cancel": "lab/spectrometer/cancel", "in_flight": 3}  # noqa: RUF012

    def restart_counterpart(self) -> bool:
        """Both; orders that a broker lost as it died are sent again."""
        self.instrument.kill()
        self.broker.kill()
        self.broker.start()
        self.instrument.start()
        return True


class TestMqtt311NotIdempotent(Kit):
    changes: dict[str, Any] = {"protocol": "3.1.1", "idempotent": False}  # noqa: RUF012

    def restart_counterpart(self) -> bool:
        """The instrument, whose orders the broker keeps."""
        self.instrument.kill()
        self.instrument.start()
        return True

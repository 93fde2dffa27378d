"""A simulated spectrometer behind an MQTT broker: takes orders, measures one at a time, answers.

    python spectrometer.py --broker localhost:1883 --log spectrometer.log

It may be killed at any time. An order is acknowledged to the broker only once its result is
published, and what was measured is kept in the log; so an order that comes again is answered and
not measured again. With ``--careless`` it is one that forgets: what comes again is measured again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import queue
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def measure(sample: dict[str, Any]) -> dict[str, Any]:
    """What becomes of a sample: values by measure, or why there are none."""
    content: Any = sample.get("content")
    try:
        temperature, ph = float(content["temperature"]), float(content["ph"])
    except (TypeError, KeyError, ValueError):
        return {"status": "rejected", "reason": "a sample has a temperature and a ph"}
    if ph < 0:
        return {"status": "failed", "reason": "the dye precipitates", "transient": False}
    product = 2.5 * math.exp(-(((temperature - 62) / 20) ** 2) - ((ph - 8) / 3) ** 2)
    shown = {"value": round(product, 6), "unit": "mmol/l", "std": 0.01}
    return {"values": {"product": shown, "absorbance": "NaN" if ph > 14 else 0.8 * product}}


class Spectrometer:
    """The instrument, and its log: a line when it begins and one, with the answer, when it ends."""

    def __init__(self, log: Path, seconds: float, *, careless: bool) -> None:
        self._log, self._seconds, self._careless = log, seconds, careless
        self._ended: dict[str, dict[str, Any]] = {}
        if log.exists():
            for line in log.read_text(encoding="utf-8").splitlines():
                word, key, *answer = line.split(" ", 2)
                if word == "ends":
                    self._ended[key] = json.loads(answer[0])

    def answer(self, order: dict[str, Any]) -> dict[str, Any]:
        """The result of an order."""
        key = str(order["job"])
        if key in self._ended and not self._careless:
            return self._ended[key]
        self._note("begins", key)
        time.sleep(self._seconds)
        answer = {"job": key, "measured_at": time.time(), "instrument": "S-1"}
        answer |= measure(order["sample"])
        self._note("ends", key, json.dumps(answer))
        self._ended[key] = answer
        return answer

    def _note(self, *words: str) -> None:
        with self._log.open("a", encoding="utf-8") as file:
            print(*words, file=file, flush=True)
            os.fsync(file.fileno())


def main() -> None:
    """Work until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", default="localhost:1883")
    parser.add_argument("--orders", default="lab/spectrometer/orders")
    parser.add_argument("--results", default="lab/spectrometer/results")
    parser.add_argument("--log", type=Path, default=Path("spectrometer.log"))
    parser.add_argument("--seconds", type=float, default=1.0, help="that one sample takes")
    parser.add_argument("--careless", action="store_true")
    parser.add_argument("--ca", help="certificate of the broker's authority, for TLS")
    parser.add_argument("--user", default="", help="its password is in MQTT_PASSWORD")
    given = parser.parse_args()

    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id="spectrometer",
        protocol=MQTTProtocolVersion.MQTTv5,
        manual_ack=True,
    )
    if given.ca:
        client.tls_set(given.ca)
    if given.user:
        client.username_pw_set(given.user, os.environ["MQTT_PASSWORD"])
    client.reconnect_delay_set(1, 2)
    orders: queue.Queue[paho.MQTTMessage] = queue.Queue()

    def connected(client: paho.Client, *_: object) -> None:
        client.subscribe(given.orders, qos=1)

    client.on_connect = connected
    client.on_subscribe = lambda *_: print("ready", flush=True)  # noqa: T201
    client.on_message = lambda client, data, message: orders.put(message)
    confirmed: set[int] = set()
    client.on_publish = lambda client, data, mid, *_: confirmed.add(mid)
    kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    kept.SessionExpiryInterval = 7 * 86_400
    host, _, port = given.broker.rpartition(":")
    client.connect_async(host, int(port), keepalive=20, clean_start=False, properties=kept)
    client.loop_start()

    spectrometer = Spectrometer(given.log, given.seconds, careless=given.careless)
    while True:
        message = orders.get()
        if given.careless:
            client.ack(message.mid, message.qos)
        answer = spectrometer.answer(json.loads(message.payload))
        said = client.publish(given.results, json.dumps(answer), qos=1)
        while said.mid not in confirmed:  # the client sends it again once the broker is back
            time.sleep(0.005)
        confirmed.discard(said.mid)
        if not given.careless:
            client.ack(message.mid, message.qos)


if __name__ == "__main__":
    main()

"""Mosquitto and an instrument behind it, in processes of their own, which tests start and kill."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from adapters.mqtt import MqttEvaluator
from adapters.protocol import Batch, Delivery, Job, Sample, Ticket

INSTRUMENT = Path(__file__).parents[1] / "examples" / "mqtt" / "spectrometer.py"
MOSQUITTO = "/usr/sbin/mosquitto"  # which is not on everybody's path


class Broker:
    """A broker at a port that stays the same when it is started again.

    Args:
        lines: of its configuration, beside what each has.
    """

    def __init__(self, folder: Path, *lines: str, tls: bool = False) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"{'mqtts' if tls else 'mqtt'}://127.0.0.1:{self.port}"
        self._store = folder / "store"
        self._store.mkdir(exist_ok=True)
        (folder / "mosquitto.conf").write_text(
            "\n".join(
                (
                    f"listener {self.port} 127.0.0.1",
                    "persistence true",
                    f"persistence_location {self._store}/",
                    "autosave_interval 1",
                    "autosave_on_changes true",
                    "user root",
                    *(() if any("allow_anonymous" in one for one in lines) else OPEN),
                    *lines,
                )
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self.folder / "mosquitto.conf")],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "mosquitto.log").open("ab"),
        )
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, (self.folder / "mosquitto.log").read_text()
            time.sleep(0.01)
        raise AssertionError("mosquitto does not listen")

    def stop(self) -> None:
        """It hangs: takes connections, and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """What a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


OPEN = ("allow_anonymous true",)


@contextmanager
def broker(folder: Path, *lines: str, tls: bool = False) -> Iterator[Broker]:
    """A broker that is gone in the end."""
    folder.mkdir(exist_ok=True)
    found = Broker(folder, *lines, tls=tls)
    found.start()
    try:
        yield found
    finally:
        found.kill()


class Wire:
    """A wire to a broker, which may be cut so that nothing comes back, while all gets there."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        self.mute = False
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._broker.port))
                for pair in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, to: socket.socket, back: bool) -> None:
        muted = False
        with suppress(OSError):
            while said := source.recv(65_536):
                muted = muted or (back and self.mute)  # nothing may be missing in between
                if not muted:
                    to.sendall(said)
        with suppress(OSError):
            to.shutdown(socket.SHUT_WR)


class Instrument:
    """The spectrometer of the examples."""

    def __init__(self, broker: Broker, *arguments: str, **environment: str) -> None:
        self.log = broker.folder / "spectrometer.log"
        where = ["--broker", f"127.0.0.1:{broker.port}", "--log", str(self.log)]
        self._arguments = [sys.executable, str(INSTRUMENT), *where, *arguments]
        self._environment = os.environ | environment
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens to orders."""
        self._process = subprocess.Popen(
            self._arguments, stdout=subprocess.PIPE, text=True, env=self._environment
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """What a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def lines(self, word: str) -> list[str]:
        """Keys of the jobs of which the log says that."""
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        return [line.split()[1] for line in text.splitlines() if line.startswith(f"{word} ")]


@contextmanager
def instrument(broker: Broker, *arguments: str, **environment: str) -> Iterator[Instrument]:
    """An instrument that is gone in the end."""
    found = Instrument(broker, *arguments, **environment)
    found.start()
    try:
        yield found
    finally:
        found.kill()


def options(where: Broker, /, **changes: Any) -> dict[str, Any]:
    """Options of an evaluator of the spectrometer."""
    given: dict[str, Any] = {
        "broker": where.url,
        "orders": "lab/spectrometer/orders",
        "results": "lab/spectrometer/results",
        "measures": {
            "product": {"unit": "mmol/l", "lower": 0, "upper": 10},
            "absorbance": {"unit": "", "lower": 0},
        },
        "kinds": ["parameters"],
        "idempotent": True,
        "timeout": 3.0,
    }
    return given | changes


class Publisher:
    """Somebody who publishes and listens; uses no line of the transport."""

    def __init__(self, broker: Broker, *topics: str, user: str = "", password: str = "") -> None:
        self.heard: list[paho.MQTTMessage] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        if user:
            self._client.username_pw_set(user, password)
        self._client.on_message = lambda client, data, message: self.heard.append(message)
        subscribed: list[int] = []
        self._client.on_subscribe = lambda client, data, mid, *_: subscribed.append(mid)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        for topic in topics:
            self._client.subscribe(topic, qos=1)
        wait(lambda: len(subscribed) == len(topics))

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, topic: str, body: object, **how: Any) -> None:
        """Publish, and wait until the broker has it; JSON unless it is bytes."""
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._client.publish(topic, payload, **({"qos": 1} | how)).wait_for_publish(5)


def wait(condition: Any, seconds: float = 10.0) -> None:
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.005)


def cuvette(temperature: float, ph: float) -> Sample:
    """What is measured."""
    return Sample("parameters", json.dumps({"temperature": temperature, "ph": ph}))


def job(number: int, campaign: str = "c", sample: Sample | None = None) -> Job:
    """One job."""
    measures = ("product", "absorbance")
    return Job(f"{campaign}/{number}/mqtt/1", sample or cuvette(60, 8), measures, label=str(number))


def submit(evaluator: MqttEvaluator, *jobs: Job) -> list[Ticket]:
    """Each job in a batch of its own."""
    return [ticket for one in jobs for ticket in evaluator.submit(Batch(one.key, (one,)))]


def deliveries(evaluator: MqttEvaluator, tickets: Sequence[Ticket], count: int) -> list[Delivery]:
    """That many deliveries, in the order in which they came."""
    found: list[Delivery] = []

    def look() -> bool:
        found[:] = evaluator.receive(tickets)
        return len(found) >= count

    wait(look)
    assert len(found) == count
    return found


# Certificates ---------------------------------------------------------------------------------


class Authority:
    """Makes certificates, for tests alone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CA {folder.name}")])
        self.file = folder / "ca.pem"
        self.file.write_bytes(
            self._signed(self._name, self._key, ca=True).public_bytes(serialization.Encoding.PEM)
        )

    def issue(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of a host or client."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate = self._signed(subject, key, ca=False)
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        public = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    key_cert_sign=ca,
                    crl_sign=ca,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .sign(self._key, hashes.SHA256())
        )

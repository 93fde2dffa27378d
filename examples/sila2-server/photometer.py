"""A photometer that speaks SiLA 2: a server to try a spec on before it meets an instrument.

    pip install 'sila2[cryptography]'
    python examples/sila2-server/photometer.py --certificate photometer.pem

makes a certificate, writes it where the spec finds it, and serves at 127.0.0.1:50052 until it is
stopped. ``--insecure`` serves without TLS.
"""

from __future__ import annotations

import argparse
import logging
import math
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sila2.features.lockcontroller import (
    InvalidLockIdentifier,
    LockControllerBase,
    LockControllerFeature,
    ServerAlreadyLocked,
    ServerNotLocked,
)
from sila2.framework import CommandExecutionNotAccepted, DefinedExecutionError, Feature
from sila2.server import FeatureImplementationBase, MetadataInterceptor, SilaServer
from sila2.server.encryption import generate_self_signed_certificate

HERE = Path(__file__).parent
PHOTOMETER = Feature(str(HERE / "Photometer.sila.xml"))
NAME = UUID("9f0c3d1e-6a7b-4c55-8a8e-2f6d1b9b7a10")
EXTINCTION = 0.8
"""Absorbance of 1 mmol/l."""


def product(temperature: float, ph: float) -> float:
    """mmol/l of dye: most at 335 K and pH 8."""
    return 2.5 * math.exp(-(((temperature - 335) / 20) ** 2) - ((ph - 8) / 2) ** 2)


class Photometer(FeatureImplementationBase):
    """Measures one cuvette at a time.

    Args:
        seconds: What one measurement takes.
        limit: The most cuvettes that wait or are measured; more are not accepted.
        log: Gets a line when a measurement begins and one when it ends.
    """

    def __init__(self, server: SilaServer, seconds: float, limit: int, log: Path | None) -> None:
        super().__init__(server)
        self._seconds, self._limit, self._log = seconds, limit, log
        self._cuvette = threading.Lock()
        self._counting = threading.Lock()
        self._inside = 0

    def Measure(  # noqa: N802
        self, Temperature: float, Ph: float, Label: str, *, metadata: Any, instance: Any
    ) -> tuple[Any, ...]:
        """Temper and measure, with progress."""
        with self._room(), self._cuvette:
            self._write(f"begins {Label}")
            instance.begin_execution()
            for step in range(1, 6):
                time.sleep(self._seconds / 5)
                instance.progress = step / 5
                left = self._seconds * (1 - step / 5)
                instance.estimated_remaining_time = timedelta(seconds=left)
                instance.send_intermediate_response(295 + (Temperature - 295) * step / 5)
            found = self._look(Temperature, Ph)
            self._write(f"ends {Label}")
        readings = [found * EXTINCTION * factor for factor in (0.99, 1.0, 1.01)]
        absorbance = (sum(readings) / 3, 0.01 * EXTINCTION * found, readings)
        return absorbance, found, datetime.now(UTC)

    def Glance(self, Ph: float, *, metadata: Any) -> float:  # noqa: N802
        """Measure at once."""
        with self._room(), self._cuvette:
            self._write(f"begins {Ph}")
            time.sleep(self._seconds)
            found = self._look(295, Ph)
            self._write(f"ends {Ph}")
        return float(100 * 10 ** (-found * EXTINCTION))

    def _look(self, temperature: float, ph: float) -> float:
        if ph < 3:
            error = PHOTOMETER.defined_execution_errors["DyePrecipitated"]
            raise DefinedExecutionError(error, f"at pH {ph:g} the cuvette is cloudy")
        if ph > 13:
            raise RuntimeError("the shutter does not open")
        return product(temperature, ph)

    def _room(self) -> _Place:
        return _Place(self)

    def enter(self) -> None:
        """Take a place; without one the command is not accepted."""
        with self._counting:
            if self._inside >= self._limit:
                raise CommandExecutionNotAccepted(f"{self._inside} cuvettes wait already")
            self._inside += 1

    def leave(self) -> None:
        """Free the place."""
        with self._counting:
            self._inside -= 1

    def _write(self, line: str) -> None:
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


class _Place:
    def __init__(self, photometer: Photometer) -> None:
        self._photometer = photometer

    def __enter__(self) -> None:
        self._photometer.enter()

    def __exit__(self, *_: object) -> None:
        self._photometer.leave()


class Lock(LockControllerBase):
    """The lock of the standard: who holds it may measure."""

    def __init__(self, server: SilaServer) -> None:
        super().__init__(server)
        self.holder = ""

    def get_IsLocked(self, *, metadata: Any) -> bool:  # noqa: N802
        """Whether anybody holds it."""
        return bool(self.holder)

    def LockServer(self, LockIdentifier: str, Timeout: int, *, metadata: Any) -> None:  # noqa: N802
        """Take it."""
        if self.holder:
            raise ServerAlreadyLocked("somebody has it")
        self.holder = LockIdentifier

    def UnlockServer(self, LockIdentifier: str, *, metadata: Any) -> None:  # noqa: N802
        """Give it back."""
        if not self.holder:
            raise ServerNotLocked("nobody has it")
        if self.holder != LockIdentifier:
            raise InvalidLockIdentifier("somebody else has it")
        self.holder = ""

    def get_calls_affected_by_LockIdentifier(self) -> list[Any]:  # noqa: N802
        """Measuring."""
        return [PHOTOMETER] if self.holder else []


class LockCheck(MetadataInterceptor):
    """Refuses measurements of those who do not hold the lock."""

    def __init__(self, lock: Lock) -> None:
        super().__init__([LockControllerFeature["LockIdentifier"]])
        self._lock = lock

    def intercept(self, parameters: Any, metadata: Any, target_call: Any) -> None:
        """Compare."""
        if metadata[LockControllerFeature["LockIdentifier"]] != self._lock.holder:
            raise InvalidLockIdentifier("somebody else has it")


def main() -> None:
    """Serve until stopped."""
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(description="A photometer that speaks SiLA 2.")
    parser.add_argument("--port", type=int, default=50052)
    parser.add_argument("--insecure", action="store_true", help="without TLS")
    parser.add_argument("--certificate", type=Path, help="where to write the certificate (PEM)")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a measurement takes")
    parser.add_argument("--limit", type=int, default=100, help="cuvettes that may wait")
    parser.add_argument("--log", type=Path, help="a file that gets a line a measurement")
    given = parser.parse_args()
    if not given.insecure and given.certificate is None:
        parser.error("name a file with --certificate, or serve with --insecure")
    server = SilaServer(
        server_name="Photometer",
        server_type="Photometer",
        server_description="A photometer that computes what it measures.",
        server_version="1.2",
        server_vendor_url="https://example.org",
        server_uuid=NAME,
    )
    photometer = Photometer(server, given.seconds, given.limit, given.log)
    server.set_feature_implementation(PHOTOMETER, photometer)
    lock = Lock(server)
    server.set_feature_implementation(LockControllerFeature, lock)
    server.add_metadata_interceptor(LockCheck(lock))
    if given.insecure:
        server.start_insecure("127.0.0.1", given.port, enable_discovery=False)
    else:
        key, certificate = generate_self_signed_certificate(NAME, "127.0.0.1")
        given.certificate.write_bytes(certificate)
        server.start("127.0.0.1", given.port, key, certificate, enable_discovery=False)
    print(f"serving at 127.0.0.1:{given.port}", flush=True)  # noqa: T201
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    server.stop(0)


if __name__ == "__main__":
    main()

"""The signature of a web hook: HMAC-SHA256 over a time stamp, a full stop and the body.

Two headers carry it: ``X-Assayloop-Timestamp``, seconds since 1970, and ``X-Assayloop-Signature``,
``sha256=`` and the digest in hexadecimal. The time stamp is signed, too, so that a delivery that
somebody recorded cannot be sent again much later.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping

from adapters.protocol import UntrustedError

TIMESTAMP, SIGNATURE = "x-assayloop-timestamp", "x-assayloop-signature"
"""Names of the headers, in lower case."""


def sign(secret: str, body: bytes, at: float | None = None) -> dict[str, str]:
    """The headers for a delivery.

    Args:
        at: seconds since 1970; now by default.
    """
    stamp = str(int(time.time() if at is None else at))
    return {TIMESTAMP: stamp, SIGNATURE: f"sha256={_digest(secret, stamp, body)}"}


def require(secret: str, headers: Mapping[str, str], body: bytes, tolerance: float) -> None:
    """Make sure that whoever sent this knows the secret, and sent it just now.

    Args:
        tolerance: seconds by which clocks may differ.

    Raises:
        UntrustedError: a header is missing, or the signature or the time is wrong.
    """
    stamp, said = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    if not said or not stamp.isdecimal() or len(stamp) > 12:
        raise UntrustedError(f"it is not signed; send {TIMESTAMP} and {SIGNATURE}")
    if not hmac.compare_digest(said.encode(), f"sha256={_digest(secret, stamp, body)}".encode()):
        raise UntrustedError("its signature is not that of the shared secret over time and body")
    off = abs(time.time() - int(stamp))
    if off > tolerance:
        raise UntrustedError(
            f"it was signed {off:.0f} s from now, and {tolerance:g} s are allowed; set the clocks"
        )


def _digest(secret: str, stamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()

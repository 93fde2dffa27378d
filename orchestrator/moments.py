"""Times as people write and read them; everything stored is int64 microseconds UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestrator.errors import BadInput

FORM = "write 2026-03-01 or 2026-03-01T14:05+01:00; without a zone it is this machine's"


def read(text: str, where: str, *, end: bool = False) -> int:
    """A time in ISO 8601, such as ``2026-03-01``, ``2026-03-01T12:00Z`` or with an offset.

    Args:
        text: what somebody wrote; ``UTC`` may end it, as where we print times. Without a zone it
            is in that of this machine.
        where: the option that it is of, for the error.
        end: whether a day without a time means its last microsecond instead of its first.

    Raises:
        BadInput: it is no time.
    """
    written = text.strip()
    try:
        found = datetime.fromisoformat(written.removesuffix(" UTC"))
        if end and len(written) <= len("2026-03-01"):
            found += timedelta(days=1, microseconds=-1)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC) if written.endswith("UTC") else found.astimezone()
        return (found - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    except (ValueError, OverflowError, OSError):  # the last of a year that the zone does not know
        raise BadInput.of(where, f"{text!r} is no time", FORM) from None


def shown(at: int) -> str:
    """A stored time, such as ``2026-03-01 14:05:09 UTC``."""
    return f"{datetime.fromtimestamp(at / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(at: int) -> str:
    """A stored time in ISO 8601, such as ``2026-03-01T14:05:09.000000+00:00``."""
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="microseconds")

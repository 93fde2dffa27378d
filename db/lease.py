"""One driver a campaign: a lease with a fencing token that every write of the driver checks.

A lease whose holder is a dead process on this host is taken at once, otherwise at expiry (Kleppmann
2016 on fencing: the token, not the clock, is what keeps a driver that was fenced out from writing).
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

import psutil
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from db.models import Lease
from db.session import MICROSECONDS

TTL_US = 600 * MICROSECONDS
"""Ten minutes: longer than the slowest verb, short enough for a lab to wait out a lost machine."""


class LeaseHeld(Exception):
    """Somebody else holds it; the message says who."""


class LeaseLost(Exception):
    """It was taken over; this driver must write nothing more."""


@dataclass(frozen=True)
class Grip:
    """What a holder of a lease knows of it."""

    name: str
    token: int


def take(session: Session, name: str, at: int) -> Grip:
    """Take a lease, in a transaction that holds the campaign's chain.

    Raises:
        LeaseHeld: a living process has it.
    """
    pid = os.getpid()
    held = session.get(Lease, name)
    values = {
        "host": socket.gethostname(),
        "pid": pid,
        "process_started": psutil.Process(pid).create_time(),
        "expires_at": at + TTL_US,
    }
    if held is None:
        session.execute(insert(Lease).values(name=name, token=1, **values))
        return Grip(name, 1)
    if held.expires_at > at and not _is_dead(held):
        raise LeaseHeld(f"process {held.pid} on {held.host}")
    token = held.token + 1  # the update below refreshes ``held`` too
    session.execute(update(Lease).where(Lease.name == name).values(token=token, **values))
    return Grip(name, token)


def hold(session: Session, grip: Grip, at: int) -> None:
    """Check that the lease is still ours and renew it, inside a writing transaction.

    Raises:
        LeaseLost: another driver took it.
    """
    renewed = session.connection().execute(
        update(Lease)
        .where(Lease.name == grip.name, Lease.token == grip.token)
        .values(expires_at=at + TTL_US)
    )
    if renewed.rowcount != 1:
        raise LeaseLost(f"another driver took over {grip.name}")


def release(session: Session, grip: Grip) -> None:
    """Give the lease back, if it is still ours; the token stays, so that it only ever grows."""
    session.execute(
        update(Lease).where(Lease.name == grip.name, Lease.token == grip.token).values(expires_at=0)
    )


def holder(session: Session, name: str, at: int) -> Lease | None:
    """The living holder of a lease, or None."""
    held = session.scalars(select(Lease).where(Lease.name == name)).first()
    return None if held is None or held.expires_at <= at or _is_dead(held) else held


def _is_dead(held: Lease) -> bool:
    if held.host != socket.gethostname():
        return False
    try:
        process = psutil.Process(held.pid)
        # A killed process stays a zombie while its parent does not look, in a container for ever.
        zombie = process.status() == psutil.STATUS_ZOMBIE
        return zombie or abs(process.create_time() - held.process_started) > 1.0
    except psutil.NoSuchProcess:
        return True

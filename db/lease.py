"""One driver a campaign: a lease with a fencing token that every write of the driver checks.

A lease whose holder is a dead process on this host is taken at once, otherwise at expiry (Kleppmann
2016 on fencing: the token, not the clock, is what keeps a driver that was fenced out from writing).

Expiry goes by one clock for all who may drive a campaign, :func:`clock`. One that is set forward
costs a living driver its lease at worst, never a second measurement: it is fenced like any other.
One that is set back lets a dead driver's lease last longer by as much.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

import psutil
from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from db.models import Lease
from db.session import MICROSECONDS, now

HEARTBEAT_S = 15.0
"""Seconds between two heartbeats of a driver (:mod:`db.heartbeat`)."""

EXPIRY_S = 60.0
"""A minute without a heartbeat ends a lease: three may fail, and a lab waits out a lost machine."""


_SERVERS_CLOCK = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")


class LeaseHeld(Exception):
    """Somebody else holds it; the message says who.

    Args:
        holder: The lease as it stands.
    """

    def __init__(self, holder: Lease) -> None:
        super().__init__(f"process {holder.pid} on {holder.host}")
        self.holder = holder


class LeaseLost(Exception):
    """It was taken over; this driver must write nothing more and ask no evaluator.

    Args:
        name: The lease's.
        holder: The lease as it stands; None where it is not there, or not known.
    """

    def __init__(self, name: str, holder: Lease | None = None) -> None:
        by = "" if holder is None else f": process {holder.pid} on {holder.host}"
        super().__init__(f"another driver took over {name}{by}")
        self.holder = holder


@dataclass(frozen=True)
class Grip:
    """What a holder of a lease knows of it."""

    name: str
    token: int


def clock(session: Session) -> int:
    """The time that leases go by, in microseconds since the Unix epoch.

    It is the server's with PostgreSQL, whose drivers may be on machines with clocks that differ;
    those of a SQLite file are all on this machine, and it is this machine's.
    """
    if session.get_bind().dialect.name != "postgresql":
        return now()
    found: int = session.execute(_SERVERS_CLOCK).scalar_one()
    return found


def take(session: Session, name: str, at: int) -> Grip:
    """Take a lease, in a transaction that holds the campaign's chain.

    Args:
        at: Now, by :func:`clock`, as everywhere below.

    Raises:
        LeaseHeld: a living process has it.
    """
    pid = os.getpid()
    held = session.get(Lease, name, with_for_update=True)  # a heartbeat holds no chain
    values = {
        "host": socket.gethostname(),
        "pid": pid,
        "process_started": psutil.Process(pid).create_time(),
        "expires_at": _expiry(at),
    }
    if held is None:
        session.execute(insert(Lease).values(name=name, token=1, **values))
        return Grip(name, 1)
    if held.expires_at > at and not _is_dead(held):
        session.expunge(held)  # the rollback would empty it
        raise LeaseHeld(held)
    token = held.token + 1  # the update below refreshes ``held`` too
    session.execute(update(Lease).where(Lease.name == name).values(token=token, **values))
    return Grip(name, token)


def hold(session: Session, grip: Grip, at: int) -> None:
    """Check that the lease is still ours and renew it, inside a writing transaction.

    One that has expired and that nobody took is still ours; one that was given back is not, so that
    a heartbeat which comes late does not take it again.

    Raises:
        LeaseLost: another driver took it.
    """
    renewed = session.connection().execute(
        update(Lease)
        .where(Lease.name == grip.name, Lease.token == grip.token, Lease.expires_at > 0)
        .values(expires_at=_expiry(at))
    )
    if renewed.rowcount != 1:
        raise _lost(session, grip)


def left(session: Session, grip: Grip, at: int) -> int:
    """Microseconds until our lease expires; negative once it has and nobody took it.

    Raises:
        LeaseLost: another driver took it.
    """
    ours = (Lease.name == grip.name, Lease.token == grip.token)
    expires_at = session.scalars(select(Lease.expires_at).where(*ours)).first()
    if expires_at is None:
        raise _lost(session, grip)
    return expires_at - at


def release(session: Session, grip: Grip) -> None:
    """Give the lease back, if it is still ours; the token stays, so that it only ever grows."""
    session.execute(
        update(Lease).where(Lease.name == grip.name, Lease.token == grip.token).values(expires_at=0)
    )


def holder(session: Session, name: str, at: int) -> Lease | None:
    """The living holder of a lease, or None."""
    held = session.scalars(select(Lease).where(Lease.name == name)).first()
    return None if held is None or held.expires_at <= at or _is_dead(held) else held


def _expiry(at: int) -> int:
    return at + int(EXPIRY_S * MICROSECONDS)


def _lost(session: Session, grip: Grip) -> LeaseLost:
    held = session.scalars(select(Lease).where(Lease.name == grip.name)).first()
    if held is not None:
        session.expunge(held)  # the rollback would empty it
    return LeaseLost(grip.name, held)


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

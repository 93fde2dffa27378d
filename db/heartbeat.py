"""Renews a driver's lease while the driver is busy elsewhere: with a fit, or a slow evaluator.

A thread with a database connection of its own, so that it waits for nothing that the driver does.
What hinders one beat (the driver itself, which writes; a server that is away) is tried again soon,
for as long as it takes: until somebody takes the lease over, it is ours, expired or not. Beats are
paced by the monotonic clock, expiry is judged by :func:`db.lease.clock`.

A thread beats while the interpreter lets it: an evaluator that keeps Python's global lock for a
minute in one call of compiled code is taken for dead. It then loses its campaign, as one that was
stopped does, and asks nothing twice.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from db import lease
from db.models import Lease
from db.session import Database

GRACE_S = 1.0
"""How long the end of a drive waits for a beat under way; one that comes later changes nothing."""


class Heartbeat(threading.Thread):
    """Beats while it is entered as a context; keeps no process alive.

    Args:
        url: Of the database.
        grip: Of the lease that it renews.
    """

    def __init__(self, url: str, grip: lease.Grip) -> None:
        super().__init__(name=f"heartbeat of {grip.name}", daemon=True)
        self.lost = threading.Event()
        """Set once another driver has the lease; it beats no more then."""
        self._url = url
        self._grip = grip
        self._holder: Lease | None = None
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self.join(GRACE_S)

    def require(self) -> None:
        """Refuse to go on where the lease is known to be lost.

        Raises:
            LeaseLost: it is.
        """
        if self.lost.is_set():
            raise lease.LeaseLost(self._grip.name, self._holder)

    def run(self) -> None:
        """Beat until the drive is over or the lease is lost."""
        interval, again = lease.HEARTBEAT_S, lease.HEARTBEAT_S / 5
        database = Database(self._url, patience_s=lease.HEARTBEAT_S / 3)
        try:
            pause = interval
            while not self._over.wait(pause):
                pause = interval if self._beat(database) else again
        except lease.LeaseLost as loss:
            self._holder = loss.holder
            self.lost.set()
        finally:
            database.close()

    def _beat(self, database: Database) -> bool:
        """Whether the lease could be renewed.

        Raises:
            LeaseLost: another driver has it.
        """
        try:
            with database.write() as session:  # without the chain, which the driver may hold
                lease.hold(session, self._grip, lease.clock(session))
        except (SQLAlchemyError, OSError):
            return False
        return True

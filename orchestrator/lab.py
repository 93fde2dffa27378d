"""What of a campaign the world outside meets: its database, its spec and those who measure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from adapters.protocol import Closable, Evaluator
from db import lease, repository
from db.heartbeat import Heartbeat
from db.ledger import Actor, Draft, append
from db.models import LedgerEntry
from db.session import MICROSECONDS, Database, now
from orchestrator.errors import Conflict
from orchestrator.spec.model import EvaluatorSpec, Spec


@dataclass(kw_only=True)
class Lab:
    """A campaign with its evaluators: enough to send jobs and to take in what comes of them.

    It knows neither space nor mathematics, so that whoever only receives loads none.
    """

    database: Database
    actor: Actor
    campaign: str
    """UUID, and name of its chain."""
    revision: int
    spec: Spec
    evaluators: Mapping[str, Evaluator]
    """By name, in the order of the spec."""
    grip: lease.Grip | None = None
    """The lease of a driver; None for what only adds to the campaign from outside."""
    heart: Heartbeat | None = None
    """What renews it."""
    _lap: float = field(default_factory=time.monotonic)

    def part(self, name: str) -> EvaluatorSpec:
        """What the spec says of an evaluator."""
        return next(one for one in self.spec.evaluators if one.name == name)

    def approves(self, part: EvaluatorSpec) -> bool:
        """Whether a person has to approve a candidate before it goes to an evaluator."""
        return (part.approval or self.spec.approval) == "required"

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction that holds the campaign's chain, and its lease if this is a driver."""
        with self.database.write(self.campaign) as session:
            if self.grip is not None:
                lease.hold(session, self.grip, lease.clock(session))
            yield session

    def require_lease(self) -> None:
        """Refuse to go on for a driver that was overtaken; asked before the world is.

        At least half of the lease is left afterwards: so long the call that follows may be kept
        waiting, by whatever stops processes, before anybody else can make it.

        Raises:
            LeaseLost: another driver took it.
        """
        if self.grip is None:
            return
        if self.heart is not None:
            self.heart.require()
        with self.database.read() as session:
            left = lease.left(session, self.grip, lease.clock(session))
        if left < lease.EXPIRY_S * MICROSECONDS / 2:
            with self.write():  # renews it
                pass

    def close(self) -> None:
        """Have evaluators let go of what they hold; what is under way elsewhere goes on."""
        for evaluator in self.evaluators.values():
            if isinstance(evaluator, Closable):
                with suppress(Exception):  # a stranger's adapter may raise anything
                    evaluator.close()

    def rest(self, seconds: float) -> None:
        """Wait; a driver that is overtaken meanwhile, no longer."""
        if self.heart is None:
            time.sleep(seconds)
        else:
            self.heart.lost.wait(seconds)

    def require_newest(self, session: Session) -> None:
        """Refuse to work by an old spec.

        Raises:
            Conflict: the campaign was revised since these parts were wired.
        """
        row = repository.campaign(session, self.campaign)
        if row.revision != self.revision:
            what = f"{row.name}#{row.ordinal} was revised since it was opened"
            raise Conflict(what, "open it again, to go on by its newest spec")

    def append(self, session: Session, draft: Draft) -> LedgerEntry:
        """Write an entry in the campaign's chain and apply it."""
        return append(session, self.campaign, self.actor, draft, now())

    def lap(self) -> float:
        """Seconds that this driver worked since it was last asked."""
        before, self._lap = self._lap, time.monotonic()
        return self._lap - before

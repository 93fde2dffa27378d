"""Takes in what is delivered while nobody drives: it stores and acknowledges, and decides nothing.

Folders, brokers and services are looked at in turn, for every campaign that waits; web hooks
come in by :mod:`orchestrator.web.app`. The next pass of a driver records what was stored.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from adapters.protocol import (
    Delivery,
    Entering,
    Evaluator,
    EvaluatorError,
    Incoming,
    Listening,
    UntrustedError,
)
from db import repository
from db.ledger import Actor, Draft, append
from db.models import SYSTEM
from db.session import Database, now
from db.states import JobState
from orchestrator import opening, wiring
from orchestrator.errors import AssayloopError, NotFound
from orchestrator.lab import Lab
from orchestrator.verbs import arrivals

log = logging.getLogger("assayloop.receiver")

KEPT_UNKNOWN = 1_000_000
"""Bytes of a delivery for an unknown campaign that are kept; what is larger is refused unread."""


@dataclass(frozen=True)
class Answer:
    """What somebody who delivers is told."""

    status: int
    """Of HTTP."""
    said: Mapping[str, object]


class Receiver:
    """Receives for all campaigns of a database.

    Args:
        database: Where they are.
        actor: Who receives; it stands in every entry.
        every_s: Seconds between two looks at what does not call by itself.
    """

    def __init__(self, database: Database, actor: Actor, every_s: float = 2.0) -> None:
        self.database = database
        self.actor = actor
        self.every_s = every_s
        self._labs: dict[str, Lab] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="receiver", daemon=True)
        self._guard = threading.RLock()
        self.looked_at: int | None = None
        """When it last looked, microseconds UTC."""

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """End; a look that is under way is finished first."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for lab in self._labs.values():
            lab.close()
        self._labs.clear()

    @property
    def alive(self) -> bool:
        """Whether it looks."""
        return self._thread.is_alive()

    def _watch(self) -> None:
        while not self._stop.wait(self.every_s):
            try:
                self.look()
            except Exception:  # the database is away, say: the next look may find it again
                log.exception("looking for results failed; trying again in %g s", self.every_s)

    def look(self) -> int:
        """Ask every evaluator that jobs wait for, once.

        Returns:
            Number of jobs whose state changed.
        """
        moved = 0
        with self.database.read() as session:
            states = [*arrivals.SENT, JobState.PARKED]
            waiting = repository.campaigns_with_jobs(session, states)
        for campaign in self._labs.keys() - set(waiting):
            self._labs.pop(campaign).close()
        for campaign in waiting:
            with self._guard:
                moved += self._look_at(self._lab(campaign))
        self.looked_at = now()
        return moved

    def _look_at(self, lab: Lab) -> int:
        moved = 0
        for name, evaluator in lab.evaluators.items():
            takes = evaluator.capabilities
            if takes.synchronous or isinstance(evaluator, Entering):
                continue
            moved += arrivals.collect(lab, name, evaluator)
        return moved + arrivals.expire(lab)

    def _lab(self, campaign: str) -> Lab:
        """The campaign by its newest spec; made again once that was revised."""
        with self.database.read() as session:
            newest = repository.campaign(session, campaign).revision
        known = self._labs.get(campaign)
        if known is None or known.revision != newest:
            if known is not None:
                known.close()
            known = self._labs[campaign] = wiring.lab(self.database, campaign, actor=self.actor)
        return known

    def take(self, campaign: str, name: str, incoming: Incoming) -> Answer:
        """Store a delivery that somebody sent, and say what became of it.

        Args:
            campaign: Name or UUID.
            name: The evaluator's, in the spec.
        """
        try:
            row = opening.campaign(self.database, campaign)
        except NotFound as error:
            return self._unknown(incoming, str(error))
        except AssayloopError as error:
            return Answer(400, {"error": str(error)})
        with self._guard:
            lab = self._lab(row.id)
            evaluator = lab.evaluators.get(name)
            if evaluator is None:
                known = ", ".join(lab.evaluators) or "none"
                return self._unknown(incoming, f"{campaign} has no evaluator {name!r}, but {known}")
            if not isinstance(evaluator, Listening):
                return Answer(405, {"error": f"{name} is asked for its results, and takes none"})
            try:
                delivery = evaluator.accept(incoming)
            except UntrustedError as error:
                log.warning("a delivery to %s of %s was turned away: %s", name, campaign, error)
                return Answer(401, {"error": str(error)})
            except EvaluatorError as error:
                return Answer(405, {"error": str(error)})
            return self._store(lab, name, evaluator, delivery)

    def _store(self, lab: Lab, name: str, evaluator: Evaluator, delivery: Delivery) -> Answer:
        taken = arrivals.take(lab, name, evaluator, delivery)
        if taken.refused:
            return Answer(422, {"error": taken.refused, "kept": True})
        return Answer(202, {"jobs": list(taken.jobs)})

    def _unknown(self, incoming: Incoming, reason: str) -> Answer:
        """Keep what is for nobody here in the system's chain, and refuse it."""
        if len(incoming.body) > KEPT_UNKNOWN:
            return Answer(413, {"error": f"{reason}; it is too large to be kept"})
        with self.database.write(SYSTEM) as session:
            draft = Draft("deliver", {"refused": reason, "answers": []})
            draft.about["delivery"] = draft.attach(incoming.body, incoming.media_type)
            append(session, SYSTEM, self.actor, draft, now())
        return Answer(404, {"error": reason, "kept": True})

    def waiting(self) -> int:
        """Jobs of all campaigns of which a result may still come."""
        with self.database.read() as session:
            return session.scalar(repository.count_of_open_jobs()) or 0

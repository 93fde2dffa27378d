"""Drives a campaign: passes of the loop until it ends, pauses, or must wait for the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from adapters.protocol import Entering
from db import repository
from db.models import Candidate
from db.session import now
from db.states import OPEN, CampaignState, JobState
from orchestrator.lab import Lab
from orchestrator.loop import Verbs, advance, direct, evaluate, settle
from orchestrator.people import actors
from orchestrator.wiring import Parts


class Standing(StrEnum):
    """Where a campaign stands when its driver lets go of it."""

    FINISHED = "finished"
    STOPPED = "stopped"
    PAUSED = "paused"
    WAITING = "waiting"
    """For results, or for a person to settle a parked job."""
    TICKED = "ticked"
    """The tick's rounds are done."""


class Awaits(StrEnum):
    """For whose results a driver stays."""

    NOBODY = "nobody"
    INSTRUMENTS = "instruments"
    """For those of evaluators that answer by themselves, however long they take."""
    EVERYBODY = "everybody"
    """For those that people bring, and for what they approve and settle, too."""


LOOKS = (0.1, 5.0)
"""Seconds between two looks at what has arrived: at first, and at most. Each is half as long again
as the one before, until something moves."""


@dataclass(frozen=True)
class Glance:
    """What somebody who watches sees after each pass."""

    rounds: int
    evaluations: int
    budget: int | None
    best: float | None
    open_jobs: int
    driver_seconds: float


def drive(
    parts: Parts,
    verbs: Verbs | None = None,
    *,
    observe: Callable[[Glance], None] = lambda glance: None,
    rounds: int | None = None,
    awaits: Awaits = Awaits.NOBODY,
) -> Standing:
    """Advance a campaign, whose lease is held, as far as it goes now.

    Args:
        verbs: the five verbs; called in this process by default.
        observe: told after each pass.
        rounds: end after that many rounds have been proposed; no limit by default.
        awaits: for whose results it stays when nothing else is left to do.

    Raises:
        Denied: whoever drives it may not any longer. The campaign is left as the last pass left
            it, and whoever may continues it.
        LeaseLost: another driver took it over.
    """
    verbs = verbs or direct(parts)
    last = None if rounds is None else glance(parts).rounds + rounds
    actors.require_still(parts.database, parts.actor)
    settle(verbs)
    while True:
        parts.require_lease()
        actors.require_still(parts.database, parts.actor)
        moved = advance(verbs)
        seen = glance(parts)
        observe(seen)
        standing = _standing(parts)
        if standing is not None:
            return standing
        if last is not None and seen.rounds >= last and not seen.open_jobs:
            return Standing.TICKED
        if not moved and not _rest(parts, awaits):
            return Standing.WAITING


def _rest(parts: Parts, awaits: Awaits) -> bool:
    """Wait until there is something to do again; False where nothing will be without a person.

    What it looks at meanwhile is no pass of the verbs: an engine would keep a record of each.
    """
    pause, longest = LOOKS
    while True:
        due = _next_due(parts)
        if due is None and not _awaited(parts, awaits):
            return False
        left = longest if due is None else max(0.0, (due - now()) / 1e6)
        parts.rest(min(left, pause))
        parts.lap()  # nobody's work
        if left <= pause and due is not None:
            return True
        parts.require_lease()
        actors.require_still(parts.database, parts.actor)
        if evaluate(parts) or _something_came(parts):
            return True
        pause = min(1.5 * pause, longest)


def _awaited(lab: Lab, awaits: Awaits) -> bool:
    """Whether results may come for which the driver stays."""
    if awaits is Awaits.NOBODY:
        return False
    with lab.database.read() as session:
        waiting = repository.jobs(session, lab.campaign, OPEN)
    if awaits is Awaits.EVERYBODY:
        return bool(waiting)
    there = (JobState.SUBMITTED, JobState.RUNNING, JobState.QUEUED)
    return any(
        job.state in there and not isinstance(lab.evaluators[job.evaluator], Entering)
        for job in waiting
        if job.evaluator in lab.evaluators
    )


def _something_came(lab: Lab) -> bool:
    """Whether somebody else stored a result, or paused or ended the campaign."""
    with lab.database.read() as session:
        if repository.campaign(session, lab.campaign).state != CampaignState.RUNNING:
            return True
        return bool(repository.attempts(session, lab.campaign, "delivered"))


def glance(parts: Parts) -> Glance:
    """The campaign as it stands."""
    with parts.database.read() as session:
        row = repository.campaign(session, parts.campaign)
        best = session.get(Candidate, (parts.campaign, row.best or 0))
        return Glance(
            rounds=row.rounds,
            evaluations=row.evaluations,
            budget=parts.spec.budget.evaluations,
            best=None if best is None else best.objective,
            open_jobs=repository.open_jobs(session, parts.campaign),
            driver_seconds=row.driver_seconds,
        )


def _standing(parts: Parts) -> Standing | None:
    """The campaign's state as the end of a drive; None while it is running."""
    with parts.database.read() as session:
        state = repository.campaign(session, parts.campaign).state
    return {
        CampaignState.FINISHED: Standing.FINISHED,
        CampaignState.STOPPED: Standing.STOPPED,
        CampaignState.PAUSED: Standing.PAUSED,
    }.get(CampaignState(state))


def _next_due(parts: Parts) -> int | None:
    """When the next queued job may be tried again; None if no job waits for that."""
    with parts.database.read() as session:
        queued = repository.jobs(session, parts.campaign, [JobState.QUEUED])
    return min((job.not_before for job in queued if job.not_before is not None), default=None)

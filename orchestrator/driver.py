"""Drives a campaign: passes of the loop until it ends, pauses, or must wait for the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from db import repository
from db.models import Candidate
from db.session import now
from db.states import CampaignState, JobState
from orchestrator.loop import Verbs, advance, direct, settle
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
) -> Standing:
    """Advance a campaign, whose lease is held, as far as it goes now.

    Args:
        verbs: the five verbs; called in this process by default.
        observe: told after each pass.
        rounds: end after that many rounds have been proposed; no limit by default.

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
        if not moved:
            due = _next_due(parts)
            if due is None:
                return Standing.WAITING
            parts.rest(max(0.0, (due - now()) / 1e6))


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

"""The loop: five verbs, one function each. Read this file first.

One pass of a campaign::

    1. propose   fit + pending candidates -> points, with what the surrogate predicts for them
    2. decode    point -> object; what is invalid, duplicate or filtered is kept and costs nothing
    3. evaluate  object -> evaluator -> delivery, stored as it came before anybody reads it
    4. record    delivery -> measurements, objective, stop rules
    5. refit     measurements that stand -> fit

Each verb reads from the database, computes with pure code, and writes in one transaction a ledger
entry together with the rows it folds into. Each finds its own finished output, so a process killed
anywhere is continued by calling the same verbs again. ``evaluate`` is the exception to the one
transaction, because the world outside is in the middle of it: see
:mod:`orchestrator.verbs.dispatch`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from db import repository
from db.ledger import Draft
from db.models import Campaign, Fit, Round
from db.session import now
from db.states import CampaignState
from orchestrator.verbs import (
    arrivals,
    batches,
    candidates,
    computing,
    dataset,
    dispatch,
    recording,
    stopping,
    valuing,
)
from orchestrator.verbs.stopping import Progress
from orchestrator.wiring import Parts

PROPOSE, DECODE = 1, 2
"""Numbers of the verbs that draw at random; a stream is (seed, round, verb)."""

BARREN_PRIOR, BARREN_PAUSE = 5, 20
"""Rounds in a row without a new object after which one is drawn from the prior, or all pauses."""


def stream(parts: Parts, round: int, verb: int) -> list[int]:
    """Seed of the random stream of one verb in one round."""
    return [parts.spec.seed, round, verb]


# 1. propose -----------------------------------------------------------------------------------


def propose(parts: Parts) -> int | None:
    """Open the next round, if it is time for one.

    Returns:
        The number of the round to decode, or None where nothing is to be proposed now: results
        are awaited, or the campaign has ended or is paused.
    """
    with parts.database.read() as session:
        waiting = repository.rounds(session, parts.campaign, "proposed")
        if waiting:
            return waiting[0].number
        campaign = repository.campaign(session, parts.campaign)
        open_jobs = repository.open_jobs(session, parts.campaign)
        progress = valuing.progress(session, parts)
    if campaign.state != CampaignState.RUNNING or open_jobs > parts.spec.in_flight:
        return None
    if ended := stopping.reason(parts.spec, parts.objective, progress):
        if not open_jobs:
            _end(parts, CampaignState.FINISHED, ended)
        return None
    if campaign.barren_rounds >= BARREN_PAUSE:
        _end(parts, CampaignState.PAUSED, f"{BARREN_PAUSE} rounds in a row gave no new object")
        return None
    return open_round(parts, _size(parts, progress))


def _size(parts: Parts, progress: Progress) -> int:
    """How many candidates the next round has: a batch, as far as the budget reaches."""
    initial = parts.spec.proposer.initial - progress.evaluations
    wanted = initial if initial > 0 else parts.spec.proposer.batch
    limit = stopping.remaining(parts.spec, progress)
    return wanted if limit is None else min(wanted, limit)


def _end(parts: Parts, state: CampaignState, reason: str) -> None:
    with parts.write() as session:
        if repository.campaign(session, parts.campaign).state != CampaignState.RUNNING:
            return  # somebody stopped or paused it meanwhile
        draft = Draft("finish" if state is CampaignState.FINISHED else "pause")
        draft.set("campaign", id=parts.campaign, state=str(state), reason=reason)
        parts.append(session, draft)


def open_round(parts: Parts, q: int, source: str = "proposed") -> int:
    """Propose q points as a new round, whatever is under way.

    Args:
        source: ``proposed`` for evaluators, ``asked`` for somebody who measures by themselves.
    """
    with parts.database.read() as session:
        campaign = repository.campaign(session, parts.campaign)
        position = repository.position(session, parts.campaign)
        pending = repository.pending(session, parts.campaign)
        stored = _usable_fit(parts, session, campaign)
        data = computing.data(session, parts, position if stored is None else stored.position)
    number = campaign.rounds + 1
    seed = stream(parts, number, PROPOSE)
    kind = parts.spec.proposer.kind if stored or not parts.proposer.needs_fit else "random"
    proposal = computing.proposal(
        parts,
        kind,
        None if stored is None else stored.state,
        data,
        dataset.points(pending, parts.spec.surrogate.at, parts.space.dim),
        q,
        seed,
    )
    with parts.write() as session:
        draft = Draft("propose")
        draft.new(
            "round",
            number=number,
            revision=parts.revision,
            source=source,
            state="proposed",
            proposer=kind,
            fit=None if stored is None else stored.number,
            position=position,
            pending=[candidate.number for candidate in pending],
            stream=seed,
            details=proposal.state,
            proposed_at=now(),
        )
        candidates.add(session, draft, parts, number, proposal, source)
        draft.set("campaign", id=parts.campaign, rounds=number)
        parts.append(session, draft)
    return number


def _usable_fit(parts: Parts, session: Session, campaign: Campaign) -> Fit | None:
    """The newest fit; None while initial points are drawn, or for a round from the prior."""
    committed = repository.candidates_with_jobs(session, campaign.id)
    barren = campaign.barren_rounds
    if committed < parts.spec.proposer.initial or (barren and barren % BARREN_PRIOR == 0):
        return None
    newest = repository.fit(session, campaign.id) if parts.proposer.needs_fit else None
    return newest if newest is not None and newest.revision == parts.revision else None


# 2. decode ------------------------------------------------------------------------------------


def decode(parts: Parts, round: int) -> int:
    """Decode a round's points and queue jobs for the new objects.

    Returns:
        Number of new objects; 0 also where the round was decoded before.
    """
    with parts.database.read() as session:
        row = session.get_one(Round, (parts.campaign, round))
        members = repository.candidates(session, parts.campaign, round=round)
    if row.state != "proposed":
        return 0
    drawn = dataset.points(members, "proposed", parts.space.dim)
    decoded, points = computing.decoding(parts, drawn, stream(parts, round, DECODE))
    with parts.write() as session:
        campaign = repository.campaign(session, parts.campaign)
        draft = Draft("decode", {"round": round})
        fresh = candidates.settle(session, draft, parts, members, decoded, points)
        asked = row.source == "asked"
        if CampaignState(campaign.state).over:
            fresh = []  # somebody stopped it meanwhile: nothing more is sent
        if not asked:
            candidates.queue_jobs(session, draft, parts, fresh)
            barren = 0 if fresh else campaign.barren_rounds + 1
            draft.set("campaign", id=parts.campaign, barren_rounds=barren)
        closed = asked or not fresh
        draft.set("round", number=round, state="closed" if closed else "decoded")
        parts.append(session, draft)
    return len(fresh)


# 3. evaluate ----------------------------------------------------------------------------------


def evaluate(parts: Parts) -> int:
    """Send queued jobs to their evaluators and store what has arrived.

    Returns:
        Number of jobs whose state changed.
    """
    moved = 0
    for name, evaluator in parts.evaluators.items():
        moved += dispatch.recover(parts, name, evaluator)
        while batch := batches.intend(parts, name, evaluator):
            moved += dispatch.submit(parts, batch, evaluator)
        moved += arrivals.collect(parts, name, evaluator)
    return moved + arrivals.expire(parts)


# 4. record ------------------------------------------------------------------------------------


def record(parts: Parts) -> int:
    """Turn deliveries into measurements, whichever round they come from.

    Returns:
        Number of outcomes recorded.
    """
    recorded = 0
    for delivery, jobs in recording.unread(parts):
        outcomes = recording.parse(parts, delivery, jobs)
        recording.record(parts, delivery, outcomes)
        recorded += len(jobs)
    return recorded


# 5. refit -------------------------------------------------------------------------------------


def refit(parts: Parts) -> int | None:
    """Fit the surrogate to the measurements that stand now.

    It waits until a round may be opened. So with ``in_flight: 0`` every fit knows whole rounds,
    and the campaign goes the same way in whatever order and however late results come.

    Returns:
        Number of the new fit; None where the newest one already knows them all, or where no
        proposer will ask for one yet.
    """
    with parts.database.read() as session:
        if repository.rounds(session, parts.campaign, "proposed"):
            return None  # decoding may yet add points with values: duplicates of what is measured
        measured = repository.last_measured(session, parts.campaign)
        previous = repository.fit(session, parts.campaign)
        open_jobs = repository.open_jobs(session, parts.campaign)
        position = repository.position(session, parts.campaign)
        known = 0 if previous is None else previous.position
        fallen = repository.fallen(session, parts.campaign).values()
        if previous is not None and (
            previous.revision != parts.revision or max(fallen, default=0) > known
        ):  # another spec may model other outcomes, and a corrected value must not live on
            previous, known = None, 0
        if not parts.proposer.needs_fit or measured <= known or open_jobs > parts.spec.in_flight:
            return None
        number = repository.next_number(session, Fit, parts.campaign)
        data = computing.data(session, parts, position)
    if not np.isfinite(data.values).all(axis=1).any():
        return None
    started = time.monotonic()
    fit = parts.surrogate.fit(
        data, parts.space.bounds, None if previous is None else previous.state
    )
    with parts.write() as session:
        draft = Draft("refit")
        draft.new(
            "fit",
            number=number,
            revision=parts.revision,
            kind=parts.spec.surrogate.kind,
            state=fit.state,
            data_hash=data.hash,
            data_size=len(data.points),
            position=position,
            previous=None if previous is None else previous.number,
            versions=computing.proposed_with(),
            duration=time.monotonic() - started,
            fitted_at=now(),
        )
        parts.append(session, draft)
    return number


# The pass -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verbs:
    """The five verbs as somebody calls them: directly here, as Prefect tasks in a flow."""

    propose: Callable[[], int | None]
    decode: Callable[[int], int]
    evaluate: Callable[[], int]
    record: Callable[[], int]
    refit: Callable[[], int | None]


def direct(parts: Parts) -> Verbs:
    """The verbs called in this process."""
    return Verbs(
        propose=lambda: propose(parts),
        decode=lambda round: decode(parts, round),
        evaluate=lambda: evaluate(parts),
        record=lambda: record(parts),
        refit=lambda: refit(parts),
    )


def advance(verbs: Verbs) -> bool:
    """One pass of the five verbs.

    Returns:
        Whether anything moved; if not, results are awaited or the campaign is at its end.
    """
    round = verbs.propose()
    if round is not None:
        verbs.decode(round)
    return settle(verbs) or round is not None


def settle(verbs: Verbs) -> bool:
    """The second half of a pass: results come in and are learned from.

    A driver begins with it, because the last one may have died in the middle of it, and a round
    must not be proposed before all that is measured is fitted.

    Returns:
        Whether anything moved.
    """
    moved = verbs.evaluate() + verbs.record()
    return verbs.refit() is not None or moved > 0

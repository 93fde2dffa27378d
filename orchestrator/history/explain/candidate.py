"""All that is known of one candidate: why it was made, on what, what came of it, who did what.

Gathered from the tables and the ledger as one JSON-able value, which
:mod:`orchestrator.history.explain.candidate_page` puts into words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import repository
from db.models import (
    Artifact,
    Attempt,
    Campaign,
    Candidate,
    Fit,
    Job,
    LatentModel,
    LedgerEntry,
    Measurement,
    Round,
    Signature,
)
from orchestrator import moments
from orchestrator.history.explain.candidate_entries import Trail
from orchestrator.history.explain.uses_of_measurements import Uses
from orchestrator.history.listings.results import put_on_disk
from orchestrator.history.replay import package_versions
from orchestrator.spec import stored, words

Page = dict[str, Any]


def explain(session: Session, campaign: Campaign, one: Candidate, folder: Path) -> Page:
    """All that is known of a candidate.

    Args:
        session: Where to read.
        campaign: Whose candidate it is.
        one: The candidate. What was measured of a duplicate's twin counts for it, too.
        folder: Where artifacts are put, to be shown by path.

    Returns:
        A value of JSON, with times in ISO 8601 and ``None`` for what there is not.
    """
    owner = one.duplicate_of or one.number
    measured = _measured(session, one.campaign, owner)
    trail = Trail.read(session, one.campaign, {one.number, owner})
    attempts = _attempts(session, one.campaign, owner, folder)
    made = {} if one.round is None else package_versions.of_rounds(session, one.campaign)
    return {
        "campaign": f"{campaign.name}#{campaign.ordinal}",
        "chain": campaign.id,
        "candidate": one.number,
        **_is(session, one, folder),
        "proposal": None if one.round is None else _proposal(session, one, made),
        "decoded_with": made.get(("decode", one.round or 0)),
        "spec": _spec(session, one),
        "measurements": _measurements(session, measured),
        "objective": one.objective,
        "feasible": one.feasible,
        "signatures": _signatures(session, one.campaign, {row["entry"] for row in trail.entries}),
        "attempts": attempts,
        "cost": sum(attempt["cost"] for attempt in attempts),
        "learnt": _learnt(session, one, measured, trail),
        "entries": trail.entries,
    }


def actor(entry: LedgerEntry) -> Page:
    """Who wrote an entry, and when."""
    return {
        "actor": entry.actor_id,
        "actor_kind": entry.actor_kind,
        "on_behalf_of": entry.on_behalf_of,
        "mode": entry.mode,
        "at": moments.iso(entry.at),
        "entry": entry.sequence,
        "hash": entry.hash,
    }


def _entry(session: Session, chain: str, number: int) -> Page:
    return actor(session.get_one(LedgerEntry, (chain, number)))


# What it is and why it was made ---------------------------------------------------------------


def _is(session: Session, one: Candidate, folder: Path) -> Page:
    return {
        "external_ids": one.external_ids,
        "source": one.source,
        "edited_from": one.edited_from,
        "valid": one.valid,
        "reason": one.reason,
        "object": one.object,
        "artifact": _artifact(session, one.campaign, one.artifact, folder),
        "key": one.key,
        "filters": one.filters,
        "duplicate_of": one.duplicate_of,
        "point": one.point,
        "realised": one.realised,
        "log_prior": one.log_prior,
        "made": _entry(session, one.campaign, one.entry),
    }


def _proposal(
    session: Session, one: Candidate, made: Mapping[tuple[str, int], package_versions.Versions]
) -> Page:
    row = session.get_one(Round, (one.campaign, one.round))
    fit = None if row.fit is None else session.get_one(Fit, (one.campaign, row.fit))
    return {
        "round": row.number,
        "source": row.source,
        "proposer": row.proposer,
        "mean": one.mean,
        "std": one.std,
        "acquisition": one.acquisition,
        "position": row.position,
        "pending": row.pending,
        "stream": row.stream,
        "details": row.details,
        "versions": made.get(("propose", row.number)),
        **_entry(session, one.campaign, row.entry),
        "fit": None
        if fit is None
        else {
            "fit": fit.number,
            "kind": fit.kind,
            "position": fit.position,
            "data_size": fit.data_size,
            "data_hash": fit.data_hash,
            "state": fit.state,
            "versions": fit.versions,
            **_entry(session, one.campaign, fit.entry),
        },
    }


def _spec(session: Session, one: Candidate) -> Page:
    """The revision by which it was made, who wrote it, and the model of its space."""
    if one.round is not None:
        number = session.get_one(Round, (one.campaign, one.round)).revision
    else:
        number = one.objective_revision or 1
    revision = repository.revision(session, one.campaign, number)
    sought = stored.spec(revision).objective
    model = None if revision.model is None else session.get(LatentModel, revision.model)
    return {
        "revision": number,
        "reason": revision.reason,
        "objective": words.objective(sought),
        "direction": sought.direction,
        "space": revision.resolved["space"]["kind"],
        "model": None if revision.model is None else {"hash": revision.model},
        **_entry(session, one.campaign, revision.entry),
    } | ({} if model is None else {"model": {"hash": model.hash, "name": model.name}})


def _signatures(session: Session, chain: str, entries: set[int]) -> list[Page]:
    """Signatures of people under entries that say something of the candidate."""
    rows = session.scalars(
        select(Signature).where(Signature.chain == chain).order_by(Signature.number)
    )
    return [
        {
            "signed": row.signed,
            "meaning": row.meaning,
            "name": row.name,
            "account": row.account,
            "at": moments.iso(row.signed_at),
            "entry": row.entry,
        }
        for row in rows
        if row.signed in entries
    ]


# What was measured ----------------------------------------------------------------------------


def _measured(session: Session, chain: str, candidate: int) -> Sequence[Measurement]:
    return session.scalars(
        select(Measurement)
        .where(Measurement.campaign == chain, Measurement.candidate == candidate)
        .order_by(Measurement.number)
    ).all()


def _measurements(session: Session, rows: Sequence[Measurement]) -> list[Page]:
    flags: dict[int, list[Page]] = {row.number: [] for row in rows}
    for flag in repository.flags(session, rows[0].campaign) if rows else ():
        if flag.measurement in flags:
            said = {"kind": flag.kind, "reason": flag.reason}
            flags[flag.measurement].append(said | _entry(session, flag.campaign, flag.entry))
    later = {row.supersedes: row.number for row in rows}
    return [
        _measurement(session, row)
        | {"superseded_by": later.get(row.number), "flags": flags[row.number]}
        for row in rows
    ]


def _measurement(session: Session, row: Measurement) -> Page:
    return {
        "measurement": row.number,
        "name": row.name,
        "value": row.value,
        "unit": row.unit,
        "std": row.std,
        "censoring": row.censoring,
        "source": row.source,
        "evaluator": row.evaluator,
        "provenance": row.provenance,
        "job": row.job,
        "attempt": row.attempt,
        "delivery": row.delivery,
        "place": row.place,
        "measured_at": None if row.measured_at is None else moments.iso(row.measured_at),
        "received_at": moments.iso(row.received_at),
        "supersedes": row.supersedes,
        **_entry(session, row.campaign, row.entry),
    }


def _attempts(session: Session, chain: str, candidate: int, folder: Path) -> list[Page]:
    found = []
    for job in repository.jobs_of_candidate(session, chain, candidate):
        rows = session.scalars(
            select(Attempt)
            .where(Attempt.campaign == chain, Attempt.job == job.number)
            .order_by(Attempt.number)
        ).all()
        found += [_attempt(session, job, row, folder) for row in rows]
    return found


def _attempt(session: Session, job: Job, row: Attempt, folder: Path) -> Page:
    times = ("started_at", "submitted_at", "delivered_at", "ended_at")
    return {
        "job": job.number,
        "key": job.key,
        "job_state": str(job.state),
        "evaluator": job.evaluator,
        "replicate": job.replicate,
        "attempt": row.number,
        "state": row.state,
        "reason": row.reason or job.reason,
        "reference": row.reference,
        "batch": row.batch,
        "cost": job.cost,
        "delivery": _artifact(session, row.campaign, row.delivery, folder),
        **{
            name: None if getattr(row, name) is None else moments.iso(getattr(row, name))
            for name in times
        },
    }


def _artifact(session: Session, chain: str, sha256: str | None, folder: Path) -> Page | None:
    """An artifact with the path where it was put; without one where its bytes are not its own."""
    if sha256 is None:
        return None
    row = session.get(Artifact, (chain, sha256))
    about: Page = {"sha256": sha256, "path": None, "problem": ""}
    about |= {
        "media_type": None if row is None else row.media_type,
        "size": None if row is None else row.size,
    }
    try:
        if row is not None:
            about["path"] = str(put_on_disk(session, chain, sha256, folder))
    except (KeyError, ValueError) as error:
        about["problem"] = str(error.args[0])
    return about


# What was learnt ------------------------------------------------------------------------------


def _learnt(
    session: Session, one: Candidate, measured: Sequence[Measurement], trail: Trail
) -> Page:
    used = Uses(session, one.campaign).of(measured)
    fits = [session.get_one(Fit, (one.campaign, number)) for number in used.fits]
    known = one.objective is not None and one.mean is not None and one.std
    return {
        "deviation": (one.objective - one.mean) / one.std if known else None,  # type: ignore[operator]
        "best": trail.best(one.number),
        "fits": [{"fit": fit.number, "data_hash": fit.data_hash} for fit in fits],
        "rounds": used.rounds,
    }

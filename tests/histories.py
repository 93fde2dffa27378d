"""Small histories, written straight through the ledger, for tests of what reads them."""

from __future__ import annotations

from typing import Any

from db.ledger import Actor, Draft, append
from db.models import SYSTEM, LedgerEntry
from db.session import Database

CAMPAIGN = "11111111-2222-4333-8444-555555555555"
ACTOR = Actor("os account", "ada")

CANDIDATE: dict[str, Any] = {
    "round": None,
    "source": "told",
    "edited_from": None,
    "external_ids": [],
    "point": [0.25, 0.5],
    "mean": None,
    "std": None,
    "acquisition": None,
    "valid": True,
    "reason": "",
    "object": "",
    "artifact": None,
    "key": "",
    "filters": {},
    "realised": None,
    "log_prior": 0.0,
    "duplicate_of": None,
    "objective": None,
    "feasible": None,
    "objective_revision": None,
}
JOB: dict[str, Any] = {
    "evaluator": "bench",
    "replicate": 1,
    "state": "queued",
    "reason": "",
    "attempts": 0,
    "batch": None,
    "position": "",
    "not_before": None,
    "deadline": None,
    "cost": 0.0,
}
MEASUREMENT: dict[str, Any] = {
    "job": None,
    "attempt": None,
    "evaluator": "",
    "name": "score",
    "value": 0.5,
    "unit": "",
    "std": None,
    "censoring": "none",
    "measured_at": None,
    "received_at": 1,
    "source": "told",
    "provenance": "a notebook",
    "delivery": None,
    "place": "",
    "supersedes": None,
}


def write(database: Database, draft: Draft, *, chain: str = CAMPAIGN, at: int = 1) -> LedgerEntry:
    """Write one entry."""
    with database.write(chain) as session:
        return append(session, chain, ACTOR, draft, at)


def begin(
    database: Database, chain: str = CAMPAIGN, *, name: str = "small", ordinal: int = 1
) -> None:
    """Start a campaign, with its name in the system chain, as the application does."""
    draft = Draft("create")
    draft.new(
        "campaign",
        name=name,
        ordinal=ordinal,
        state="running",
        reason="",
        revision=1,
        rounds=0,
        evaluations=0,
        cost=0.0,
        driver_seconds=0.0,
        best=None,
        since_best=0,
        barren_rounds=0,
        created_at=ordinal,
    )
    draft.new("campaign_revision", revision=1, written={}, resolved={}, model=None, reason="")
    genesis = write(database, draft, chain=chain)
    about = {"campaign": chain, "name": name, "genesis": genesis.hash}
    write(database, Draft("campaign", about), chain=SYSTEM)


def candidate(draft: Draft, number: int, **columns: Any) -> None:
    """Draft a candidate."""
    draft.new("candidate", **CANDIDATE | {"number": number, "key": f"key {number}"} | columns)


def job(draft: Draft, number: int, candidate: int, **columns: Any) -> None:
    """Draft a job of a candidate."""
    key = f"{CAMPAIGN}/{candidate}/bench/{number}"
    draft.new("job", **JOB | {"number": number, "candidate": candidate, "key": key} | columns)


def measurement(draft: Draft, number: int, candidate: int, **columns: Any) -> None:
    """Draft a measurement of a candidate."""
    draft.new("measurement", **MEASUREMENT | {"number": number, "candidate": candidate} | columns)


def flag(draft: Draft, measurement: int, kind: str, number: int = 1) -> None:
    """Draft a flag on a measurement."""
    draft.new("measurement_flag", measurement=measurement, number=number, kind=kind, reason=kind)

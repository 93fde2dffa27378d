"""Small histories, written straight through the ledger, for tests of what reads them."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select

from db.ledger import Actor, Draft, append
from db.models import SYSTEM, Anchor, LedgerEntry, Secret
from db.session import Database
from orchestrator.history.keeping import copy_database
from orchestrator.history.verify import anchors, tables_from_ledger
from orchestrator.people.accounts import fingerprint

CAMPAIGN = "11111111-2222-4333-8444-555555555555"
OTHER = CAMPAIGN.replace("1", "9")
ACTOR = Actor("os account", "ada")
KEY = Ed25519PrivateKey.from_private_bytes(b"secret of thirty-two characters.")

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
    "instrument": "",
    "operator": "",
    "lot": "",
    "supersedes": None,
}


def rows(database: Database) -> dict[str, list[str]]:
    """All rows of all tables but who drives what, as the driver gives them, on both kinds alike."""
    with database.read() as session:
        return {
            table.name: sorted(
                repr([int(one) if isinstance(one, bool) else one for one in row])
                for row in session.execute(select(tables_from_ledger.untyped(table.name)))
            )
            for table in copy_database.TABLES
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


def everything(database: Database) -> None:
    """A campaign with rows in every folded table, the same each time to the byte."""
    begin(database)
    write(database, model(b"weights"), chain=SYSTEM, at=2)
    head = write(database, _people(), chain=SYSTEM, at=2)
    with database.write(SYSTEM) as session:
        anchor = anchors.sign(KEY, SYSTEM, head.sequence, head.hash, 2)
        session.execute(insert(Anchor), [vars(anchor)])
    for at, draft in enumerate((_proposed(), _decoded(), _sent(), _recorded(), told()), 3):
        entry = write(database, draft, at=at)
    write(database, _signed(entry), at=8)


def more(database: Database) -> None:
    """After :func:`everything`, a second row for each table of which it has one, and secrets."""
    write(database, model(b"other weights"), chain=SYSTEM, at=9)
    people = _people()
    people.rows["new"]["account"][0] |= {"name": "bob", "full_name": "Bob", "role": "viewer"}
    second = Ed25519PrivateKey.from_private_bytes(b"another of thirty-two characters")
    key = second.public_key().public_bytes_raw().hex()
    people.rows["new"]["signing_key"][0] |= {"key": key, "created_at": 9, "revoked_at": 10}
    secrets = [_token("ada", "a" * 64), _token("bob", "b" * 64)]
    people.about["secrets"] = {row["id"]: fingerprint(row) for row in secrets}
    head = write(database, people, chain=SYSTEM, at=9)
    with database.write(SYSTEM) as session:
        session.execute(insert(Secret), secrets)
        anchor = anchors.sign(KEY, SYSTEM, head.sequence, head.hash, 9)
        session.execute(insert(Anchor), [vars(anchor)])
    again = _proposed()
    again.rows["new"].pop("candidate")
    again.rows["new"]["fit"][0] |= {"number": 2, "data_size": 2, "previous": 1, "fitted_at": 9}
    again.rows["new"]["round"][0] |= {"number": 2, "fit": 2, "position": 8, "stream": [7, 2, 1]}
    again.rows["set"]["campaign"][0] |= {"rounds": 2}
    again.new("batch", number=2, evaluator="other", key=f"{CAMPAIGN}/batch/2")
    again.new(
        "campaign_revision", revision=2, written={"a": 1}, resolved={}, model=None, reason="b"
    )
    flag(again, 2, "suspect")
    entry = write(database, again, at=9)
    signed = _signed(entry)
    signed.rows["new"]["signature"][0] |= {"number": 2, "meaning": "approved", "signed_at": 10}
    write(database, signed, at=10)
    begin(database, OTHER, name="other", ordinal=1)


def _token(account: str, hashed: str) -> dict[str, Any]:
    return {
        "id": f"{account}/{hashed[:8]}",
        "account": account,
        "kind": "token",
        "hash": hashed,
        "scopes": ["read"] if account == "ada" else ["read", "own"],
        "created_at": 9,
        "expires_at": 99 if account == "ada" else None,
    }


def model(weights: bytes) -> Draft:
    """Register a model with such weights."""
    draft = Draft("model")
    sha256 = draft.attach(weights, "application/x-safetensors")
    draft.new("latent_model", hash=sha256, name="tiny", card={"weights_sha256": sha256})
    return draft


def _people() -> Draft:
    draft = Draft("account")
    draft.new(
        "account",
        name="ada",
        full_name="Ada Lovelace",
        role="owner",
        state="active",
        reason="",
        created_at=2,
    )
    key = KEY.public_key().public_bytes_raw().hex()
    draft.new("signing_key", key=key, created_at=2, revoked_at=None, reason="")
    return draft


def _signed(entry: LedgerEntry) -> Draft:
    draft = Draft("sign")
    draft.new(
        "signature",
        number=1,
        signed=entry.sequence,
        hash=entry.hash,
        account="grace",
        name="Grace Hopper",
        meaning="reviewed",
        signed_at=8,
    )
    return draft


def _proposed() -> Draft:
    draft = Draft("propose")
    draft.new(
        "fit",
        number=1,
        revision=1,
        kind="gp",
        state={"noise": 1e-4},
        data_hash="0" * 64,
        data_size=0,
        position=1,
        previous=None,
        versions={"numpy": "2"},
        duration=0.25,
        fitted_at=3,
    )
    draft.new(
        "round",
        number=1,
        revision=1,
        source="proposed",
        state="proposed",
        proposer="gp",
        fit=1,
        position=1,
        pending=[],
        stream=[7, 1, 1],
        details={"kind": "gp"},
        proposed_at=3,
    )
    for number in (1, 2):
        candidate(draft, number, round=1, source="proposed", mean=-0.0, std=5e-324, valid=None)
    draft.set("campaign", rounds=1)
    return draft


def _decoded() -> Draft:
    draft = Draft("decode", {"round": 1})
    picture = draft.attach(b"picture", "image/png")
    draft.set("candidate", number=1, valid=True, object="CCO", realised=[0.25, 0.5])
    draft.set("candidate", number=2, valid=True, artifact=picture, filters={"alerts": True})
    for number in (1, 2):
        job(draft, number, number)
    draft.set("round", number=1, state="decoded")
    return draft


def _sent() -> Draft:
    draft = Draft("submit")
    draft.new(
        "batch", number=1, evaluator="bench", key=f"{CAMPAIGN}/batch/1", barcode="0123456789AB"
    )
    for number in (1, 2):
        draft.set("job", number=number, state="submitted", attempts=1, batch=1, position="A1")
        draft.new(
            "attempt",
            job=number,
            number=1,
            batch=1,
            state="submitted",
            reason="",
            reference=f"run {number}",
            delivery=None,
            receipt=None,
            started_at=5,
            submitted_at=5,
            delivered_at=None,
            ended_at=None,
        )
    draft.set("campaign", evaluations=2, cost=2.5)
    return draft


def _recorded() -> Draft:
    draft = Draft("record")
    delivery = draft.attach(b'{"score": 0.5}', "application/json")
    at = {"delivered_at": 6, "ended_at": 6}
    draft.set("attempt", job=1, number=1, state="succeeded", delivery=delivery, receipt=1, **at)
    draft.set("job", number=1, state="succeeded")
    of_job = {"job": 1, "attempt": 1, "evaluator": "bench", "source": "evaluator"}
    made = {"instrument": "Reader 3", "operator": "ada", "lot": "L-7"}
    measurement(draft, 1, 1, **of_job, **made, delivery=delivery, place="/score", std=0.01)
    flag(draft, 1, "late")
    draft.set("candidate", number=1, objective=0.5, feasible=True, objective_revision=1)
    draft.set("campaign", best=1)
    return draft


def told() -> Draft:
    """Tell a measurement of an object that is new."""
    draft = Draft("tell", {"provenance": "a notebook"})
    candidate(draft, 3, external_ids=["Å-4711", "𝒙"], point=None, object="C", reason="é\n")
    measurement(draft, 2, 3, value=1 / 3, measured_at=1, unit="µg")
    draft.set("campaign", state="paused", reason="lunch")
    return draft

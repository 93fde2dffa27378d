"""A sound history in which every column of every table holds at least two values.

So each value can be exchanged for one that stands elsewhere in the same column: a change that no
check of plausibility would find.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert

from db.artifacts import CHUNK
from db.ledger import Actor, Draft, append
from db.models import SYSTEM, Anchor, Lease, Secret
from db.session import Database
from orchestrator.history.verify import anchors
from orchestrator.people.accounts import fingerprint
from tests import histories
from tests.histories import CAMPAIGN

OTHER = CAMPAIGN.replace("1", "9")
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"another secret of thirty-two ch.")


def write(database: Database) -> None:
    """Write it: one campaign with two rows or more in every table, and another with a few."""
    histories.everything(database)
    other = _model()
    histories.write(database, other, chain=SYSTEM, at=10)
    people, secrets = _people()
    histories.write(database, people, chain=SYSTEM, at=11)
    with database.write(SYSTEM) as session:
        session.execute(insert(Secret), secrets)
        signed = anchors.sign(OTHER_KEY, CAMPAIGN, 1, _genesis(database), 12)
        session.execute(insert(Anchor), [vars(signed)])
        session.execute(insert(Lease), _leases())
    for at, draft in enumerate((_revised(next(iter(other.blobs))), _proposed(), _measured()), 13):
        entry = histories.write(database, draft, at=at)
    signature = Draft("sign")
    signature.new(
        "signature",
        number=2,
        signed=entry.sequence,
        hash=entry.hash,
        account="ada",
        name="Ada Lovelace",
        meaning="approved",
        signed_at=17,
    )
    histories.write(database, signature, at=17)
    histories.begin(database, OTHER, name="other", ordinal=2)
    late = Draft("record")
    late.set(
        "campaign",
        rounds=9,
        evaluations=8,
        cost=1.5,
        driver_seconds=0.5,
        best=2,
        since_best=3,
        barren_rounds=4,
        revision=2,
        reason="elsewhere",
    )
    late.attach(b"picture", "image/png")
    late.attach(b"large" * (CHUNK // 5 + 1), "text/plain")  # of two chunks
    robot = Actor("token", "robot", on_behalf_of="grace", mode="multi-user")
    with database.write(OTHER) as session:
        append(session, OTHER, robot, late, 1)  # the clock went back


def _genesis(database: Database) -> str:
    with database.read() as session:
        query = f"SELECT hash FROM ledger_entry WHERE chain = '{CAMPAIGN}' AND sequence = 1"
        return str(session.connection().exec_driver_sql(query).scalar_one())


def _model() -> Draft:
    draft = Draft("model")
    sha256 = draft.attach(b"other weights", "application/octet-stream")
    draft.new("latent_model", hash=sha256, name="large", card={"weights_sha256": sha256})
    return draft


def _people() -> tuple[Draft, list[dict[str, Any]]]:
    draft = Draft("account")
    draft.new(
        "account",
        name="grace",
        full_name="Grace Hopper",
        role="admin",
        state="disabled",
        reason="left",
        created_at=11,
    )
    key = OTHER_KEY.public_key().public_bytes_raw().hex()
    draft.new("signing_key", key=key, created_at=11, revoked_at=40, reason="lost")
    secrets: list[dict[str, Any]] = [
        {
            "id": "ada/password",
            "account": "ada",
            "kind": "password",
            "hash": "one",
            "scopes": [],
            "created_at": 11,
            "expires_at": None,
        },
        {
            "id": "grace/4711",
            "account": "grace",
            "kind": "token",
            "hash": "two",
            "scopes": ["read"],
            "created_at": 12,
            "expires_at": 99,
        },
    ]
    draft.about["secrets"] = {one["id"]: fingerprint(one) for one in secrets}
    return draft, secrets


def _leases() -> list[dict[str, Any]]:
    first = {"name": CAMPAIGN, "token": 1, "host": "here", "pid": 1, "process_started": 0.5}
    return [
        {**first, "expires_at": 0},
        {"name": OTHER, "token": 2, "host": "there", "pid": 2, "process_started": 1.5}
        | {"expires_at": 1},
    ]


def _revised(model: str) -> Draft:
    draft = Draft("revise")
    draft.new(
        "campaign_revision",
        revision=2,
        written={"seed": 1},
        resolved={"seed": 1},
        model=model,
        reason="another model",
    )
    return draft


def _proposed() -> Draft:
    draft = Draft("propose")
    draft.new(
        "fit",
        number=2,
        revision=2,
        kind="other",
        state={"noise": 2e-4},
        data_hash="1" * 64,
        data_size=1,
        position=2,
        previous=1,
        versions={"numpy": "3"},
        duration=0.5,
        fitted_at=14,
    )
    draft.new(
        "round",
        number=2,
        revision=2,
        source="asked",
        state="closed",
        proposer="random",
        fit=2,
        position=2,
        pending=[1],
        stream=[7, 1, 2],
        details={"kind": "random"},
        proposed_at=14,
    )
    histories.candidate(
        draft,
        4,
        round=2,
        source="edited",
        edited_from=1,
        point=[0.5, 0.75],
        mean=0.5,
        std=0.25,
        acquisition=1.5,
        valid=False,
        reason="too large",
        object="CC",
        artifact=draft.attach(b"other picture", "image/svg"),
        filters={"alerts": False},
        realised=[0.125],
        log_prior=-1.5,
        duplicate_of=1,
        objective=0.75,
        feasible=False,
        objective_revision=2,
    )
    return draft


def _measured() -> Draft:
    draft = Draft("record")
    delivery = draft.attach(b'{"score": 0.625}', "application/json")
    draft.new(
        "batch", number=2, evaluator="other", key=f"{CAMPAIGN}/batch/2", barcode="BA9876543210"
    )
    histories.job(
        draft,
        3,
        4,
        evaluator="other",
        replicate=2,
        state="failed",
        reason="broke",
        attempts=2,
        batch=2,
        position="B7",
        not_before=15,
        deadline=16,
        cost=3.5,
    )
    draft.new(
        "attempt",
        job=3,
        number=2,
        batch=2,
        state="failed",
        reason="broke",
        reference="run 3",
        delivery=delivery,
        receipt=2,
        started_at=15,
        submitted_at=16,
        delivered_at=17,
        ended_at=18,
    )
    histories.measurement(
        draft,
        3,
        4,
        job=3,
        attempt=2,
        evaluator="other",
        name="purity",
        value=0.625,
        unit="%",
        std=0.125,
        censoring="left",
        measured_at=15,
        received_at=16,
        source="corrected",
        provenance="a letter",
        delivery=delivery,
        place="/purity",
        instrument="PheraStar 7",
        operator="grace",
        lot="L-9",
        supersedes=1,
    )
    histories.flag(draft, 3, "suspect", number=2)
    return draft

"""The tables. Folded ones are written by :func:`db.ledger.append` alone; instances are read only.

A campaign is a UUID and everything below it is numbered within it, so that a copy or an import
keeps its keys. Times are int64 microseconds UTC. ``entry`` is the number, in the row's own chain,
of the ledger entry that made the row.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.columns import Json, Vector
from db.states import CampaignState, JobState

SYSTEM = "system"
"""The chain of what belongs to no campaign: models, genesis hashes, accounts, signing keys,
deliveries for unknown jobs."""


class Base(DeclarativeBase):
    """Declarative base; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {int: BigInteger, float: Double, str: Text, bool: Boolean}


def _chain() -> Mapped[str]:
    return mapped_column(String(36), primary_key=True)


def _campaign() -> Mapped[str]:
    return mapped_column(String(36), ForeignKey("campaign.id"), primary_key=True)


def _number() -> Mapped[int]:
    return mapped_column(BigInteger, primary_key=True, autoincrement=False)


class LedgerEntry(Base):
    """One line of a hash chain; see :mod:`db.ledger`."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        Index(None, "chain", "kind", "sequence"),
        Index(None, "chain", "at", "sequence"),
    )
    chain: Mapped[str] = _chain()
    sequence: Mapped[int] = _number()
    at: Mapped[int]
    """Wall time as read."""
    clock_back: Mapped[bool]
    """Whether that time lies before the previous entry's."""
    actor_kind: Mapped[str]
    actor_id: Mapped[str]
    on_behalf_of: Mapped[str]
    mode: Mapped[str]
    kind: Mapped[str]
    version: Mapped[int]
    payload: Mapped[str]
    """Canonical JSON: the exact text that was hashed."""
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class Lease(Base):
    """Who drives a campaign now. Operational: not folded."""

    __tablename__ = "lease"
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    token: Mapped[int]
    """Fencing token: grows with every holder, and every write of a driver names it."""
    host: Mapped[str]
    pid: Mapped[int]
    process_started: Mapped[float]
    """Start time of the holder's process, which tells it from a later one with the same pid."""
    expires_at: Mapped[int]


class ArtifactChunk(Base):
    """The bytes of an artifact, in chunks. Checked against the artifact's hash, not folded."""

    __tablename__ = "artifact_chunk"
    __table_args__ = (
        ForeignKeyConstraint(["chain", "sha256"], ["artifact.chain", "artifact.sha256"]),
    )
    chain: Mapped[str] = _chain()
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = _number()
    data: Mapped[bytes] = mapped_column(LargeBinary)


class Artifact(Base):
    """Bytes stored once under their SHA-256."""

    __tablename__ = "artifact"
    chain: Mapped[str] = _chain()
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    media_type: Mapped[str]
    size: Mapped[int]
    entry: Mapped[int]


class LatentModel(Base):
    """A model whose weights some point belongs to."""

    __tablename__ = "latent_model"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the weights, which are an artifact of the system chain."""
    name: Mapped[str]
    card: Mapped[Any] = mapped_column(Json)
    entry: Mapped[int]


class Campaign(Base):
    """One optimisation."""

    __tablename__ = "campaign"
    __table_args__ = (UniqueConstraint("name", "ordinal"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str]
    ordinal: Mapped[int]
    """1 for the first campaign of that name; ``NAME#2`` is the second."""
    state: Mapped[CampaignState] = mapped_column(Text)
    reason: Mapped[str]
    """Why it is in that state."""
    revision: Mapped[int]
    rounds: Mapped[int]
    evaluations: Mapped[int]
    cost: Mapped[float]
    driver_seconds: Mapped[float]
    best: Mapped[int | None]
    """The best feasible candidate."""
    since_best: Mapped[int]
    """Evaluations since the best one."""
    barren_rounds: Mapped[int]
    """Rounds in a row that gave no new object."""
    created_at: Mapped[int]
    entry: Mapped[int]


class CampaignRevision(Base):
    """One spec of a campaign."""

    __tablename__ = "campaign_revision"
    campaign: Mapped[str] = _campaign()
    revision: Mapped[int] = _number()
    written: Mapped[Any] = mapped_column(Json)
    """The keys that the user wrote."""
    resolved: Mapped[Any] = mapped_column(Json)
    """All keys, defaults filled in."""
    model: Mapped[str | None] = mapped_column(String(64), ForeignKey("latent_model.hash"))
    reason: Mapped[str]
    entry: Mapped[int]


class Round(Base):
    """One act of proposing; also of asking or telling."""

    __tablename__ = "round"
    campaign: Mapped[str] = _campaign()
    number: Mapped[int] = _number()
    revision: Mapped[int]
    source: Mapped[str]
    """proposed or asked."""
    state: Mapped[str]
    """proposed, decoded, closed."""
    proposer: Mapped[str]
    fit: Mapped[int | None]
    position: Mapped[int]
    """Ledger position of the data that it was computed from."""
    pending: Mapped[Any] = mapped_column(Json)
    """Numbers of the candidates that were under way."""
    stream: Mapped[Any] = mapped_column(Json)
    """Seeds of the random stream."""
    details: Mapped[Any] = mapped_column(Json)
    """What the proposer says of its choice."""
    proposed_at: Mapped[int]
    entry: Mapped[int]


class Fit(Base):
    """One stored state of the surrogate."""

    __tablename__ = "fit"
    campaign: Mapped[str] = _campaign()
    number: Mapped[int] = _number()
    revision: Mapped[int]
    kind: Mapped[str]
    state: Mapped[Any] = mapped_column(Json)
    """Hyperparameters; with the data they give the posterior again, bit for bit."""
    data_hash: Mapped[str] = mapped_column(String(64))
    data_size: Mapped[int]
    position: Mapped[int]
    previous: Mapped[int | None]
    """The fit whose hyperparameters it started from."""
    versions: Mapped[Any] = mapped_column(Json)
    duration: Mapped[float]
    fitted_at: Mapped[int]
    entry: Mapped[int]


class Candidate(Base):
    """One point with what it decoded to."""

    __tablename__ = "candidate"
    __table_args__ = (
        ForeignKeyConstraint(["campaign", "round"], ["round.campaign", "round.number"]),
        Index(None, "campaign", "key"),
        Index(None, "campaign", "round"),
        Index(None, "campaign", "objective"),
    )
    campaign: Mapped[str] = _campaign()
    number: Mapped[int] = _number()
    round: Mapped[int | None]
    source: Mapped[str]
    """proposed, asked, told, imported or edited."""
    edited_from: Mapped[int | None]
    external_ids: Mapped[Any] = mapped_column(Json)
    point: Mapped[tuple[float, ...] | None] = mapped_column(Vector)
    mean: Mapped[float | None]
    std: Mapped[float | None]
    acquisition: Mapped[float | None]
    valid: Mapped[bool | None]
    """None until it is decoded."""
    reason: Mapped[str]
    """Why it is invalid or filtered."""
    object: Mapped[str | None]
    """Its text; None for an object of bytes, which is the artifact."""
    artifact: Mapped[str | None] = mapped_column(String(64))
    key: Mapped[str]
    filters: Mapped[Any] = mapped_column(Json)
    realised: Mapped[tuple[float, ...] | None] = mapped_column(Vector)
    """The point that the decoded object encodes to."""
    log_prior: Mapped[float | None]
    duplicate_of: Mapped[int | None]
    objective: Mapped[float | None]
    feasible: Mapped[bool | None]
    objective_revision: Mapped[int | None]
    """Revision of the spec by which objective and feasible were computed."""
    entry: Mapped[int]


class Batch(Base):
    """Jobs that are physically one act."""

    __tablename__ = "batch"
    campaign: Mapped[str] = _campaign()
    number: Mapped[int] = _number()
    evaluator: Mapped[str]
    key: Mapped[str]
    """Idempotency key or barcode."""
    entry: Mapped[int]


class Job(Base):
    """One request to one evaluator for one candidate and replicate."""

    __tablename__ = "job"
    __table_args__ = (
        ForeignKeyConstraint(["campaign", "candidate"], ["candidate.campaign", "candidate.number"]),
        UniqueConstraint("key"),
        Index(None, "campaign", "state"),
        Index(None, "campaign", "candidate"),
    )
    campaign: Mapped[str] = _campaign()
    number: Mapped[int] = _number()
    candidate: Mapped[int]
    evaluator: Mapped[str]
    replicate: Mapped[int]
    key: Mapped[str]
    state: Mapped[JobState] = mapped_column(Text)
    reason: Mapped[str]
    attempts: Mapped[int]
    batch: Mapped[int | None]
    position: Mapped[str]
    """Place in the batch: a well, or its index."""
    not_before: Mapped[int | None]
    """Earliest time of the next attempt."""
    deadline: Mapped[int | None]
    cost: Mapped[float]
    entry: Mapped[int]


class Attempt(Base):
    """One try of a job."""

    __tablename__ = "attempt"
    __table_args__ = (ForeignKeyConstraint(["campaign", "job"], ["job.campaign", "job.number"]),)
    campaign: Mapped[str] = _campaign()
    job: Mapped[int] = _number()
    number: Mapped[int] = _number()
    batch: Mapped[int]
    state: Mapped[str]
    """submitting, submitted, delivered, succeeded, failed, timed out, cancelled."""
    reason: Mapped[str]
    reference: Mapped[str]
    """The evaluator's own name for it."""
    delivery: Mapped[str | None] = mapped_column(String(64))
    """Artifact of the delivery that answered it."""
    receipt: Mapped[int | None]
    """Number of that delivery: two may have the same bytes, and one may answer several jobs."""
    started_at: Mapped[int]
    submitted_at: Mapped[int | None]
    delivered_at: Mapped[int | None]
    ended_at: Mapped[int | None]
    entry: Mapped[int]


_corrects = text("supersedes IS NOT NULL")  # few measurements do


class Measurement(Base):
    """One named value. Never changed."""

    __tablename__ = "measurement"
    __table_args__ = (
        ForeignKeyConstraint(["campaign", "candidate"], ["candidate.campaign", "candidate.number"]),
        Index(None, "campaign", "candidate"),
        Index(None, "campaign", "entry"),
        Index(None, "campaign", "supersedes", sqlite_where=_corrects, postgresql_where=_corrects),
    )
    campaign: Mapped[str] = _campaign()
    number: Mapped[int] = _number()
    candidate: Mapped[int]
    job: Mapped[int | None]
    attempt: Mapped[int | None]
    evaluator: Mapped[str]
    """Name of the evaluator; empty where somebody told it."""
    name: Mapped[str]
    value: Mapped[float]
    unit: Mapped[str]
    std: Mapped[float | None]
    censoring: Mapped[str]
    measured_at: Mapped[int | None]
    received_at: Mapped[int]
    source: Mapped[str]
    """evaluator, told, imported or corrected."""
    provenance: Mapped[str]
    """Where a told, imported or corrected value comes from, in its teller's words."""
    delivery: Mapped[str | None] = mapped_column(String(64))
    place: Mapped[str]
    """Where in the delivery it stands."""
    supersedes: Mapped[int | None]
    """The measurement that this one corrects."""
    entry: Mapped[int]


class MeasurementFlag(Base):
    """A later word on a measurement: late, suspect, retracted."""

    __tablename__ = "measurement_flag"
    __table_args__ = (
        ForeignKeyConstraint(
            ["campaign", "measurement"], ["measurement.campaign", "measurement.number"]
        ),
    )
    campaign: Mapped[str] = _campaign()
    measurement: Mapped[int] = _number()
    number: Mapped[int] = _number()
    kind: Mapped[str]
    """late, suspect or retracted; what is suspect or retracted is not fitted."""
    reason: Mapped[str]
    entry: Mapped[int]


class Account(Base):
    """A person who may do something here. What proves who it is lies in ``secret``."""

    __tablename__ = "account"
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    full_name: Mapped[str]
    """The printed name of a signature (21 CFR 11.50)."""
    role: Mapped[str]
    """viewer, operator, owner, auditor or admin."""
    state: Mapped[str]
    """active or disabled; never deleted, and a name is never given to somebody else."""
    reason: Mapped[str]
    """Why it is in that state."""
    created_at: Mapped[int]
    entry: Mapped[int]


class Secret(Base):
    """What proves that somebody is an account. Operational: not folded, and never exported.

    The system chain holds the SHA-256 of each row (see :mod:`orchestrator.accounts`), so that one
    which was put here from outside is found.
    """

    __tablename__ = "secret"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    """``ACCOUNT/password``, or ``ACCOUNT/`` and the public part of a token."""
    account: Mapped[str]
    kind: Mapped[str]
    """password, temporary (a password that an admin gave, good only to choose another), token."""
    hash: Mapped[str]
    """Argon2id of a password; SHA-256 of a token, which is 256 random bits."""
    scopes: Mapped[Any] = mapped_column(Json)
    """What a token is good for, within its account's role; empty for a password."""
    created_at: Mapped[int]
    expires_at: Mapped[int | None]


class SigningKey(Base):
    """A public key of anchors. Its private half lies outside the database."""

    __tablename__ = "signing_key"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The 32 bytes of an Ed25519 public key, in hexadecimal."""
    created_at: Mapped[int]
    revoked_at: Mapped[int | None]
    """What it signs later does not count."""
    reason: Mapped[str]
    """Why it was revoked."""
    entry: Mapped[int]


class Anchor(Base):
    """A copy of an anchor: it stands for itself by its signature. Beside the ledger, not folded."""

    __tablename__ = "anchor"
    chain: Mapped[str] = _chain()
    sequence: Mapped[int] = _number()
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[int]
    signature: Mapped[str] = mapped_column(String(128))


class Signature(Base):
    """A person's signature under one entry of the same chain (21 CFR 11.50 and 11.70)."""

    __tablename__ = "signature"
    chain: Mapped[str] = _chain()
    number: Mapped[int] = _number()
    signed: Mapped[int]
    """Number of the entry."""
    hash: Mapped[str] = mapped_column(String(64))
    """That entry's hash, which the signature is bound to."""
    account: Mapped[str]
    name: Mapped[str]
    """Full name of the signer, as it was then."""
    meaning: Mapped[str]
    """reviewed, approved or responsible."""
    signed_at: Mapped[int]
    entry: Mapped[int]


CHAIN_COLUMN = {
    "artifact": "chain",
    "campaign": "id",
    "latent_model": None,
    "campaign_revision": "campaign",
    "round": "campaign",
    "fit": "campaign",
    "candidate": "campaign",
    "batch": "campaign",
    "job": "campaign",
    "attempt": "campaign",
    "measurement": "campaign",
    "measurement_flag": "campaign",
    "account": None,
    "signing_key": None,
    "signature": "chain",
}
"""The folded tables, and the column of each that holds the chain (None: the system chain)."""

APPEND_ONLY = (
    "ledger_entry",
    "measurement",
    "measurement_flag",
    "artifact",
    "artifact_chunk",
    "anchor",
    "signature",
)
"""Tables whose rows are refused UPDATE and DELETE by triggers."""

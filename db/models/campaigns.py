"""Campaigns, who drives them, and what was computed: rounds, fits and candidates."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.columns import Json, Vector
from db.models.base import Base, campaign_key, number_key
from db.states import CampaignState


class LatentModel(Base):
    """A model that some point belongs to."""

    __tablename__ = "latent_model"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Of all that decides the decoding: SHA-256 of an artifact of the system chain, which names the
    weights and what of the card decides; in older campaigns, and of some spaces of one's own, that
    of the weights themselves."""
    name: Mapped[str]
    card: Mapped[Any] = mapped_column(Json)
    """Names the SHA-256 of the weights, which are an artifact of the system chain."""
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
    campaign: Mapped[str] = campaign_key()
    revision: Mapped[int] = number_key()
    written: Mapped[Any] = mapped_column(Json)
    """The keys that the user wrote."""
    resolved: Mapped[Any] = mapped_column(Json)
    """All keys, defaults filled in."""
    model: Mapped[str | None] = mapped_column(String(64), ForeignKey("latent_model.hash"))
    reason: Mapped[str]
    entry: Mapped[int]


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
    """By :func:`db.lease.clock`; 0 once it was given back."""


class Round(Base):
    """One act of proposing; also of asking or telling."""

    __tablename__ = "round"
    campaign: Mapped[str] = campaign_key()
    number: Mapped[int] = number_key()
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
    campaign: Mapped[str] = campaign_key()
    number: Mapped[int] = number_key()
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
    campaign: Mapped[str] = campaign_key()
    number: Mapped[int] = number_key()
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

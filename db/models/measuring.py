"""What evaluators were asked, and the measurements that there are."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, campaign_key, number_key
from db.states import JobState


class Batch(Base):
    """Jobs that are physically one act."""

    __tablename__ = "batch"
    campaign: Mapped[str] = campaign_key()
    number: Mapped[int] = number_key()
    evaluator: Mapped[str]
    key: Mapped[str]
    """Idempotency key."""
    entry: Mapped[int]
    barcode: Mapped[str] = mapped_column(server_default="")
    """What stands on the plate or tube; empty where nobody put one on."""


class Job(Base):
    """One request to one evaluator for one candidate and replicate."""

    __tablename__ = "job"
    __table_args__ = (
        ForeignKeyConstraint(["campaign", "candidate"], ["candidate.campaign", "candidate.number"]),
        UniqueConstraint("key"),
        Index(None, "campaign", "state"),
        Index(None, "campaign", "candidate"),
    )
    campaign: Mapped[str] = campaign_key()
    number: Mapped[int] = number_key()
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
    campaign: Mapped[str] = campaign_key()
    job: Mapped[int] = number_key()
    number: Mapped[int] = number_key()
    batch: Mapped[int]
    state: Mapped[str]
    """submitting, submitted, unconfirmed, delivered, succeeded, failed, doubtful, timed out,
    cancelled."""
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
    campaign: Mapped[str] = campaign_key()
    number: Mapped[int] = number_key()
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
    instrument: Mapped[str] = mapped_column(server_default="")
    """What measured it, as the delivery says."""
    operator: Mapped[str] = mapped_column(server_default="")
    """Who stood at it, as the delivery says."""
    lot: Mapped[str] = mapped_column(server_default="")
    """Of reagents or plate, as the delivery says."""


class MeasurementFlag(Base):
    """A later word on a measurement: late, suspect, retracted."""

    __tablename__ = "measurement_flag"
    __table_args__ = (
        ForeignKeyConstraint(
            ["campaign", "measurement"], ["measurement.campaign", "measurement.number"]
        ),
    )
    campaign: Mapped[str] = campaign_key()
    measurement: Mapped[int] = number_key()
    number: Mapped[int] = number_key()
    kind: Mapped[str]
    """late, suspect or retracted; what is suspect or retracted is not fitted."""
    reason: Mapped[str]
    entry: Mapped[int]

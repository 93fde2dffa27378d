"""The hash chains, the anchors of their heads, and the bytes that belong to them."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, chain_key, number_key


class LedgerEntry(Base):
    """One line of a hash chain; see :mod:`db.ledger`."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        Index(None, "chain", "kind", "sequence"),
        Index(None, "chain", "at", "sequence"),
    )
    chain: Mapped[str] = chain_key()
    sequence: Mapped[int] = number_key()
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


class Anchor(Base):
    """A copy of an anchor: it stands for itself by its signature. Beside the ledger, not folded."""

    __tablename__ = "anchor"
    chain: Mapped[str] = chain_key()
    sequence: Mapped[int] = number_key()
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[int]
    signature: Mapped[str] = mapped_column(String(128))


class Artifact(Base):
    """Bytes stored once under their SHA-256."""

    __tablename__ = "artifact"
    chain: Mapped[str] = chain_key()
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    media_type: Mapped[str]
    size: Mapped[int]
    entry: Mapped[int]


class ArtifactChunk(Base):
    """The bytes of an artifact, in chunks. Checked against the artifact's hash, not folded."""

    __tablename__ = "artifact_chunk"
    __table_args__ = (
        ForeignKeyConstraint(["chain", "sha256"], ["artifact.chain", "artifact.sha256"]),
    )
    chain: Mapped[str] = chain_key()
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = number_key()
    data: Mapped[bytes] = mapped_column(LargeBinary)

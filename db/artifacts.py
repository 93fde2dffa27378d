"""Bytes stored once a chain under their SHA-256, in chunks, committed with their entry."""

from __future__ import annotations

import hashlib

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from db.models import Artifact, ArtifactChunk

CHUNK = 1 << 20
"""A mebibyte: small enough to stream, large enough that weights take few rows.

All chunks of an artifact but its last are that long; verification holds them to it.
"""


_KNOWN = select(Artifact.sha256).where(
    Artifact.chain == bindparam("chain"), Artifact.sha256 == bindparam("sha256")
)


def known(session: Session, chain: str, sha256: str) -> bool:
    """Whether the chain has an artifact of that hash."""
    found = session.connection().execute(_KNOWN, {"chain": chain, "sha256": sha256})
    return found.first() is not None


def store(session: Session, chain: str, sha256: str, data: bytes) -> None:
    """Write the chunks of an artifact whose row was just made."""
    pieces = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)] or [b""]
    session.execute(
        insert(ArtifactChunk),
        [
            {"chain": chain, "sha256": sha256, "number": number, "data": piece}
            for number, piece in enumerate(pieces)
        ],
    )


def get(session: Session, chain: str, sha256: str) -> bytes:
    """The bytes of an artifact.

    Raises:
        KeyError: the chain has none of that hash.
        ValueError: the stored bytes do not have that hash.
    """
    chunks = session.scalars(
        select(ArtifactChunk.data)
        .where(ArtifactChunk.chain == chain, ArtifactChunk.sha256 == sha256)
        .order_by(ArtifactChunk.number)
    ).all()
    if not chunks:
        raise KeyError(f"no artifact {sha256} in chain {chain}")
    data = b"".join(chunks)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"the stored bytes of artifact {sha256} were changed")
    return data

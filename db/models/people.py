"""Accounts, what proves who they are, and what they sign with and signed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from db.columns import Json
from db.models.base import Base, chain_key, number_key


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

    The system chain holds the SHA-256 of each row (see :mod:`orchestrator.people.accounts`), so
    that one which was put here from outside is found.
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


class Signature(Base):
    """A person's signature under one entry of the same chain (21 CFR 11.50 and 11.70)."""

    __tablename__ = "signature"
    chain: Mapped[str] = chain_key()
    number: Mapped[int] = number_key()
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

"""Signing keys, and what they sign: anchors of the chains' heads.

The database knows public keys alone, in the system chain: made, revoked, why. The private half is
a file (PKCS 8, PEM, mode 600) in a folder that by default lies outside the data, because whoever
has both can rewrite a chain and sign it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from db import models, repository
from db.ledger import Actor, Draft, append, digest
from db.models import SYSTEM, LedgerEntry, SigningKey
from db.session import Database, now
from orchestrator import private_files
from orchestrator.errors import (
    BadInput,
    Conflict,
    NotFound,
    Problem,
    Unverified,
    require_reason,
)
from orchestrator.history.verify import anchors
from orchestrator.history.verify.anchors import Anchor
from orchestrator.settings import ANCHORS, KEYS, Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def listed(database: Database) -> Sequence[SigningKey]:
    """All signing keys, oldest first."""
    with database.read() as session:
        return session.scalars(select(SigningKey).order_by(SigningKey.entry)).all()


def file(settings: Settings, key: str) -> Path:
    """Where the private half of a key lies."""
    return settings.keys / f"{key[:16]}.pem"


def create(database: Database, actor: Actor, settings: Settings) -> str:
    """Make a key, keep its private half, and register the public one; returns that.

    Raises:
        BadInput: the folder of keys cannot be written.
    """
    private = _new()
    key = private.public_key().public_bytes_raw().hex()
    path = file(settings, key)
    _keep(private, path)
    try:
        with database.write(SYSTEM) as session:
            draft = Draft("key")
            draft.new("signing_key", key=key, created_at=now(), revoked_at=None, reason="")
            append(session, SYSTEM, actor, draft, now())
    except BaseException:
        path.unlink()  # nobody was told of it
        raise
    return key


def revoke(database: Database, name: str, actor: Actor, reason: str) -> SigningKey:
    """Let nothing count that a key signs from now on; what it has signed still does.

    Args:
        name: The key, or its first characters.

    Raises:
        NotFound: no key begins so.
        Conflict: several do, or it was revoked before.
    """
    require_reason(reason)
    with database.write(SYSTEM) as session:
        row = _named(session, name)
        if row.revoked_at is not None:
            raise Conflict(f"the key {row.key} was revoked before: {row.reason}")
        draft = Draft("revoke key", {"reason": reason})
        # The clock may have been set back since it signed, and what it signed still counts.
        signed = select(func.max(models.Anchor.at)).where(models.Anchor.key == row.key)
        at = max(now(), session.scalar(signed) or 0)
        draft.set("signing_key", key=row.key, revoked_at=at, reason=reason)
        append(session, SYSTEM, actor, draft, now())
    with database.read() as session:
        return session.get_one(SigningKey, row.key)


def rotate(database: Database, actor: Actor, settings: Settings, reason: str) -> tuple[str, str]:
    """Put a new key in the place of the one in use; returns both, the old one first.

    The old key first signs what there is, so that nothing rests on the new one alone.

    Raises:
        NotFound: there is no key in use.
    """
    require_reason(reason)
    old = in_use(database, settings)
    anchor(database, settings)
    new = create(database, actor, settings)
    revoke(database, old, actor, reason)
    return old, new


def in_use(database: Database, settings: Settings) -> str:
    """The newest key that is not revoked and whose private half is here.

    Raises:
        NotFound: there is none.
    """
    good = [row.key for row in listed(database) if row.revoked_at is None]
    for key in reversed(good):
        if file(settings, key).exists():
            return key
    if good:
        raise NotFound("private key", f"{good[-1][:16]}.pem", sorted(_files(settings.keys)))
    raise BadInput.of(KEYS, "there is no key to sign with", "run `assayloop audit keys create`")


def _named(session: Session, name: str) -> SigningKey:
    rows = session.scalars(select(SigningKey).order_by(SigningKey.entry)).all()
    found = [row for row in rows if name and row.key.startswith(name.lower())]
    if not found:
        raise NotFound("key", name, [row.key[:16] for row in rows])
    if len(found) > 1:
        raise Conflict(f"{len(found)} keys begin with {name!r}", "write more of it")
    return found[0]


def _files(folder: Path) -> Iterable[str]:
    return (path.name for path in folder.glob("*.pem"))


def _new() -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def _keep(private: Ed25519PrivateKey, path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as form

    text = private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    try:
        private_files.make_folder(path.parent)
        with private_files.create(path) as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        what = f"{path} cannot be written: {error.strerror}"
        raise BadInput.of(KEYS, what, "name a folder of yours") from None


def _private(path: Path, key: str) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadInput.of(KEYS, f"{path} cannot be read: {error}") from None
    if not isinstance(private, Ed25519PrivateKey) or (
        private.public_key().public_bytes_raw().hex() != key
    ):
        raise BadInput.of(KEYS, f"{path} does not hold the private half of {key}")
    return private


# Anchors --------------------------------------------------------------------------------------


def anchor(database: Database, settings: Settings, out: Path | None = None) -> list[Anchor]:
    """Sign the head of every chain that grew since it was last anchored, and keep what was signed.

    Args:
        out: File to add them to, instead of the settings'.

    Raises:
        BadInput: there is no key, or a file cannot be used.
        Unverified: a chain is not what an earlier anchor in that file says; nothing is signed.
    """
    key = in_use(database, settings)
    private = _private(file(settings, key), key)
    target = out or settings.anchors
    with database.write(SYSTEM) as session:
        before = list(_before(target))
        done = anchors.check(session, before, {}, trusted={one.key for _, one in before if one})
        if done.problems:
            raise Unverified(done.problems)
        made = [
            anchors.sign(private, head.chain, head.sequence, head.hash, now())
            for head in _heads(session)
            if head.sequence > done.heads.get(head.chain, 0)
        ]
        _copy(session, made)  # before the file: this is undone where the other fails
        _append(target, made)
    return made


def _before(target: Path) -> Iterator[tuple[str, Anchor | None]]:
    try:
        yield from anchors.read(target)
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadInput.of(ANCHORS, f"{target} cannot be read: {error.strerror}") from None


def _heads(session: Session) -> Iterator[LedgerEntry]:
    """The last entry of every chain.

    Raises:
        Unverified: one is not what its hash says.
    """
    for head in repository.heads(session):
        if digest(head) != head.hash:
            where = f"chain {head.chain}, entry {head.sequence}"
            raise Unverified([Problem(where, "was changed", "run `assayloop audit verify`")])
        yield head


def _append(target: Path, made: Sequence[Anchor]) -> None:
    try:
        private_files.make_folder(target.parent)
        with private_files.append(target) as lines:
            before = lines.seek(0, os.SEEK_END)
            try:
                rest = "".join(f"{one.line()}\n" for one in made).encode()
                while rest:
                    rest = rest[lines.write(rest) :]
                os.fsync(lines.fileno())
            except OSError:
                lines.truncate(before)  # a half line would be no anchor
                raise
    except OSError as error:
        what = f"{target} cannot be written: {error.strerror}"
        raise BadInput.of(ANCHORS, what, "name a file that may be written") from None


def _copy(session: Session, made: Sequence[Anchor]) -> None:
    """Keep copies in the database, but of what another file had before."""
    for one in made:
        if session.get(models.Anchor, (one.chain, one.sequence, one.key)) is None:
            session.execute(insert(models.Anchor), [vars(one)])

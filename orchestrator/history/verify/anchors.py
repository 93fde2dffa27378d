"""Anchors: signed statements of a chain's head, kept where the database's owner cannot reach.

A chain cannot show that its own tail was cut, or that it was rewritten from some entry on together
with the tables. An anchor does: it says which hash a chain had at an entry, at what time, under an
Ed25519 signature (RFC 8032). A file of anchors is JSON Lines, one anchor a line::

    {"chain": "system", "sequence": 12, "hash": "…", "at": 1767225600000000, "key": "…",
     "signature": "…"}

``at`` is in microseconds UTC, ``key`` the 32 bytes of the public key and ``signature`` the 64 bytes
of the signature, both in hexadecimal. What is signed is :func:`message`. An anchor stands for
itself, wherever it was found: the copies in the database count as those in the file do.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from adapters.messages import plain, quote
from db import repository
from db.columns import storable
from db.ledger import frame
from orchestrator.errors import Problem
from orchestrator.history.verify import tables_from_ledger

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DOMAIN = "assayloop/anchor/1"


@dataclass(frozen=True)
class Anchor:
    """One signed statement: at ``at``, entry ``sequence`` of ``chain`` had this hash."""

    chain: str
    sequence: int
    hash: str
    at: int
    key: str
    signature: str

    @property
    def message(self) -> bytes:
        """What its signature is over."""
        return message(self.chain, self.sequence, self.hash, self.at, self.key)

    def is_genuine(self) -> bool:
        """Whether the signature is that of the key."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key))
            public.verify(bytes.fromhex(self.signature), self.message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def line(self) -> str:
        """The line of a file that holds it, without its end."""
        return json.dumps(asdict(self), ensure_ascii=False)


def message(chain: str, sequence: int, digest: str, at: int, key: str) -> bytes:
    """The bytes that are signed: the domain, then each field, numbers in decimal.

    Each of the six is UTF-8 and preceded by its length as 8 bytes, big-endian, so that no two
    anchors have the same message, and none has that of anything else that is ever signed.
    """
    return frame(DOMAIN, chain, sequence, digest, at, key)


def sign(private: Ed25519PrivateKey, chain: str, sequence: int, digest: str, at: int) -> Anchor:
    """An anchor of one entry."""
    key = private.public_key().public_bytes_raw().hex()
    signature = private.sign(message(chain, sequence, digest, at, key)).hex()
    return Anchor(chain, sequence, digest, at, key, signature)


# Reading --------------------------------------------------------------------------------------

_KINDS = {one.name: int if one.type == "int" else str for one in fields(Anchor)}


def read(file: Path) -> Iterator[tuple[str, Anchor | None]]:
    """Each line's place and anchor; None for a line that holds none.

    Raises:
        OSError: the file cannot be read.
    """
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            yield f"{file}, line {number}", _parse(line)


def _parse(line: bytes) -> Anchor | None:
    try:
        found = json.loads(line)
        if not isinstance(found, dict) or found.keys() != _KINDS.keys():
            return None
        if any(type(found[name]) is not kind for name, kind in _KINDS.items()):
            return None
        if abs(found["sequence"]) >= 2**63 or storable(found["chain"]) != found["chain"]:
            return None  # no database could hold it
        return Anchor(**found)
    except (ValueError, RecursionError):
        return None


def copies(session: Session) -> Iterator[tuple[str, Anchor | None]]:
    """The copies in the database: a place and an anchor each, as :func:`read` gives them."""
    source = tables_from_ledger.untyped("anchor")
    for row in session.execute(select(source).order_by(source.c.chain, source.c.sequence)):
        values = dict(row._mapping)
        place = f"table anchor, {values['chain']} {values['sequence']}"
        sound = all(type(values[name]) is kind for name, kind in _KINDS.items())
        yield place, Anchor(**values) if sound else None


# Checking -------------------------------------------------------------------------------------


@dataclass
class Anchored:
    """What anchors say of a history."""

    count: int = 0
    """Anchors that hold."""
    heads: dict[str, int] = field(default_factory=dict)
    """Last entry that an anchor confirms, by chain."""
    problems: list[Problem] = field(default_factory=list)


def check(
    session: Session,
    found: Iterable[tuple[str, Anchor | None]],
    labels: Mapping[str, str],
    trusted: Collection[str] | None = None,
) -> Anchored:
    """Compare anchors with the chains that they speak of.

    Args:
        session: One consistent view of the database.
        found: Places and anchors, as :func:`read` and :func:`copies` give them.
        labels: Names, for a person, of the chains that are verified.
        trusted: Public keys whose anchors count, all others being passed over; where None, those
            that the database has registered.
    """
    result, keys = Anchored(), _registered(session)
    said: dict[tuple[str, int], str] = {}
    seen: set[Anchor] = set()
    for place, anchor in found:
        if anchor is None:
            result.problems.append(Problem(place, "is no anchor"))
            continue
        if anchor in seen or (trusted is not None and anchor.key not in trusted):
            continue
        seen.add(anchor)
        faults = [f"its signature does not fit it: it was changed, or {anchor.key} did not sign it"]
        if anchor.is_genuine():
            faults = [] if trusted is not None else list(_key_faults(anchor, keys))
            if said.setdefault((anchor.chain, anchor.sequence), anchor.hash) != anchor.hash:
                faults.append(
                    "another anchor says another hash of this entry: the chain was forked"
                )
            faults += _faults(session, anchor)
        where = f"{place}: anchor of {labels.get(anchor.chain, quote(anchor.chain))}"
        result.problems += [Problem(f"{where}, entry {anchor.sequence}", one) for one in faults]
        if not faults:
            result.count += 1
            last = result.heads.get(anchor.chain, 0)
            result.heads[anchor.chain] = max(last, anchor.sequence)
    if trusted is not None:
        for chain in labels.keys() - result.heads.keys():
            what = "no anchor of it holds under the keys that are trusted"
            result.problems.append(Problem(labels[chain], what))
    return result


def _registered(session: Session) -> dict[str, Any]:
    """When each registered key was revoked, None for one that is good."""
    source = tables_from_ledger.untyped("signing_key")
    rows = session.execute(select(source.c.key, source.c.revoked_at)).tuples()
    return dict(row for row in rows)


def _key_faults(anchor: Anchor, keys: Mapping[str, Any]) -> Iterator[str]:
    if anchor.key not in keys:
        yield f"the key {anchor.key} is not registered in this database"
        return
    revoked = keys[anchor.key]
    if revoked is not None and not isinstance(revoked, int):
        yield f"the key {anchor.key} was revoked at {quote(revoked)}, which is no time"
    elif revoked is not None and anchor.at > revoked:
        yield f"the key {anchor.key} had been revoked when it signed this"


def _faults(session: Session, anchor: Anchor) -> Iterator[str]:
    """What is wrong with the chain, if a genuine anchor is right."""
    stored = tables_from_ledger.untyped("ledger_entry")
    here = stored.c.chain == anchor.chain
    query = select(stored.c.hash).where(here, stored.c.sequence == anchor.sequence)
    found = session.scalars(query).first()
    if found == anchor.hash:
        return
    if found is not None:
        yield (
            f"the entry has the hash {plain(str(found), 64)}, and was signed as {anchor.hash}: "
            "it, or one before it, was rewritten, or this is a forked copy"
        )
        return
    last = repository.position(session, anchor.chain)
    ends = f"the chain ends at entry {last}" if last else "the ledger has no entry of it"
    yield f"{ends}: it was cut or deleted, or an old backup was restored"

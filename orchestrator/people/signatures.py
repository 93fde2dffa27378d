"""Signatures of people under entries of the ledger, in the sense of 21 CFR 11.50 and 11.70.

A signature is an entry of the same chain as the entry that it signs: full name, time and meaning,
bound to the signed entry by its hash, so that it cannot be cut out or moved to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import repository
from db.ledger import Actor, Draft, append, digest
from db.models import Account, Campaign, LedgerEntry, Signature
from db.session import Database, now
from orchestrator.errors import BadInput, Conflict, Denied, NotFound, Problem, Unverified
from orchestrator.people.accounts import authenticate
from orchestrator.people.actors import MULTI, Scope, current, mode
from orchestrator.settings import Settings


class Meaning(StrEnum):
    """What a signature means (21 CFR 11.50(a)(3))."""

    REVIEWED = "reviewed"
    APPROVED = "approved"
    RESPONSIBLE = "responsible"


MEANINGS = {
    "operator": frozenset({Meaning.RESPONSIBLE}),
    "owner": frozenset(Meaning),
    "auditor": frozenset({Meaning.REVIEWED}),
}
"""What each role may sign as; the others may not sign."""


def listed(database: Database, chain: str) -> Sequence[Signature]:
    """All signatures of a campaign, in the order they were given."""
    with database.read() as session:
        query = select(Signature).where(Signature.chain == chain).order_by(Signature.number)
        return session.scalars(query).all()


def sign(
    database: Database, campaign: Campaign, entry: int, meaning: str, name: str, password: str
) -> Signature:
    """Sign an entry of a campaign, in the sense of 21 CFR 11.50 and 11.70.

    The signature is an entry itself: full name, time, meaning, and the signed entry's hash, to
    which it is bound.

    Args:
        name: The account that is logged in.
        password: Its password, asked for again (21 CFR 11.200(a)(1)).

    Raises:
        BadInput: the meaning is unknown.
        Denied: the password is wrong, the role does not give such signatures, or somebody would
            confirm an entry of their own.
        NotFound: there is no such entry.
        Conflict: the account has signed it with this meaning before.
        Unverified: the entry is not what its hash says.
    """
    account = authenticate(database, name, password)
    _may(account, meaning)
    with database.write(campaign.id) as session:
        signed = _to_sign(session, campaign.id, entry)
        if meaning != Meaning.RESPONSIBLE and name in (signed.actor_id, signed.on_behalf_of):
            raise Denied(f"entry {entry} is {name}'s own", "somebody else must confirm it")
        given = session.scalars(select(Signature).where(Signature.chain == campaign.id)).all()
        if any((one.signed, one.account, one.meaning) == (entry, name, meaning) for one in given):
            raise Conflict(f"{name} has signed entry {entry} as {meaning} before")
        draft = Draft("sign")
        number = 1 + max((one.number for one in given), default=0)
        draft.new(
            "signature",
            number=number,
            signed=entry,
            hash=signed.hash,
            account=name,
            name=account.full_name,
            meaning=meaning,
            signed_at=now(),
        )
        append(session, campaign.id, Actor("account", name, mode=MULTI), draft, now())
        return session.get_one(Signature, (campaign.id, number))


def _may(account: Account, meaning: str) -> None:
    if meaning not in set(Meaning):
        raise BadInput.of("--meaning", f"{meaning!r} is no meaning", f"one of {', '.join(Meaning)}")
    if meaning not in MEANINGS.get(account.role, ()):
        able = ", ".join(role for role, given in MEANINGS.items() if meaning in given)
        what = f"{account.name} is {account.role} and cannot sign as {meaning}"
        raise Denied(what, f"can: {able}")


def _to_sign(session: Session, chain: str, entry: int) -> LedgerEntry:
    found = session.get(LedgerEntry, (chain, entry)) if 0 < entry < 2**63 else None
    if found is None:
        raise NotFound("entry", str(entry), [f"1 to {repository.position(session, chain)}"])
    if digest(found) != found.hash:
        where = f"chain {chain}, entry {entry}"
        raise Unverified([Problem(where, "was changed", "run `assayloop audit verify`")])
    return found


def signer(database: Database, settings: Settings) -> str:
    """Who is logged in to sign.

    Raises:
        Denied: nobody, or a token, which is no person; or this is single-user mode.
    """
    if mode(database, settings) != MULTI:
        what = "in single-user mode nobody proves who they are, and nobody can sign"
        raise Denied(what, "`assayloop account create` makes the database multi-user")
    actor = current(database, Scope.READ, settings)
    if actor.kind != "account":
        raise Denied(f"{actor.id} is a token, and only a person signs", "run `assayloop login`")
    return actor.id

"""Accounts: who may write, and how they prove that it is they.

What proves who somebody is lies in the table ``secret``, beside the ledger; the system chain holds
each row's :func:`fingerprint`, so that a password or token that was put there from outside is
found. A fingerprint tells nothing: the row has a random salt, or is the hash of 256 random bits.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from db.columns import canonical
from db.ledger import Actor, Draft, append
from db.models import SYSTEM, Account, Secret
from db.session import MICROSECONDS, Database, now
from orchestrator import private_files
from orchestrator.errors import BadInput, Conflict, Denied, NotFound, require_reason
from orchestrator.people import passwords
from orchestrator.people.actors import MULTI, ROLES, Scope, current, operating_system, split
from orchestrator.settings import Settings

TEMPORARY = "temporary"
"""Kind of a password that an admin gave."""

NAME = re.compile(r"[a-z][a-z0-9._-]{0,63}")

NOBODY = re.compile(
    rf"{'|'.join(ROLES)}|administrator|anonymous|assayloop|every(body|one)|group|guest|"
    r"lab(oratory)?|nobody|public|root|service|shared|staff|system|team|test|users?",
    re.IGNORECASE,
)
"""Names that stand for no one person: an account belongs to one (21 CFR 11.100(a))."""


def fingerprint(row: dict[str, Any]) -> str:
    """SHA-256 of a row of ``secret``, as its canonical JSON."""
    return hashlib.sha256(canonical(row).encode()).hexdigest()


def listed(database: Database) -> Sequence[Account]:
    """All accounts, by name."""
    with database.read() as session:
        return session.scalars(select(Account).order_by(Account.name)).all()


def may_create(database: Database, settings: Settings) -> Actor:
    """Who may make an account: an admin, or for the first one whoever has the database.

    Raises:
        Denied: somebody else.
    """
    if not listed(database):
        return operating_system()
    return current(database, Scope.ADMIN, settings)


def create(
    database: Database, actor: Actor, name: str, full_name: str, role: str, password: str
) -> None:
    """Make an account. The first makes the database multi-user, and must be an admin.

    Raises:
        BadInput: something given cannot be used.
        Conflict: there is an account of that name, or of that person; or the first is no admin.
        Denied: somebody else made the first one in the meantime.
    """
    _check_name(name, full_name, role)
    hashed = passwords.hashed(password)
    with database.write(SYSTEM) as session:
        known = session.scalars(select(Account)).all()
        if not known and role != "admin":
            raise Conflict("the first account must be an admin, who makes the others")
        if known and actor.mode != MULTI:
            raise Denied("this database has become multi-user meanwhile", "run `assayloop login`")
        if any(one.name == name for one in known):
            raise Conflict(f"there is an account {name}", "a name is never given again")
        for one in known:
            if one.state == "active" and one.full_name.casefold() == full_name.casefold():
                raise Conflict(f"{full_name} has the account {one.name}", "a person has one")
        draft = Draft("account", {"account": name})
        draft.new(
            "account",
            name=name,
            full_name=full_name,
            role=role,
            state="active",
            reason="",
            created_at=now(),
        )
        _store(session, draft, _password_row(name, hashed))
        append(session, SYSTEM, actor, draft, now())


def disable(database: Database, actor: Actor, name: str, reason: str) -> None:
    """End an account for good: its password and tokens are deleted. Its entries stay its own.

    Raises:
        NotFound: there is none.
        Conflict: it is disabled already, or the last admin.
    """
    require_reason(reason)
    with database.write(SYSTEM) as session:
        row = _account(session, name)
        if row.state != "active":
            raise Conflict(f"{name} is {row.state} already: {row.reason}")
        _keep_an_admin(session, row)
        draft = Draft("disable", {"account": name, "reason": reason})
        draft.set("account", name=name, state="disabled", reason=reason)
        _end_all(session, draft, name)
        append(session, SYSTEM, actor, draft, now())


def set_role(database: Database, actor: Actor, name: str, role: str, reason: str) -> None:
    """Give an account another role; it holds at once, for logins and tokens that there are, too.

    Raises:
        NotFound: there is no such account.
        BadInput: there is no such role, or nobody says why.
        Conflict: the account has it already, is disabled, or is the last admin.
    """
    require_reason(reason)
    _check_role(role)
    with database.write(SYSTEM) as session:
        row = _active(session, name)
        if row.role == role:
            raise Conflict(f"{name} is {role} already")
        _keep_an_admin(session, row)
        draft = Draft("role", {"account": name, "before": row.role, "reason": reason})
        draft.set("account", name=name, role=role)
        append(session, SYSTEM, actor, draft, now())


def reset_password(database: Database, actor: Actor, name: str, new: str, reason: str) -> None:
    """Give an account a temporary password, where the old one is lost; its tokens end.

    An admin who knows it can neither log in nor sign by it: it is good only to choose another by
    :func:`set_password`.

    Raises:
        NotFound: there is no such account.
        BadInput: the password is too short, or nobody says why.
        Conflict: the account is disabled.
    """
    require_reason(reason)
    hashed = passwords.hashed(new)
    with database.write(SYSTEM) as session:
        _active(session, name)
        draft = Draft("password", {"account": name, "reason": reason})
        _end_all(session, draft, name)
        _store(session, draft, _password_row(name, hashed) | {"kind": TEMPORARY})
        append(session, SYSTEM, actor, draft, now())


def set_password(database: Database, name: str, old: str, new: str) -> None:
    """Give an account another password, by whoever knows the old one; its tokens end.

    Raises:
        Denied: the old password is wrong.
        BadInput: the new one is too short, or is the old one.
    """
    account = authenticate(database, name, old, temporary=True)
    if new == old:
        raise BadInput.of("password", "the new one is the old one", "choose another")
    hashed = passwords.hashed(new)
    actor = Actor("account", account.name, mode=MULTI)
    with database.write(SYSTEM) as session:
        draft = Draft("password", {"account": name})
        _end_all(session, draft, name)
        _store(session, draft, _password_row(name, hashed))
        append(session, SYSTEM, actor, draft, now())


def login(
    database: Database, name: str, password: str, scopes: Collection[str] = (), hours: float = 12
) -> str:
    """Make a token for whoever knows the password.

    Args:
        scopes: What it is good for; by default all that the account's role may.
        hours: How long.

    Returns:
        The token; nobody can read it again.

    Raises:
        Denied: name or password is wrong, or the role may not what is asked.
    """
    account = authenticate(database, name, password)
    able = ROLES[account.role]
    wanted = sorted(scopes or able)
    for one in wanted:
        if one not in able:
            known = ", ".join(sorted(able))
            raise BadInput.of("--scope", f"{account.role} may not {one!r}", f"may: {known}")
    hidden = secrets.token_urlsafe(32)
    token = f"{name}/{secrets.token_hex(4)}:{hidden}"
    public, hashed = split(token)
    row = {
        "id": public,
        "account": name,
        "kind": "token",
        "hash": hashed,
        "scopes": [str(one) for one in wanted],
        "created_at": now(),
        "expires_at": now() + round(hours * 3600 * MICROSECONDS),
    }
    with database.write(SYSTEM) as session:
        draft = Draft("token", {"account": name, "scopes": row["scopes"]})
        _store(session, draft, row)
        append(session, SYSTEM, Actor("account", name, mode=MULTI), draft, now())
    return token


def logout(database: Database, token: str) -> None:
    """End a token, whether or not it was known."""
    public, hashed = split(token)
    with database.write(SYSTEM) as session:
        row = session.get(Secret, public)
        if row is None or not secrets.compare_digest(row.hash, hashed):
            return
        draft = Draft("logout", {"account": row.account, "secrets": {public: None}})
        session.execute(delete(Secret).where(Secret.id == public))
        append(session, SYSTEM, Actor("account", row.account, mode=MULTI), draft, now())


def keep_login(settings: Settings, token: str) -> None:
    """Keep a token where :func:`orchestrator.people.actors.current` finds it, for this user alone.

    Raises:
        BadInput: it cannot be written.
    """
    path = settings.login
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        private_files.make_folder(path.parent)
        with private_files.overwrite(partial) as out:
            out.write(f"{token}\n".encode())
        partial.replace(path)
    except OSError as error:
        raise BadInput.of("login", f"{path} cannot be written: {error.strerror}") from None


def authenticate(
    database: Database, name: str, password: str, *, temporary: bool = False
) -> Account:
    """The active account of that name and password.

    Args:
        temporary: Whether a password that an admin gave is good enough.

    Raises:
        Denied: there is none; which of the two is wrong is not said.
    """
    with database.read() as session:
        account = session.get(Account, name) if NAME.fullmatch(name) else None
        secret = session.get(Secret, f"{name}/password") if account is not None else None
    wrong = Denied(f"no account {name!r} has this password")
    if account is None or secret is None:
        passwords.take_as_long(password)
        raise wrong
    if not passwords.fits(secret.hash, password) or account.state != "active":
        raise wrong
    if secret.kind == TEMPORARY and not temporary:
        remedy = f"`assayloop account password {name}` gives the account its own"
        raise Denied(f"an admin gave {name} this password", remedy)
    return account


def _account(session: Session, name: str) -> Account:
    row = session.get(Account, name)
    if row is None:
        known = select(Account.name).order_by(Account.name)
        raise NotFound("account", name, session.scalars(known).all())
    return row


def _active(session: Session, name: str) -> Account:
    row = _account(session, name)
    if row.state != "active":
        raise Conflict(f"{name} is {row.state}: {row.reason}", "an account ends for good")
    return row


def _keep_an_admin(session: Session, row: Account) -> None:
    """Refuse to take the role from the only one who has it, or else nobody could make another."""
    admins = select(func.count()).where(Account.role == "admin", Account.state == "active")
    if row.role == "admin" and session.scalar(admins) == 1:
        raise Conflict(f"{row.name} is the last admin", "make another first")


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise BadInput.of("--role", f"{role!r} is no role", f"one of {', '.join(ROLES)}")


def _check_name(name: str, full_name: str, role: str) -> None:
    if not NAME.fullmatch(name):
        remedy = "lower-case letters, digits, dots and dashes, a letter first, at most 64"
        raise BadInput.of("NAME", f"{name!r} cannot be an account's name", remedy)
    if NOBODY.fullmatch(name) or NOBODY.fullmatch(full_name.strip()):
        what = f"{name!r} is nobody's own name: an account that people share proves nothing"
        raise BadInput.of("NAME", what, "name the person")
    if not full_name.strip() or not full_name.isprintable():
        what = "the person's full name is missing"
        raise BadInput.of("--full-name", what, "an account belongs to one person")
    _check_role(role)


def _password_row(name: str, hashed: str) -> dict[str, Any]:
    return {
        "id": f"{name}/password",
        "account": name,
        "kind": "password",
        "hash": hashed,
        "scopes": [],
        "created_at": now(),
        "expires_at": None,
    }


def _end_all(session: Session, draft: Draft, name: str) -> None:
    """Delete the password and tokens of an account, and let the entry say which."""
    ids = session.scalars(select(Secret.id).where(Secret.account == name)).all()
    draft.about["secrets"] = dict.fromkeys(ids)
    session.execute(delete(Secret).where(Secret.account == name))


def _store(session: Session, draft: Draft, row: dict[str, Any]) -> None:
    """Store a secret, and let the entry say which."""
    draft.about.setdefault("secrets", {})[row["id"]] = fingerprint(row)
    session.execute(insert(Secret), [row])

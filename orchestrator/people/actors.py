"""Who does it, and what each may do.

In single-user mode the actor is the operating system's account, never typed in, and every entry
says that it was written in that mode. A database that has accounts is multi-user, as is one that
the setting says is: every write then needs an account's login or token, and the operating system's
account, which several people may share, is refused.
"""

from __future__ import annotations

import hashlib
import os
from enum import StrEnum

from sqlalchemy import func, select

from db.ledger import Actor
from db.models import Account, Secret
from db.session import Database, now
from orchestrator.errors import BadInput, Denied
from orchestrator.settings import MODES, TOKEN, Settings

SINGLE, MULTI = MODES


class Scope(StrEnum):
    """What somebody may do."""

    READ = "read"
    OPERATE = "operate"
    """Start and run campaigns, ask, tell, pause, resume, settle jobs."""
    OWN = "own"
    """Revise and stop campaigns, correct and flag results."""
    AUDIT = "audit"
    """Anchor the history."""
    ADMIN = "admin"
    """Accounts and keys."""


ACTS = {
    Scope.READ: "read",
    Scope.OPERATE: "run campaigns, ask and tell, pause, resume and settle jobs",
    Scope.OWN: "revise and stop campaigns, correct and flag results",
    Scope.AUDIT: "anchor the history",
    Scope.ADMIN: "make accounts and keys",
}
"""What each scope allows, for whoever lacks it."""

ROLES = {
    "viewer": frozenset({Scope.READ}),
    "operator": frozenset({Scope.READ, Scope.OPERATE}),
    "owner": frozenset({Scope.READ, Scope.OPERATE, Scope.OWN}),
    "auditor": frozenset({Scope.READ, Scope.AUDIT}),
    "admin": frozenset({Scope.READ, Scope.AUDIT, Scope.ADMIN}),
}
"""What each role may do."""


def current(
    database: Database, scope: Scope = Scope.OPERATE, settings: Settings | None = None
) -> Actor:
    """Who this process writes as.

    Args:
        scope: What is to be done.
        settings: Those of the environment by default.

    Raises:
        Denied: nobody is logged in to a multi-user database, or whoever is may not do this.
    """
    settings = settings or Settings.read()
    if mode(database, settings) == SINGLE:
        return operating_system()
    text = settings.token or kept(settings)
    if not text:
        what = "this database is multi-user, and nobody is logged in"
        raise Denied(what, f"run `assayloop login NAME`, or set {TOKEN}")
    secret, account = _identified(database, text)
    if scope not in ROLES[account.role]:
        able = ", ".join(name for name, role in ROLES.items() if scope in role)
        raise Denied(f"{account.name} is {account.role} and may not {ACTS[scope]}", f"may: {able}")
    if scope not in secret.scopes:
        what = f"this token of {account.name} is good for {', '.join(secret.scopes)} only"
        raise Denied(what, f"log in with --scope {scope}, or without it for all that you may")
    if settings.token:
        return Actor("token", secret.id, on_behalf_of=account.name, mode=MULTI)
    return Actor("account", account.name, mode=MULTI)


def require_still(
    database: Database,
    actor: Actor,
    scope: Scope = Scope.OPERATE,
    settings: Settings | None = None,
) -> None:
    """Check that whoever began something may go on with it: a driver runs for days.

    Args:
        actor: Who began it, in this process.
        scope: What is being done.
        settings: Those of the environment by default.

    Raises:
        Denied: the database has become multi-user, the login has ended, or the account is disabled
            or has another role now.
    """
    settings = settings or Settings.read()
    if actor.mode == SINGLE:
        if mode(database, settings) == MULTI:
            what = "this database has become multi-user since this began"
            raise Denied(what, "run `assayloop login NAME`, then the same again")
        return
    found = current(database, scope, settings)
    if (found.on_behalf_of or found.id) != (person := actor.on_behalf_of or actor.id):
        what = f"{person} began this, and is not logged in here any longer"
        raise Denied(what, f"run `assayloop login {person}`, then the same again")


def mode(database: Database, settings: Settings) -> str:
    """Single-user or multi-user."""
    if settings.mode == MULTI:
        return MULTI
    with database.read() as session:
        return MULTI if session.scalar(select(func.count()).select_from(Account)) else SINGLE


def operating_system() -> Actor:
    """The account that owns this process, by its user id: no environment variable is believed."""
    try:
        import pwd
    except ImportError:  # Windows has no pwd; its log-in name comes from the session
        return Actor(kind="os account", id=os.getlogin())
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container may run as a user id without a name
        name = f"uid {uid}"
    return Actor(kind="os account", id=name)


# Tokens ---------------------------------------------------------------------------------------


def split(text: str) -> tuple[str, str]:
    """Number and hash of a token's secret row; a token is ``ACCOUNT/PUBLIC:SECRET``.

    A plain SHA-256 is enough for 256 random bits, which nobody can try one by one.
    """
    public, _, hidden = text.strip().rpartition(":")
    return public, hashlib.sha256(hidden.encode("utf-8", "surrogateescape")).hexdigest()


def _identified(database: Database, text: str) -> tuple[Secret, Account]:
    import hmac

    public, hashed = split(text)
    with database.read() as session:
        secret = session.get(Secret, public) if public.isprintable() else None
        account = None if secret is None else session.get(Account, secret.account)
    if (
        secret is None
        or account is None
        or secret.kind != "token"
        or not hmac.compare_digest(secret.hash, hashed)
    ):
        raise Denied("this login or token is not known here", "run `assayloop login NAME`")
    if account.state != "active":
        raise Denied(f"the account {account.name} is {account.state}: {account.reason}")
    if secret.expires_at is not None and secret.expires_at <= now():
        raise Denied(f"the login of {account.name} has ended", "run `assayloop login NAME`")
    return secret, account


def kept(settings: Settings) -> str:
    """The token of the login that this user keeps for this database; empty for none.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        return settings.login.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise BadInput.of("login", f"{settings.login} cannot be read: {error}") from None

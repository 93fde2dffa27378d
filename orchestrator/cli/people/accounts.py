"""``assayloop account``, ``login`` and ``logout``: who may write, and that it is they."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from orchestrator import moments
from orchestrator.cli.terminal.options import AsJson, Reason
from orchestrator.cli.terminal.output import print_json, print_table
from orchestrator.errors import BadInput, require_reason
from orchestrator.settings import Settings

AccountName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the account.")]


def ask_password(prompt: str, *, twice: bool = False) -> str:
    """A password, typed without being shown; a script writes it on a line of standard input.

    Raises:
        BadInput: it was typed differently the second time, or there is none.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    from getpass import getpass

    typed = getpass(f"{prompt}: ")
    if twice and getpass(f"{prompt}, again: ") != typed:
        raise BadInput.of("password", "the second was another", "type the same twice")
    return typed


def create(
    name: AccountName,
    full_name: Annotated[
        str, typer.Option(metavar="TEXT", help="Of the person; printed with each signature.")
    ] = "",
    role: Annotated[
        str, typer.Option(help="viewer, operator, owner, auditor or admin.")
    ] = "viewer",
) -> None:
    """Make an account for a person; asks for its password.

    The first must be an admin, and makes the database multi-user: from then on every write needs
    a login.
    """
    from orchestrator import opening
    from orchestrator.people import accounts

    settings = Settings.read()
    database = opening.database(settings, create=True)
    first = not accounts.listed(database)
    actor = accounts.may_create(database, settings)
    password = ask_password(f"Password of {name}", twice=True)
    accounts.create(database, actor, name, full_name, role, password)
    typer.echo(f"{full_name} has the account {name} and is {role}.")
    if first:
        typer.echo("This database is multi-user now: every write needs `assayloop login`.")


def list_accounts(as_json: AsJson = False) -> None:
    """List the accounts, those that were disabled too."""
    from orchestrator import opening
    from orchestrator.people import accounts

    rows = accounts.listed(opening.database(Settings.read()))
    columns = ("name", "full_name", "role", "state", "reason", "created_at")
    time = moments.iso if as_json else moments.shown
    shown = [[*(getattr(row, one) for one in columns[:-1]), time(row.created_at)] for row in rows]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in shown])
    else:
        print_table([one.replace("_", " ") for one in columns], shown)


def role(
    name: AccountName,
    role: Annotated[
        str, typer.Argument(metavar="ROLE", help="viewer, operator, owner, auditor or admin.")
    ],
    reason: Reason = "",
) -> None:
    """Give an account another role, from now on. Needs a --reason.

    Logins and tokens that there are lose what the new role may not; for what it may more, log in
    again.
    """
    from orchestrator import opening
    from orchestrator.people import accounts, actors

    database = opening.database(Settings.read())
    actor = actors.current(database, actors.Scope.ADMIN)
    accounts.set_role(database, actor, name, role, reason)
    typer.echo(f"{name} is {role} now.")


def password(
    name: AccountName,
    reset: Annotated[
        bool, typer.Option("--reset", help="As an admin, because it is lost. Needs a --reason.")
    ] = False,
    reason: Reason = "",
) -> None:
    """Give your account another password; asks for the one it has, and ends its logins.

    With --reset an admin gives somebody a temporary one, which is good only to choose another:
    nobody but the person can log in or sign.
    """
    from orchestrator import opening
    from orchestrator.people import accounts, actors

    database = opening.database(Settings.read())
    if reset:
        actor = actors.current(database, actors.Scope.ADMIN)
        require_reason(reason)
        new = ask_password(f"The temporary password of {name}", twice=True)
        accounts.reset_password(database, actor, name, new, reason)
        typer.echo(f"{name} chooses another by `assayloop account password {name}`.")
        return
    old = ask_password(f"Password of {name}")
    accounts.set_password(database, name, old, ask_password("The new one", twice=True))
    typer.echo(f"{name} has another password; `assayloop login {name}` goes on.")


def disable(name: AccountName, reason: Reason = "") -> None:
    """End an account for good: nobody can log in by it or use its tokens. Needs a --reason."""
    from orchestrator import opening
    from orchestrator.people import accounts, actors

    database = opening.database(Settings.read())
    accounts.disable(database, actors.current(database, actors.Scope.ADMIN), name, reason)
    typer.echo(f"{name} is disabled; what it did stays its own.")


def login(
    name: AccountName,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Only for this: read, operate, own, audit, admin; may be repeated."),
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=87_600, help="How long it lasts.")] = 12,
    shown: Annotated[
        bool, typer.Option("--print", help="Print a token for ASSAYLOOP_TOKEN, and keep nothing.")
    ] = False,
) -> None:
    """Prove who you are, for some hours; asks for the password."""
    from orchestrator import opening
    from orchestrator.people import accounts

    settings = Settings.read()
    database = opening.database(settings)
    token = accounts.login(database, name, ask_password("Password"), scope or (), hours)
    if shown:
        typer.echo(token)
        return
    accounts.keep_login(settings, token)
    typer.echo(f"{name} is logged in for {hours:g} hours.")


def logout() -> None:
    """End your login, here and in the database."""
    from orchestrator import opening
    from orchestrator.people import accounts, actors

    settings = Settings.read()
    token = actors.kept(settings)
    if token:
        accounts.logout(opening.database(settings), token)
        settings.login.unlink(missing_ok=True)
    typer.echo("Nobody is logged in." if not token else "You are logged out.")

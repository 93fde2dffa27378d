"""``assayloop audit keys``: the keys that sign anchors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator import moments
from orchestrator.cli.terminal.options import AsJson, Reason
from orchestrator.cli.terminal.output import print_json, print_table
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from db.ledger import Actor
    from db.session import Database


def _admin() -> tuple[Settings, Database, Actor]:
    from orchestrator import opening
    from orchestrator.people import actors

    settings = Settings.read()
    database = opening.database(settings)
    return settings, database, actors.current(database, actors.Scope.ADMIN)


def create() -> None:
    """Make a key that signs anchors; its private half is kept outside the data."""
    from orchestrator.history.verify import anchor_keys

    settings, database, actor = _admin()
    key = anchor_keys.create(database, actor, settings)
    _say(settings, key)


def _say(settings: Settings, key: str) -> None:
    from orchestrator.history.verify import anchor_keys

    typer.echo(f"The public key, which auditors should have from you and not from here, is\n{key}")
    typer.echo("Keep the private key where whoever has the database cannot read it:")
    typer.echo(anchor_keys.file(settings, key))


def list_keys(as_json: AsJson = False) -> None:
    """List the keys, oldest first: whose private half is here, and which were revoked."""
    from orchestrator import opening
    from orchestrator.history.verify import anchor_keys

    settings = Settings.read()
    time = moments.iso if as_json else moments.shown
    rows = [
        {
            "key": one.key,
            "created_at": time(one.created_at),
            "revoked_at": None if one.revoked_at is None else time(one.revoked_at),
            "reason": one.reason,
            "private": anchor_keys.file(settings, one.key).exists(),
        }
        for one in anchor_keys.listed(opening.database(settings))
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        state = f"revoked {row['revoked_at']}: {row['reason']}" if row["revoked_at"] else "good"
        here = "its private half is here" if row["private"] else "its private half is not here"
        typer.echo(row["key"])
        print_table(["created", "state", ""], [[row["created_at"], state, here]])


def rotate(reason: Reason = "") -> None:
    """Put a new key in the place of the one in use. Needs a --reason.

    The old key signs all chains first, and is then revoked; what it signed still counts.
    """
    from orchestrator.history.verify import anchor_keys

    settings, database, actor = _admin()
    old, new = anchor_keys.rotate(database, actor, settings, reason)
    typer.echo(f"The key {old[:16]} is revoked.")
    _say(settings, new)


def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key, or how it begins.")],
    reason: Reason = "",
) -> None:
    """Let nothing count that a key signs from now on. Needs a --reason."""
    from orchestrator.history.verify import anchor_keys

    _, database, actor = _admin()
    row = anchor_keys.revoke(database, key, actor, reason)
    typer.echo(f"The key {row.key[:16]} is revoked; what it signed before still counts.")

"""``assayloop sign``: people's signatures under entries of the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator import moments
from orchestrator.cli.people.accounts import ask_password
from orchestrator.cli.terminal.options import AsJson, CampaignName
from orchestrator.cli.terminal.output import print_json, print_table
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from db.models import Signature

COLUMNS = ("signed", "meaning", "name", "account", "entry", "hash")


def sign(
    name: CampaignName,
    entry: Annotated[int, typer.Argument(metavar="ENTRY", help="Number of the entry.")],
    meaning: Annotated[str, typer.Option(help="reviewed, approved or responsible.")] = "",
    as_json: AsJson = False,
) -> None:
    """Sign an entry of a campaign's history, as whoever is logged in; asks for the password again.

    Your full name, the time and the --meaning are kept with it, bound to the entry's hash. Nobody
    reviews or approves an entry of their own.
    """
    from orchestrator import opening
    from orchestrator.people import signatures

    settings = Settings.read()
    database = opening.database(settings)
    signer = signatures.signer(database, settings)
    row = opening.campaign(database, name)
    password = ask_password(f"Password of {signer}")
    given = signatures.sign(database, row, entry, meaning, signer, password)
    if as_json:
        print_json(_shown(given))
        return
    typer.echo(f"Entry {entry} of {row.name}#{row.ordinal}: {meaning} by {given.name},")
    typer.echo(f"{moments.shown(given.signed_at)}, in entry {given.entry}.")


def list_signatures(name: CampaignName, as_json: AsJson = False) -> None:
    """List the signatures of a campaign: who signed which entry, when, and as what."""
    from orchestrator import opening
    from orchestrator.people import signatures

    database = opening.database(Settings.read())
    given = signatures.listed(database, opening.campaign(database, name).id)
    if as_json:
        print_json([_shown(one) for one in given])
        return
    heads = ("entry", "meaning", "name", "account", "time")
    rows = [
        (one.signed, one.meaning, one.name, one.account, moments.shown(one.signed_at))
        for one in given
    ]
    print_table(heads, rows)


def _shown(given: Signature) -> dict[str, Any]:
    return {one: getattr(given, one) for one in COLUMNS} | {
        "signed_at": moments.iso(given.signed_at)
    }

"""``assayloop run``: campaigns through the engine, with live progress and their results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from db.session import Database
from db.states import CampaignState
from orchestrator import opening, wiring
from orchestrator.cli.terminal.options import AsJson, Overrides
from orchestrator.driver import Awaits, Standing
from orchestrator.errors import ExitCode
from orchestrator.people import actors, campaigns
from orchestrator.settings import Settings
from orchestrator.spec.file import read
from orchestrator.verbs import sources

ENDS = {
    Standing.FINISHED: ExitCode.DONE,
    Standing.STOPPED: ExitCode.DONE,
    Standing.TICKED: ExitCode.DONE,
    Standing.WAITING: ExitCode.WAITING,
    Standing.PAUSED: ExitCode.PAUSED,
}


def run(
    files: Annotated[list[str], typer.Argument(metavar="SPEC", help="Specs in YAML.")],
    overrides: Overrides = None,
    new: Annotated[
        bool, typer.Option("--new", help="Start another campaign beside those of that name.")
    ] = False,
    wait: Annotated[
        bool | None,
        typer.Option(
            "--wait/--no-wait",
            help="Stay until people have brought their results, too; or for no result at all. By "
            "default it stays for evaluators that answer by themselves.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many of the best to show.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Run campaigns from their specs, or continue those that are not finished.

    A finished campaign is only shown. Ctrl-C is safe at any time: the same command continues.
    Exit codes: 0 finished, 2 bad input, 3 waiting for results, 4 paused.
    """
    # All are checked before any is started: a mistake in the second must not leave the first.
    specs = [read(file, overrides or ()) for file in files]
    for source in specs:
        wiring.check(source)
    settings = Settings.read()
    database = opening.database(settings, create=True)
    actor = actors.current(database)
    ids = [campaigns.open_or_create(database, s.spec, actor, new=new) for s in specs]
    for campaign in ids:
        for word in sources.note(wiring.lab(database, campaign, actor=actor)):
            typer.secho(word, fg="yellow", err=True)
    awaits = {None: Awaits.INSTRUMENTS, True: Awaits.EVERYBODY, False: Awaits.NOBODY}[wait]
    standing = _drive(settings, database, ids, awaits, quiet=as_json)

    from orchestrator.cli.campaigns.run_results import results

    results(settings, database, ids, actor, top=top, as_json=as_json)
    raise typer.Exit(standing)


def _drive(
    settings: Settings, database: Database, ids: Sequence[str], awaits: Awaits, *, quiet: bool
) -> ExitCode:
    """Run the campaigns that are not over, one after the other; the worst of their endings."""
    rows = [opening.campaign(database, one) for one in ids]
    rows = [row for row in rows if not CampaignState(row.state).over]
    if not rows:
        return ExitCode.DONE
    from flows.server import prefect_api
    from orchestrator.cli.terminal.progress import Watch

    watch = Watch(quiet=quiet)
    log = settings.logs / "engine.log"
    watch.starting(log)
    with prefect_api(settings.home, log):
        from flows import campaign as flow

        endings = []
        for row in rows:
            with watch.campaign(row) as observe:
                endings.append(flow.run(row.id, f"{row.name}#{row.ordinal}", observe, awaits))
    return max((ENDS[ending] for ending in endings), default=ExitCode.DONE)

"""``assayloop jobs``: what evaluators were asked, and what people say to it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from db.states import JobState
from orchestrator.cli.terminal.options import AsJson, CampaignName, Reason
from orchestrator.cli.terminal.output import print_json, print_table
from orchestrator.errors import BadInput, NotFound
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from db.session import Database


def list_jobs(
    name: CampaignName,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    evaluator: Annotated[str | None, typer.Option(help="Only jobs of this evaluator.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the jobs of a campaign, each with the evaluator's own name for it, the ticket."""
    from orchestrator import opening

    database = opening.database(Settings.read())
    row = opening.campaign(database, name)
    found = _jobs(database, row.id, state, evaluator)
    if as_json:
        print_json(found)
        return
    if not found:
        typer.echo(f"{row.name}#{row.ordinal} has no {f'{state} ' if state else ''}job.")
        return
    # The key is too wide, and follows from these.
    columns = [column for column in found[0] if column != "key"]
    print_table(columns, [[job[column] for column in columns] for job in found])
    counts = Counter(job["state"] for job in found)
    typer.echo(", ".join(f"{count} {one}" for one, count in counts.items()))
    if counts[str(JobState.PARKED)]:
        typer.echo("`assayloop jobs resolve NAME JOB --ran | --did-not-run` settles a parked job.")
    if counts[str(JobState.AWAITING_APPROVAL)]:
        typer.echo("`assayloop approve NAME CANDIDATE...`, `reject` or `edit` lets them go on.")


def _jobs(
    database: Database, campaign_id: str, state: JobState | None, evaluator: str | None
) -> list[dict[str, Any]]:
    from sqlalchemy import and_, select

    from db.models import Attempt, Job

    newest = and_(
        Attempt.campaign == Job.campaign,
        Attempt.job == Job.number,
        Attempt.number == Job.attempts,
    )
    query = (
        select(Job, Attempt.reference)
        .outerjoin(Attempt, newest)
        .where(Job.campaign == campaign_id)
        .order_by(Job.number)
    )
    if state is not None:
        query = query.where(Job.state == str(state))
    if evaluator is not None:
        query = query.where(Job.evaluator == evaluator)
    with database.read() as session:
        return [
            {
                "job": job.number,
                "candidate": job.candidate,
                "evaluator": job.evaluator,
                "replicate": job.replicate,
                "state": str(job.state),
                "attempts": job.attempts,
                "ticket": ticket or "",
                "reason": job.reason,
                "key": job.key,
            }
            for job, ticket in session.execute(query)
        ]


def resolve(
    which: Annotated[
        str, typer.Argument(metavar="NAME", help="The campaign; or the job's whole key.")
    ],
    job: Annotated[
        int | None,
        typer.Argument(metavar="JOB", help="Number of the job within the campaign."),
    ] = None,
    ran: Annotated[
        bool | None,
        typer.Option("--ran/--did-not-run", help="Whether the evaluator measured it."),
    ] = None,
    reason: Reason = "",
) -> None:
    """Say whether a doubtful (parked) job ran. Needs a --reason.

    Where it ran, its result is awaited; where it did not, it is sent again. The job is named by
    campaign and number, as `assayloop jobs list` prints them, or by its key.
    """
    from orchestrator import opening
    from orchestrator.people import actors, jobs

    if ran is None:
        raise BadInput.of("--ran/--did-not-run", "is missing", "say whether the evaluator ran it")
    database = opening.database(Settings.read())
    campaign, number = (which, job) if job is not None else _by_key(database, which)
    row = opening.campaign(database, campaign)
    actor = actors.current(database)
    jobs.resolve(database, row.id, number, actor, ran=ran, reason=reason)
    what = "its result is awaited" if ran else "it is sent again"
    typer.echo(f"Job {number} of {row.name}#{row.ordinal} is settled; {what} by `assayloop run`.")


def _by_key(database: Database, key: str) -> tuple[str, int]:
    """Campaign and number of the job with that idempotency key."""
    from db import repository

    if "/" not in key:
        raise BadInput.of("JOB", "is missing", "write its number after the campaign, or its key")
    with database.read() as session:
        found = repository.job_by_key(session, key)
    if found is None:
        raise NotFound("job", key, [])
    return found.campaign, found.number


Numbers = Annotated[
    list[int], typer.Argument(metavar="JOB...", help="Numbers, as `assayloop jobs list` prints.")
]


def take(
    name: CampaignName,
    job: Annotated[int, typer.Argument(metavar="JOB", help="Number of the job.")],
) -> None:
    """Say that you are at a job, so that nobody else begins it."""
    from orchestrator import opening
    from orchestrator.people import actors, jobs

    database = opening.database(Settings.read())
    taken = jobs.take(database, name, job, actors.current(database))
    typer.echo(f"Job {job} is yours: candidate {taken.candidate}, replicate {taken.replicate}.")
    typer.echo(f"`assayloop result enter {name} {job} MEASURE=VALUE` brings what you find.")


def cancel(name: CampaignName, numbers: Numbers, reason: Reason = "") -> None:
    """End jobs, whatever they are doing. Needs a --reason.

    An evaluator that can be stopped is stopped; a result that comes all the same is kept, and does
    not count.
    """
    from orchestrator import opening
    from orchestrator.people import actors, jobs

    database = opening.database(Settings.read())
    words = jobs.cancel(database, name, numbers, actors.current(database), reason)
    typer.echo(f"Cancelled: {', '.join(map(str, numbers))}.")
    for word in words:
        typer.secho(word[:1].upper() + word[1:] + ".", fg="yellow")


def requeue(
    name: CampaignName,
    job: Annotated[int, typer.Argument(metavar="JOB", help="Number of the job.")],
    reason: Reason = "",
) -> None:
    """Send a job again that an evaluator has: the plate fell, say. Needs a --reason."""
    from orchestrator import opening
    from orchestrator.people import actors, jobs

    database = opening.database(Settings.read())
    jobs.requeue(database, name, job, actors.current(database), reason)
    typer.echo(f"Job {job} is queued; `assayloop run` sends it again.")


def sheet(
    name: CampaignName,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    evaluator: Annotated[
        str | None, typer.Option(help="Whose jobs; needed where several are people.")
    ] = None,
) -> None:
    """Write the open jobs of a person as a table to fill in.

    `assayloop result import` takes it back, filled.
    """
    from orchestrator import opening
    from orchestrator.people import actors, results

    database = opening.database(Settings.read())
    table = results.sheet(database, name, evaluator, actors.current(database))
    try:
        out.write_bytes(table)
    except OSError as error:
        raise BadInput.of("--out", f"{out} cannot be written: {error.strerror}") from None
    rows = table.decode("utf-8-sig").count("\n") - 1
    typer.echo(f"{out} has {rows} jobs; `assayloop result import {name} {out}` brings it back.")

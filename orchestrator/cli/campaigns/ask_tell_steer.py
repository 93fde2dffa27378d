"""What people do to a campaign: ask, tell, pause, resume, stop, revise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.campaigns.status_and_show import print_objects
from orchestrator.cli.terminal import measurement_arguments
from orchestrator.cli.terminal.options import AsJson, CampaignName, Overrides, Reason
from orchestrator.cli.terminal.output import cell, print_json, print_paragraph
from orchestrator.errors import BadInput
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.wiring import Parts

MAX_OBJECT = 10_000_000
"""Bytes; an object is a molecule or a small picture, and whatever is larger is another file."""


def ask(
    name: CampaignName,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many candidates.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Ask for candidates to measure yourself; no evaluator is sent them.

    They are a round of the campaign. `assayloop tell` what comes of them.
    """
    from orchestrator import Campaign

    asked = Campaign.find(name).ask(count)
    if as_json:
        rows = [
            {
                "candidate": one.number,
                "latent": one.point,
                "object": one.object,
                "duplicate_of": one.duplicate_of,
            }
            for one in asked
        ]
        print_json(rows)
        return
    lines = [[one.number, one.duplicate_of] for one in asked]
    objects = [one.object for one in asked]
    print_objects(["candidate", "duplicate of"], lines, objects, Settings.read())
    typer.echo(f"`assayloop tell {name} MEASURE=VALUE --candidate N --provenance TEXT` goes on.")


def tell(
    name: CampaignName,
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="MEASURE=VALUE",
            help="qed=0.71, qed=0.71+-0.02 (standard deviation), 'mass=180.2 g/mol'.",
        ),
    ],
    candidate: Annotated[int | None, typer.Option(help="Number of the candidate; or else")] = None,
    text: Annotated[
        str | None, typer.Option("--object", metavar="TEXT", help="its object, or")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--object-file", help="the file that holds it.")
    ] = None,
    provenance: Annotated[
        str, typer.Option(metavar="TEXT", help="Where the values come from; kept with them.")
    ] = "",
    external: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="What people call the object; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add measurements that were made outside, of a candidate or of any object of the space."""
    from db.models import Candidate
    from orchestrator import opening, wiring
    from orchestrator.people import ask_tell
    from orchestrator.spec.objective import LOG_PRIOR

    readings = measurement_arguments.read(values)
    if sum(one is not None for one in (candidate, text, file)) != 1:
        what = "say what was measured"
        raise BadInput.of("tell", what, "by exactly one of --candidate, --object and --object-file")
    if not provenance.strip():
        raise BadInput.of("--provenance", "is missing", "say where the values come from")
    database = opening.database(Settings.read())
    row = opening.campaign(database, name)
    parts = wiring.build(database, row.id)
    content = text if file is None else _content(parts, file)
    number = ask_tell.tell(
        parts,
        readings,
        provenance=provenance,
        candidate=candidate,
        content=content,
        external_ids=external or (),
    )
    with database.read() as session:
        known = session.get_one(Candidate, (row.id, number))
    if as_json:
        shown = {"candidate": number, "objective": known.objective, "feasible": known.feasible}
        print_json(shown | {"latent": known.point or known.realised})
        return
    objective = "no objective yet" if known.objective is None else cell(known.objective)
    typer.echo(f"Candidate {number} of {row.name}#{row.ordinal} is told; objective: {objective}.")
    if known.point is None and known.realised is None:
        left_out = "It counts all the same, and the surrogate does not learn from it."
        print_paragraph(f"It {known.reason}. {left_out}")
        if any(term.measure == LOG_PRIOR for term in parts.spec.objective.terms):
            print_paragraph(f"It has no objective, which needs {LOG_PRIOR}: only a point has one.")


def _content(parts: Parts, file: Path) -> str | bytes:
    """What a file holds: text, unless the objects of the space are pictures."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_OBJECT + 1)
    except OSError as error:
        raise BadInput.of("--object-file", f"{file} cannot be read: {error.strerror}") from None
    if len(data) > MAX_OBJECT:
        what = f"{file} is larger than {MAX_OBJECT // 1_000_000} MB, which no object is"
        raise BadInput.of("--object-file", what)
    if parts.space.media_type.startswith("image/"):
        return data
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise BadInput.of("--object-file", f"{file} is not text in UTF-8") from None


def pause(name: CampaignName, reason: Reason = "") -> None:
    """Pause a campaign; what is under way comes in and is recorded. Needs a --reason."""
    _set_state("pause", name, reason)


def resume(name: CampaignName, reason: Reason = "") -> None:
    """Let a paused campaign go on; `assayloop run SPEC` drives it."""
    _set_state("resume", name, reason)


def stop(name: CampaignName, reason: Reason = "") -> None:
    """End a campaign for good; jobs that were not sent are cancelled. Needs a --reason."""
    _set_state("stop", name, reason)


def _set_state(verb: str, name: str, reason: str) -> None:
    from orchestrator import opening
    from orchestrator.people import actors, campaigns

    change = {"pause": campaigns.pause, "resume": campaigns.resume, "stop": campaigns.stop}[verb]
    scope = actors.Scope.OWN if verb == "stop" else actors.Scope.OPERATE
    database = opening.database(Settings.read())
    row = change(database, name, actors.current(database, scope), reason)
    why = f": {row.reason}" if row.reason else ""
    typer.echo(f"{row.name}#{row.ordinal} is {row.state}{why}")


def revise(
    name: CampaignName,
    file: Annotated[str, typer.Argument(metavar="SPEC", help="The changed spec, in YAML.")],
    overrides: Overrides = None,
    reason: Reason = "",
) -> None:
    """Give a campaign a changed spec, as a new revision of it. Needs a --reason.

    Every candidate's objective is computed again. A finished campaign goes on, where its new spec
    lets it. The name and the space stay.
    """
    from orchestrator import opening, wiring
    from orchestrator.people import actors, campaigns
    from orchestrator.spec.file import read

    source = read(file, overrides or ())
    wiring.check(source)
    database = opening.database(Settings.read())
    row = opening.campaign(database, name)
    changes = campaigns.changes(database, row, source.spec)
    actor = actors.current(database, actors.Scope.OWN)
    number = campaigns.revise(database, row.id, source.spec, actor, reason)
    typer.echo(f"{row.name}#{row.ordinal} is at revision {number}:")
    for line in changes:
        typer.echo(f"  {line}")

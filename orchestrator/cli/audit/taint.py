"""``assayloop audit taint``: what was computed from values that stand no longer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator import moments
from orchestrator.cli.terminal.options import AsJson, CampaignName
from orchestrator.cli.terminal.output import number, print_json, print_paragraph
from orchestrator.settings import Settings
from orchestrator.spec.words import ranges

if TYPE_CHECKING:
    from db.models import Campaign
    from orchestrator.history.explain.taint import Taint, Tainted
    from orchestrator.history.explain.uses_of_measurements import Used

SHOWN = 8
"""Measurements on screen; a flagged instrument may have given thousands."""


def taint(
    name: CampaignName,
    refit: Annotated[
        bool, typer.Option("--refit", help="Fit again now, afresh, to what stands.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what was computed from values that were corrected or flagged since.

    These are the fits whose data held such a value, the rounds proposed with these fits, and the
    jobs that these rounds sent. A campaign that goes on fits again by itself before it proposes.
    """
    from orchestrator import loop, opening, wiring
    from orchestrator.history.explain import taint as history

    database = opening.database(Settings.read())
    row = opening.campaign(database, name)
    fitted = None
    if refit:
        with wiring.driving(wiring.build(database, row.id)) as parts:
            fitted = loop.refit(parts)
    with database.read() as session:
        found = history.taint(session, row)
    if as_json:
        rows = [_as_json(one) for one in found.tainted]
        about = {"newest_fit": found.newest, "goes_on": found.goes_on, "refitted": fitted}
        print_json({"measurements": rows} | _used(found.used) | about)
    else:
        _print(row, found, fitted)


def _as_json(one: Tainted) -> dict[str, Any]:
    measured = one.measurement
    return {
        "measurement": measured.number,
        "candidate": measured.candidate,
        "name": measured.name,
        "value": measured.value,
        "unit": measured.unit,
        "said": one.said,
        "reason": one.reason,
        "superseded_by": None if one.successor is None else one.successor.number,
        "actor": one.entry.actor_id,
        "on_behalf_of": one.entry.on_behalf_of,
        "at": moments.iso(one.entry.at),
        "entry": one.entry.sequence,
    } | _used(one.used)


def _used(used: Used) -> dict[str, Any]:
    return {
        "fits": used.fits,
        "rounds": used.rounds,
        "candidates": used.candidates,
        "jobs": used.jobs,
    }


def _print(row: Campaign, found: Taint, fitted: int | None) -> None:
    named = f"{row.name}#{row.ordinal}"
    if not found.tainted:
        typer.echo(f"Every measurement of {named} stands as it was recorded.")
        return
    for one in found.tainted[:SHOWN]:
        print_paragraph(_said(one), indent="  ")
        print_paragraph(f"Before that, {_went(one.used, 'it')}", "  ", "  ")
    if len(found.tainted) > SHOWN:
        typer.echo(f"... and {len(found.tainted) - SHOWN} more; `--json` prints all")
    if sum(bool(one.used.fits) for one in found.tainted) > 1:
        print_paragraph(f"All of them together: {_went(found.used, 'them')}", indent="  ")
    if fitted is not None:
        typer.echo(f"Fit {fitted} was made now, afresh, of what stands.")
    elif found.goes_on:
        print_paragraph(
            f"Fit {found.newest}, the newest, is one of them: what is proposed with it rests on a "
            f"wrong value. `assayloop audit taint {named} --refit` fits again, once no result is "
            "awaited; a campaign that goes on does it by itself before it proposes."
        )
    elif found.newest is not None:
        typer.echo(f"Fit {found.newest}, the newest, was made of what stands.")


def _said(one: Tainted) -> str:
    measured, later = one.measurement, one.successor
    said = "corrected" if one.said == "corrected" else f"said to be {one.said}"
    if later is not None:
        value = f"{number(later.value)} {later.unit}".rstrip()
        said += "" if one.said == "corrected" else ", and corrected"
        said += f" to {value} (measurement {later.number})"
    who = one.entry.on_behalf_of or one.entry.actor_id
    value = f"{number(measured.value)} {measured.unit}".rstrip()
    return (
        f"Measurement {measured.number}, {measured.name} of candidate {measured.candidate}, was "
        f"{value}. It was {said} on {moments.shown(one.entry.at)} by {who}: {one.reason}"
    )


def _went(used: Used, them: str) -> str:
    """Where values had gone; ``them`` stands for these values."""
    if not used.fits:
        return f"no fit had learnt from {them}."
    said = f"{_several('fit', used.fits)} had learnt from {them}"
    if not used.rounds:
        return f"{said}; nothing was proposed with {_these(used.fits)}."
    sent = f", sent as {_several('job', used.jobs)}" if used.jobs else ""
    return (
        f"{said}, and with {_these(used.fits)} {_several('round', used.rounds)} proposed "
        f"{_several('candidate', used.candidates)}{sent}."
    )


def _several(word: str, numbers: Sequence[int]) -> str:
    return f"{word}{'s' * (len(numbers) > 1)} {ranges(numbers)}"


def _these(numbers: Sequence[int]) -> str:
    return "them" if len(numbers) > 1 else "it"

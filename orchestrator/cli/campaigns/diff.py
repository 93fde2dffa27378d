"""``assayloop diff``: what is otherwise between two moments, or two campaigns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.terminal.options import AsJson, CampaignName
from orchestrator.cli.terminal.output import object_name, print_json, print_paragraph, print_table
from orchestrator.errors import BadInput
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.history.listings.at_moment import Side

SHOWN = 10
"""Lines of a list on screen; `--json` prints all."""


def diff(
    name: CampaignName,
    other: Annotated[
        str | None,
        typer.Argument(metavar="[OTHER]", help="Another campaign; by default the same."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="MOMENT", help="NAME as it stood then; else as it stands."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="MOMENT", help="The other as it stood then; else as it does."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a campaign at two moments, or two campaigns: spec, candidates, results, the best.

    A moment is a day, whose end is meant, a time in ISO 8601, or entry:120, the moment after that
    entry. A time without a zone is in this machine's. Candidates of one campaign are matched by
    number, those of two by object. Values are equal only to the last digit.
    """
    from orchestrator import opening
    from orchestrator.history.listings import at_moment
    from orchestrator.history.listings.diff import compare

    if other is None and start is None:
        what = "say with what to compare it"
        raise BadInput.of("diff", what, "another campaign, or a moment by --from")
    database = opening.database(Settings.read())
    row = opening.campaign(database, name)
    against = row if other is None else opening.campaign(database, other)
    with (
        at_moment.at(database, row, start, "--from") as left,
        at_moment.at(database, against, end, "--to") as right,
    ):
        found = compare(left, right)
        headings = [_heading(left), _heading(right)]
    if as_json:
        print_json(found)
    else:
        _print(found, headings)


def _heading(side: Side) -> str:
    named = f"{side.campaign.name}#{side.campaign.ordinal}"
    return f"{named} now" if side.moment is None else f"{named}, {side.moment}"


def _print(found: dict[str, Any], headings: Sequence[str]) -> None:
    for mark, heading in zip("<>", headings, strict=True):
        print_paragraph(f"{mark} {heading}", indent="  ")
    left, right, best = found["left"], found["right"], found["best"]
    rows = [
        [name.replace("_", " "), left[name], right[name]]
        for name in left
        if name not in ("campaign", "at") and left[name] != right[name]
    ]
    if best["left"] != best["right"]:
        rows.append(["best", _candidate(best["left"]), _candidate(best["right"])])
    if rows:
        print_table(["", "<", ">"], rows)
    _print_lines("In the spec", found["spec"])
    for mark, side in (("<", "left"), (">", "right")):
        _print_lines(
            f"Candidates only in {mark}", [_candidate(one) for one in found[f"only_{side}"]]
        )
    _print_lines("Candidates that differ", [_differing(one) for one in found["differing"]])
    kept = "candidate is" if found["same"] == 1 else "candidates are"
    typer.echo(f"{found['same']} {kept} the same in both.")


def _print_lines(title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    typer.echo(f"{title}: {len(lines)}")
    for line in lines[:SHOWN]:
        print_paragraph(line, "  ", "    ")
    if len(lines) > SHOWN:
        typer.echo(f"  ... and {len(lines) - SHOWN} more; `--json` prints all")


def _candidate(one: dict[str, Any] | None) -> str:
    if one is None:
        return "none"
    value = "no objective" if one["objective"] is None else f"objective {one['objective']}"
    return f"{one['candidate']}: {value}, {object_name(one) or 'no object'}"


def _differing(one: dict[str, Any]) -> str:
    same = one["left"] == one["right"]
    number = f"{one['left']}" if same else f"{one['left']} and {one['right']}"
    return f"{number}: {'; '.join(_words(one['what']))}"


def _words(what: dict[str, Any]) -> Iterator[str]:
    for name, values in what.items():
        yield f"{name} {_value(values['left'])} -> {_value(values['right'])}"


def _value(value: Any) -> str:
    """All digits: two numbers that differ must not look alike."""
    if not isinstance(value, dict):
        return "none" if value is None else str(value)
    std = "" if value["std"] is None else f" ± {value['std']}"
    return f"{value['value']}{std} {value['unit']}".rstrip()

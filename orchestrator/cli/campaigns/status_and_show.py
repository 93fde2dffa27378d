"""``assayloop status`` and ``show``: what campaigns have reached, and on what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.terminal.options import LAST, AsJson, At, CampaignName, Limit
from orchestrator.cli.terminal.output import (
    cell,
    duration,
    number,
    print_json,
    print_paragraph,
    print_table,
)
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from db.repository import Standing
    from orchestrator.spec.model import Spec

MEASURES = 5
"""The most measures that a table shows; a wider one would not fit 100 columns."""


def status(limit: Limit = None, as_json: AsJson = False) -> None:
    """List campaigns and how far they are, the oldest first; on screen those last active."""
    from db import repository
    from orchestrator import opening

    with opening.database(Settings.read()).read() as session:
        standings = repository.standings(session, limit if as_json else limit or LAST)
        known = repository.campaign_count(session)
    if as_json:
        from orchestrator.history.listings import results as reached

        print_json([reached.status(one.campaign, one.open_jobs) for one in standings])
        return
    lines = [_line(one) for one in standings]
    if not lines:
        typer.echo("No campaign yet; `assayloop run SPEC.yaml` starts one.")
        return
    columns = ["campaign", "state", "rounds", "evaluations", "best", "open jobs", "last activity"]
    print_table(columns, lines)
    if len(lines) < known:
        typer.echo(f"Those last active, of {known}; `--limit` prints more, and `--json` all.")


def _line(one: Standing) -> list[object]:
    from db.session import now

    row, budget = one.campaign, _limit(one.resolved)
    return [
        f"{row.name}#{row.ordinal}",
        f"{row.state}: {row.reason}" if row.reason else str(row.state),
        row.rounds,
        f"{row.evaluations} of {budget}" if budget else str(row.evaluations),
        one.best,
        one.open_jobs,
        f"{duration((now() - one.last_at) / 1e6)} ago",
    ]


def _limit(resolved: Any) -> object:
    """Evaluations that a stored spec allows; None for any number, or where it is no spec."""
    try:
        return resolved["budget"]["evaluations"]
    except (LookupError, TypeError):  # somebody changed it, and the other campaigns are sound
        return None


def show(
    name: CampaignName,
    top: Annotated[int, typer.Option(min=1, help="How many of the best.")] = 10,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Show where a campaign stands, and its best candidates; with --at, as it stood then.

    What stood then is folded from the ledger, which is checked. Objects that are pictures are put
    on disk and shown by path.
    """
    from db import repository
    from orchestrator import opening
    from orchestrator.history.listings import at_moment
    from orchestrator.history.listings import results as reached
    from orchestrator.spec import stored

    settings = Settings.read()
    database = opening.database(settings)
    with at_moment.at(database, opening.campaign(database, name), at) as side:
        row = side.campaign
        shown = reached.show(side.database, row, top, settings.artifacts, kept=database)
        with side.database.read() as session:
            spec = stored.spec(repository.revision(session, row.id, row.revision))
    if side.moment is not None:
        shown["at"] = side.moment.json
    if as_json:
        print_json(shown)
        return
    if side.moment is not None:
        print_paragraph(f"As it stood on {side.moment}:")
    why = f" ({shown['reason']})" if shown["reason"] else ""
    typer.echo(
        f"{shown['name']} is {shown['status']}{why}: {shown['evaluations']} evaluations, "
        f"{shown['rounds']} rounds, {shown['open_jobs']} open jobs"
    )
    for line in notes(shown):
        print_paragraph(line)
    if shown["best"]:
        print_best(shown["best"], spec, settings)
    else:
        typer.echo("No candidate has a feasible objective yet.")


def notes(shown: dict[str, Any]) -> Iterator[str]:
    """What is to be said of the candidates as a whole."""
    judged = [one for one in shown["filters"] if one["of"]]
    if judged:
        shares = (f"{one['name']} {one['passed'] / one['of']:.0%}" for one in judged)
        yield f"Of the decoded objects passed: {', '.join(shares)}."
    if count := shown["without_point"]:
        what = "candidate has" if count == 1 else "candidates have"
        yield f"{count} measured {what} no point, and the surrogate does not learn from it."


def print_best(best: Sequence[dict[str, Any]], spec: Spec, settings: Settings) -> None:
    """The best candidates as a table.

    Args:
        best: At least one, as :func:`orchestrator.history.listings.results.show` has them.
        spec: Names the measures, and those that the objective uses; where there are too many for
            a table, these are shown.
        settings: Where artifacts lie.
    """
    used = {term.measure for term in spec.objective.terms}
    used |= {constraint.measure for constraint in spec.objective.constraints}
    measures = list(spec.measures)
    if len(measures) > MEASURES:
        measures = [name for name in measures if name in used][:MEASURES]
    units = best[0]["measurements"]
    headings = [_heading(name, units.get(name, {}).get("unit")) for name in measures]
    columns = ["candidate", "round", f"objective ({spec.objective.direction})", *headings]
    rows = [
        [
            one["candidate"],
            one["round"],
            one["objective"],
            *(_value(one["measurements"].get(name)) for name in measures),
        ]
        for one in best
    ]
    print_objects(columns, rows, [one["object"] for one in best], settings)
    if hidden := [name for name in spec.measures if name not in measures]:
        typer.echo(f"Not shown: {', '.join(hidden)}; `--json` prints all.")


def _heading(name: str, unit: str | None) -> str:
    return f"{name} ({unit})" if unit else name


def _value(measurement: dict[str, Any] | None) -> object:
    if measurement is None or measurement["std"] is None:
        return None if measurement is None else measurement["value"]
    return f"{number(measurement['value'])} ± {number(measurement['std'])}"


def print_objects(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    objects: Sequence[str | None],
    settings: Settings,
) -> None:
    """A table of candidates with their objects in the last column.

    Paths do not fit a table: they stand below it, one a line, so that they can be copied.

    Args:
        columns: Headings; the first is ``candidate``.
        rows: As many cells each as there are columns.
        objects: One a row.
        settings: Where artifacts lie.
    """
    paths = [text for text in objects if text and text.startswith(f"{settings.artifacts}/")]
    if not paths:
        table = [[*row, _readable(text)] for row, text in zip(rows, objects, strict=True)]
        print_table([*columns, "object"], table)
        return
    print_table(columns, rows)
    for row, text in zip(rows, objects, strict=True):
        typer.echo(f"{cell(row[0]):>6}  {_relative(text or 'decodes to nothing')}")


def _readable(text: str | None) -> str:
    """An object as a table shows it; parameters, which are JSON, with four digits each."""
    if text is None:
        return "decodes to nothing"
    if not text.startswith("{"):
        return text
    return ", ".join(f"{name} {cell(value)}" for name, value in json.loads(text).items())


def _relative(text: str) -> str:
    """A path from the working directory, where it lies below it."""
    path = Path(text)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else text

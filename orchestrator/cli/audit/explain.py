"""``assayloop audit explain``: one page about one candidate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.terminal.options import AsJson, CampaignName
from orchestrator.cli.terminal.output import print_json, print_paragraph, print_table, relative
from orchestrator.errors import BadInput
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.history.explain.candidate import Page

TERM = 22
"""Columns of a term; its text stands behind it."""


def explain(
    name: CampaignName,
    candidate: Annotated[
        str, typer.Argument(metavar="CANDIDATE", help="Its number or an external ID.")
    ],
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the page there, with pictures and raw artifacts."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say all that is known of a candidate, on one page.

    Why it was made, on which data and model, what was expected and measured, who did what, every
    attempt with its raw artifact, what it cost, and what was learnt from it.
    """
    from orchestrator import opening
    from orchestrator.history.explain.candidate import explain as gather
    from orchestrator.history.listings import lookup

    if html is not None and as_json:
        raise BadInput.of("--json", "prints on screen", "leave out --html, or --json")
    if html is not None and not html.parent.is_dir():
        raise BadInput.of("--html", f"there is no folder {html.parent}", "make it first")
    settings = Settings.read()
    database = opening.database(settings)
    row = opening.campaign(database, name)
    with database.read() as session:
        one = lookup.candidate(session, row, candidate)
        page = gather(session, row, one, settings.artifacts)
    if as_json:
        print_json(page)
    elif html is None:
        _print(page)
    else:
        from orchestrator.report import explained

        try:
            explained.write(database, one, page, html)
        except OSError as error:
            what = f"{html} cannot be written: {error.strerror or error}"
            raise BadInput.of("--html", what) from None
        typer.echo(f"Candidate {one.number} of {page['campaign']} is explained in {html}")


def _print(page: Page) -> None:
    from orchestrator.history.explain import candidate_page as words

    print_paragraph(words.title(page))
    print_paragraph(words.headline(page))
    for section in words.sections(page):
        typer.echo(f"\n{section.title}")
        if section.note:
            print_paragraph(section.note, "  ", "  ")
        for term, text in section.facts:
            print_paragraph(text, f"  {term:<{TERM}}", " " * (TERM + 2))
        if section.rows:
            print_table(section.columns, section.rows)
    if paths := _paths(page):
        typer.echo("The object and the raw artifacts, as files:")
    for path in paths:
        typer.echo(f"  {relative(Path(path))}")


def _paths(page: Page) -> list[str]:
    """Where the object and the raw artifacts were put, once each."""
    named = [page["artifact"], *(attempt["delivery"] for attempt in page["attempts"])]
    return list(dict.fromkeys(one["path"] for one in named if one and one["path"]))

"""The page about a candidate as one HTML file that needs nothing but itself."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from adapters.messages import plain
from db import artifacts
from db.models import Candidate
from db.session import Database, now
from orchestrator import moments, wiring
from orchestrator.history.explain import candidate_page as words
from orchestrator.history.explain.candidate import Page
from orchestrator.latent.protocol import SpaceError
from orchestrator.people import actors
from orchestrator.proposers.registry import RegistryError
from orchestrator.report import page_file
from orchestrator.report.words import picture

SHOWN = 20_000
"""Characters of a raw artifact that stand on the page; the file beside the database has all."""


def write(database: Database, one: Candidate, page: Page, path: Path) -> Path:
    """Write the page; an older file there is replaced at once.

    Args:
        database: Where the candidate is.
        one: The candidate.
        page: What :func:`orchestrator.history.explain.candidate.explain` gathered of it.
        path: The file; its folder is made if needed.

    Returns:
        The path.
    """
    said = {
        "title": words.title(page),
        "headline": words.headline(page),
        "picture": _drawn(database, one, page),
        "sections": words.sections(page),
        "deliveries": _deliveries(database, page),
        "chain": page["chain"],
        "made": moments.shown(now()),
    }
    return page_file("candidate.html.j2", said, path)


def _drawn(database: Database, one: Candidate, page: Page) -> str | None:
    """The object as a picture; None without one, or where its space cannot be had here."""
    try:
        with database.read() as session:
            content = _content(session, one)
        reader = actors.operating_system()  # it writes nothing, and needs no leave to
        parts = wiring.of_revision(database, page["chain"], page["spec"]["revision"], reader)
    except (KeyError, ValueError, SpaceError, RegistryError):
        return None  # its bytes were changed, which the page says, or its model is not here
    return None if content is None else picture(parts.space, content)


def _content(session: Session, one: Candidate) -> str | bytes | None:
    if one.artifact is None:
        return one.object
    return artifacts.get(session, one.campaign, one.artifact)


def _deliveries(database: Database, page: Page) -> list[tuple[str, str]]:
    """Heading and text of each raw artifact that came from an evaluator, once each."""
    found = {}
    for attempt in page["attempts"]:
        delivery = attempt["delivery"]
        if delivery is None or delivery["sha256"] in found:
            continue
        heading = f"job {attempt['job']}, attempt {attempt['attempt']}: {words.bytes_of(delivery)}"
        try:
            with database.read() as session:
                body = artifacts.get(session, page["chain"], delivery["sha256"])
        except (KeyError, ValueError):  # which the heading says
            body = b""
        found[delivery["sha256"]] = (heading, plain(body.decode("utf-8", "replace"), SHOWN))
    return list(found.values())

"""When something happened, and who did it, as cells of a table."""

from __future__ import annotations

from sqlalchemy.orm import Session

from db.models import LedgerEntry
from orchestrator import moments
from orchestrator.history.explain.candidate_page import said_by


def at(micros: int | None) -> str:
    """A time, to the second; nothing for none."""
    return "" if micros is None else moments.shown(micros)[:19]


def written(session: Session, chain: str, number: int) -> tuple[str, str]:
    """When an entry was written, and by whom."""
    found = session.get(LedgerEntry, (chain, number))
    return ("", "") if found is None else (at(found.at), said_by(found))

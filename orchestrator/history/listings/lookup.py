"""Candidates and rounds as people name them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from db import repository
from db.models import Campaign, Candidate, Round
from orchestrator.errors import BadInput, NotFound


def candidate(session: Session, campaign: Campaign, reference: str) -> Candidate:
    """A candidate by its number, or else by an external ID.

    Raises:
        NotFound: there is none.
        BadInput: several have that external ID.
    """
    named = reference.strip()
    if named.isdecimal() and len(named) < 19:
        row = session.get(Candidate, (campaign.id, int(named)))
        if row is not None:
            return row
    found = repository.candidates_called(session, campaign.id, named)
    if len(found) > 1:
        numbers = ", ".join(str(one.number) for one in found[:10])
        raise BadInput.of(named, f"is the external ID of candidates {numbers}", "name one of them")
    if not found:
        last = repository.next_number(session, Candidate, campaign.id) - 1
        raise NotFound("candidate", named, [f"1 to {last}, and external IDs"] if last else [])
    return found[0]


def round_(session: Session, campaign: Campaign, number: int) -> Round:
    """A round by its number.

    Raises:
        NotFound: there is none.
    """
    row = repository.numbered(session, Round, campaign.id, number)
    if row is None:
        known = [f"1 to {campaign.rounds}"] if campaign.rounds else []
        raise NotFound("round", str(number), known)
    return row

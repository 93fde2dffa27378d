"""What a draft makes of jobs and numbers, for whatever is drafted after it in the same entry."""

from __future__ import annotations

from sqlalchemy.orm import Session

from db import repository
from db.ledger import Draft
from db.models import Base
from db.states import JobState


def next_number(session: Session, draft: Draft, model: type[Base], campaign: str) -> int:
    """The next free number of a table within a campaign, once the draft is written."""
    rows = draft.rows["new"].get(model.__tablename__)
    if rows:
        return int(rows[-1]["number"]) + 1
    return repository.next_number(session, model, campaign)


def job_states(draft: Draft) -> dict[int, JobState]:
    """The states that a draft gives to jobs that there are, by their number."""
    return {
        row["number"]: JobState(row["state"])
        for row in draft.rows["set"].get("job", [])
        if "state" in row
    }

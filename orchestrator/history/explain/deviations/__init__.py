"""What did not go as planned in a campaign, for whoever reviews it.

Each kind is a section with a sentence that says what it means. Kinds of which there is nothing are
listed, too: that it was looked for is part of the answer.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy.orm import Session

from db.models import Campaign
from orchestrator.history.explain.candidate_page import Section
from orchestrator.history.explain.deviations import measurements, plan
from orchestrator.history.explain.deviations.course import Course


class Found(NamedTuple):
    """Deviations, by kind."""

    sections: list[Section]
    """Those that there are."""
    absent: list[str]
    """Kinds that were looked for, and of which there is nothing."""


def deviations(session: Session, campaign: Campaign) -> Found:
    """What did not go as planned. A forged ledger never raises."""
    course = Course.read(session, campaign.id)
    looked_for = [
        plan.revisions(session, campaign),
        course.states(),
        plan.jobs(session, campaign),
        plan.attempts(session, campaign),
        course.doubtful(),
        measurements.late(session, campaign),
        course.refused(),
        measurements.corrections(session, campaign),
        measurements.doubts(session, campaign),
        measurements.tainted(session, campaign),
        measurements.by_hand(session, campaign),
        course.clock(),
        course.unreadable(),
    ]
    found = [one for one in looked_for if one.rows]
    return Found(found, [one.title.lower() for one in looked_for if not one.rows])

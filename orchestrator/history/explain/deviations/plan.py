"""The plan that was changed, and what of it gave nothing: jobs and attempts."""

from __future__ import annotations

import json

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import repository
from db.models import Attempt, Campaign, CampaignRevision, Job, LedgerEntry
from db.states import JobState
from orchestrator.history.explain.candidate_page import Section, said_by
from orchestrator.history.explain.deviations.said import at

UNSUCCESSFUL = (JobState.FAILED, JobState.TIMED_OUT, JobState.CANCELLED, JobState.REJECTED)


def revisions(session: Session, campaign: Campaign) -> Section:
    """Changes of what was asked."""
    query = (
        select(CampaignRevision, LedgerEntry)
        .join(
            LedgerEntry,
            (LedgerEntry.chain == CampaignRevision.campaign)
            & (LedgerEntry.sequence == CampaignRevision.entry),
        )
        .where(CampaignRevision.campaign == campaign.id, CampaignRevision.revision > 1)
        .order_by(CampaignRevision.revision)
    )
    rows = [
        (str(row.revision), at(entry.at), said_by(entry), _changed(entry), row.reason)
        for row, entry in session.execute(query).tuples()
    ]
    return Section(
        "Revisions of the spec",
        columns=("revision", "when (UTC)", "who", "what changed", "reason"),
        rows=rows,
        note="What was asked changed on the way; objectives were computed again by the new spec.",
    )


def _changed(entry: LedgerEntry) -> str:
    try:
        return "; ".join(map(str, json.loads(entry.payload)["about"]["changes"]))
    except (ValueError, KeyError, TypeError):  # of a forged entry
        return ""


def jobs(session: Session, campaign: Campaign) -> Section:
    """Those that gave nothing."""
    rows = [
        (
            str(job.number),
            str(job.candidate),
            job.evaluator,
            str(job.state),
            str(job.attempts),
            job.reason,
        )
        for job in repository.jobs(session, campaign.id, UNSUCCESSFUL)
    ]
    return Section(
        "Jobs without a result",
        columns=("job", "candidate", "evaluator", "state", "attempts", "reason"),
        rows=rows,
        note="These candidates were to be measured and were not.",
    )


def attempts(session: Session, campaign: Campaign) -> Section:
    """Those after which the job was tried again."""
    query = (
        select(Attempt, Job)
        .join(Job, (Job.campaign == Attempt.campaign) & (Job.number == Attempt.job))
        .where(Attempt.campaign == campaign.id, Attempt.number < Job.attempts)
        .order_by(Attempt.job, Attempt.number)
    )
    rows = [
        (
            f"{row.job}.{row.number}",
            str(job.candidate),
            job.evaluator,
            row.state,
            at(row.ended_at),
            row.reason,
            str(job.state),
        )
        for row, job in session.execute(query).tuples()
    ]
    return Section(
        "Repeated attempts",
        columns=(
            "attempt",
            "candidate",
            "evaluator",
            "how it ended",
            "when (UTC)",
            "reason",
            "the job is",
        ),
        rows=rows,
        note="These attempts gave nothing, and the same job was tried again.",
    )

"""Candidates and their jobs as rows: what propose, decode, ask and tell write alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from db import repository
from db.ledger import Draft
from db.models import Candidate, Job
from db.states import JobState
from orchestrator.lab import Lab
from orchestrator.latent.protocol import Decoded, Points
from orchestrator.proposers.protocol import Proposal
from orchestrator.spec.model import EvaluatorSpec
from orchestrator.verbs import computing, drafted
from orchestrator.wiring import Parts

BLANK: dict[str, Any] = {
    "edited_from": None,
    "external_ids": [],
    "valid": None,
    "reason": "",
    "object": None,
    "artifact": None,
    "key": "",
    "filters": {},
    "realised": None,
    "duplicate_of": None,
    "objective": None,
    "feasible": None,
    "objective_revision": None,
}
"""Columns of a candidate before it is decoded."""


def add(
    session: Session, draft: Draft, parts: Parts, round: int, proposal: Proposal, source: str
) -> None:
    """Draft a row a proposed point, numbered on within the campaign, and what it was made with."""
    draft.about["versions"] = computing.proposed_with()
    first = repository.next_number(session, Candidate, parts.campaign)
    log_prior = parts.space.log_prior(proposal.points)
    for index, point in enumerate(proposal.points):
        predicted = {
            name: None if column is None else float(column[index])
            for name, column in (
                ("mean", proposal.mean),
                ("std", proposal.std),
                ("acquisition", proposal.acquisition),
            )
        }
        draft.new(
            "candidate",
            **BLANK,
            **predicted,
            number=first + index,
            round=round,
            source=source,
            point=[float(x) for x in point],
            log_prior=float(log_prior[index]),
        )


def settle(
    session: Session,
    draft: Draft,
    parts: Parts,
    candidates: Sequence[Candidate],
    decoded: Sequence[Decoded],
    realised: Points,
) -> list[int]:
    """Draft what each candidate turned out to be, and what it was decoded with.

    Returns:
        Numbers of those to evaluate: valid, not seen before, and through the spec's filters.
    """
    draft.about["versions"] = computing.decoded_with(parts.space.sample_kind)
    fresh: list[int] = []
    seen: dict[str, int] = {}
    for candidate, one, point in zip(candidates, decoded, realised, strict=True):
        twin = repository.twin(session, parts.campaign, one.key) if one.key else None
        duplicate_of = twin.number if twin is not None else seen.get(one.key)
        row = settled(draft, parts, one)
        failed = [name for name in parts.spec.space.filters if not row["filters"].get(name, True)]
        if one.valid and duplicate_of is None:
            seen[one.key] = candidate.number
            if not failed:
                fresh.append(candidate.number)
        draft.set(
            "candidate",
            number=candidate.number,
            **row | ({"reason": f"filtered by {', '.join(failed)}"} if failed else {}),
            realised=stored_point(point),
            duplicate_of=duplicate_of,
        )
    return fresh


def stored_point(point: Points) -> list[float] | None:
    """A point, shape d, as a column holds it; None for NaN, which is no point."""
    return None if np.isnan(point).any() else [float(x) for x in point]


def settled(draft: Draft, parts: Parts, one: Decoded) -> dict[str, Any]:
    """Columns that say what an object is; its bytes, if it has any, are stored with the entry."""
    artifact = None
    if isinstance(one.content, bytes):
        artifact = draft.attach(one.content, parts.space.media_type)
    return {
        "valid": one.valid,
        "reason": one.reason,
        "object": one.content if isinstance(one.content, str) else None,
        "artifact": artifact,
        "key": one.key,
        "filters": {}
        if one.content is None
        else {name: passes(one.content) for name, passes in parts.space.filters.items()},
    }


def queue_jobs(session: Session, draft: Draft, lab: Lab, candidates: Sequence[int]) -> None:
    """Draft a job a candidate, evaluator and replicate.

    What stands behind a gate waits as a draft, and after that where a person has to approve.
    """
    for candidate in candidates:
        for part in lab.spec.evaluators:
            for replicate in range(1, part.replicates + 1):
                draft_job(session, draft, lab, candidate, part.name, replicate, first(lab, part))


def first(lab: Lab, part: EvaluatorSpec) -> JobState:
    """The state in which a job for this evaluator begins."""
    if part.when:
        return JobState.DRAFT
    return JobState.AWAITING_APPROVAL if lab.approves(part) else JobState.QUEUED


def draft_job(
    session: Session,
    draft: Draft,
    lab: Lab,
    candidate: int,
    evaluator: str,
    replicate: int,
    state: JobState,
) -> None:
    """Draft one job, numbered on within the campaign."""
    draft.new(
        "job",
        number=drafted.next_number(session, draft, Job, lab.campaign),
        candidate=candidate,
        evaluator=evaluator,
        replicate=replicate,
        key=f"{lab.campaign}/{candidate}/{evaluator}/{replicate}",
        state=str(state),
        reason="",
        attempts=0,
        batch=None,
        position="",
        not_before=None,
        deadline=None,
        cost=lab.evaluators[evaluator].capabilities.cost,
    )

"""What a person says to a candidate before it is measured: yes, no, or this one instead.

Approval belongs to the candidate and moves all its jobs that wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from db import repository
from db.ledger import Actor, Draft
from db.models import Candidate, Job
from db.session import Database
from db.states import JobState, move
from orchestrator import opening, wiring
from orchestrator.errors import BadInput, Conflict, require_reason
from orchestrator.lab import Lab
from orchestrator.people import ask_tell
from orchestrator.verbs import candidates as rows
from orchestrator.verbs import endings


def approve(
    database: Database, reference: str, candidates: Sequence[int], actor: Actor, reason: str
) -> int:
    """Let candidates be measured.

    Args:
        candidates: Their numbers; all that wait where empty.

    Returns:
        How many were approved.

    Raises:
        Conflict: one does not wait for approval.
    """
    lab = _lab(database, reference, actor)
    with lab.write() as session:
        waiting = _waiting(session, lab, candidates)
        draft = Draft("approve", {"candidates": list(waiting), "reason": reason})
        for jobs in waiting.values():
            for job in jobs:
                state = move(job.key, job.state, JobState.QUEUED)
                draft.set("job", number=job.number, state=str(state), reason="")
        lab.append(session, draft)
    return len(waiting)


def reject(
    database: Database, reference: str, candidates: Sequence[int], actor: Actor, reason: str
) -> int:
    """Turn candidates down; nothing is spent on them, and they are not proposed again.

    Returns:
        How many were rejected.

    Raises:
        BadInput: nobody says why.
        Conflict: one does not wait for approval.
    """
    require_reason(reason)
    lab = _lab(database, reference, actor)
    with lab.write() as session:
        waiting = _waiting(session, lab, candidates)
        draft = Draft("reject", {"candidates": list(waiting), "reason": reason})
        ended = _reject(draft, waiting, reason)
        endings.follow(session, draft, lab, ended)
        lab.append(session, draft)
    return len(waiting)


def edit(
    database: Database,
    reference: str,
    candidate: int,
    content: str | bytes,
    actor: Actor,
    reason: str,
) -> int:
    """Measure another object instead; whoever chose it has approved it.

    Returns:
        Number of the candidate that takes its place.

    Raises:
        BadInput: nobody says why, or the object is none of this space.
        Conflict: the candidate does not wait for approval, or the object is a candidate already.
    """
    require_reason(reason)
    parts = wiring.build(database, opening.campaign(database, reference).id, actor=actor)
    with parts.write() as session:
        waiting = _waiting(session, parts, [candidate])
        draft = Draft("edit", {"candidate": candidate, "reason": reason})
        number = ask_tell.add_object(
            session, draft, parts, content, source="edited", edited_from=candidate
        )
        if session.get(Candidate, (parts.campaign, number)) is not None:
            raise Conflict(f"that object is candidate {number} already", "reject this one instead")
        ended = _reject(draft, waiting, f"edited into candidate {number}: {reason}")
        for part in parts.spec.evaluators:
            state = JobState.DRAFT if part.when else JobState.QUEUED
            for replicate in range(1, part.replicates + 1):
                rows.draft_job(session, draft, parts, number, part.name, replicate, state)
        endings.follow(session, draft, parts, ended)
        parts.append(session, draft)
    return number


def _lab(database: Database, reference: str, actor: Actor) -> Lab:
    return wiring.lab(database, opening.campaign(database, reference).id, actor=actor)


def _waiting(session: Session, lab: Lab, candidates: Sequence[int]) -> dict[int, list[Job]]:
    """Jobs that wait for approval, by candidate.

    Raises:
        Conflict: one of the candidates named has none, or nobody has.
    """
    found: dict[int, list[Job]] = {}
    for job in repository.jobs(session, lab.campaign, [JobState.AWAITING_APPROVAL]):
        found.setdefault(job.candidate, []).append(job)
    waiting = ", ".join(map(str, sorted(found))) or "none"
    for number in candidates:
        if repository.numbered(session, Candidate, lab.campaign, number) is None:
            raise BadInput.of("CANDIDATE", f"there is no candidate {number}", f"waiting: {waiting}")
        if number not in found:
            raise Conflict(f"candidate {number} does not wait for approval", f"waiting: {waiting}")
    if not found:
        raise Conflict("no candidate waits for approval")
    return {number: found[number] for number in candidates or sorted(found)}


def _reject(draft: Draft, waiting: dict[int, list[Job]], reason: str) -> list[Job]:
    ended = [job for jobs in waiting.values() for job in jobs]
    for job in ended:
        state = move(job.key, job.state, JobState.REJECTED)
        draft.set("job", number=job.number, state=str(state), reason=reason)
    return ended

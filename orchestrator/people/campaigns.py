"""The application service: what people do to campaigns, as one ledger entry each."""

from __future__ import annotations

import math
import uuid
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import artifacts, lease, repository
from db.ledger import Actor, Draft, append
from db.models import SYSTEM, Campaign, LatentModel
from db.session import Database, now
from db.states import OPEN, CampaignState, JobState, move
from orchestrator import opening, recorded_model, wiring
from orchestrator.errors import BadInput, Busy, Conflict, require_reason
from orchestrator.latent import model_cards
from orchestrator.latent import registry as spaces
from orchestrator.latent.protocol import Space, SpaceError
from orchestrator.objective import Objective
from orchestrator.settings import Settings
from orchestrator.spec.file import differences, resolved, written
from orchestrator.spec.model import Spec
from orchestrator.verbs import endings, replicates


def create(database: Database, spec: Spec, actor: Actor) -> str:
    """Start a campaign, also beside others of the same name.

    Returns:
        Its UUID.
    """
    campaign_id = str(uuid.uuid4())
    space = wiring.space(spec)
    with database.write(SYSTEM, campaign_id) as session:
        model = register_model(session, space, actor, spec.space.model)
        register_weights(session, spec, actor)
        last = session.scalar(select(func.max(Campaign.ordinal)).where(Campaign.name == spec.name))
        draft = Draft("create")
        draft.new(
            "campaign",
            name=spec.name,
            ordinal=(last or 0) + 1,
            state=str(CampaignState.RUNNING),
            reason="",
            revision=1,
            rounds=0,
            evaluations=0,
            cost=0.0,
            driver_seconds=0.0,
            best=None,
            since_best=0,
            barren_rounds=0,
            created_at=now(),
        )
        _new_revision(draft, spec, 1, model, "")
        genesis = append(session, campaign_id, actor, draft, now())
        about = {"campaign": campaign_id, "name": spec.name, "genesis": genesis.hash}
        append(session, SYSTEM, actor, Draft("campaign", about), now())
    return campaign_id


def _new_revision(draft: Draft, spec: Spec, number: int, model: str | None, reason: str) -> None:
    draft.new(
        "campaign_revision",
        revision=number,
        written=written(spec),
        resolved=resolved(spec),
        model=model,
        reason=reason,
    )


def register_model(
    session: Session, space: Space, actor: Actor, name: str | None = None
) -> str | None:
    """Keep a space's model in the system chain, once; returns its hash, None without any.

    Its weights, its card and, where the hash is of format 2, the document that this is the hash of.
    ``name`` is the model's name or folder, as the spec has it.
    """
    if not space.model_hash:
        return None
    if session.get(LatentModel, space.model_hash) is None:
        model = spaces.model_of(space, Settings.read().models, name)
        draft = Draft("model")
        draft.attach(model.weights.read_bytes(), "application/x-safetensors")
        if not model_cards.is_of_weights(space.model_hash, model.card):
            draft.attach(model_cards.document(model.card), "application/json")
        draft.new("latent_model", hash=space.model_hash, name=model.name, card=model.card)
        append(session, SYSTEM, actor, draft, now())
    return space.model_hash


def register_weights(session: Session, spec: Spec, actor: Actor) -> None:
    """Keep the weights of a spec's evaluators in the system chain, and what decides of their cards.

    Each once: again only where the card decides otherwise.

    Raises:
        BadInput: they cannot be read.
    """
    for part, weights in wiring.evaluator_weights(spec):
        try:
            whole = {} if weights.card is None else spaces.read_card(weights.card)
        except SpaceError as error:
            raise BadInput.of(part.name, str(error)) from None
        card = model_cards.deciding(whole)
        if artifacts.known(session, SYSTEM, weights.sha256) and any(
            about["weights"] == weights.sha256 and about.get("card", {}) == card
            for about in recorded_model.of_evaluators(session)
        ):
            continue
        try:
            content = weights.file.read_bytes()
        except OSError as error:
            what = f"the weights {weights.file} cannot be read: {error.strerror}"
            raise BadInput.of(part.name, what) from None
        draft = Draft("model", {"evaluator": part.use, "options": dict(part.options)})
        draft.about |= {"card": card} if card else {}
        draft.about["weights"] = draft.attach(content, "application/x-safetensors")
        append(session, SYSTEM, actor, draft, now())


def open_or_create(database: Database, spec: Spec, actor: Actor, *, new: bool = False) -> str:
    """The newest campaign of the spec's name, or a new one.

    Returns:
        Its UUID.

    Raises:
        Conflict: the campaign was started, or last revised, with another spec.
    """
    with database.read() as session:
        row = None if new else repository.find(session, spec.name)
    if row is None:
        return create(database, spec, actor)
    if changed := changes(database, row, spec):
        shown = "; ".join(changed[:5]) + ("; ..." if len(changed) > 5 else "")
        raise Conflict(
            f"{row.name}#{row.ordinal} has another spec: {shown}",
            "record the change by `assayloop campaign revise`, or start another by --new",
        )
    return row.id


def changes(database: Database, campaign: Campaign, spec: Spec) -> list[str]:
    """How a spec differs from a campaign's, in words; as written, so that defaults may change."""
    with database.read() as session:
        revision = repository.revision(session, campaign.id, campaign.revision)
    return differences(revision.written, written(spec))


def revise(database: Database, reference: str, spec: Spec, actor: Actor, reason: str) -> int:
    """Record a changed spec as a new revision.

    Returns:
        The revision's number.

    Raises:
        Conflict: nothing changed, the campaign is over, or its space would change.
        BadInput: the model on disk is another than the one on record.
        Busy: a driver works on it, by the old spec.
    """
    require_reason(reason)
    row = opening.campaign(database, reference)
    changed = changes(database, row, spec)
    if not changed:
        raise Conflict(f"the spec of {row.name} is what it was", "change it before revising")
    frozen = [line for line in changed if line.startswith(("name", "space"))]
    if frozen:
        raise Conflict(f"a campaign keeps its name and space: {frozen[0]}", "use run --new")
    with database.write(SYSTEM, row.id) as session:
        row = repository.campaign(session, row.id)
        if row.state == CampaignState.STOPPED:
            raise Conflict(f"{row.name}#{row.ordinal} was stopped for good", "use run --new")
        if held := lease.holder(session, row.id, lease.clock(session)):
            raise Busy(wiring.driven_by(row.name, held), "pause it first")
        space = wiring.space(spec)
        wiring.require_recorded_model(session, row, space, spec.space.model)
        model = register_model(session, space, actor, spec.space.model)
        register_weights(session, spec, actor)
        draft = Draft("revise", {"reason": reason, "changes": changed})
        _new_revision(draft, spec, row.revision + 1, model, reason)
        _revalue(session, draft, row, spec)
        _cancel_dropped(session, draft, row, spec, reason)
        append(session, row.id, actor, draft, now())
        return row.revision + 1


def _revalue(session: Session, draft: Draft, row: Campaign, spec: Spec) -> None:
    """Draft every candidate's objective under the new spec, and the best among them."""
    objective = Objective(spec.objective)
    rows = repository.measurements(session, row.id)
    best: tuple[int, float] | None = None
    for candidate in repository.candidates(session, row.id):
        mine = [one for one in rows if one.candidate == candidate.number]
        if not mine:
            continue
        values = replicates.values(replicates.reduce(mine))
        log_prior = candidate.log_prior  # None of what was told and has no point
        value = objective.value(values, math.nan if log_prior is None else log_prior)
        feasible = None if value is None else objective.feasible(values)
        draft.set(
            "candidate",
            number=candidate.number,
            objective=value,
            feasible=feasible,
            objective_revision=row.revision + 1,
        )
        if value is None or not feasible or candidate.duplicate_of is not None:
            continue
        if best is None or objective.better(value, best[1]):
            best = (candidate.number, value)
    draft.set(
        "campaign",
        id=row.id,
        revision=row.revision + 1,
        best=None if best is None else best[0],
        **_reopened(row),
    )


def _cancel_dropped(session: Session, draft: Draft, row: Campaign, spec: Spec, reason: str) -> None:
    """Draft the end of open jobs whose evaluator the new spec no longer uses."""
    used = {part.name for part in spec.evaluators}
    dropped = [job for job in repository.jobs(session, row.id, OPEN) if job.evaluator not in used]
    for job in dropped:
        why = f"{job.evaluator} is no longer used: {reason}"
        state = move(job.key, job.state, JobState.CANCELLED)
        draft.set("job", number=job.number, state=str(state), reason=why)
        if job.state != JobState.QUEUED:
            endings.end_attempt(draft, job, "cancelled", why)
    endings.close_rounds(session, draft, row.id, dropped)


def _reopened(row: Campaign) -> dict[str, str]:
    """A finished campaign goes on under a new spec, which may give it a larger budget."""
    if row.state != CampaignState.FINISHED:
        return {}
    return {"state": str(CampaignState.RUNNING), "reason": ""}


def pause(database: Database, reference: str, actor: Actor, reason: str) -> Campaign:
    """Stop proposing until it is resumed; results that arrive are still recorded."""
    return _set_state(database, reference, actor, CampaignState.PAUSED, reason)


def stop(database: Database, reference: str, actor: Actor, reason: str) -> Campaign:
    """End a campaign for good. Jobs that were not sent are cancelled; results still come in."""
    return _set_state(database, reference, actor, CampaignState.STOPPED, reason)


def resume(database: Database, reference: str, actor: Actor, reason: str = "") -> Campaign:
    """Let a paused campaign go on."""
    return _set_state(database, reference, actor, CampaignState.RUNNING, reason)


_VERBS = {
    CampaignState.PAUSED: "pause",
    CampaignState.STOPPED: "stop",
    CampaignState.RUNNING: "resume",
}


def _set_state(
    database: Database, reference: str, actor: Actor, state: CampaignState, reason: str
) -> Campaign:
    if state is not CampaignState.RUNNING:
        require_reason(reason)
    row = opening.campaign(database, reference)
    with database.write(row.id) as session:
        row = repository.campaign(session, row.id)
        _refuse_over(row)
        if row.state == state:
            raise Conflict(f"{row.name}#{row.ordinal} is {state} already")
        draft = Draft(_VERBS[state], {"reason": reason})
        fields: dict[str, Any] = {"barren_rounds": 0} if state is CampaignState.RUNNING else {}
        draft.set("campaign", id=row.id, state=str(state), reason=reason, **fields)
        if state is CampaignState.STOPPED:
            for job in repository.jobs(session, row.id, [JobState.QUEUED]):
                cancelled = move(job.key, job.state, JobState.CANCELLED)
                draft.set("job", number=job.number, state=str(cancelled), reason=reason)
        append(session, row.id, actor, draft, now())
    return opening.campaign(database, row.id)


def _refuse_over(row: Campaign) -> None:
    state = CampaignState(row.state)
    if state.over:
        why = f" ({row.reason})" if row.reason else ""
        raise Conflict(f"{row.name}#{row.ordinal} is {state}{why}", "use run --new")

"""The one module that wires the parts of a campaign together."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from adapters import registry as evaluators
from adapters.protocol import Evaluator, EvaluatorError, OptionError, Weighted, Weights
from db import lease, repository
from db.heartbeat import Heartbeat
from db.ledger import Actor
from db.models import Campaign, Lease
from db.session import MICROSECONDS, Database
from orchestrator import moments, opening, recorded_model
from orchestrator.errors import BadInput, Busy, Overtaken, SchemaMismatch
from orchestrator.lab import Lab
from orchestrator.latent import registry as spaces
from orchestrator.latent.protocol import Space, SpaceError
from orchestrator.objective import Objective, ObjectiveError
from orchestrator.people import actors
from orchestrator.proposers import registry
from orchestrator.proposers.protocol import Problem, Proposer
from orchestrator.settings import Settings
from orchestrator.spec import stored
from orchestrator.spec.file import SpecSource
from orchestrator.spec.model import EvaluatorSpec, Spec
from orchestrator.spec.yaml import KeyPath
from orchestrator.surrogates.protocol import Surrogate


@dataclass(kw_only=True)
class Parts(Lab):
    """Everything one campaign is made of, wired; what a verb gets."""

    space: Space
    objective: Objective
    proposer: Proposer
    surrogate: Surrogate

    @property
    def problem(self) -> Problem:
        """What a proposer is asked to solve."""
        return Problem(
            self.space,
            self.objective,
            at=self.spec.surrogate.at,
            filters=tuple(self.spec.space.filters),
        )


def space(spec: Spec, model: str | None = None) -> Space:
    """The space of a spec.

    Args:
        model: a model's folder, instead of the model that the spec names.

    Raises:
        SpaceError: it or its model is unknown or cannot be used.
    """
    return spaces.open_space(
        spec.space.kind, model or spec.space.model, Settings.read().models, spec.space.parameters
    )


def check(source: SpecSource) -> None:
    """Check what a spec asks of evaluators, space, proposer and surrogate.

    Raises:
        BadInput: something plugged in is unknown or does not do what is asked; names the line.
    """
    spec = source.spec
    for index, part in enumerate(spec.evaluators):
        _check_evaluator(source, ("evaluators", index), part)
    try:
        kind = space(spec)
    except SpaceError as error:
        _require_known_card(spec)  # which says what was changed, where a campaign has it on record
        known = spec.space.kind in spaces.list_spaces()
        raise source.problem(("space", "model" if known else "kind"), str(error)) from None
    for index, name in enumerate(spec.space.filters):
        if name not in kind.filters:
            known_ones = ", ".join(sorted(kind.filters)) or "none"
            what = f"{spec.space.kind} has no filter {name!r}; it has: {known_ones}"
            raise source.problem(("space", "filters", index), what)
    for index, part in enumerate(spec.evaluators):
        kinds = evaluators.create(part.use, part.options).capabilities.sample_kinds
        if kind.sample_kind not in kinds:
            what = f"{part.use} takes {', '.join(sorted(kinds))}, not {kind.sample_kind}"
            raise source.problem(("evaluators", index, "use"), what)
    for path, named, find in (
        (("proposer", "kind"), spec.proposer.kind, registry.proposer),
        (("surrogate", "kind"), spec.surrogate.kind, registry.surrogate),
    ):
        try:
            find(named)
        except registry.RegistryError as error:
            raise source.problem(path, str(error)) from None
    try:
        Objective(spec.objective)
    except ObjectiveError as error:
        raise source.problem(("objective", "terms"), str(error)) from None


def _require_known_card(spec: Spec) -> None:
    """Hold a model that cannot be opened against what the campaign of the spec's name recorded.

    Raises:
        BadInput: its card was changed.
    """
    settings, row, recorded = Settings.read(), None, None
    with suppress(BadInput, SchemaMismatch):  # of which whoever opens the database is told
        opened = opening.database(settings)
        with opened.read() as session:
            row = repository.find(session, spec.name)
            if row is not None:
                recorded = recorded_model.of(
                    session, repository.revision(session, row.id, row.revision)
                )
        opened.close()
    if row is not None and recorded is not None:
        label = f"{row.name}#{row.ordinal}"
        recorded_model.require_card(label, recorded, spec.space.model, settings.models)


def require_recorded_model(
    session: Session, row: Campaign, space: Space, asked: str | None
) -> None:
    """Refuse a space of another model than the one that the campaign has on record.

    Args:
        asked: The model's name or folder, as the spec has it.

    Raises:
        BadInput: it is one.
    """
    recorded = recorded_model.of(session, repository.revision(session, row.id, row.revision))
    if recorded is not None:
        label, home = f"{row.name}#{row.ordinal}", Settings.read().models
        recorded_model.require_card(label, recorded, asked, home)
        recorded_model.require_space(label, space, recorded, asked, home)


def _check_evaluator(source: SpecSource, path: KeyPath, part: EvaluatorSpec) -> None:
    try:
        evaluators.create(part.use, part.options).check(part.measures)
    except OptionError as error:
        raise source.problem((*path, "options", error.option), str(error)) from None
    except EvaluatorError as error:
        named = "measures" if part.use in evaluators.names() else "use"
        raise source.problem((*path, named), str(error)) from None


def build(opened: Database, campaign_id: str, *, actor: Actor | None = None) -> Parts:
    """Wire the campaign by its newest spec.

    Raises:
        BadInput: something that the spec names is not installed here, or cannot be used; or the
            model is another than the one that the campaign has on record.
    """
    with opened.read() as session:
        row = repository.campaign(session, campaign_id)
        revision = repository.revision(session, row.id, row.revision)
        recorded = recorded_model.of(session, revision)
    label, home = f"{row.name}#{row.ordinal}", Settings.read().models
    asked = stored.spec(revision).space.model
    if recorded is not None:  # before its network is made, which a changed card may not describe
        recorded_model.require_card(label, recorded, asked, home)
    try:
        parts = of_revision(opened, row.id, row.revision, actor or actors.current(opened))
        made = {one.name: evaluators.create(one.use, one.options) for one in parts.spec.evaluators}
    except (EvaluatorError, SpaceError, registry.RegistryError) as error:
        raise BadInput.of(label, str(error)) from None
    if recorded is not None:
        recorded_model.require_space(label, parts.space, recorded, asked, home)
    _fix_threads(parts.spec)  # an evaluator may be the first to import torch
    return replace(parts, evaluators=made)


def lab(opened: Database, campaign_id: str, *, actor: Actor) -> Lab:
    """The campaign as whoever receives for it needs it, by its newest spec; loads no model.

    Evaluators that are not installed here are left out.

    Raises:
        BadInput: the stored spec is none.
    """
    with opened.read() as session:
        row = repository.campaign(session, campaign_id)
        spec = stored.spec(repository.revision(session, row.id, row.revision))
    return Lab(
        database=opened,
        actor=actor,
        campaign=campaign_id,
        revision=row.revision,
        spec=spec,
        evaluators=_installed(spec),
    )


def evaluator_weights(spec: Spec) -> Iterator[tuple[EvaluatorSpec, Weights]]:
    """Trained weights that the values of a spec's evaluators depend on.

    Evaluators that cannot be made are passed over: whoever wires the campaign is told.
    """
    for one in spec.evaluators:
        with suppress(EvaluatorError):
            made = evaluators.create(one.use, one.options)
            if isinstance(made, Weighted):
                yield one, made.weights()


def with_evaluators(parts: Parts) -> Parts:
    """The same with those evaluators that are installed; the others are left out."""
    return replace(parts, evaluators=_installed(parts.spec))


def _installed(spec: Spec) -> dict[str, Evaluator]:
    made = {}
    for one in spec.evaluators:
        with suppress(EvaluatorError):
            made[one.name] = evaluators.create(one.use, one.options)
    return made


def of_revision(
    opened: Database, campaign_id: str, number: int, actor: Actor, model: str | None = None
) -> Parts:
    """Wire what computes by one revision of the spec, without evaluators: an auditor needs none.

    Args:
        model: a model's folder, instead of the model that the spec names.

    Raises:
        SpaceError: its space or model is unknown or cannot be used.
        RegistryError: its proposer or surrogate is unknown.
        BadInput: the stored spec is none.
    """
    with opened.read() as session:
        revision = repository.revision(session, campaign_id, number)
    spec = stored.spec(revision)
    parts = Parts(
        database=opened,
        actor=actor,
        campaign=campaign_id,
        revision=number,
        spec=spec,
        space=space(spec, model),
        objective=Objective(spec.objective),
        evaluators={},
        proposer=registry.proposer(spec.proposer.kind),
        surrogate=registry.surrogate(spec.surrogate.kind),
    )
    _fix_threads(spec)
    return parts


def _fix_threads(spec: Spec) -> None:
    if "torch" in sys.modules:  # whatever computes with it has imported it by now
        sys.modules["torch"].set_num_threads(spec.threads)


@contextmanager
def driving(parts: Parts) -> Iterator[Parts]:
    """Hold the campaign's lease, as its one driver, with a heartbeat that renews it.

    Raises:
        Busy: a living process drives it.
        Overtaken: another took it over, since this one was not heard from for so long.
        Conflict: its spec was revised since these parts were wired.
    """
    try:
        with parts.database.write(parts.campaign) as session:
            parts.require_newest(session)
            parts.grip = lease.take(session, parts.campaign, lease.clock(session))
    except lease.LeaseHeld as held:
        remedy = "wait for it; if it has died, run the same again then"
        raise Busy(driven_by(parts.spec.name, held.holder), remedy) from None
    parts.lap()  # what passed before is nobody's work
    parts.heart = Heartbeat(parts.database.url, parts.grip)
    try:
        with parts.heart:
            yield parts
    except lease.LeaseLost as lost:
        raise _overtaken(parts, lost) from None
    finally:
        parts.heart = None
        parts.close()
        with parts.database.write(parts.campaign) as session:
            lease.release(session, parts.grip)
        parts.grip = None


def driven_by(name: str, held: Lease) -> str:
    """Who drives a campaign, since when, and until when if nothing more is heard of it."""
    started = moments.shown(int(held.process_started * MICROSECONDS))
    heard = moments.shown(held.expires_at - int(lease.EXPIRY_S * MICROSECONDS))
    return (
        f"{name} is being driven by process {held.pid} on {held.host}, which started at {started} "
        f"and was last heard from at {heard}; its lease ends at {moments.shown(held.expires_at)} "
        "unless it is heard from again"
    )


def _overtaken(parts: Parts, lost: lease.LeaseLost) -> Overtaken:
    held = lost.holder
    by = "another driver" if held is None else f"process {held.pid} on {held.host}"
    what = (
        f"{parts.spec.name} was taken over by {by}, since this process was not heard from for more "
        f"than {lease.EXPIRY_S:g} s: it was stopped, its machine slept, or the database was out of "
        "its reach. It ends here, writes nothing more and asks no evaluator"
    )
    return Overtaken(what, "`assayloop status` shows how the campaign goes on")

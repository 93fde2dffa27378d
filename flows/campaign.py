"""A campaign as a Prefect flow: a shell around the same five verbs, one task each.

Tasks pass identifiers only and keep no results; what they need, they read from the database, so
that a run that died is continued by another. Prefect retries what a lost connection broke; every
other attempt is the loop's own and stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import State, Task, flow, tags, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from sqlalchemy.exc import DBAPIError

from orchestrator import driver, loop, opening, wiring
from orchestrator.driver import Awaits, Glance, Standing
from orchestrator.loop import Verbs
from orchestrator.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

_open: dict[str, wiring.Parts] = {}
"""Campaigns that a flow of this process drives, by UUID; tasks find theirs here."""

_watchers: dict[str, Callable[[Glance], None]] = {}


def _lost_connection(_task: Task[Any, Any], _run: object, state: State[Any]) -> bool:
    """Whether the task failed because the database could not be reached: worth asking again."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _verb(function: Callable[P, R]) -> Task[P, R]:
    """A verb as a task that caches nothing and is asked again where a connection was lost."""
    made = task(
        name=function.__name__,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=4,
        retry_delay_seconds=[1, 5, 15, 30],
        retry_condition_fn=_lost_connection,
    )
    return made(function)


@_verb
def propose(campaign: str) -> int | None:
    """Open the next round."""
    return loop.propose(_open[campaign])


@_verb
def decode(campaign: str, round: int) -> int:
    """Decode a round and queue its jobs."""
    return loop.decode(_open[campaign], round)


@_verb
def evaluate(campaign: str) -> int:
    """Send queued jobs and store what arrived."""
    return loop.evaluate(_open[campaign])


@_verb
def record(campaign: str) -> int:
    """Turn deliveries into measurements."""
    return loop.record(_open[campaign])


@_verb
def refit(campaign: str) -> int | None:
    """Fit the surrogate to what is measured."""
    return loop.refit(_open[campaign])


def _tasks(campaign: str) -> Verbs:
    """The verbs as tasks of the flow that is running."""
    return Verbs(
        propose=lambda: propose(campaign),
        decode=lambda round: decode(campaign, round),
        evaluate=lambda: evaluate(campaign),
        record=lambda: record(campaign),
        refit=lambda: refit(campaign),
    )


@flow(name="run-campaign", flow_run_name="{name}", persist_result=False, log_prints=False)
def run_campaign(campaign: str, name: str, awaits: str = "instruments") -> str:
    """Drive a campaign as far as it goes now.

    Args:
        campaign: UUID.
        name: For people who read Prefect's page.
        awaits: For whose results it stays, as :class:`~orchestrator.driver.Awaits`.

    Returns:
        Where it stands, as a :class:`~orchestrator.driver.Standing`.

    Raises:
        Busy: another process drives it.
        Overtaken: another process took it over.
    """
    watch = _watchers.get(campaign)
    seen = 0

    def observe(glance: Glance) -> None:
        nonlocal seen
        if glance.rounds > seen:
            seen = glance.rounds
            _note_round(name, glance)
        if watch is not None:
            watch(glance)

    parts = wiring.build(opening.database(Settings.read()), campaign)
    with wiring.driving(parts):
        _open[campaign] = parts
        try:
            tasks = _tasks(campaign)
            return str(driver.drive(parts, tasks, observe=observe, awaits=Awaits(awaits)))
        finally:
            del _open[campaign]


def _note_round(name: str, glance: Glance) -> None:
    """Leave the round where Prefect's page shows it, under one key a campaign."""
    create_table_artifact(
        key=f"campaign-{re.sub('[^a-z0-9]+', '-', name).strip('-')}",
        table=[
            {
                "round": glance.rounds,
                "evaluations": glance.evaluations,
                "best objective": glance.best,
                "open jobs": glance.open_jobs,
            }
        ],
        description=f"Round {glance.rounds} of {name}",
    )


def run(campaign: str, name: str, observe: Callable[[Glance], None], awaits: Awaits) -> Standing:
    """Run the flow in this process, with somebody watching.

    Args:
        campaign: UUID.
        name: ``NAME#2``.
        observe: Told after each pass.
        awaits: For whose results it stays.
    """
    _watchers[campaign] = observe
    try:
        with tags("assayloop", name):
            return Standing(run_campaign(campaign, name, str(awaits)))
    finally:
        del _watchers[campaign]

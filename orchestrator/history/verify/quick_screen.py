"""Find quickly, and in bounded memory, the chains in which nothing is wrong.

Each chain's entries are checked and folded a stretch at a time, from the last to the first
(:mod:`orchestrator.history.verify.chain_segment`), the tables are read once as they lie
(:mod:`orchestrator.history.verify.stored_rows`), and the rows of both are weighed
(:mod:`orchestrator.history.verify.quick_screen_tasks`). A chain that balances is sound; what is
wrong with one that does not, the closer look of :mod:`orchestrator.history.verify.verification`
says. A chain may fail to balance without fault, where somebody writes to it meanwhile; it never
balances with one.

A long history is shared among processes
(:mod:`orchestrator.history.verify.quick_screen_processes`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.models import CampaignRevision
from db.session import Database
from orchestrator.history.verify import (
    chain_segment,
    quick_screen_processes,
    stored_rows,
    tables_from_ledger,
)
from orchestrator.history.verify.chain_segment import Carry
from orchestrator.history.verify.quick_screen_tasks import Finding, Scales, Task
from orchestrator.history.verify.row_fingerprints import KEY_BYTES

ALONE = 20_000
"""Up to so many entries, one process is done before others would have started."""


class Sound(NamedTuple):
    """A chain in which nothing is wrong."""

    chain: str
    entries: int
    genesis: str
    """Hash of its first entry."""
    models: frozenset[str]
    """Hashes of the models that it names: whether they are registered is not looked at here."""


def screen(
    database: Database,
    session: Session,
    chains: Sequence[str],
    progress: Callable[[int], None],
    processes: int,
) -> Iterator[Sound]:
    """The chains of campaigns in which nothing is wrong.

    Args:
        database: Where other processes find it.
        session: A consistent view; other processes see the same on PostgreSQL, and on SQLite one
            that may be some milliseconds younger.
        chains: Which to look at: all of the ledger but the system's, or one.
        progress: Told now and then how many entries have been checked.
        processes: How many to use.
    """
    entries = dict(_numbered(session, chains))
    stretches = [
        part for chain in entries for part in chain_segment.stretches(chain, entries[chain])
    ]
    only = chains[0] if len(chains) == 1 else None
    task = Task(os.urandom(KEY_BYTES), tuple(stretches), stored_rows.parts(), only)
    if processes > 1 and sum(entries.values()) > ALONE:
        found = quick_screen_processes.together(database.url, session, task, progress, processes)
    else:
        found = _alone(session, task, progress)
    models = _models(session)
    for chain, count in entries.items():
        if chain not in found.unsound and found.balance.get(chain) == 0:
            yield Sound(chain, count, found.genesis[chain], models.get(chain, frozenset()))


def _numbered(session: Session, chains: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Chains whose entries are numbered from one on without a gap, and how many there are."""
    source = tables_from_ledger.untyped("ledger_entry")
    number = source.c.sequence
    query = select(source.c.chain, func.count(), func.min(number), func.max(number))
    if len(chains) == 1:
        query = query.where(source.c.chain == chains[0])
    wanted = set(chains)
    for chain, count, first, last in session.execute(query.group_by(source.c.chain)):
        if chain in wanted and (first, last) == (1, count):
            yield chain, count


def _alone(session: Session, task: Task, progress: Callable[[int], None]) -> Finding:
    scales = Scales(session, task)
    carries: list[Carry] = [{}]
    done = 0
    for part in task.stretches:
        scales.stretch(part, carries.pop, carries.append)
        done += len(part)
        progress(done)
    for name in task.tables:
        scales.table(name)
    return scales.found


def _models(session: Session) -> dict[str, frozenset[str]]:
    """Hashes of the models that each campaign's revisions name."""
    named = select(CampaignRevision.campaign, CampaignRevision.model).distinct()
    found: dict[str, frozenset[str]] = {}
    for chain, model in session.execute(named.where(CampaignRevision.model.is_not(None))):
        found[chain] = found.get(chain, frozenset()) | {model}
    return found

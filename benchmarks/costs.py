"""What appending costs, with the ledger and without; and how much memory something takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psutil
from sqlalchemy.orm import Session

from benchmarks import copies
from benchmarks.copies import Original
from db import artifacts, migrate, repository
from db.columns import parse
from db.ledger import Actor, Draft, append, apply, changes
from db.models import SYSTEM
from db.session import Database

REPETITIONS = 3
"""Of which the fastest counts: what disturbs only slows."""

Step = Callable[[Session], None]
"""Writes one entry, or its rows."""


def compare(original: Original, database: Database, each: int) -> tuple[float, float]:
    """Seconds an entry without the ledger, and with it.

    Args:
        original: Whose entries to append.
        database: A database without tables, or one that this has filled before.
        each: Entries a commit.
    """
    migrate.upgrade(database.engine)
    with database.write(SYSTEM) as session:
        if repository.position(session, SYSTEM) == 0:
            copies.write_system(session, original)
    plain, chained = [], []
    for _ in range(REPETITIONS):
        plain.append(_time(database, _without(original), each))
        chained.append(_time(database, _with(original), each))
    return min(plain), min(chained)


def _time(database: Database, steps: list[Step], each: int) -> float:
    """Seconds a step."""
    began = time.perf_counter()
    for first in range(0, len(steps), each):
        with database.write() as session:
            for step in steps[first : first + each]:
                step(session)
    return (time.perf_counter() - began) / len(steps)


def _renamed(original: Original) -> Iterator[tuple[Any, Any]]:
    """Entries and payloads of a campaign of another UUID and name."""
    chain = str(uuid4())
    for entry in original.entries:
        payload = parse(entry.payload.replace(original.chain, chain))[0]
        for row in payload["new"].get("campaign", ()):
            row["name"] = chain
        yield copies.headed(entry, chain=chain), payload


def _with(original: Original) -> list[Step]:
    def step(entry: Any, payload: Any) -> Step:
        actor = Actor(entry.actor_kind, entry.actor_id, entry.on_behalf_of, entry.mode)
        made = payload["new"].pop("artifact", ())
        blobs = {row["sha256"]: (original.blobs[row["sha256"]], row["media_type"]) for row in made}
        rows = {"new": payload["new"], "set": payload["set"]}
        draft = Draft(entry.kind, payload["about"], rows, blobs)

        def write(session: Session) -> None:
            append(session, entry.chain, actor, draft, entry.at)

        return write

    return [step(entry, payload) for entry, payload in _renamed(original)]


def _without(original: Original) -> list[Step]:
    def step(entry: Any, payload: Any) -> Step:
        rows = list(changes(entry, payload))
        blobs = [row["sha256"] for row in payload["new"].get("artifact", ())]

        def write(session: Session) -> None:
            apply(session, iter(rows))
            for sha256 in blobs:
                artifacts.store(session, entry.chain, sha256, original.blobs[sha256])

        return write

    return [step(entry, payload) for entry, payload in _renamed(original)]


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Yields a list of one: the peak in MiB of this process and its children, shared pages once."""
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        me = psutil.Process()
        while not done.wait(0.2):
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:  # it has ended
                    continue
            peak[0] = max(peak[0], total / 2**20)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield peak
    done.set()
    watcher.join()

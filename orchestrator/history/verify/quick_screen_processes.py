"""A screening that is shared among processes.

Of the stretches each process takes every n-th, and hands its carry on to the next process, in a
ring; then each takes one of the tables that are left, until none is.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.session import Database
from orchestrator.history.verify import tables_from_ledger
from orchestrator.history.verify.quick_screen_tasks import Finding, Scales, Task

SELDOM = 100_000
"""Objects between two searches for cycles, which rows do not form: it saves a tenth of the time."""


class _Place(NamedTuple):
    """What one process needs to take part."""

    url: str
    snapshot: str | None
    """The view to share, on PostgreSQL."""
    task: Task
    number: int
    processes: int
    ring: tuple[Connection, Connection]
    """Where carries come from, and go to."""
    report: Connection
    """Takes numbers of entries checked, and in the end the finding."""
    claimed: Any
    """How many of the tables are taken."""


def together(
    url: str, session: Session, task: Task, progress: Callable[[int], None], processes: int
) -> Finding:
    """Screen with several processes; an empty finding where one of them dies.

    Args:
        url: The database.
        session: The view that the processes share, on PostgreSQL.
        task: What to screen.
        progress: Told how many entries have been checked.
        processes: How many.
    """
    context = multiprocessing.get_context("spawn")  # a fork would share the database connection
    snapshot = None
    if session.get_bind().dialect.name == "postgresql":
        snapshot = session.scalar(text("SELECT pg_export_snapshot()"))
    ring = [context.Pipe(duplex=False) for _ in range(processes)]
    reports = [context.Pipe(duplex=False) for _ in range(processes)]
    claimed = context.Value("i", 0)
    workers = []
    for number in range(processes):
        links = ring[number][0], ring[(number + 1) % processes][1]
        own = _Place(url, snapshot, task, number, processes, links, reports[number][1], claimed)
        workers.append(context.Process(target=_work, args=(own,), daemon=True))
    ring[0][1].send({})  # nothing follows the last stretch
    try:
        for worker in workers:
            worker.start()
        for _, writer in reports:
            writer.close()  # so that the end of a process is the end of its report
        return _gather([reader for reader, _ in reports], progress)
    finally:
        for worker in workers:
            if worker.pid is not None:
                worker.terminate()
                worker.join()


def _gather(reports: list[Connection], progress: Callable[[int], None]) -> Finding:
    """Listen to the processes until all have said what they found, or one has died."""
    whole, done = Finding(), 0
    while reports:
        for reader in wait(reports):
            assert isinstance(reader, Connection)
            try:
                said = reader.recv()
            except EOFError:
                return Finding()  # every chain needs the closer look
            if isinstance(said, Finding):
                whole.add(said)
                reports.remove(reader)
            else:
                done += said
                progress(done)
    return whole


def _work(own: _Place) -> None:
    """What each process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's business
    gc.set_threshold(SELDOM)
    database = Database(own.url)
    with database.read() as session:
        if own.snapshot is not None:
            session.execute(text(f"SET TRANSACTION SNAPSHOT '{own.snapshot}'"))
        with tables_from_ledger.every_text_readable(session.connection()):
            scales = Scales(session, own.task)
            for part in own.task.stretches[own.number :: own.processes]:
                scales.stretch(part, own.ring[0].recv, own.ring[1].send)
                own.report.send(len(part))
            while (table := _claim(own.claimed)) < len(own.task.tables):
                scales.table(own.task.tables[table])
    own.report.send(scales.found)
    database.close()


def _claim(claimed: Any) -> int:
    with claimed.get_lock():
        claimed.value += 1
        return int(claimed.value) - 1

"""Runs of one campaign: created once, copied for every run, killed and continued.

The copies make all identifiers equal, so that whole tables can be compared.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import random
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, make_url, text

from db import repository
from db.models import Job
from db.session import Database
from db.states import JobState
from orchestrator import opening
from orchestrator.people import actors, campaigns, jobs
from orchestrator.settings import Settings
from tests.faults.boundaries import VERBS, Boundary
from tests.faults.call_log import calls
from tests.faults.campaign import LOG, NAME, spec

# Read by the server when it imports torch and numpy: a fork must find no threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.faults.process", "pytest"])

DEADLINE_S = 120
KILLED = -signal.SIGKILL


def _run(*args: Any, **options: Any) -> None:
    """Runs in the process, where torch is imported; here it need not be."""
    from tests.faults import process

    process.run_campaign(*args, **options)


@dataclass(frozen=True)
class Run:
    """One copy of the campaign, and the processes that work on it, one after the other."""

    folder: Path
    url: str
    idempotent: bool
    without_intent: bool

    def go(self, kill_at: int | None = None, *, fresh: bool = False, **options: Any) -> int:
        """Continue the campaign in a process; returns its exit code, -9 where it was killed.

        Args:
            kill_at: Number of the boundary to kill it at.
            fresh: In a new interpreter, with another hash seed, instead of a fork.
            options: Of :func:`tests.faults.process.run_campaign`.
        """
        for name in ("killed.json", "result.json"):
            (self.folder / name).unlink(missing_ok=True)
        made = (multiprocessing.get_context("spawn") if fresh else CONTEXT).Process(
            target=_run,
            args=(self.folder, self.url, kill_at),
            kwargs={"idempotent": self.idempotent, "without_intent": self.without_intent} | options,
        )
        made.start()
        made.join(DEADLINE_S)
        if made.exitcode is None:
            made.kill()
            raise TimeoutError(f"the process did not end within {DEADLINE_S} s")
        return made.exitcode

    def kill(self, kill_at: int) -> Killed:
        """Continue the campaign in a process that is to be killed at a boundary.

        Raises:
            AssertionError: it was not killed, or by somebody else.
        """
        code = self.go(kill_at)
        assert code == KILLED, f"no kill at {kill_at}: exit code {code}\n{self.errors()}"
        word = self.folder / "killed.json"
        assert word.exists(), f"killed, but not at boundary {kill_at}"
        found = json.loads(word.read_text())
        return Killed(Boundary(**found["boundary"]), found["at"])

    def finish(self, **options: Any) -> str:
        """Continue the campaign in a process that lives; returns where the campaign stands.

        Args:
            options: Of :meth:`go`.
        """
        code = self.go(**options)
        assert code == 0, f"the campaign cannot be continued: exit code {code}\n{self.errors()}"
        return str(self.result()["standing"])

    def result(self) -> dict[str, Any]:
        """What the last process left: the standing and the boundaries it crossed."""
        found: dict[str, Any] = json.loads((self.folder / "result.json").read_text())
        return found

    def errors(self) -> str:
        """The last process's traceback."""
        file = self.folder / "errors.txt"
        return file.read_text() if file.exists() else ""

    def called(self) -> list[str]:
        """Keys that the evaluators measured, in order."""
        return [call["key"] for call in calls(self.folder / LOG)]

    def settle(self) -> None:
        """Say of every parked job whether it ran, as the evaluators' log knows."""
        ran = set(self.called())
        opened = Database(self.url)
        for job in self.jobs(JobState.PARKED):
            jobs.resolve(
                opened,
                NAME,
                job.number,
                actors.current(opened),
                ran=job.key in ran,
                reason="looked it up in the log",
            )
        opened.close()

    def jobs(self, *states: JobState) -> Sequence[Job]:
        """The campaign's jobs in some states, or all."""
        opened = Database(self.url)
        with opened.read() as session:
            campaign = repository.find(session, NAME)
            assert campaign is not None
            found = repository.jobs(session, campaign.id, states or None)
        opened.close()
        return found


@dataclass(frozen=True)
class Killed:
    """A process that died."""

    at: Boundary
    time: int
    """When, in microseconds UTC."""


class Bench:
    """Holds a campaign that was created and not begun, and makes copies of it.

    Args:
        folder: For the template and the runs.
        idempotent: Whether the evaluators may be asked again.
        server: A PostgreSQL server; without one the databases are files of SQLite.
        without_intent: Take the intent's COMMIT out of the product in every run.
    """

    def __init__(
        self,
        folder: Path,
        *,
        idempotent: bool = True,
        server: URL | None = None,
        without_intent: bool = False,
    ) -> None:
        self.idempotent = idempotent
        self._without_intent = without_intent
        self._folder = folder
        self._server = server
        self._numbers = count(1)
        self._template = self._make("template")
        opened = opening.upgrade(
            Settings.read({"ASSAYLOOP_HOME": str(folder), "ASSAYLOOP_DATABASE_URL": self._template})
        )
        campaigns.create(opened, spec(idempotent=idempotent), actors.current(opened))
        opened.close()

    def run(self) -> Run:
        """A new run, from the beginning."""
        return self._new(self._template)

    def from_nothing(self) -> Run:
        """A new run that has neither campaign nor tables yet."""
        return self._new("")

    def _new(self, template: str) -> Run:
        number = next(self._numbers)
        folder = self._folder / f"run-{number}"
        folder.mkdir()
        url = self._make(f"run_{number}", template)
        return Run(folder, url, self.idempotent, self._without_intent)

    def _make(self, name: str, template: str = "") -> str:
        """A new database, empty or like a template; its URL."""
        if self._server is None:
            file = self._folder / f"{name}.db"
            if template:
                shutil.copyfile(make_url(template).database or "", file)
            return f"sqlite:///{file}"
        url = self._server.set(database=f"{name}_{os.getpid()}_{id(self)}")
        like = f" TEMPLATE {make_url(template).database}" if template else ""
        engine = create_engine(self._server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {url.database}{like}"))
        engine.dispose()
        return url.render_as_string(hide_password=False)


def draw(crossed: Sequence[Boundary], kills: int, seed: int) -> list[Boundary]:
    """Boundaries to kill at: of 25, at least 4 in each verb and 3 while a batch is doubtful.

    Args:
        crossed: What the undisturbed run crossed.
        kills: How many are drawn; the shares grow with them, as far as there are boundaries.
        seed: Of the draw.
    """
    rng = random.Random(seed)
    chosen: set[Boundary] = set()

    def more(pool: list[Boundary], wanted: int) -> None:
        missing = wanted - len(chosen.intersection(pool))
        left = [one for one in pool if one not in chosen]
        chosen.update(rng.sample(left, min(max(0, missing), len(left))))

    more([one for one in crossed if one.doubtful is not None], math.ceil(3 * kills / 25))
    for verb in VERBS:
        more([one for one in crossed if one.verb == verb], math.ceil(4 * kills / 25))
    more(list(crossed), kills)
    return sorted(chosen, key=lambda one: one.number)

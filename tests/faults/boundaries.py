"""The boundaries that a campaign's process crosses, numbered, and a kill at one of them.

A boundary lies before and after each SQL statement, each COMMIT, each call of an evaluator and each
answer that it works out. The hooks are hung here into SQLAlchemy, into the tests' own evaluator and
around the five verbs; the product knows nothing of them. What the heartbeat does has no number: it
comes when a clock says so, which no two runs agree on, and the driver crosses the same without it.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

from db.heartbeat import Heartbeat
from orchestrator import loop
from tests.faults.call_log import CallLogEvaluator

VERBS = ("propose", "decode", "evaluate", "record", "refit")
CALLS = ("submit", "note", "receive", "parse", "acknowledge")
"""Methods of the evaluator between whose calls a process may die; ``note`` is one answer."""

OUTCOMES = ("ticket", "deliver", "refuse", "park")
"""Kinds of entry that say what became of an intent, which is a ``submit``."""


@dataclass(frozen=True)
class Boundary:
    """One place where a process may die."""

    number: int
    """From 1, in the order in which the process crosses them."""
    inside: int
    """Number among those within verbs, whoever calls the verbs; 0 outside of them."""
    verb: str
    """The verb under way; ``driver`` outside of them."""
    kind: str
    """statement, COMMIT or evaluator."""
    what: str
    """The statement's or call's name."""
    after: bool
    doubtful: int | None
    """The batch whose intent is committed and whose outcome is not."""

    def __str__(self) -> str:
        when = "after" if self.after else "before"
        return f"{self.number}: {self.verb}, {when} {self.what}"


class Crossings:
    """Counts the boundaries of this process and kills it at one of them.

    Args:
        folder: Where the kill leaves a word of itself, ``killed.json``.
        kill_at: Number of the boundary, or None to live.
        inside: Whether that number counts only what lies within verbs.
    """

    def __init__(self, folder: Path, kill_at: int | None = None, *, inside: bool = False) -> None:
        self.crossed: list[Boundary] = []
        self._folder = folder
        self._kill_at = kill_at
        self._only_inside = inside
        self._inside = 0
        self._verb = "driver"
        self._entry = ""
        self._intents = 0
        self._doubtful: int | None = None

    def install(self) -> None:
        """Hang the hooks into this process, for good."""
        event.listen(Engine, "before_cursor_execute", self._before_statement)
        event.listen(Engine, "after_cursor_execute", self._after_statement)
        # An event comes before the COMMIT and none after it, so the dialect's own call is wrapped.
        commit = DefaultDialect.do_commit
        setattr(DefaultDialect, "do_commit", self._committing(commit))  # noqa: B010
        for name in CALLS:
            call = getattr(CallLogEvaluator, name)
            setattr(CallLogEvaluator, name, self._around(call, f"evaluator.{name}"))
        for name in VERBS:
            setattr(loop, name, self._under(getattr(loop, name), name))

    def cross(self, kind: str, what: str, *, after: bool) -> None:
        """Count a boundary; die there if it is the one."""
        within = self._verb != "driver"
        self._inside += within
        here = Boundary(
            number=len(self.crossed) + 1,
            inside=self._inside if within else 0,
            verb=self._verb,
            kind=kind,
            what=what,
            after=after,
            doubtful=self._doubtful,
        )
        self.crossed.append(here)
        if self._kill_at == (here.inside if self._only_inside else here.number):
            word = {"boundary": asdict(here), "at": time.time_ns() // 1000}
            (self._folder / "killed.json").write_text(json.dumps(word))
            os.kill(os.getpid(), signal.SIGKILL)

    def _under(self, call: Callable[..., Any], verb: str) -> Callable[..., Any]:
        @functools.wraps(call)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            outer, self._verb = self._verb, verb
            try:
                return call(*args, **kwargs)
            finally:
                self._verb = outer

        return wrapped

    def _around(self, call: Callable[..., Any], what: str) -> Callable[..., Any]:
        @functools.wraps(call)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.cross("evaluator", what, after=False)
            result = call(*args, **kwargs)
            self.cross("evaluator", what, after=True)
            return result

        return wrapped

    def _before_statement(
        self,
        connection: Any,
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        many: bool,
    ) -> None:
        if is_heartbeat():
            return
        if statement.startswith("INSERT INTO ledger_entry"):
            self._entry = context.compiled_parameters[0]["kind"]
        self.cross("statement", _name(statement), after=False)

    def _after_statement(
        self,
        connection: Any,
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        many: bool,
    ) -> None:
        if not is_heartbeat():
            self.cross("statement", _name(statement), after=True)

    def _committing(self, commit: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(commit)
        def wrapped(dialect: DefaultDialect, connection: Any) -> None:
            if is_heartbeat():
                commit(dialect, connection)
                return
            what = f"COMMIT {self._entry}".rstrip()
            self.cross("COMMIT", what, after=False)
            commit(dialect, connection)
            if self._entry == "submit":
                self._intents += 1
                self._doubtful = self._intents
            elif self._entry in OUTCOMES:
                self._doubtful = None
            self._entry = ""
            self.cross("COMMIT", what, after=True)

        return wrapped


def is_heartbeat() -> bool:
    """Whether the thread that asks is one."""
    return isinstance(threading.current_thread(), Heartbeat)


def _name(statement: str) -> str:
    """The first words of a statement, enough for a person to know it."""
    words = statement.split()
    length = {"INSERT": 3, "UPDATE": 2, "BEGIN": 2}.get(words[0], 1)
    if words[0] == "SELECT" and "FROM" in words:
        return f"SELECT FROM {words[words.index('FROM') + 1].strip('(),')}"
    return " ".join(words[:length])

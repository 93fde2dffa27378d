"""Errors that a person can do something about, and the exit codes of the command line.

Everything raised on purpose derives from :class:`AssayloopError` and is printed without a
traceback; whatever else reaches the top is our fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended; scripts rely on these."""

    DONE = 0
    OUR_FAULT = 1
    BAD_INPUT = 2
    WAITING = 3
    """For results that somebody has to deliver."""
    PAUSED = 4
    UNVERIFIED = 5
    """Verification found a problem."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    where: str
    """The file and line, the option or the setting; empty where there is no such place."""
    what: str
    """What is wrong with it, with the value."""
    remedy: str = ""
    """What would be right."""

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        return f"{where}{self.what}" + (f"; {self.remedy}" if self.remedy else "")


class AssayloopError(Exception):
    """Base of all errors raised on purpose.

    Args:
        problems: At least one.
    """

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class BadInput(AssayloopError):
    """What was given cannot be used: a spec, a setting, an argument, a table of results."""

    @classmethod
    def of(cls, where: str, what: str, remedy: str = "") -> BadInput:
        """One problem."""
        return cls([Problem(where, what, remedy)])


class NotFound(AssayloopError):
    """There is nothing of that name.

    Args:
        kind: What was looked for, such as ``campaign``.
        name: As it was given.
        known: The names there are.
    """

    def __init__(self, kind: str, name: str, known: Sequence[str]) -> None:
        shown = ", ".join(known[:10]) + (f" and {len(known) - 10} more" if len(known) > 10 else "")
        remedy = f"known: {shown}" if known else f"there is no {kind} yet"
        super().__init__([Problem("", f"no {kind} {name!r}", remedy)])


class Conflict(AssayloopError):
    """It cannot be done in the state that things are in; nothing was changed."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__([Problem("", what, remedy)])


class Busy(Conflict):
    """Another process drives this campaign."""


class Overtaken(Busy):
    """Another process took the campaign over from this one, which was not heard from in time."""


class Denied(Conflict):
    """Whoever asks has not proved who they are, or may not do this; nothing was changed."""


class Unverified(AssayloopError):
    """The history is not what it was; nothing was changed."""

    exit_code = ExitCode.UNVERIFIED


class SchemaMismatch(AssayloopError):
    """The database is at another revision than this release.

    Args:
        found: Revision of the database; None if it has no tables of ours.
        needed: Revision of this release.
    """

    def __init__(self, found: str | None, needed: str) -> None:
        state = f"at revision {found}" if found else "empty"
        what = f"the database is {state}, and this release needs {needed}"
        super().__init__([Problem("", what, "run `assayloop db upgrade`")])


def require_reason(reason: str) -> None:
    """Refuse an act for which nobody says why.

    Raises:
        BadInput: the reason is empty.
    """
    if not reason.strip():
        raise BadInput.of("--reason", "a reason is required", "say in a few words why")

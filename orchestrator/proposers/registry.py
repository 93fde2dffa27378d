"""Proposers and surrogates by name, found through entry points; built-ins use the same door.

Groups: ``assayloop.proposers`` and ``assayloop.surrogates``. An entry point names a class without
arguments. Nothing is imported before it is asked for.
"""

from __future__ import annotations

from typing import Any

from adapters.plugins import installed
from orchestrator.proposers.protocol import Proposer
from orchestrator.surrogates.protocol import Surrogate

PROPOSERS = "assayloop.proposers"
SURROGATES = "assayloop.surrogates"


class RegistryError(Exception):
    """No such proposer or surrogate, or it cannot be loaded; the message is read by a person."""


def names(group: str) -> tuple[str, ...]:
    """Names registered in a group, sorted."""
    return tuple(dict.fromkeys(point.name for point in installed(group)))


def proposer(name: str) -> Proposer:
    """The proposer of that name.

    Raises:
        RegistryError: there is none, or its package cannot be imported.
    """
    found: Proposer = _load(PROPOSERS, "proposer", name, Proposer)
    return found


def surrogate(name: str) -> Surrogate:
    """The surrogate of that name.

    Raises:
        RegistryError: there is none, or its package cannot be imported.
    """
    found: Surrogate = _load(SURROGATES, "surrogate", name, Surrogate)
    return found


def _load(group: str, word: str, name: str, protocol: type) -> Any:
    matches = installed(group, name)
    if not matches:
        known = ", ".join(names(group)) or "none is installed"
        raise RegistryError(f"unknown {word} {name!r}; known: {known}")
    packages = sorted(match.dist.name if match.dist else "?" for match in matches)
    if len(matches) > 1:
        raise RegistryError(
            f"{word} {name!r} is offered more than once, by {' and '.join(packages)}"
        )
    try:
        made = matches[0].load()()
    except Exception as error:  # whatever a plug-in raises, the person is told whose fault it is
        raise RegistryError(
            f"{word} {name!r} of package {packages[0]!r} cannot be loaded: {error}"
        ) from error
    if not isinstance(made, protocol):
        raise RegistryError(f"{word} {name!r} of package {packages[0]!r} is not a {word}")
    return made

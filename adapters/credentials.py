"""Secrets by reference: a spec names where one is kept, and never holds it.

``env:NAME`` is a variable of the environment; ``keyring:SERVICE/USER`` is an entry of the operating
system's keyring. The secret itself is in no spec, ledger, log or error.
"""

from __future__ import annotations

import os

from adapters.messages import known
from adapters.protocol import OptionError

FORMS = "write env:NAME for a variable of the environment, or keyring:SERVICE/USER"


def check(reference: str, option: str = "credentials") -> None:
    """Make sure that this is a reference, and no secret that somebody wrote into a spec.

    Raises:
        OptionError: it is none; what was written instead is not repeated.
    """
    kind, _, name = reference.partition(":")
    if kind not in ("env", "keyring") or not name or (kind == "keyring" and "/" not in name):
        raise OptionError(option, f"{option} is no reference to a secret; {FORMS}")


def resolve(reference: str, option: str = "credentials") -> str:
    """The secret that a reference names.

    Raises:
        OptionError: it is no reference, or nothing is kept there.
    """
    check(reference, option)
    kind, _, name = reference.partition(":")
    secret = os.environ.get(name) if kind == "env" else _from_keyring(name, option)
    if not secret:
        near = known(name, [one for one in os.environ if one[:2] == name[:2]][:5] or [])
        hint = f" ({near})" if kind == "env" and "did you mean" in near else ""
        where = "the environment" if kind == "env" else "the keyring"
        raise OptionError(option, f"{option} names {reference}, which {where} does not have{hint}")
    return secret


def _from_keyring(name: str, option: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        what = f"{option} names the keyring, and the package keyring is not installed"
        raise OptionError(option, f"{what}; pip install 'assayloop[keyring]'") from error
    service, _, user = name.rpartition("/")
    try:
        found: str | None = keyring.get_password(service, user)
    except KeyringError as error:
        raise OptionError(option, f"the keyring cannot be read: {error}") from error
    return found

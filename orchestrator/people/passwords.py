"""Passwords: how long one must be, and whether one fits what is stored of it (Argon2id)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import BadInput

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST = 12
"""Characters of a password: length protects, and rules of composition do not (NIST SP 800-63B)."""


def hashed(password: str) -> str:
    """What is stored of a password.

    Raises:
        BadInput: it is too short.
    """
    if len(password) < SHORTEST:
        what = f"has {len(password)} characters"
        raise BadInput.of("password", what, f"at least {SHORTEST}; some words in a row are good")
    return _hasher().hash(password)


def fits(stored: str, password: str) -> bool:
    """Whether what is stored was made of this password."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def take_as_long(password: str) -> None:
    """Take as long as :func:`fits` does, so that nobody learns which accounts there are."""
    _hasher().hash(password)


def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()  # Argon2id with the parameters of RFC 9106 for little memory

"""Wording shared by the errors of this package: quoted values and the nearest known name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def quote(value: object, limit: int = 80) -> str:
    """The value as a person recognises it, on one line of about ``limit`` characters."""
    # A huge text is cut before it is quoted, so that an error never costs its whole length.
    text = repr(value[: limit + 1] if isinstance(value, str | bytes) else value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def plain(text: str, limit: int = 2000) -> str:
    """A text from elsewhere as every database can store it: no NUL, no surrogate, not long."""
    shown = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return shown.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def known(word: str, words: Iterable[str]) -> str:
    """The words that would have been right, the nearest to ``word`` first."""
    words = sorted(words)
    if not words:
        return "there is none"
    near = difflib.get_close_matches(word, words, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(words)}"

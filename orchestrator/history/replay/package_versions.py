"""Packages that rounds were proposed and decoded with, as the entries of the ledger say.

Databases of earlier releases may hold rounds whose entries say nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import LedgerEntry

VERBS = ("propose", "decode")

Versions = Mapping[str, str]
"""Version of each package, by its name."""


def of_rounds(session: Session, chain: str) -> dict[tuple[str, int], Versions]:
    """What each round of a campaign was made with, by verb and round.

    An entry that somebody forged may be unreadable, and then says nothing.
    """
    query = select(LedgerEntry).where(LedgerEntry.chain == chain, LedgerEntry.kind.in_(VERBS))
    found: dict[tuple[str, int], Versions] = {}
    for entry in session.scalars(query.order_by(LedgerEntry.sequence)):
        with suppress(ValueError, LookupError, TypeError, AttributeError):
            found |= of_entry(entry)
    return found


def of_entry(entry: LedgerEntry) -> dict[tuple[str, int], Versions]:
    """The same of one entry; empty where it is of another kind, or says nothing of versions.

    Raises:
        ValueError, LookupError, TypeError, AttributeError: it was forged, and is no such entry.
    """
    if entry.kind not in VERBS:
        return {}
    payload = json.loads(entry.payload)
    about = payload["about"]
    round = about["round"] if entry.kind == "decode" else payload["new"]["round"][0]["number"]
    versions = {str(name): str(one) for name, one in about.get("versions", {}).items()}
    return {(entry.kind, round): versions} if versions else {}


def in_words(versions: Versions) -> str:
    """The packages with their versions, in one line."""
    return ", ".join(f"{name} {one}" for name, one in sorted(versions.items()))

"""What is asked for in a history: entries and measurements by time, actor, kind, value and text.

Text is looked for in the ledger's canonical JSON as it lies, in both databases alike: character by
character, so that upper and lower case differ, as they do in SMILES, and no character is a
wildcard. Only composed and decomposed accents are the same (Unicode normalisation forms C and D).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from db.columns import canonical
from db.models import Campaign, LedgerEntry
from orchestrator import moments
from orchestrator.history.explain.candidate_entries import UNREADABLE
from orchestrator.history.listings.at_moment import ENTRY, number

AROUND = 30
"""Characters before and behind a text that was found."""


def bound(
    session: Session, campaign: Campaign, text: str, option: str, *, end: bool
) -> ColumnElement[bool]:
    """The condition that an entry was written from a moment on, or up to it; it is included.

    Args:
        session: Where the ledger is.
        campaign: Whose.
        text: A moment, as :func:`orchestrator.history.listings.at_moment.find` takes it.
        option: What it is given by, for the error.
        end: Up to it; a day alone then means its end, and otherwise its beginning.

    Raises:
        BadInput: it is no moment.
    """
    column, value = (
        (LedgerEntry.sequence, number(session, campaign, text, option))
        if text.startswith(ENTRY)
        else (LedgerEntry.at, moments.read(text, option, end=end))
    )
    return column <= value if end else column >= value


def by(actor: str) -> ColumnElement[bool]:
    """The condition that an entry is by somebody, or on their behalf."""
    return or_(LedgerEntry.actor_id == actor, LedgerEntry.on_behalf_of == actor)


def holds(session: Session, text: str) -> ColumnElement[bool]:
    """The condition that the payload of an entry holds a text."""
    place = func.instr if session.get_bind().dialect.name == "sqlite" else func.strpos
    return or_(*(place(LedgerEntry.payload, form) > 0 for form in _forms(text)))


def _forms(text: str) -> list[str]:
    """The text as canonical JSON may have it."""
    spelt = (text, *(unicodedata.normalize(form, text) for form in ("NFC", "NFD")))
    return list(dict.fromkeys(canonical(one)[1:-1] for one in spelt))


def entries(
    session: Session,
    campaign: Campaign,
    conditions: Sequence[ColumnElement[bool]],
    last: int | None = None,
) -> Iterator[LedgerEntry]:
    """Entries of a campaign that fulfil all conditions, in order; streamed.

    Args:
        session: Where the ledger is.
        campaign: Whose.
        conditions: What they fulfil.
        last: Only so many, the last ones.
    """
    query = select(LedgerEntry).where(LedgerEntry.chain == campaign.id, *conditions)
    if last is not None:
        newest = session.scalars(query.order_by(LedgerEntry.sequence.desc()).limit(last)).all()
        yield from reversed(newest)
        return
    ordered = query.order_by(LedgerEntry.sequence).execution_options(yield_per=500)
    yield from session.scalars(ordered)


def kinds(session: Session, campaign: Campaign) -> Sequence[str]:
    """Kinds of entries that a campaign has."""
    query = select(LedgerEntry.kind).where(LedgerEntry.chain == campaign.id).distinct()
    return sorted(session.scalars(query))


def described(entry: LedgerEntry, text: str = "") -> dict[str, Any]:
    """One entry for scripts.

    Args:
        entry: The entry.
        text: What was looked for.

    Returns:
        Its header, ``about``, the numbers of rows that it makes and sets by table, and ``found``:
        the text with what stands around it. Of a payload that somebody changed to none, the
        reason says so.
    """
    about, new, changed = _read(entry.payload)
    return {
        "entry": entry.sequence,
        "at": moments.iso(entry.at),
        "kind": entry.kind,
        "actor": entry.actor_id,
        "on_behalf_of": entry.on_behalf_of,
        "mode": entry.mode,
        "about": about,
        "new": new,
        "set": changed,
        "found": _excerpt(entry.payload, text) if text else None,
        "hash": entry.hash,
    }


def _read(text: str) -> tuple[dict[str, Any], dict[str, int], dict[str, int]]:
    """What an entry says of itself, and how many rows it makes and sets by table."""
    try:
        payload = json.loads(text)
        new, changed = (
            {table: len(rows) for table, rows in payload[how].items()} for how in ("new", "set")
        )
        return dict(payload["about"]), new, changed
    except (ValueError, LookupError, TypeError, AttributeError):  # a forged one may be anything
        return {"reason": UNREADABLE}, {}, {}


def _excerpt(payload: str, text: str) -> str | None:
    for form in _forms(text):
        start = payload.find(form)
        if start >= 0:
            first, end = max(start - AROUND, 0), start + len(form) + AROUND
            return "…" * (first > 0) + payload[first:end] + "…" * (end < len(payload))
    return None

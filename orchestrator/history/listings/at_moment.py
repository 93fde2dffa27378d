"""The tables as they stood: the ledger folded up to a moment, into a database of its own.

The live tables are not looked at, and not touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db import repository
from db.models import SYSTEM, Base, Campaign, LedgerEntry
from db.session import Database, now
from orchestrator import moments
from orchestrator.errors import BadInput
from orchestrator.history.keeping.refold_into_database import refill

ENTRY = "entry:"
"""What begins a moment that is named by the number of an entry."""


@dataclass(frozen=True)
class Moment:
    """A place in the history of a campaign: after one of its entries."""

    entry: int
    of: int
    """Number of the newest entry."""
    at: int
    """The time that was asked for, or that entry's."""
    doubtful: bool
    """Whether the clock went back, so that an earlier entry bears a later time."""

    def __str__(self) -> str:
        back = "; the clock went back, and this is the last time that it was so" * self.doubtful
        return f"{moments.shown(self.at)}, after entry {self.entry} of {self.of}{back}"

    @property
    def json(self) -> dict[str, Any]:
        """For scripts."""
        return {"time": moments.iso(self.at), "entry": self.entry, "of": self.of}


def find(session: Session, campaign: Campaign, text: str, option: str) -> Moment:
    """The moment that somebody means.

    Args:
        session: Where the ledger is.
        campaign: Whose history it is in.
        text: ``entry:120``, which is the moment after that entry, or a time, as
            :func:`orchestrator.moments.read` takes it; a day alone means its end.
        option: What it is given by, for the error.

    Raises:
        BadInput: there is no such entry, it is no time, or the campaign was not there yet.
    """
    last = repository.position(session, campaign.id)
    if text.startswith(ENTRY):
        entry = session.get_one(LedgerEntry, (campaign.id, number(session, campaign, text, option)))
        return Moment(entry.sequence, last, entry.at, doubtful=False)
    newest = session.get_one(LedgerEntry, (campaign.id, last))
    if moments.read(text, option) > max(now(), newest.at):
        raise BadInput.of(option, f"{text} lies in the future", "leave it out for what stands now")
    at = moments.read(text, option, end=True)
    found = repository.position_at(session, campaign.id, at)
    if not found:
        first = session.get_one(LedgerEntry, (campaign.id, 1))
        name, began = f"{campaign.name}#{campaign.ordinal}", moments.shown(first.at)
        raise BadInput.of(option, f"{name} was not there yet on {text}", f"it began on {began}")
    return Moment(found, last, at, _later_before(session, campaign.id, found, at))


def number(session: Session, campaign: Campaign, text: str, option: str) -> int:
    """The number that ``entry:120`` names.

    Raises:
        BadInput: there is no such entry.
    """
    last, written = repository.position(session, campaign.id), text.removeprefix(ENTRY)
    if written.isdecimal() and len(written) < 19 and 1 <= int(written) <= last:
        return int(written)
    name = f"{campaign.name}#{campaign.ordinal}"
    raise BadInput.of(option, f"{name} has no {text}", f"name {ENTRY}1 to {ENTRY}{last}")


def _later_before(session: Session, chain: str, entry: int, at: int) -> bool:
    later = select(LedgerEntry.sequence).where(
        LedgerEntry.chain == chain, LedgerEntry.sequence < entry, LedgerEntry.at > at
    )
    return session.scalar(later.limit(1)) is not None


@contextmanager
def standing(database: Database, campaign: str, entry: int) -> Iterator[Database]:
    """A campaign as it stood after one of its entries, with its ledger up to there.

    The bytes of artifacts are not copied. Models are there, whenever they were registered: they
    are named by their hash.

    Raises:
        Unverified: the ledger is not what was written.
        BadInput: there is no room for it.
    """
    with TemporaryDirectory(prefix="assayloop-") as folder:
        past = Database(f"sqlite:///{Path(folder) / 'past.db'}")
        try:
            try:
                Base.metadata.create_all(past.engine)
                with database.read() as source, past.write() as target:
                    refill(source, target, SYSTEM, repository.position(source, SYSTEM))
                    refill(source, target, campaign, entry)
            except OperationalError as error:  # such as a full disk
                what = f"the ledger cannot be folded in {folder}: {error.orig}"
                raise BadInput.of("", what, "TMPDIR names another folder") from None
            yield past
        finally:
            past.close()


@dataclass(frozen=True)
class Side:
    """A campaign as it stands, or stood."""

    database: Database
    campaign: Campaign
    """Its row, as it was then."""
    moment: Moment | None
    """None for now."""


@contextmanager
def at(
    database: Database, campaign: Campaign, text: str | None, option: str = "--at"
) -> Iterator[Side]:
    """A campaign at the moment that somebody names, or now.

    Raises:
        BadInput: as :func:`find`.
        Unverified: as :func:`standing`.
    """
    if text is None:
        yield Side(database, campaign, None)
        return
    with database.read() as session:
        moment = find(session, campaign, text, option)
    with standing(database, campaign.id, moment.entry) as past:
        with past.read() as session:
            row = repository.campaign(session, campaign.id)
        yield Side(past, row, moment)

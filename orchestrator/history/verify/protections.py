"""What protects a history besides its chain: anchors, signatures, secrets, models on disk.

Each check reads the stored tables alone; that these are what the ledger says, the fold shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain as joined
from pathlib import Path

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from adapters.messages import plain, quote
from db.models import SYSTEM
from orchestrator.errors import BadInput, Problem
from orchestrator.history.verify import anchors, models_on_disk, tables_from_ledger
from orchestrator.history.verify.anchors import Anchor, Anchored
from orchestrator.people.accounts import fingerprint
from orchestrator.settings import ANCHORS, Settings


@dataclass(frozen=True)
class Outside:
    """What lies outside the database and speaks for it."""

    anchors: tuple[Path, ...] = ()
    """Files of anchors."""
    trusted: frozenset[str] | None = None
    """Public keys whose anchors count; None for those that the database has registered."""
    models: Path | None = None
    """Folder of the user's own models."""

    @classmethod
    def of(
        cls, settings: Settings, files: tuple[Path, ...] = (), trusted: tuple[str, ...] = ()
    ) -> Outside:
        """What the settings name.

        Args:
            files: Files of anchors instead of the settings', which need not be there.
            trusted: Public keys in hexadecimal, or files that hold one.

        Raises:
            BadInput: a file or key cannot be read.
        """
        own = settings.anchors
        return cls(
            files or ((own,) if own.exists() else ()),
            frozenset(map(_public, trusted)) if trusted else None,
            settings.models,
        )


def _public(text: str) -> str:
    """A public key given by its hexadecimal digits, or by a file that holds them."""
    found = text.strip().lower()
    try:
        if Path(text).is_file():
            found = Path(text).read_text(encoding="utf-8").strip().lower()
    except (OSError, ValueError) as error:
        raise BadInput.of("--trust", f"{text} cannot be read: {error}") from None
    if len(found) != 64 or not set(found) <= set("0123456789abcdef"):
        remedy = "64 hexadecimal digits, as `assayloop audit keys list` prints them, or their file"
        raise BadInput.of("--trust", f"{quote(found)} is no public key", remedy)
    return found


def check(
    session: Session, outside: Outside, labels: Mapping[str, str], *, whole: bool
) -> Anchored:
    """Everything this module looks at.

    Args:
        session: One consistent view of the database.
        labels: The chains that are verified, the system chain among them, with their names for a
            person.
        whole: Whether these are all there are: then anchors of any other chain are a problem.

    Raises:
        BadInput: a file of anchors cannot be read.
    """
    found = joined(_lines(outside.anchors), anchors.copies(session))
    wanted = (one for one in found if whole or one[1] is None or one[1].chain in labels)
    result = anchors.check(session, wanted, labels, outside.trusted)
    for chain, label in labels.items():
        result.problems += signatures(session, chain, label)
    result.problems += secrets(session)
    result.problems += models_on_disk.check(session, outside.models)
    return result


def _lines(files: tuple[Path, ...]) -> Iterator[tuple[str, Anchor | None]]:
    for file in files:
        try:
            yield from anchors.read(file)
        except OSError as error:
            raise BadInput.of(ANCHORS, f"{file} cannot be read: {error.strerror}") from None


def signatures(session: Session, chain: str, label: str) -> Iterator[Problem]:
    """Signatures of a chain that are not bound to the entry they name."""
    given, entry = (
        tables_from_ledger.untyped("signature"),
        tables_from_ledger.untyped("ledger_entry"),
    )
    query = (
        select(given.c.number, given.c.signed, given.c.hash, given.c.account, entry.c.hash)
        .outerjoin(entry, and_(entry.c.chain == given.c.chain, entry.c.sequence == given.c.signed))
        .where(given.c.chain == chain)
        .order_by(given.c.number)
    )
    for number, signed, bound, account, stored in session.execute(query).tuples():
        if bound != stored:
            what = f"{quote(account)} signed an entry {signed} whose hash is {quote(bound)}"
            there = "there is no such entry" if stored is None else f"its hash is {quote(stored)}"
            yield Problem(f"{label}, signature {number}", f"{what}; {there}")


def secrets(session: Session) -> Iterator[Problem]:
    """Passwords and tokens that no entry of the system chain made."""
    good: dict[str, str | None] = {}
    entry, secret = tables_from_ledger.untyped("ledger_entry"), tables_from_ledger.untyped("secret")
    kinds = ("account", "disable", "password", "token", "logout")
    query = (
        select(entry.c.sequence, entry.c.payload)
        .where(entry.c.chain == SYSTEM, entry.c.kind.in_(kinds))
        .order_by(entry.c.sequence)
    )
    for sequence, payload in session.execute(query.execution_options(yield_per=500)).tuples():
        try:
            good |= json.loads(payload)["about"].get("secrets", {})
        except Exception as error:  # a forged entry may hold anything
            what = f"says nothing of secrets: {plain(f'{type(error).__name__}: {error}', 200)}"
            yield Problem(f"system, entry {sequence}", what)
    for row in session.execute(select(secret).order_by(secret.c.id)):
        values = dict(row._mapping)
        try:
            values["scopes"] = json.loads(values["scopes"])
            genuine = good.get(values["id"]) == fingerprint(values)
        except Exception:  # a forged row, too
            genuine = False
        if not genuine:
            yield Problem(f"table secret, {quote(values['id'])}", "no entry made it as it is")

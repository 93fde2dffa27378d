"""What protects a history besides its chain: anchors, signatures, secrets, weights on disk.

Each check reads the stored tables alone; that these are what the ledger says, the fold shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain as joined
from pathlib import Path

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from adapters import registry as evaluators
from adapters.messages import plain, quote
from adapters.protocol import Weighted
from db.models import SYSTEM
from orchestrator.errors import BadInput, Problem
from orchestrator.history.verify import anchors, tables_from_ledger
from orchestrator.history.verify.anchors import Anchor, Anchored
from orchestrator.latent import registry
from orchestrator.latent.protocol import SpaceError
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
    result.problems += weights(session, outside.models)
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


def weights(session: Session, home: Path | None) -> Iterator[Problem]:
    """Weights on disk, of those that are registered, that are no longer what their card says.

    What is no longer there is no problem: the weights are artifacts of the database. Nor are those
    whose card says another hash: these are other weights.
    """
    try:
        there = [*_models(session, home), *_of_evaluators(session)]
    except SpaceError as error:
        yield Problem("models", str(error))
        return
    for file, expected in dict.fromkeys(there):
        try:
            with file.open("rb") as data:
                actual = hashlib.file_digest(data, "sha256").hexdigest()
        except OSError as error:
            yield Problem(str(file), f"cannot be read: {error.strerror}")
            continue
        if actual != expected:
            what = f"was changed: its SHA-256 is {actual}, and {expected} is registered"
            yield Problem(str(file), what)


def _models(session: Session, home: Path | None) -> Iterator[tuple[Path, str]]:
    """Weights of registered models, with their registered hash."""
    models = tables_from_ledger.untyped("latent_model")
    known = set(session.scalars(select(models.c.hash)))
    for model in registry.list_models(home) if known else ():
        expected = model.card.get("weights_sha256")
        if expected in known and (model.usable or not model.shipped):
            yield model.weights, str(expected)


def _of_evaluators(session: Session) -> Iterator[tuple[Path, str]]:
    """Weights of evaluators that campaigns were started with, with their registered hash."""
    entry = tables_from_ledger.untyped("ledger_entry")
    query = select(entry.c.payload).where(entry.c.chain == SYSTEM, entry.c.kind == "model")
    for payload in session.scalars(query.order_by(entry.c.sequence)):
        with suppress(Exception):  # of a forged entry, or an evaluator that is not installed
            about = json.loads(payload)["about"]
            if "evaluator" not in about:
                continue
            made = evaluators.create(about["evaluator"], about["options"])
            if isinstance(made, Weighted) and (found := made.weights()).sha256 == about["weights"]:
                yield found.file, found.sha256

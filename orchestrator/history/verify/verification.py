"""Verification: whether the history is what was written, and the tables are its fold.

What is checked, in this order: the schema, with the triggers that refuse changes; the system chain;
every campaign's chain against the genesis hash that the system chain keeps; the tables against the
fold; artifacts against their hashes; and what :mod:`.protections` looks at. A chain cannot show
that its own tail was cut, or that it was rewritten from some entry on together with the tables:
anchors show that.

Campaigns in which nothing is wrong are found quickly and in bounded memory by :mod:`.quick_screen`;
the system chain and the others are folded as a whole here, to say what is wrong and where. All is
read in one consistent view. What was tampered with is reported, whatever it is, and never raises.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from adapters.messages import plain, quote
from db import repository
from db.columns import parse
from db.ledger import Row
from db.models import SYSTEM, LedgerEntry
from db.session import Database
from orchestrator.errors import BadInput, NotFound, Problem
from orchestrator.history.verify import (
    chain_segment,
    leases,
    protections,
    quick_screen,
    schema,
    stored_artifacts,
    stored_rows,
    tables_from_ledger,
)
from orchestrator.history.verify.anchors import Anchored
from orchestrator.history.verify.protections import Outside
from orchestrator.history.verify.stored_artifacts import Stored
from orchestrator.history.verify.tables_from_ledger import Rows, fold_again, is_name
from orchestrator.latent import model_cards

__all__ = ["Verification", "fold_again", "verify"]

STEP = 500
"""Entries between two words of progress."""


@dataclass(frozen=True)
class Verification:
    """What a verification found."""

    entries: int
    """Ledger entries that were checked."""
    problems: tuple[Problem, ...]
    anchors: int = 0
    """Anchors that hold."""
    unanchored: int = 0
    """Entries after the last anchor of their chain: a forgery of these, no anchor would show."""
    heads: Mapping[str, int] = field(default_factory=dict)
    """Last entry of each chain that was checked."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass
class _Walk:
    """A verification under way."""

    session: Session
    progress: Callable[[int], None]
    entries: int = 0
    heads: dict[str, int] = field(default_factory=dict)
    """Entries of each chain that was checked."""
    problems: list[Problem] = field(default_factory=list)
    genesis: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name and first hash of each campaign, by the system chain."""
    models: frozenset[str] = frozenset()
    """Hashes of the registered models."""
    elsewhere: set[str] = field(default_factory=set)
    """Campaigns that an imported crate named and did not hold."""
    sound: dict[str, str] = field(default_factory=dict)
    """Hash of the first entry of each chain that the screening found sound."""

    def report(self, where: str, what: str) -> None:
        self.problems.append(Problem(where, what))

    def label(self, chain: str) -> str:
        """A chain for a person."""
        if chain == SYSTEM:
            return "system"
        name, _ = self.genesis.get(chain, ("", ""))
        return f"campaign {name} {chain}".replace("  ", " ")


def verify(
    database: Database,
    campaign: str | None = None,
    progress: Callable[[int], None] | None = None,
    outside: Outside | None = None,
    processes: int = 1,
) -> Verification:
    """Check the history, or the system chain and one campaign.

    Args:
        database: What to check.
        campaign: NAME, NAME#2 or UUID; all campaigns, where None.
        progress: Told now and then how many entries have been checked.
        outside: What lies outside the database and speaks for it.
        processes: How many to share the work of a long history among; each is a Python of its own
            that imports the main module, as :mod:`multiprocessing` does.

    Raises:
        NotFound: neither the tables nor the ledger know that campaign.
        BadInput: a file of anchors cannot be read.
    """
    broken = tuple(schema.unreadable(database.engine))
    if broken:
        return Verification(0, broken)
    with database.read() as session, tables_from_ledger.every_text_readable(session.connection()):
        walk = _Walk(session, progress or (lambda entries: None))
        walk.problems += schema.changes(session.connection())
        with _reported(walk, "system"):
            _chain(walk, SYSTEM)
        there = {*_named(walk)} - {SYSTEM}
        wanted = there | (walk.genesis.keys() - walk.elsewhere)
        if campaign is not None:
            wanted = {_chain_of(walk, campaign, wanted)}
        _screen(walk, database, sorted(wanted & there), processes)
        for chain in sorted(wanted):
            with _reported(walk, walk.label(chain)):
                _campaign(walk, chain, is_there=chain in there)
        with _reported(walk, "the tables"):
            _strangers(walk, {SYSTEM, *there})
        labels = {chain: walk.label(chain) for chain in (SYSTEM, *sorted(wanted))}
        anchored = Anchored()
        with _reported(walk, "anchors, keys, signatures and models"):
            anchored = protections.check(
                session, outside or Outside(), labels, whole=campaign is None
            )
        walk.problems += [*leases.check(session), *anchored.problems]
        walk.progress(walk.entries)
        after = (max(last - anchored.heads.get(one, 0), 0) for one, last in walk.heads.items())
        counts = anchored.count, sum(after)
        return Verification(walk.entries, tuple(walk.problems), *counts, walk.heads)


@contextmanager
def _reported(walk: _Walk, where: str) -> Iterator[None]:
    """Report what a check breaks on: a forged row may hold anything, and must not hide the rest."""
    try:
        yield
    except (BadInput, NotFound):
        raise
    except Exception as error:
        what = f"cannot be checked: {plain(f'{type(error).__name__}: {error}', 200)}"
        walk.report(where, what)


def _named(walk: _Walk) -> Iterator[str]:
    """Every chain that has an entry; what cannot be the name of one is a problem."""
    source = tables_from_ledger.untyped("ledger_entry")
    for chain in walk.session.scalars(select(source.c.chain).distinct().order_by(source.c.chain)):
        if is_name(chain):
            yield chain
        else:
            walk.report("table ledger_entry", f"has entries of {quote(chain)}, which is no chain")


def _chain_of(walk: _Walk, reference: str, chains: set[str]) -> str:
    row = repository.find(walk.session, reference)
    if row is not None:
        return row.id
    named = [chain for chain, (name, _) in walk.genesis.items() if name == reference]
    if reference in chains or named:
        return reference if reference in chains else named[-1]
    raise NotFound("campaign", reference, sorted({name for name, _ in walk.genesis.values()}))


def _screen(walk: _Walk, database: Database, chains: Sequence[str], processes: int) -> None:
    """Find the campaigns in which nothing is wrong, quickly; the others are looked at closely."""
    before = walk.entries

    def progress(entries: int) -> None:
        walk.progress(before + entries)

    for found in quick_screen.screen(database, walk.session, chains, progress, processes):
        if found.models <= walk.models:
            walk.sound[found.chain] = found.genesis
            walk.entries += found.entries
            walk.heads[found.chain] = found.entries


# One chain ------------------------------------------------------------------------------------


def _campaign(walk: _Walk, chain: str, *, is_there: bool) -> None:
    where = walk.label(chain)
    if not is_there:
        walk.report(where, "the system chain names it, and the ledger has no entry of it")
        return
    first = walk.sound[chain] if chain in walk.sound else _chain(walk, chain)
    if chain not in walk.genesis:
        walk.report(where, "the system chain does not name it")
    elif first != walk.genesis[chain][1]:
        expected = walk.genesis[chain][1]
        walk.report(f"{where}, entry 1", f"has hash {first}; the system chain says {expected}")


def _chain(walk: _Walk, chain: str) -> str | None:
    """Check one chain with its rows and artifacts; returns the hash of its first entry."""
    rows: Rows = {}
    first = last = None
    source = tables_from_ledger.untyped("ledger_entry")
    query = select(source).where(source.c.chain == chain).order_by(source.c.sequence)
    for row in walk.session.execute(query.execution_options(yield_per=STEP)):
        entry = cast(LedgerEntry, row)  # has its attributes, without their conversions
        where = f"{walk.label(chain)}, entry {entry.sequence}"
        try:
            for what in chain_segment.link_faults(entry, last):
                walk.report(where, what)
            _, canonical = parse(entry.payload)
            for what in chain_segment.content_faults(entry, last, canonical=canonical):
                walk.report(where, what)
            tables_from_ledger.add(rows, entry)
            if chain == SYSTEM:
                _remember(walk, entry, where)
        except Exception as error:  # a forged entry may hold anything
            walk.report(
                where, f"cannot be folded: {plain(f'{type(error).__name__}: {error}', 200)}"
            )
        first, last = first or entry.hash, entry
        walk.entries += 1
        walk.heads[chain] = walk.heads.get(chain, 0) + 1
        if walk.entries % STEP == 0:
            walk.progress(walk.entries)
    if chain == SYSTEM:
        walk.models = frozenset(key[0] for key in rows.get("latent_model", {}))
    walk.problems += tables_from_ledger.differences(walk.session, chain, rows, walk.label(chain))
    walk.problems += _artifacts(walk, chain, rows)
    return first


def _remember(walk: _Walk, entry: LedgerEntry, where: str) -> None:
    """Note the genesis hash that an entry of the system chain keeps."""
    if entry.kind == "import":
        walk.elsewhere |= set(json.loads(entry.payload)["about"]["elsewhere"])
    if entry.kind != "campaign":
        return
    about = json.loads(entry.payload)["about"]
    if not is_name(about["campaign"]):
        raise ValueError(f"{quote(about['campaign'])} is no campaign")
    if about["campaign"] in walk.genesis:
        walk.report(where, f"names campaign {about['campaign']} a second time")
    walk.genesis[about["campaign"]] = (str(about["name"]), str(about["genesis"]))


def _strangers(walk: _Walk, known: set[str]) -> None:
    for table, chain in tables_from_ledger.strange_chains(walk.session, known):
        walk.report(
            f"table {table}", f"has rows of {quote(chain)}, of which the ledger has no entry"
        )


# Artifacts ------------------------------------------------------------------------------------


def _artifacts(walk: _Walk, chain: str, rows: Rows) -> Iterator[Problem]:
    """Artifacts whose bytes are not theirs, and references to none."""
    label = walk.label(chain)
    folded = {key[1]: row for key, row in rows.get("artifact", {}).items()}
    there = set()
    for stored in stored_artifacts.read(walk.session, chain):
        there.add(stored.named)
        for what in _content_faults(stored, folded.get(stored.named)):
            yield Problem(f"{label}, artifact {plain(str(stored.named), 80)}", what)
    for sha256 in folded.keys() - there:
        yield Problem(f"{label}, artifact {sha256}", "its bytes are missing")
    for table, key, sha256 in _references(chain, rows):
        if not isinstance(sha256, str) or sha256 not in folded:
            place = f"{label}, {table} {tables_from_ledger.row_name(key)}"
            yield Problem(place, f"names the artifact {plain(str(sha256), 80)}, which there is not")
    for key, row in rows.get("campaign_revision", {}).items():
        model = row.get("model")
        if model is not None and (not isinstance(model, str) or model not in walk.models):
            place = f"{label}, campaign_revision {tables_from_ledger.row_name(key)}"
            yield Problem(place, f"names the model {quote(model)}, which is not registered")


def _references(chain: str, rows: Rows) -> Iterator[tuple[str, tables_from_ledger.Key, Any]]:
    named = stored_rows.REFERENCES + ((("latent_model", "hash"),) if chain == SYSTEM else ())
    for table, name in named:
        for key, row in rows.get(table, {}).items():
            if row.get(name) is not None:
                yield table, key, row[name]
    for key, row in rows.get("latent_model", {}).items():  # whose card names the weights
        card = row.get("card")
        weights = card.get(model_cards.WEIGHTS) if isinstance(card, dict) else None
        if isinstance(weights, str) and weights != row.get("hash"):
            yield "latent_model", key, weights


def _content_faults(stored: Stored, row: Row | None) -> Iterator[str]:
    if row is None:
        yield "its bytes are stored, and no entry made it"
    elif not stored.sha256:
        yield "its chunks are not whole"
    elif stored.sha256 != stored.named:
        yield f"its bytes were changed: their SHA-256 is {stored.sha256}"
    elif stored.size != row.get("size"):
        yield f"has {stored.size} bytes; the ledger says {row.get('size')}"

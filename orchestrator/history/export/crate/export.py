"""Write a campaign as a crate.

It holds the campaign's ledger and the system's, the rows of both in every folded table, their
artifacts, the specs, the cards of the models used, and the stand-alone verifier::

    ro-crate-metadata.json    what it is, for machines: RO-Crate, Process Run Crate, PROV-O
    README.md                 what it is, for people
    manifest-sha256.txt       SHA-256 of every other file, as `sha256sum --check` reads it
    verify.py                 the verifier
    crate.json                its format, the campaigns, the columns of the tables
    ledger/CHAIN.jsonl        one entry a line; `payload` is the exact text that was hashed
    tables/TABLE.jsonl        one row a line, in the order of the key
    anchors.jsonl             what was signed of these chains
    artifacts/SHA256          bytes
    specs/REVISION.json       each spec of the campaign, all keys filled in
    models/SHA256.json        model cards, by the hash of the model

All of it is read in one consistent view, and it is verified before it gets its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Double, select
from sqlalchemy.orm import Session

from db.columns import canonical
from db.ledger import ADDED, key_columns
from db.models import (
    CHAIN_COLUMN,
    SYSTEM,
    Artifact,
    ArtifactChunk,
    Base,
    Campaign,
    CampaignRevision,
    LatentModel,
    LedgerEntry,
)
from db.session import Database, now
from orchestrator.errors import Problem, Unverified
from orchestrator.history.export.crate import metadata, verifier
from orchestrator.history.export.crate.bag import Bag, writing
from orchestrator.history.verify import anchors

JSON, LINES, TEXT = "application/json", "application/jsonl", "text/plain"
VERIFIER = "verify.py"
ROWS = 500
"""Rows fetched at a time; a row may hold some kilobytes."""


def export(database: Database, campaign: Campaign, out: Path) -> verifier.Verification:
    """Write a crate, and say what was verified in it.

    Args:
        database: Where the campaign is.
        campaign: What to export.
        out: A file whose name ends in ``.zip``, or a folder that is new or empty.

    Raises:
        BadInput: it cannot be written there.
        Unverified: the history is not what was written; no crate is left.
    """
    with writing(out) as (bag, place):
        with database.read() as session:
            _fill(session, campaign, bag)
        if bag.archive is not None:
            bag.archive.close()
        return verified(place, f"{campaign.name}#{campaign.ordinal}")


def verified(place: Path, what: str) -> verifier.Verification:
    """What the verifier found in a crate in which nothing is wrong.

    Raises:
        Unverified: something is.
        verifier.Unreadable: it is no crate.
    """
    files = verifier.Files(place)
    try:
        found = verifier.verify(files)
    finally:
        files.close()
    if found.problems:
        raise Unverified([Problem(what, problem) for problem in found.problems])
    return found


def _fill(session: Session, campaign: Campaign, bag: Bag) -> None:
    chains = [SYSTEM, campaign.id]
    bag.write(VERIFIER, "text/x-python", [Path(verifier.__file__).read_bytes()])
    bag.write(verifier.DESCRIPTION, JSON, [_text(_description(campaign))])
    for chain in chains:
        bag.write(f"ledger/{chain}.jsonl", LINES, entries(session, chain))
    for table in CHAIN_COLUMN:
        bag.write(f"tables/{table}.jsonl", LINES, _rows(session, table, chains))
    bag.write(verifier.ANCHORS, LINES, _anchors(session, chains))
    for sha256, media_type in _artifacts(session, chains):
        bag.write(f"artifacts/{sha256}", media_type, _bytes(session, chains, sha256))
    for revision, resolved in session.execute(
        select(CampaignRevision.revision, CampaignRevision.resolved)
        .where(CampaignRevision.campaign == campaign.id)
        .order_by(CampaignRevision.revision)
    ):
        bag.write(f"specs/{revision}.json", JSON, [_text(resolved)])
    for model in session.scalars(select(LatentModel).order_by(LatentModel.hash)):
        bag.write(f"models/{model.hash}.json", JSON, [_text(model.card)])
    bag.write("README.md", "text/markdown", [metadata.readme(campaign).encode()])
    described = metadata.describe(session, campaign, bag.files, now())
    bag.write("ro-crate-metadata.json", "application/ld+json", [_text(described)])
    lines = "".join(f"{file.sha256}  {path}\n" for path, file in sorted(bag.files.items()))
    bag.write(verifier.MANIFEST, TEXT, [lines.encode()])


def _text(value: object) -> bytes:
    """JSON for people to read."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _description(campaign: Campaign) -> dict[str, Any]:
    tables = {}
    for table, chain in CHAIN_COLUMN.items():
        columns = Base.metadata.tables[table].columns
        tables[table] = {
            "columns": list(columns.keys()),
            "key": list(key_columns(table)),
            "chain": chain,
            "reals": [one.name for one in columns if isinstance(one.type, Double)],
            "added": dict(ADDED.get(table, {})),
        }
    return {"format": verifier.FORMAT, "campaigns": [campaign.id], "tables": tables}


def entries(session: Session, chain: str) -> Iterator[bytes]:
    """The entries of a chain as they are, one a line; ``payload`` is the text that was hashed."""
    query = select(LedgerEntry.__table__).where(LedgerEntry.chain == chain)
    query = query.order_by(LedgerEntry.sequence).execution_options(yield_per=ROWS)
    for row in session.execute(query).mappings():
        yield (canonical(dict(row)) + "\n").encode()


def _rows(session: Session, table: str, chains: list[str]) -> Iterator[bytes]:
    source = Base.metadata.tables[table]
    query = select(source).order_by(*source.primary_key.columns)
    if (chain := CHAIN_COLUMN[table]) is not None:
        query = query.where(source.c[chain].in_(chains))
    for row in session.execute(query.execution_options(yield_per=ROWS)).mappings():
        yield (canonical(dict(row)) + "\n").encode()


def _anchors(session: Session, chains: list[str]) -> Iterator[bytes]:
    for _, anchor in anchors.copies(session):
        if anchor is not None and anchor.chain in chains:
            yield f"{anchor.line()}\n".encode()


def _artifacts(session: Session, chains: list[str]) -> list[tuple[str, str]]:
    """Hash and media type of what the chains hold; bytes that both hold are written once."""
    query = select(Artifact.sha256, Artifact.media_type).where(Artifact.chain.in_(chains))
    return sorted(dict(session.execute(query).tuples().all()).items())


def _bytes(session: Session, chains: list[str], sha256: str) -> Iterator[bytes]:
    chain = session.scalar(
        select(Artifact.chain)
        .where(Artifact.chain.in_(chains), Artifact.sha256 == sha256)
        .order_by(Artifact.chain)
        .limit(1)
    )
    yield from session.scalars(
        select(ArtifactChunk.data)
        .where(ArtifactChunk.chain == chain, ArtifactChunk.sha256 == sha256)
        .order_by(ArtifactChunk.number)
        .execution_options(yield_per=4)
    )

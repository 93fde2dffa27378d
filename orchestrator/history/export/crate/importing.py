"""Take a crate into an empty installation, where its ledger is the same to the last hash."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db import artifacts, ledger, repository
from db.ledger import Actor, Draft
from db.models import SYSTEM, Anchor, LedgerEntry
from db.session import Database, now
from orchestrator.errors import BadInput, Conflict
from orchestrator.history.export.crate import verifier
from orchestrator.history.export.crate.export import verified


def take_in(database: Database, place: Path, actor: Actor) -> verifier.Verification:
    """Write what a crate holds, all or nothing, and say what it comes to.

    Where the crate lacks campaigns that its system chain names, one entry is added to that chain
    which says so: a campaign that is elsewhere is not one that somebody deleted.

    Args:
        database: With all tables and no entry.
        place: The crate, a folder or a .zip file; it is verified first.
        actor: Who does it.

    Raises:
        BadInput: it is no crate, or cannot be read.
        Unverified: it is not what was written.
        Conflict: the database has a history already.
    """
    try:
        found = verified(place, str(place))
        files = verifier.Files(place)
    except (*verifier.DAMAGED, verifier.Unreadable) as error:
        raise BadInput.of("", f"{place} cannot be imported: {error}") from None
    with database.write(*found.heads) as session:
        if session.scalar(select(LedgerEntry.chain).limit(1)) is not None:
            what = "the database has a history already"
            raise Conflict(what, "import into an empty one, of another ASSAYLOOP_HOME")
        for chain in found.heads:
            for line in files.lines(f"ledger/{chain}.jsonl"):
                entry = LedgerEntry(**line)
                ledger.restore(session, entry)
                _store_artifacts(session, files, entry)
        if copies := list(files.lines(verifier.ANCHORS)):
            session.execute(insert(Anchor), copies)
        note_elsewhere(session, actor)
    files.close()
    return found


def note_elsewhere(session: Session, actor: Actor) -> None:
    """Say in the system chain which campaigns it names are not here, if any: nobody deleted them.

    Args:
        session: Of a database that was filled with a part of another.
        actor: Who filled it.
    """
    entries = repository.entries(session, SYSTEM)
    named = {
        json.loads(one.payload)["about"]["campaign"] for one in entries if one.kind == "campaign"
    }
    if elsewhere := sorted(named - set(repository.chains(session))):
        ledger.append(session, SYSTEM, actor, Draft("import", {"elsewhere": elsewhere}), now())


def _store_artifacts(session: Session, files: verifier.Files, entry: LedgerEntry) -> None:
    for change in ledger.fold(entry):
        if change.table == "artifact":
            sha256 = change.values["sha256"]
            artifacts.store(session, entry.chain, sha256, files.read(f"artifacts/{sha256}"))

"""What a reviewer of a campaign reads before its results.

What was asked and by whom, what can be proved of the history, what did not go as planned, and who
signed what.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import repository, revisions
from db.columns import canonical
from db.ledger import digest
from db.models import Campaign, Fit, LatentModel, LedgerEntry, Signature
from orchestrator import moments
from orchestrator.history.explain.candidate_page import Section, said_by
from orchestrator.history.explain.deviations import deviations
from orchestrator.history.replay import package_versions
from orchestrator.history.verify.verification import Verification
from orchestrator.people.actors import SINGLE
from orchestrator.report.known import Known
from orchestrator.spec.words import ranges
from orchestrator.wiring import Parts

Facts = Iterator[tuple[str, str]]


class Checked(NamedTuple):
    """A verification, and what it was made with."""

    found: Verification
    keys: tuple[str, ...] = ()
    """The only keys whose anchors counted; empty for those that the database has registered."""


@dataclass(frozen=True)
class Review:
    """What the report of a campaign says to a reviewer, beside what it says to everybody."""

    ok: bool
    verdict: str
    """In one sentence."""
    facts: Sequence[tuple[str, str]]
    """Who asked for what, to stand with the spec in words."""
    verification: Section
    deviations: Sequence[Section]
    absent: str
    """Kinds of deviations of which there are none."""
    signatures: Section
    versions: Section

    @classmethod
    def read(cls, session: Session, parts: Parts, known: Known, checked: Checked) -> Review:
        """Read it, in the transaction of the session."""
        campaign, found = known.campaign, checked.found
        deviating = deviations(session, campaign)
        return cls(
            ok=found.ok,
            verdict=_verdict(found),
            facts=list(_asked(session, known)),
            verification=Section(
                "Verification",
                list(_verification(session, known, checked)),
                ("where", "what is wrong"),
                [(one.where, one.what) for one in found.problems],
            ),
            deviations=deviating.sections,
            absent=", ".join(deviating.absent),
            signatures=_signatures(session, known),
            versions=Section("Versions", list(_versions(session, parts, campaign))),
        )


def _verdict(found: Verification) -> str:
    if not found.ok:
        many = "one problem" if len(found.problems) == 1 else f"{len(found.problems)} problems"
        return f"Not what was written: verification found {many}. They are listed below."
    said = "Verified: every entry, every row and every original result is what was written."
    return (
        said if found.anchors else f"{said} No anchor proves that it was not replaced as a whole."
    )


# What was asked -------------------------------------------------------------------------------


def _asked(session: Session, known: Known) -> Facts:
    campaign, first = known.campaign, session.get_one(LedgerEntry, (known.campaign.id, 1))
    yield "Campaign", f"{campaign.name}#{campaign.ordinal}, {campaign.id}"
    yield "Started", f"{moments.shown(first.at)} by {said_by(first)} ({first.actor_kind})"
    yield "Mode", _mode(session, campaign)
    spec = known.revision.resolved
    hashed = hashlib.sha256(canonical(spec).encode()).hexdigest()
    yield "Spec", f"revision {known.revision.revision}, SHA-256 {hashed} of its canonical JSON"


def _mode(session: Session, campaign: Campaign) -> str:
    query = select(LedgerEntry.mode).where(LedgerEntry.chain == campaign.id).distinct()
    modes = sorted(session.scalars(query))
    if modes == [SINGLE]:
        return "single-user: who wrote is the account of the operating system, without a login"
    if SINGLE in modes:
        return "single-user at first, later multi-user: then everybody who wrote had logged in"
    return "multi-user: everybody who wrote had logged in"


# What can be proved ---------------------------------------------------------------------------


def _verification(session: Session, known: Known, checked: Checked) -> Facts:
    found, chain = checked.found, known.campaign.id
    verified = found.heads.get(chain, 0)
    head = session.get(LedgerEntry, (chain, verified))
    yield "Result", "nothing is wrong" if found.ok else f"{len(found.problems)} problems"
    yield (
        "What was done",
        f"The hashes of {found.entries} entries, of this campaign and of the system, were computed "
        "again; the tables were made again from these entries and compared row by row; the bytes "
        "of every artifact and of the model's weights were hashed; and each anchor and signature "
        "was compared with the entry it names.",
    )
    if head is not None:
        later = known.head.sequence - verified
        since = f"; {later} entries came while this report was made" if later > 0 else ""
        yield "Ledger head", f"entry {verified}, SHA-256 {head.hash}{since}"
        yield "Last entry", f"{moments.shown(head.at)} by {said_by(head)}"
    yield "Anchors", _anchors(found)
    if checked.keys:
        yield "Keys", f"only anchors of these count: {', '.join(checked.keys)}"
    elif found.anchors:
        yield (
            "Keys",
            "those that the database says are good; `--trust KEY` asks it for none",
        )
    yield (
        "Check again",
        f"assayloop audit verify {known.campaign.name}#{known.campaign.ordinal}, and compare the "
        "ledger head: another hash of the same entry is another history",
    )


def _anchors(found: Verification) -> str:
    if not found.anchors:
        return (
            "none: had somebody cut the end of the history off, or written all of it anew, this "
            "verification would not show it"
        )
    after = f"{found.unanchored} entries came later" if found.unanchored else "no entry came later"
    return f"{found.anchors} hold, each a signed statement of how far the history was; {after}"


def _signatures(session: Session, known: Known) -> Section:
    chain = known.campaign.id
    query = select(Signature).where(Signature.chain == chain).order_by(Signature.number)
    rows = []
    for one in session.scalars(query):
        entry = session.get(LedgerEntry, (chain, one.signed))
        kind = "" if entry is None else entry.kind
        by = f"{one.name} ({one.account})"
        time = moments.shown(one.signed_at)[:19]
        rows.append((str(one.signed), kind, one.meaning, by, time, _bound(one, entry)))
    return Section(
        "Signatures",
        () if rows else (("Signed", "nothing"),),
        ("entry", "what was signed", "as", "by", "when (UTC)", "verified"),
        rows,
        note="Given with the signer's password, and bound to the hash of the entry. Nobody reviews "
        "or approves an entry of their own.",
    )


def _bound(one: Signature, entry: LedgerEntry | None) -> str:
    if entry is None:
        return "no: there is no such entry"
    good = one.hash == entry.hash == digest(entry)
    return "yes" if good else "no: the entry is not what was signed"


# What made it ---------------------------------------------------------------------------------


def _versions(session: Session, parts: Parts, campaign: Campaign) -> Facts:
    yield (
        "This report",
        f"assayloop {version('assayloop')}, Python {platform.python_version()}, "
        f"schema {revisions.newest()}",
    )
    yield from _made_with(session, campaign.id)
    hashed = repository.revision(session, campaign.id, campaign.revision).model
    if hashed is not None:
        model = session.get(LatentModel, hashed)
        named = "" if model is None else f"{model.name}, "
        yield "Model", f"{named}SHA-256 {hashed}"
    for name, evaluator in parts.evaluators.items():
        yield f"Evaluator {name}", f"version {evaluator.capabilities.version}, as installed here"


def _made_with(session: Session, chain: str) -> Facts:
    """Of which fits and rounds, and with what versions these were made."""
    query = select(Fit.number, Fit.versions).where(Fit.campaign == chain).order_by(Fit.number)
    made = [("Fit", number, versions) for number, versions in session.execute(query).tuples()]
    done = {"propose": "Proposal of round", "decode": "Decoding of round"}
    of_rounds = package_versions.of_rounds(session, chain).items()
    made += [(done[verb], round, versions) for (verb, round), versions in of_rounds]
    found: dict[tuple[str, str], list[int]] = {}
    for what, number, versions in made:
        found.setdefault((what, package_versions.in_words(versions)), []).append(number)
    for (what, text), numbers in found.items():
        yield f"{what} {ranges(numbers)}", text

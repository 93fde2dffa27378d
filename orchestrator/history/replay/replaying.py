"""Replay: whether a stored proposal comes out again from the data, model and stream on record.

For a round: the data set is rebuilt at the recorded ledger position, the stored fit is restored (or
fitted again from the one before), the points are proposed again with the stored stream, and the
stored points are decoded again. What went in is checked, too, so that the cause of a difference is
named: stored rows against the ledger, the hash of the data, of the weights, and the versions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy.orm import Session

from adapters.messages import plain
from db import repository
from db.columns import canonical
from db.ledger import Draft, digest
from db.models import Campaign, Candidate, Fit, Round
from db.session import Database
from orchestrator.errors import BadInput, Problem
from orchestrator.history.listings import lookup
from orchestrator.history.replay import package_versions
from orchestrator.history.replay.differences import TOLERANCE, Difference, compare
from orchestrator.history.replay.recorded_weights import Wired, wire
from orchestrator.history.verify import tables_from_ledger
from orchestrator.loop import DECODE
from orchestrator.proposers.registry import RegistryError
from orchestrator.surrogates.protocol import Data
from orchestrator.verbs import candidates, computing, dataset
from orchestrator.wiring import Parts

PROPOSED = ("point", "mean", "std", "acquisition", "log_prior")
DECODED = ("valid", "object", "artifact", "key", "filters", "realised")
"""Columns of a candidate that are computed again."""
READ = ("point", "realised", "duplicate_of", "entry")
"""Columns of a candidate that data sets are made of."""


class Verdict(StrEnum):
    """How a replay came out."""

    EQUAL = "bit-equal"
    CLOSE = "within tolerance"
    DIVERGED = "diverged"


@dataclass
class Replayed:
    """One round, computed again."""

    round: int
    candidates: tuple[int, ...]
    differences: list[Difference] = field(default_factory=list)
    """What came out otherwise."""
    causes: list[Problem] = field(default_factory=list)
    """What went in that is not what was recorded; each alone makes a replay diverge."""
    remarks: list[Problem] = field(default_factory=list)
    """What differs here and need not matter: versions of packages."""

    @property
    def distance(self) -> float:
        """The largest deviation; 0 where all bits are equal."""
        return max((one.distance for one in self.differences), default=0.0)

    @property
    def verdict(self) -> Verdict:
        """How it came out."""
        if self.causes or self.distance > TOLERANCE:
            return Verdict.DIVERGED
        return Verdict.CLOSE if self.differences else Verdict.EQUAL

    def cause(self, where: str, what: str) -> None:
        """Note what went in otherwise."""
        self.causes.append(Problem(where, what))

    def blame_versions(self) -> None:
        """Other versions are no longer a remark: the values differ, and they may be why."""
        self.causes += self.remarks
        self.remarks = []


def rounds_of(
    session: Session, campaign: Campaign, round: int | None, candidate: str | None
) -> list[int]:
    """Numbers of the rounds that are meant: one, a candidate's, or all.

    Raises:
        NotFound: there is no such round or candidate.
        BadInput: nobody proposed the candidate.
    """
    if candidate is not None:
        row = lookup.candidate(session, campaign, candidate)
        if row.round is None:
            what = f"candidate {row.number} was {row.source}: nobody proposed it"
            raise BadInput.of("--candidate", what, "there is nothing to replay")
        return [row.round]
    if round is not None:
        return [lookup.round_(session, campaign, round).number]
    return list(range(1, campaign.rounds + 1))


def replay(
    database: Database, campaign: Campaign, rounds: Sequence[int], *, refit: bool = False
) -> Iterator[Replayed]:
    """Compute rounds again, one after the other.

    Args:
        database: Where they are; nothing is written.
        campaign: Whose they are.
        rounds: Their numbers.
        refit: Fit again from the fit before, instead of restoring the stored one.

    Raises:
        BadInput: the proposer or the surrogate is not installed here.
    """
    with database.read() as session, TemporaryDirectory(prefix="assayloop-") as folder:
        ledger = _Ledger.read(session, campaign.id)
        wired: dict[int, Wired] = {}
        for number in rounds:
            row = session.get(Round, (campaign.id, number))
            if row is None:
                gone = Problem(f"round {number}", "the ledger has this row, and it is not stored")
                yield Replayed(number, (), causes=[gone])
                continue
            if row.revision not in wired:
                try:
                    wired[row.revision] = wire(database, session, campaign, row.revision, folder)
                except RegistryError as error:
                    raise BadInput.of(f"round {number}", str(error)) from None
            yield _Replay(session, row, wired[row.revision], ledger, refit).done()


# What went in -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Ledger:
    """The campaign as its ledger says it is, and where its stored rows say otherwise."""

    changed: Mapping[tuple[str, str], Sequence[Problem]]
    """Differences from the stored rows, by table and name of the row."""
    made: Mapping[tuple[str, str], int]
    """Entry that made each row that data sets are made of; of a row that none made, there is none.
    """
    forged: Sequence[tuple[int, Problem]]
    """What is wrong with entries, with their numbers."""
    versions: Mapping[tuple[str, int], package_versions.Versions]
    """What each round was proposed and decoded with, by kind of the entry and round; older
    releases kept none."""

    @classmethod
    def read(cls, session: Session, chain: str) -> _Ledger:
        rows: tables_from_ledger.Rows = {}
        forged = []
        versions: dict[tuple[str, int], package_versions.Versions] = {}
        for entry in repository.entries(session, chain):
            place = f"entry {entry.sequence}"
            if digest(entry) != entry.hash:
                forged.append((entry.sequence, Problem(place, "was changed: its hash is another")))
            try:
                tables_from_ledger.add(rows, entry)
                versions |= package_versions.of_entry(entry)
            except Exception as error:  # a forged entry may hold anything
                what = f"cannot be folded: {plain(f'{type(error).__name__}: {error}', 200)}"
                forged.append((entry.sequence, Problem(place, what)))
        changed: dict[tuple[str, str], list[Problem]] = {}
        for problem in tables_from_ledger.differences(session, chain, rows, "ledger"):
            place = problem.where.removeprefix("ledger, ")
            table, _, name = place.partition(", ")[0].partition(" ")
            changed.setdefault((table, name), []).append(Problem(place, problem.what))
        made = {
            (table, tables_from_ledger.row_name(key)): folded["entry"]
            for table in ("measurement", "measurement_flag", "candidate")
            for key, folded in rows.get(table, {}).items()
        }
        return cls(changed, made, forged, versions)

    def causes(self, row: Round, position: int, members: Sequence[int]) -> Iterator[Problem]:
        """What of the changes reaches a round whose data were read at a position."""
        mine = {("candidate", str(number)) for number in members}
        exact = {("round", str(row.number)), ("campaign_revision", str(row.revision))}
        for key, problems in self.changed.items():
            read = self.made.get(key, 0) <= position
            if key[0] == "candidate" and (read or key in mine):
                columns = ("", *READ, *(PROPOSED + DECODED) * (key in mine))
                yield from (one for one in problems if _column(one) in columns)
            elif key in exact or (key[0] in ("measurement", "measurement_flag") and read):
                yield from problems
        yield from (problem for number, problem in self.forged if number <= row.entry)

    def fit(self, number: int) -> Sequence[Problem]:
        """How the stored row of a fit differs."""
        return self.changed.get(("fit", str(number)), ())


def _column(problem: Problem) -> str:
    return problem.where.partition(", ")[2]


# What comes out -----------------------------------------------------------------------------


class _Replay:
    """One round being computed again."""

    def __init__(
        self, session: Session, row: Round, wired: Wired, ledger: _Ledger, refit: bool
    ) -> None:
        self.session, self.row, self.wired, self.ledger = session, row, wired, ledger
        self.members = repository.candidates(session, row.campaign, round=row.number)
        self.fit = None if row.fit is None else session.get(Fit, (row.campaign, row.fit))
        self.refit = refit
        self.found = Replayed(row.number, tuple(one.number for one in self.members))

    def done(self) -> Replayed:
        """Check what went in, and compute again what can be."""
        row, found = self.row, self.found
        position = row.position if self.fit is None else self.fit.position
        found.causes += self.ledger.causes(row, position, found.candidates)
        if row.fit is not None:
            found.causes += self.ledger.fit(row.fit)
        parts, problem = self.wired
        if problem is not None:
            found.causes.append(problem)
        if parts is None:
            return found
        if row.fit is not None and self.fit is None:
            return found
        if not self.members:
            found.cause(f"round {row.number}", "none of its candidates is stored")
            return found
        self._versions()
        unlike = len(found.causes)
        try:
            self._propose(parts, position)
            if row.state != "proposed":
                self._decode(parts)
        except Exception as error:  # other weights, data or packages may lead anywhere
            what = f"cannot be computed again: {type(error).__name__}: {error}"
            found.cause(f"round {row.number}", plain(what, 300))
        if problem is not None and len(found.causes) == unlike and not found.differences:
            what = "with those that the database keeps, all bits come out equal"
            found.remarks.append(Problem("weights", what))
        elif found.verdict is Verdict.DIVERGED:
            found.blame_versions()
        return found

    def _versions(self) -> None:
        """Note the versions that are others here than when the round was made."""
        row, kept = self.row, self.ledger.versions
        made = [
            (f"round {row.number} was {verb}d", kept.get((verb, row.number)))
            for verb in ("propose", "decode")[: 1 if row.state == "proposed" else 2]
        ]
        if self.fit is not None:
            made.insert(0, (f"fit {self.fit.number} was made", self.fit.versions))
        then: dict[tuple[str, str], list[str]] = {}
        if unknown := [what for what, versions in made if versions is None]:
            said = f"{' and '.join(unknown)} by a release that kept none"
            self.found.remarks.append(Problem("versions", said))
        for what, versions in made:
            for name, one in (versions or {}).items():
                if one != computing.version(name):
                    then.setdefault((name, one), []).append(what)
        for (name, one), whats in sorted(then.items()):
            said = f"{', '.join(whats)} with {one}; here is {computing.version(name)}"
            self.found.remarks.append(Problem(f"version of {name}", said))

    def _propose(self, parts: Parts, position: int) -> None:
        row, known = self.row, computing.data(self.session, parts, position)
        state = None if self.fit is None else self._state(parts, self.fit, known)
        if self.fit is not None and state is None:
            return
        rows = repository.candidates(self.session, row.campaign)
        pending = [one for one in rows if one.number in row.pending]
        proposal = computing.proposal(
            parts,
            row.proposer,
            state,
            known,
            dataset.points(pending, parts.spec.surrogate.at, parts.space.dim),
            len(self.members),
            row.stream,
        )
        self._compare(f"round {row.number}, details", row.details, proposal.state)
        drafted = Draft("propose")
        candidates.add(self.session, drafted, parts, row.number, proposal, row.source)
        again = drafted.rows["new"]["candidate"]
        for one, columns in zip(self.members, again, strict=True):
            self._columns(parts, one, {name: columns[name] for name in PROPOSED})

    def _state(self, parts: Parts, fit: Fit, known: Data) -> dict[str, Any] | None:
        """State of the fit to propose with; None where the data are not those it was fitted to."""
        if known.hash != fit.data_hash:
            what = f"the data at entry {fit.position} have the hash {known.hash}"
            self.found.cause("data", f"{what}; fit {fit.number} was made of {fit.data_hash}")
            return None
        state: dict[str, Any] = fit.state
        if self.refit:
            previous = None
            if fit.previous is not None:
                self.found.causes += self.ledger.fit(fit.previous)
                previous = self.session.get_one(Fit, (fit.campaign, fit.previous)).state
            state = parts.surrogate.fit(known, parts.space.bounds, previous).state
            self._compare(f"fit {fit.number}", fit.state, state)
        return state

    def _decode(self, parts: Parts) -> None:
        points = dataset.points(self.members, "proposed", parts.space.dim)
        stream = [*self.row.stream[:-1], DECODE]
        decoded, realised = computing.decoding(parts, points, stream)
        for one, content, point in zip(self.members, decoded, realised, strict=True):
            columns = candidates.settled(Draft("decode"), parts, content)
            # A later release may know more filters.
            known = {name: how for name, how in columns["filters"].items() if name in one.filters}
            columns["filters"] = known
            columns["realised"] = candidates.stored_point(point)
            self._columns(parts, one, {name: columns[name] for name in DECODED})

    def _columns(self, parts: Parts, one: Candidate, again: Mapping[str, Any]) -> None:
        ranges = parts.space.bounds[1] - parts.space.bounds[0]
        spans = {axis: float(span) for axis, span in enumerate(ranges) if span > 0}
        for name, value in again.items():
            where = f"candidate {one.number}, {name}"
            self.found.differences += compare(where, getattr(one, name), value, spans)

    def _compare(self, where: str, stored: Any, again: Any) -> None:
        """Compare JSON values as both are after they were stored."""
        self.found.differences += compare(where, stored, json.loads(canonical(again)))

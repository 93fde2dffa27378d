"""The entries of the ledger that say something of a candidate, each in a few words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from adapters.messages import quote
from db import repository
from db.ledger import Change, Row, fold
from db.models import LedgerEntry
from orchestrator import moments
from orchestrator.spec.words import quantity, ranges

FEW = 3
"""Measurements of one entry that are spelled out; of more, only their numbers."""
UNREADABLE = "cannot be read; `assayloop audit verify` says why"


@dataclass
class Trail:
    """What a chain says of some candidates."""

    candidates: set[int]
    entries: list[dict[str, Any]] = field(default_factory=list)
    """Number, hash, time, actor and kind of each entry, what it says, and its reason."""
    leaders: list[tuple[LedgerEntry, int | None]] = field(default_factory=list)
    """Each best candidate of the campaign, with the entry that made it so."""
    _jobs: dict[int, str] = field(default_factory=dict)
    """Evaluator of each of their jobs."""
    _measurements: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, session: Session, chain: str, candidates: set[int]) -> Trail:
        """Read the chain from its beginning."""
        trail = cls(candidates)
        for entry in repository.entries(session, chain):
            trail._add(entry)
        return trail

    def best(self, candidate: int) -> list[dict[str, Any]]:
        """The times during which it was the best of the campaign; the last may have no end."""
        found = []
        for index, (entry, number) in enumerate(self.leaders):
            if number != candidate:
                continue
            ended = self.leaders[index + 1 : index + 2]
            found.append(
                {
                    "from_entry": entry.sequence,
                    "from": moments.iso(entry.at),
                    "instead_of": self.leaders[index - 1][1] if index else None,
                    "to_entry": ended[0][0].sequence if ended else None,
                    "followed_by": ended[0][1] if ended else None,
                }
            )
        return found

    def _add(self, entry: LedgerEntry) -> None:
        try:
            said = list(dict.fromkeys(self._said(entry)))
            reason = json.loads(entry.payload)["about"].get("reason", "")
        except Exception:  # a forged entry may hold anything
            said, reason = [UNREADABLE], ""
        if said:
            self.entries.append(
                {
                    "entry": entry.sequence,
                    "hash": entry.hash,
                    "at": moments.iso(entry.at),
                    "actor": entry.actor_id,
                    "on_behalf_of": entry.on_behalf_of,
                    "kind": entry.kind,
                    "said": said,
                    "reason": reason,
                }
            )

    def _said(self, entry: LedgerEntry) -> Iterator[str]:
        values: dict[int, str] = {}
        for change in fold(entry):
            row = change.values
            match change.table:
                case "campaign" if "best" in row:
                    if not self.leaders or self.leaders[-1][1] != row["best"]:
                        self.leaders.append((entry, row["best"]))
                case "candidate" if row["number"] in self.candidates:
                    yield from _of_candidate(change)
                case "job":
                    yield from self._of_job(change)
                case "attempt" if row["job"] in self._jobs and row.get("delivery"):
                    yield f"a delivery for job {row['job']} is kept"
                case "measurement" if row["candidate"] in self.candidates:
                    self._measurements.add(row["number"])
                    values[row["number"]] = _of_measurement(row)
                case "measurement_flag" if row["measurement"] in self._measurements:
                    yield f"measurement {row['measurement']} is {row['kind']}"
                case "signature" if any(one["entry"] == row["signed"] for one in self.entries):
                    yield f"entry {row['signed']} signed as {row['meaning']} by {row['name']}"
        yield from values.values() if len(values) <= FEW else [f"measurements {ranges(values)}"]

    def _of_job(self, change: Change) -> Iterator[str]:
        row = change.values
        if row.get("candidate") in self.candidates:
            self._jobs[row["number"]] = row["evaluator"]
        if row["number"] in self._jobs and "state" in row:
            reason = f": {row['reason']}" if row.get("reason") else ""
            yield f"job {row['number']} ({self._jobs[row['number']]}) {row['state']}{reason}"


def _of_candidate(change: Change) -> Iterator[str]:
    row = change.values
    named = f"candidate {row['number']}"
    if change.new:
        yield f"{named} {row['source']}"
    elif "valid" in row:
        twin = row.get("duplicate_of")
        what = f"duplicate of {twin}" if twin else "valid" if row["valid"] else "invalid"
        yield f"{named} decoded: {what}" + (f", {row['reason']}" if row.get("reason") else "")
    elif row.get("external_ids"):
        yield f"{named} known as {', '.join(map(str, row['external_ids']))}"
    if "objective" in row and not change.new:
        value = row["objective"]
        yield f"{named} has " + ("no objective" if value is None else f"objective {value:.6g}")


def _of_measurement(row: Row) -> str:
    value = quantity(row["value"], row["unit"])
    text = f"measurement {row['number']}: {quote(row['name'])[1:-1]} {value}"
    return text + (f", instead of {row['supersedes']}" if row.get("supersedes") else "")

"""The course of a campaign, as its entries tell it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from adapters.messages import plain
from db import repository
from db.ledger import changes
from db.models import LedgerEntry
from db.states import CampaignState, JobState
from orchestrator.history.explain.candidate_page import Section, said_by
from orchestrator.history.explain.deviations.said import at
from orchestrator.spec.words import ranges


@dataclass
class Course:
    """What the entries of a campaign say of its course."""

    _states: list[tuple[str, ...]] = field(default_factory=list)
    _doubtful: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    """Number of the job, and what was said of it."""
    _refused: list[tuple[str, ...]] = field(default_factory=list)
    _clock: list[tuple[str, ...]] = field(default_factory=list)
    _unreadable: list[tuple[str, ...]] = field(default_factory=list)
    _parked: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, session: Session, chain: str) -> Course:
        """Read all entries; what cannot be read is listed."""
        found = cls()
        for entry in repository.entries(session, chain):
            try:
                found._add(entry, json.loads(entry.payload))
            except Exception as error:  # a forged entry may hold anything
                what = plain(f"{type(error).__name__}: {error}", 200)
                found._unreadable.append((str(entry.sequence), what))
        return found

    def _add(self, entry: LedgerEntry, payload: dict[str, Any]) -> None:
        about, head = payload["about"], (str(entry.sequence), at(entry.at), said_by(entry))
        reason = str(about.get("reason", ""))
        if entry.clock_back:
            self._clock.append(head)
        if entry.kind == "deliver":
            why = str(about.get("refused", "answers no job that was asked"))
            self._refused += [(*head, sha256[:12], why) for sha256 in _strays(payload)]
        for change in changes(entry, payload):
            row = change.values
            if change.table == "campaign" and "state" in row and not change.new:
                if row["state"] != CampaignState.FINISHED:
                    why = str(row.get("reason") or reason)
                    self._states.append((*head, str(row["state"]), why))
            elif change.table == "job" and "state" in row:
                number, state = row["number"], row["state"]
                if state == JobState.PARKED:
                    self._parked.add(number)
                    said = (*head, "parked", str(row.get("reason", "")))
                    self._doubtful.append((number, said))
                elif number in self._parked:
                    self._parked.discard(number)
                    ran = {True: "it ran", False: "it did not run"}.get(about.get("ran"), state)
                    self._doubtful.append((number, (*head, str(ran), reason)))

    def states(self) -> Section:
        """Pauses and stops."""
        return Section(
            "Pauses and stops",
            columns=("entry", "when (UTC)", "who", "the campaign is", "reason"),
            rows=self._states,
            note="A campaign pauses when somebody says so or when too many jobs fail.",
        )

    def doubtful(self) -> Section:
        """Jobs of which nobody knew whether they had run."""
        rows = [(str(job), *said) for job, said in self._doubtful]
        open_ones = ranges(sorted(self._parked))
        settled = f"Still to be settled: job {open_ones}." if open_ones else "All are settled."
        return Section(
            "Doubtful jobs",
            columns=("job", "entry", "when (UTC)", "who", "said", "reason"),
            rows=rows,
            note="After a crash, here or of the evaluator, nobody knew whether it had run them. "
            f"They were parked instead of sent twice, until a person said. {settled}",
        )

    def refused(self) -> Section:
        """Deliveries of which no number was taken."""
        return Section(
            "Refused deliveries",
            columns=("entry", "when (UTC)", "who", "bytes kept as", "why"),
            rows=self._refused,
            note="Something came from an evaluator that answers no open job; no number was taken "
            "from it.",
        )

    def clock(self) -> Section:
        """Entries at which the clock had been set back."""
        return Section(
            "Clock set back",
            columns=("entry", "when (UTC)", "who"),
            rows=self._clock,
            note="The computer's clock showed an earlier time than at the entry before. The order "
            "of entries is that of their numbers.",
        )

    def unreadable(self) -> Section:
        """Entries that say nothing."""
        return Section(
            "Unreadable entries",
            columns=("entry", "problem"),
            rows=self._unreadable,
            note="What these entries say is missing from this report.",
        )


def _strays(payload: dict[str, Any]) -> Iterator[str]:
    """Artifacts of a delivery entry that answer none of the attempts in it."""
    answers = {row.get("delivery") for row in payload["set"].get("attempt", ())}
    kept = {str(row["sha256"]) for row in payload["new"].get("artifact", ())}
    if "refused" in payload["about"]:
        kept.add(str(payload["about"]["delivery"]))
    yield from sorted(kept - answers)

"""What did not go as planned in a campaign, for whoever reviews it.

Each kind is a section with a sentence that says what it means. Kinds of which there is nothing are
listed, too: that it was looked for is part of the answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from adapters.messages import plain
from db import repository
from db.ledger import changes
from db.models import (
    Attempt,
    Campaign,
    CampaignRevision,
    Job,
    LedgerEntry,
    Measurement,
    MeasurementFlag,
)
from db.states import CampaignState, JobState
from orchestrator import moments
from orchestrator.history.page import Section, said_by
from orchestrator.history.taint import taint
from orchestrator.spec_words import quantity, ranges

UNSUCCESSFUL = (JobState.FAILED, JobState.TIMED_OUT, JobState.CANCELLED, JobState.REJECTED)


class Found(NamedTuple):
    """Deviations, by kind."""

    sections: list[Section]
    """Those that there are."""
    absent: list[str]
    """Kinds that were looked for, and of which there is nothing."""


def deviations(session: Session, campaign: Campaign) -> Found:
    """What did not go as planned. A forged ledger never raises."""
    ledger = _Ledger.read(session, campaign.id)
    looked_for = [
        _revisions(session, campaign),
        ledger.states(),
        _jobs(session, campaign),
        _attempts(session, campaign),
        ledger.doubtful(session),
        _late(session, campaign),
        ledger.refused(),
        _corrections(session, campaign),
        _doubts(session, campaign),
        _taint(session, campaign),
        _by_hand(session, campaign),
        ledger.clock(),
        ledger.unreadable(),
    ]
    found = [one for one in looked_for if one.rows]
    return Found(found, [one.title.lower() for one in looked_for if not one.rows])


def _at(micros: int | None) -> str:
    return "" if micros is None else moments.shown(micros)[:19]


def _entry(session: Session, chain: str, number: int) -> tuple[str, str]:
    """When an entry was written, and by whom."""
    entry = session.get(LedgerEntry, (chain, number))
    return ("", "") if entry is None else (_at(entry.at), said_by(entry))


# From the ledger ------------------------------------------------------------------------------


@dataclass
class _Ledger:
    """What the entries of a campaign say of its course."""

    campaign: str
    _states: list[tuple[str, ...]] = field(default_factory=list)
    _doubtful: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    """Number of the job, and what was said of it."""
    _refused: list[tuple[str, ...]] = field(default_factory=list)
    _clock: list[tuple[str, ...]] = field(default_factory=list)
    _unreadable: list[tuple[str, ...]] = field(default_factory=list)
    _parked: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, session: Session, chain: str) -> _Ledger:
        found = cls(chain)
        for entry in repository.entries(session, chain):
            try:
                found._add(entry, json.loads(entry.payload))
            except Exception as error:  # a forged entry may hold anything
                what = plain(f"{type(error).__name__}: {error}", 200)
                found._unreadable.append((str(entry.sequence), what))
        return found

    def _add(self, entry: LedgerEntry, payload: dict[str, Any]) -> None:
        about, head = payload["about"], (str(entry.sequence), _at(entry.at), said_by(entry))
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
        return Section(
            "Pauses and stops",
            columns=("entry", "when (UTC)", "who", "the campaign is", "reason"),
            rows=self._states,
            note="A campaign pauses when somebody says so or when too many jobs fail.",
        )

    def doubtful(self, session: Session) -> Section:
        rows = [(str(job), *said) for job, said in self._doubtful]
        open_ones = ranges(sorted(self._parked))
        settled = f"Still to be settled: job {open_ones}." if open_ones else "All are settled."
        return Section(
            "Doubtful jobs",
            columns=("job", "entry", "when (UTC)", "who", "said", "reason"),
            rows=rows,
            note="After a crash nobody knew whether the evaluator had run them. They were parked "
            f"instead of sent twice, until a person said. {settled}",
        )

    def refused(self) -> Section:
        return Section(
            "Refused deliveries",
            columns=("entry", "when (UTC)", "who", "bytes kept as", "why"),
            rows=self._refused,
            note="Something came from an evaluator that answers no open job; no number was taken "
            "from it.",
        )

    def clock(self) -> Section:
        return Section(
            "Clock set back",
            columns=("entry", "when (UTC)", "who"),
            rows=self._clock,
            note="The computer's clock showed an earlier time than at the entry before. The order "
            "of entries is that of their numbers.",
        )

    def unreadable(self) -> Section:
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


# From the tables ------------------------------------------------------------------------------


def _revisions(session: Session, campaign: Campaign) -> Section:
    query = (
        select(CampaignRevision, LedgerEntry)
        .join(
            LedgerEntry,
            (LedgerEntry.chain == CampaignRevision.campaign)
            & (LedgerEntry.sequence == CampaignRevision.entry),
        )
        .where(CampaignRevision.campaign == campaign.id, CampaignRevision.revision > 1)
        .order_by(CampaignRevision.revision)
    )
    rows = [
        (str(row.revision), _at(entry.at), said_by(entry), _changed(entry), row.reason)
        for row, entry in session.execute(query).tuples()
    ]
    return Section(
        "Revisions of the spec",
        columns=("revision", "when (UTC)", "who", "what changed", "reason"),
        rows=rows,
        note="What was asked changed on the way; objectives were computed again by the new spec.",
    )


def _changed(entry: LedgerEntry) -> str:
    try:
        return "; ".join(map(str, json.loads(entry.payload)["about"]["changes"]))
    except (ValueError, KeyError, TypeError):  # of a forged entry
        return ""


def _jobs(session: Session, campaign: Campaign) -> Section:
    rows = [
        (
            str(job.number),
            str(job.candidate),
            job.evaluator,
            str(job.state),
            str(job.attempts),
            job.reason,
        )
        for job in repository.jobs(session, campaign.id, UNSUCCESSFUL)
    ]
    return Section(
        "Jobs without a result",
        columns=("job", "candidate", "evaluator", "state", "attempts", "reason"),
        rows=rows,
        note="These candidates were to be measured and were not.",
    )


def _attempts(session: Session, campaign: Campaign) -> Section:
    query = (
        select(Attempt, Job)
        .join(Job, (Job.campaign == Attempt.campaign) & (Job.number == Attempt.job))
        .where(Attempt.campaign == campaign.id, Attempt.number < Job.attempts)
        .order_by(Attempt.job, Attempt.number)
    )
    rows = [
        (
            f"{row.job}.{row.number}",
            str(job.candidate),
            job.evaluator,
            row.state,
            _at(row.ended_at),
            row.reason,
            str(job.state),
        )
        for row, job in session.execute(query).tuples()
    ]
    return Section(
        "Repeated attempts",
        columns=(
            "attempt",
            "candidate",
            "evaluator",
            "how it ended",
            "when (UTC)",
            "reason",
            "the job is",
        ),
        rows=rows,
        note="These attempts gave nothing, and the same job was tried again.",
    )


def _late(session: Session, campaign: Campaign) -> Section:
    """One row a job: it may give ten numbers."""
    jobs: dict[int | None, list[tuple[MeasurementFlag, Measurement]]] = {}
    for flag, row in _flagged(session, campaign):
        if flag.kind == "late":
            jobs.setdefault(row.job, []).append((flag, row))
    rows = [
        (
            str(job or ""),
            str(late[0][1].candidate),
            ranges(sorted(row.number for _, row in late)),
            _at(late[0][1].received_at),
            late[0][0].reason,
        )
        for job, late in jobs.items()
    ]
    return Section(
        "Late results",
        columns=("job", "candidate", "measurements", "received (UTC)", "why"),
        rows=rows,
        note="They came after their job had timed out. They are kept, and they count.",
    )


def _measured(row: Measurement) -> tuple[str, ...]:
    return (str(row.number), str(row.candidate), row.name, quantity(row.value, row.unit))


def _flagged(session: Session, campaign: Campaign) -> Sequence[tuple[MeasurementFlag, Measurement]]:
    query = (
        select(MeasurementFlag, Measurement)
        .join(
            Measurement,
            (Measurement.campaign == MeasurementFlag.campaign)
            & (Measurement.number == MeasurementFlag.measurement),
        )
        .where(MeasurementFlag.campaign == campaign.id)
        .order_by(MeasurementFlag.entry, MeasurementFlag.measurement)
    )
    return list(session.execute(query).tuples())


def _given(session: Session, campaign: Campaign) -> Sequence[Measurement]:
    """Measurements that no evaluator gave."""
    query = (
        select(Measurement)
        .where(Measurement.campaign == campaign.id, Measurement.source != "evaluator")
        .order_by(Measurement.number)
    )
    return session.scalars(query).all()


def _corrections(session: Session, campaign: Campaign) -> Section:
    rows = []
    for row in _given(session, campaign):
        old = row.supersedes and session.get(Measurement, (campaign.id, row.supersedes))
        if old:
            was, now = quantity(old.value, old.unit), quantity(row.value, row.unit)
            who = _entry(session, campaign.id, row.entry)
            numbers = f"{old.number} by {row.number}"
            rows.append((numbers, str(row.candidate), row.name, was, now, *who, row.provenance))
    return Section(
        "Corrections",
        columns=(
            "measurement",
            "candidate",
            "measure",
            "was",
            "is now",
            "when (UTC)",
            "who",
            "reason",
        ),
        rows=rows,
        note="A value that was measured was replaced by another. The old one is kept, and counts "
        "no longer.",
    )


def _doubts(session: Session, campaign: Campaign) -> Section:
    """One row an entry: an instrument may be in doubt for a month."""
    entries: dict[tuple[int, str, str], list[Measurement]] = {}
    for flag, row in _flagged(session, campaign):
        if flag.kind in repository.DOUBTS:
            entries.setdefault((flag.entry, flag.kind, flag.reason), []).append(row)
    rows = [
        (
            ranges(sorted(row.number for row in marked)),
            ranges(sorted({row.candidate for row in marked})),
            kind,
            *_entry(session, campaign.id, entry),
            reason,
        )
        for (entry, kind, reason), marked in entries.items()
    ]
    return Section(
        "Flags",
        columns=("measurements", "candidates", "said to be", "when (UTC)", "who", "reason"),
        rows=rows,
        note="Somebody said that these measurements are suspect or retracted. They count no "
        "longer.",
    )


def _taint(session: Session, campaign: Campaign) -> Section:
    found = taint(session, campaign)
    rows = [
        (
            *_measured(one.measurement),
            one.said,
            ranges(one.used.fits),
            ranges(one.used.rounds),
            ranges(one.used.candidates),
        )
        for one in found.tainted
        if one.used.fits
    ]
    now = (
        f"Still open: fit {found.newest}, the newest, is one of them."
        if found.goes_on
        else f"Fit {found.newest}, the newest, is none of them: it was made of what stands."
    )
    return Section(
        "Taint",
        columns=(
            "measurement",
            "candidate",
            "measure",
            "value then",
            "later",
            "fits",
            "rounds",
            "candidates",
        ),
        rows=rows,
        note="What was corrected or flagged had been learnt from before: by these fits, with which "
        f"these rounds proposed these candidates. {now}",
    )


def _by_hand(session: Session, campaign: Campaign) -> Section:
    rows = list(_hand_rows(session, campaign))
    return Section(
        "Values entered by people",
        columns=("measurement", "candidate", "measure", "value", "when (UTC)", "who", "from"),
        rows=rows,
        note="No evaluator gave these values: somebody told or imported them.",
    )


def _hand_rows(session: Session, campaign: Campaign) -> Iterator[tuple[str, ...]]:
    for row in _given(session, campaign):
        if row.supersedes is None:
            yield (*_measured(row), *_entry(session, campaign.id, row.entry), row.provenance)

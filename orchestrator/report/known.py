"""All that a report reads of the database, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.orm import Session

from db import artifacts, ledger, repository
from db.models import Campaign, CampaignRevision, Candidate, Fit, Job, LedgerEntry
from orchestrator.history.listings import results
from orchestrator.latent.protocol import Points
from orchestrator.surrogates.protocol import Data
from orchestrator.verbs import computing, dataset, replicates
from orchestrator.wiring import Parts

_SHOWN = 10
"""Best candidates that are drawn."""


@dataclass(frozen=True)
class Known:
    """All that the report reads, of one moment."""

    campaign: Campaign
    revision: CampaignRevision
    candidates: Sequence[Candidate]
    best: Sequence[Candidate]
    measured: Mapping[int, Mapping[str, replicates.Reduced]]
    """By candidate and measure."""
    jobs: Mapping[int, Sequence[Job]]
    """By candidate."""
    contents: Mapping[int, str | bytes]
    """Objects by candidate, bytes included."""
    fit: Fit | None
    """The newest fit of this revision of the spec."""
    data: Data | None
    """What it was fitted to."""
    pending: Points
    head: LedgerEntry
    passed: Sequence[results.Passed]
    """By filter of the spec."""
    without_point: int
    """Measured candidates that the model cannot encode."""

    @classmethod
    def read(cls, session: Session, parts: Parts) -> Known:
        """Read it, in the transaction of the session."""
        chain = parts.campaign
        candidates = repository.candidates(session, chain)
        fit = repository.fit(session, chain)
        if fit is not None and fit.revision != parts.revision:
            fit = None
        head = ledger.head(session, chain)
        assert head is not None, "a campaign begins with an entry"
        measured, jobs = defaultdict(list), defaultdict(list)
        for row in repository.measurements(session, chain):
            measured[row.candidate].append(row)
        for job in repository.jobs(session, chain):
            jobs[job.candidate].append(job)
        pending = repository.pending(session, chain)
        return cls(
            campaign=repository.campaign(session, chain),
            revision=repository.revision(session, chain, parts.revision),
            candidates=candidates,
            best=repository.best(session, chain, _SHOWN, maximize=parts.objective.maximize),
            measured={key: replicates.reduce(rows) for key, rows in measured.items()},
            jobs=jobs,
            contents=dict(_contents(session, candidates)),
            fit=fit,
            data=None if fit is None else computing.data(session, parts, fit.position),
            pending=dataset.points(pending, parts.spec.surrogate.at, parts.space.dim),
            head=head,
            passed=results.passed(session, chain, parts.spec.space.filters),
            without_point=results.without_point(session, chain),
        )


def _contents(
    session: Session, candidates: Sequence[Candidate]
) -> Iterator[tuple[int, str | bytes]]:
    for one in candidates:
        if one.object is not None:
            yield one.number, one.object
        elif one.artifact is not None:
            with suppress(KeyError, ValueError):  # its bytes were changed, which verification says
                yield one.number, artifacts.get(session, one.campaign, one.artifact)

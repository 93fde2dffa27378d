"""A lab for tests of the loop: a database, evaluators that are plugged in, and a person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select

from db import repository
from db.ledger import Actor
from db.models import Attempt, Base, Campaign, Candidate, Fit, Job, Measurement
from db.session import Database
from db.states import TRANSITIONS, JobState
from orchestrator import driver, wiring
from orchestrator.driver import Standing
from orchestrator.history.verify.verification import verify
from orchestrator.objective import Objective
from orchestrator.people import campaigns
from orchestrator.spec.model import Spec
from orchestrator.verbs import dataset
from tests.e2e.lab_evaluators import score
from tests.histories import ACTOR

PLUGIN = Path(__file__).parent / "lab_plugin"

SPEC: dict[str, Any] = {
    "name": "box",
    "space": {
        "kind": "box",
        "parameters": [
            {"name": "x0", "lower": 0, "upper": 1},
            {"name": "x1", "lower": 0, "upper": 1},
        ],
    },
    "objective": {"direction": "maximize", "terms": [{"measure": "score"}]},
    "proposer": {"kind": "sobol", "initial": 2, "batch": 2},
    "budget": {"evaluations": 4},
    "seed": 3,
}
"""Without evaluators."""


class Lab:
    """Starts campaigns, drives them, and looks at what became of them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.actor: Actor = ACTOR
        self.campaigns: list[str] = []

    def bench(self, acts: dict[str, list[str]] | None = None, **options: Any) -> dict[str, Any]:
        """The spec's part on the synchronous evaluator; see :class:`Bench`."""
        given: dict[str, Any] = {"log": str(self.folder / "calls.log"), "acts": acts or {}}
        for name in ("batch_size", "cost", "idempotent"):
            if name in options:
                given[name] = options.pop(name)
        part = {"use": "bench", "measures": ["score", "purity"], "options": given, "backoff": 0.001}
        return part | options

    def inbox(self, **options: Any) -> dict[str, Any]:
        """The spec's part on the evaluator that works through files; see :class:`Inbox`."""
        given = {"folder": str(self.folder)}
        return {"use": "inbox", "measures": ["score"], "options": given} | options

    def spec(self, **changes: Any) -> Spec:
        """A spec on the bench, with some of its parts changed."""
        return Spec.model_validate(SPEC | {"evaluators": [self.bench()]} | changes)

    def start(self, **changes: Any) -> str:
        """Start a campaign; its UUID."""
        campaign = campaigns.create(self.database, self.spec(**changes), self.actor)
        self.campaigns.append(campaign)
        return campaign

    def build(self, campaign: str) -> wiring.Parts:
        """The campaign's parts, as a new process would wire them."""
        return wiring.build(self.database, campaign, actor=self.actor)

    def drive(self, campaign: str, rounds: int | None = None) -> Standing:
        """Drive it as far as it goes, as a new process would."""
        with wiring.driving(self.build(campaign)) as parts:
            return driver.drive(parts, rounds=rounds)

    def run(self, **changes: Any) -> tuple[str, Standing]:
        """Start a campaign and drive it."""
        campaign = self.start(**changes)
        return campaign, self.drive(campaign)

    # What became of it ------------------------------------------------------------------------

    def campaign(self, campaign: str) -> Campaign:
        """Its row."""
        with self.database.read() as session:
            return repository.campaign(session, campaign)

    def rows(self, model: type[Base], campaign: str) -> list[Any]:
        """The rows of a table, in order."""
        table = model.__table__
        with self.database.read() as session:
            query = select(model).where(table.columns["campaign"] == campaign)
            return list(session.scalars(query.order_by(*inspect(model).primary_key)))

    def jobs(self, campaign: str) -> list[Job]:
        """Its jobs."""
        return self.rows(Job, campaign)

    def states(self, campaign: str) -> list[str]:
        """States of its jobs."""
        return [str(job.state) for job in self.jobs(campaign)]

    def entries(self, campaign: str, kind: str | None = None) -> list[dict[str, Any]]:
        """What its entries of a kind are about."""
        with self.database.read() as session:
            found = [
                one for one in repository.entries(session, campaign) if kind in (None, one.kind)
            ]
        return [json.loads(one.payload)["about"] for one in found]

    def calls(self) -> list[str]:
        """Keys that the bench was asked to measure, in order."""
        log = self.folder / "calls.log"
        return log.read_text(encoding="utf-8").split() if log.exists() else []

    def answer(self, name: str = "", **changes: Any) -> list[str]:
        """Measure what lies in ``out`` and put one file a job into ``in``; the keys."""
        inbox = self.folder / "in"
        inbox.mkdir(exist_ok=True)
        keys = []
        for file in sorted((self.folder / "out").iterdir()):
            key = file.name.replace("_", "/")
            reading = {"name": "score", "value": score(file.read_text(encoding="utf-8"))}
            reading |= {"unit": "mg"} | changes
            body = json.dumps({"job": key, "readings": [reading]})
            whole = self.folder / "answer"  # a driver may look while it is written
            whole.write_text(body, encoding="utf-8")
            whole.rename(inbox / f"{name}{file.name}.json")
            file.unlink()
            keys.append(key)
        return keys

    # What holds whatever happened -------------------------------------------------------------

    def check(self) -> None:
        """The history is sound, and says of each campaign what the tables say."""
        assert verify(self.database).problems == ()
        for campaign in self.campaigns:
            self._check_jobs(campaign)
            self._check_numbers(campaign)
            self._check_fits(campaign)

    def _check_jobs(self, campaign: str) -> None:
        """Jobs went only as drawn."""
        states: dict[int, JobState] = {}
        with self.database.read() as session:
            payloads = [json.loads(one.payload) for one in repository.entries(session, campaign)]
        for payload in payloads:
            for row in payload["new"].get("job", []) + payload["set"].get("job", []):
                if "state" not in row:
                    continue
                new, old = JobState(row["state"]), states.get(row["number"])
                assert old is None or new in TRANSITIONS[old], (row, old)
                states[row["number"]] = new

    def _check_numbers(self, campaign: str) -> None:
        """The campaign's own numbers are those of its rows."""
        row, spec = self.campaign(campaign), self._spec(campaign)
        sent = {job.candidate for job in self.jobs(campaign) if job.attempts}
        assert row.evaluations == len(sent)
        limit = spec.budget.evaluations
        assert limit is None or row.revision > 1 or len(sent) <= limit
        with self.database.read() as session:
            maximize = spec.objective.direction == "maximize"
            best = repository.best(session, campaign, 1, maximize=maximize)
        assert row.best == (best[0].number if best else None)
        for one in self.rows(Candidate, campaign):
            assert one.duplicate_of != one.number
        kept = {attempt.delivery for attempt in self.rows(Attempt, campaign)}
        for measured in self.rows(Measurement, campaign):
            assert measured.source != "evaluator" or measured.delivery in kept

    def _check_fits(self, campaign: str) -> None:
        """The data of every fit can be had again."""
        spec = self._spec(campaign)
        for fit in self.rows(Fit, campaign):
            with self.database.read() as session:
                data = dataset.data(
                    session,
                    campaign,
                    Objective(spec.objective),
                    position=fit.position,
                    at=spec.surrogate.at,
                    dim=len(spec.space.parameters),
                )
            assert data.hash == fit.data_hash

    def _spec(self, campaign: str) -> Spec:
        """Its newest spec."""
        with self.database.read() as session:
            row = repository.campaign(session, campaign)
            written = repository.revision(session, campaign, row.revision).resolved
        return Spec.model_validate(written)


@contextmanager
def opened(database: Database, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab whose evaluators are installed; checks everything when the test is over."""
    patch.syspath_prepend(PLUGIN)
    lab = Lab(database, folder)
    yield lab
    lab.check()

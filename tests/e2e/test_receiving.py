"""What is delivered while nobody drives is stored, acknowledged, and recorded by the next pass."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from db import artifacts, repository
from db.models import SYSTEM, Measurement
from db.session import Database
from orchestrator.driver import Standing
from orchestrator.web.app import app
from orchestrator.web.receiver import Receiver
from tests.e2e.lab import Lab, opened
from tests.histories import ACTOR


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab on each kind of database."""
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


def signed(body: bytes) -> dict[str, str]:
    """The header by which the hook knows who sends."""
    return {"x-signature": hmac.new(b"secret", body, hashlib.sha256).hexdigest()}


def result(key: str, value: float) -> bytes:
    """A result of a job."""
    reading = {"name": "score", "value": value, "unit": "mg"}
    return json.dumps({"job": key, "readings": [reading]}).encode()


def test_a_folder_is_emptied_and_a_driver_records_what_was_in_it(lab: Lab) -> None:
    campaign = lab.start(evaluators=[lab.inbox()])
    assert lab.drive(campaign) is Standing.WAITING
    receiver = Receiver(lab.database, ACTOR)
    assert receiver.look() == 0
    lab.answer()
    assert receiver.look() == 2
    assert receiver.look() == 0
    assert len(list((lab.folder / "done").iterdir())) == 2
    assert lab.rows(Measurement, campaign) == []
    assert lab.drive(campaign) is Standing.WAITING
    assert len(lab.rows(Measurement, campaign)) == 2


def test_a_web_hook_stores_once_what_is_signed_and_says_what_became_of_it(lab: Lab) -> None:
    hook = {"use": "hook", "measures": ["score"], "options": {"folder": str(lab.folder)}}
    campaign = lab.start(evaluators=[hook])
    lab.drive(campaign)
    (first, second) = (job.key for job in lab.jobs(campaign))
    place = "/campaigns/box/evaluators/hook/deliveries"
    with TestClient(app(Receiver(lab.database, ACTOR, every_s=3600))) as client:
        body = result(first, 0.5)
        assert client.post(place, content=body).status_code == 401
        answer = client.post(place, content=body, headers=signed(body))
        assert (answer.status_code, answer.json()) == (202, {"jobs": [first]})
        answer = client.post(place, content=body, headers=signed(body))
        assert answer.status_code == 202, "sent again by whoever missed the answer"
        body = result("no/such/job/1", 0.5)
        answer = client.post(place, content=body, headers=signed(body))
        assert (answer.status_code, answer.json()["kept"]) == (422, True)
        assert "no job that is open" in answer.json()["error"]
        answer = client.post("/campaigns/nobody/evaluators/hook/deliveries", content=b"mine")
        assert (answer.status_code, answer.json()["kept"]) == (404, True)
        answer = client.post("/campaigns/box/evaluators/other/deliveries", content=b"mine")
        assert "no evaluator 'other', but hook" in answer.json()["error"]
        body = result(second, 0.7)
        assert client.post(place, content=body, headers=signed(body)).status_code == 202
        health = client.get("/healthz").json()
        assert (health["receiving"], health["open_jobs"]) == (True, 2)
    assert len(lab.entries(campaign, "deliver")) == 3
    with lab.database.read() as session:
        kept = [one for one in repository.entries(session, SYSTEM) if one.kind == "deliver"]
        about = json.loads(kept[0].payload)["about"]
        assert artifacts.get(session, SYSTEM, about["delivery"]) == b"mine"
    assert lab.drive(campaign) is Standing.WAITING
    assert [row.value for row in lab.rows(Measurement, campaign)] == [0.5, 0.7]


def test_a_revision_is_followed(lab: Lab) -> None:
    """The receiver works for weeks, and specs change meanwhile."""
    from orchestrator.people import campaigns

    campaign = lab.start(evaluators=[lab.inbox()])
    lab.drive(campaign)
    receiver = Receiver(lab.database, ACTOR)
    receiver.look()
    spec = lab.spec(evaluators=[lab.inbox(attempts=5)])
    campaigns.revise(lab.database, campaign, spec, ACTOR, "more patience")
    lab.answer()
    assert receiver.look() == 2

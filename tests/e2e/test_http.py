"""The transport http: a campaign against a service that dies, and one that says no."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from adapters import registry
from adapters.credentials import resolve
from adapters.http_service import HttpEvaluator, client
from adapters.http_service.client import UnsureError
from adapters.http_service.signing import sign
from adapters.protocol import (
    Batch,
    Delivery,
    EvaluatorError,
    Incoming,
    Job,
    OptionError,
    Sample,
    Ticket,
    UntrustedError,
)
from db.models import Measurement
from db.session import Database
from orchestrator import driver, wiring
from orchestrator.driver import Awaits, Standing
from orchestrator.web.app import app
from orchestrator.web.receiver import Receiver
from tests.e2e.lab import Lab, opened
from tests.histories import ACTOR

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "examples" / "assay-server" / "server.py"
DESCRIPTION = ROOT / "docs" / "transports" / "http-openapi.json"
SECRET = "correct-horse-battery"
MEASURES = {"yield": {"unit": "percent", "lower": 0, "upper": 100}}
SPACE = {
    "kind": "box",
    "parameters": [
        {"name": "temperature", "lower": 20, "upper": 120},
        {"name": "time", "lower": 5, "upper": 90},
    ],
}


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab on each kind of database."""
    monkeypatch.setenv("ASSAY_TOKEN", SECRET)
    monkeypatch.setenv("ASSAY_SECRET", SECRET)
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


class Service:
    """The server of the examples as a process that is killed and started again."""

    def __init__(self, folder: Path, takes: float) -> None:
        self.takes = takes
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.file = folder / "assays.db"
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [
            sys.executable,
            str(SERVER),
            "--port",
            str(self.port),
            "--takes",
            str(self.takes),
        ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen([*command, "--database", str(self.file)], env=environment)
        for _ in range(300):
            try:
                httpx.get(f"{self.url}/health")
                return
            except httpx.HTTPError:
                time.sleep(0.05)
        raise AssertionError("the service does not start")

    def kill(self) -> None:
        """Without a chance to say goodbye."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def measured(self) -> list[int]:
        """How often each job was measured."""
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(self.file)) as connection:
            return [n for (n,) in connection.execute("SELECT measured FROM job")]


@contextmanager
def service(folder: Path, takes: float = 0.01) -> Iterator[Service]:
    """A service that runs."""
    made = Service(folder, takes)
    made.start()
    try:
        yield made
    finally:
        made.kill()


def spec(url: str, **options: Any) -> dict[str, Any]:
    """Changes of a spec that make it one on the service."""
    given = {"url": url, "kinds": ["parameters"], "measures": MEASURES, "tries": 1}
    given |= {"credentials": {"bearer": "env:ASSAY_TOKEN"}, "batch_size": 3}
    part = {"use": "http", "name": "reactor", "measures": ["yield"], "options": given | options}
    return {
        "space": SPACE,
        "evaluators": [part | {"backoff": 0.1, "attempts": 50}],
        "objective": {"direction": "maximize", "terms": [{"measure": "yield"}]},
        "proposer": {"kind": "sobol", "initial": 3, "batch": 3},
        "budget": {"evaluations": 30},
    }


def test_a_campaign_whose_service_is_killed_twice_ends_as_the_undisturbed_one(lab: Lab) -> None:
    """Nothing is lost, nothing measured twice, and the best is the same."""
    found = []
    for name, kills in (("calm", ()), ("rough", (7, 19))):
        folder = lab.folder / name
        folder.mkdir()
        with service(folder) as made:
            campaign = lab.start(name=name, **spec(made.url))
            left = list(kills)

            def disturb(
                glance: driver.Glance, left: list[int] = left, made: Service = made
            ) -> None:
                if left and glance.evaluations >= left[0]:
                    left.pop(0)
                    made.kill()
                    threading.Timer(0.5, made.start).start()

            with wiring.driving(lab.build(campaign)) as parts:
                ended = driver.drive(parts, observe=disturb, awaits=Awaits.INSTRUMENTS)
            assert ended is Standing.FINISHED
            assert left == []
            assert set(made.measured()) == {1}
            assert len(made.measured()) == 30
        rows = {row.candidate: row.value for row in lab.rows(Measurement, campaign)}
        found.append((lab.campaign(campaign).best, rows))
    assert found[0] == found[1]
    assert len(found[0][1]) == 30


def test_results_come_by_signed_web_hook_while_nobody_drives(lab: Lab) -> None:
    """From the service's process to the receiver's; the next pass records them."""
    import uvicorn

    receiver = Receiver(lab.database, ACTOR, every_s=3600)
    server = uvicorn.Server(uvicorn.Config(app(receiver), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    place = f"http://127.0.0.1:{port}/campaigns/box/evaluators/reactor/deliveries"
    try:
        with service(lab.folder, takes=0.4) as made:
            hook = {"secret": "env:ASSAY_SECRET", "url": place}
            campaign = lab.start(**spec(made.url, callback=hook) | {"budget": {"evaluations": 3}})
            lab.drive(campaign)
            for _ in range(200):
                if len(lab.entries(campaign, "deliver")) == 3:
                    break
                time.sleep(0.05)
    finally:
        server.should_exit = True
        thread.join()
    assert lab.rows(Measurement, campaign) == []  # nobody drove
    assert lab.drive(campaign) is Standing.FINISHED
    assert len(lab.rows(Measurement, campaign)) == 3
    assert {row.instrument for row in lab.rows(Measurement, campaign)} == {"reactor 1"}


# What a service may say ---------------------------------------------------------------------------


@pytest.fixture
def scripted() -> Iterator[tuple[str, list[tuple[int, dict[str, str], bytes]], list[Any]]]:
    """A service that says what it is told to; its address, what it will say, what it was asked."""
    answers: list[tuple[int, dict[str, str], bytes]] = []
    asked: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append((self.path, dict(self.headers), body))
            status, headers, said = answers.pop(0)
            if status == 0:  # it dies after it has read the request
                self.connection.close()
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answers, asked
    server.shutdown()


def evaluator(url: str, **options: Any) -> HttpEvaluator:
    """The evaluator on a service."""
    return HttpEvaluator(url=url, measures={"yield": "percent"}, **options)


JOB = Job("c/1/http/1", Sample("parameters", "{}"), ("yield",))
ONE = Batch("c/batch/1", (JOB,))
GOOD: tuple[int, dict[str, str], bytes] = (202, {}, b'{"runs": {"c/1/http/1": "r1"}}')


@pytest.mark.parametrize(
    ("said", "transient", "words"),
    [
        ((400, {}, b'{"detail": "no such solvent"}'), False, "answered 400: no such solvent"),
        ((401, {}, b""), False, "answered 401: no reason given"),
        ((422, {}, b"<html>bad</html>"), False, "answered 422: <html>bad</html>"),
        ((302, {"location": "http://evil"}, b""), False, "answered 302"),
        ((429, {"retry-after": "3600"}, b'{"title": "slow down"}'), True, "slow down"),
        ((503, {"retry-after": "Fri, 31 Dec 2100 23:59:59 GMT"}, b""), True, "answered 503"),
        ((202, {}, b"not JSON"), False, "not JSON"),
        ((202, {}, b'{"runs": {}}'), False, "it must name"),
    ],
)
def test_what_the_service_refuses_is_said_in_its_words(
    scripted: Any, said: Any, transient: bool, words: str
) -> None:
    url, answers, asked = scripted
    answers.append(said)
    with pytest.raises(EvaluatorError, match=words) as caught:
        evaluator(url).submit(ONE)
    assert caught.value.transient is transient
    assert len(asked) == 1


@pytest.mark.parametrize(
    "first", [(503, {}, b""), (429, {"retry-after": "0"}, b""), (500, {}, b""), (0, {}, b"")]
)
def test_what_may_be_asked_again_is_with_the_same_key(scripted: Any, first: Any) -> None:
    url, answers, asked = scripted
    answers += [first, GOOD]
    assert evaluator(url).submit(ONE) == [Ticket("c/1/http/1", "r1")]
    keys = [headers["Idempotency-Key"] for _, headers, _ in asked]
    assert keys == ["c/batch/1"] * 2


@pytest.mark.parametrize("first", [(500, {}, b""), (504, {}, b""), (0, {}, b""), (202, {}, b"?")])
def test_a_service_without_keys_is_never_asked_twice_in_silence(scripted: Any, first: Any) -> None:
    """Whether it took the job is unknown, and the core parks it."""
    url, answers, asked = scripted
    answers.append(first)
    with pytest.raises(UnsureError):
        evaluator(url, idempotent=False).submit(ONE)
    assert len(asked) == 1
    with pytest.raises(EvaluatorError, match="cannot be reached"):
        evaluator("http://127.0.0.1:9", idempotent=False, tries=1).submit(ONE)


def test_an_answer_that_is_too_large_leaves_in_doubt_what_was_taken(
    scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, answers, _ = scripted
    monkeypatch.setattr(client, "LARGEST", 10)
    answers += [GOOD, GOOD]
    with pytest.raises(UnsureError, match="more than 10 bytes"):
        evaluator(url, idempotent=False).submit(ONE)
    with pytest.raises(EvaluatorError, match="more than 10 bytes"):
        evaluator(url).submit(ONE)


def test_one_answer_does_not_hurry_another(scripted: Any) -> None:
    """Each waits as long as its own answer says, and all share one set of connections."""
    url, answers, asked = scripted
    made = evaluator(url, in_flight=8)
    answers += [(503, {"retry-after": "60"}, b"")] * 8
    with pytest.raises(EvaluatorError, match="answered 503"):
        made.receive([Ticket(f"c/{n}/http/1", f"r{n}") for n in range(8)])
    assert len(asked) == 8
    made.close()


def test_a_run_that_the_service_has_forgotten_is_said(scripted: Any) -> None:
    """And hides nothing else that came."""
    url, answers, _ = scripted
    made, ticket = evaluator(url, in_flight=1), Ticket("c/1/http/1", "r1")
    answers.append((404, {}, b'{"detail": "there is no run r1"}'))
    with pytest.raises(EvaluatorError, match="does not know run 'r1' any more"):
        made.receive([ticket])
    answers += [(404, {}, b""), (200, {}, b'{"job": "c/2/http/1", "readings": {"yield": 3}}')]
    (delivery,) = made.receive([ticket, Ticket("c/2/http/1", "r2")])
    (outcome,) = made.parse(delivery)
    assert (outcome.job, outcome.readings[0].value) == ("c/2/http/1", 3.0)


def test_an_unfinished_run_tells_how_far_it_is(scripted: Any) -> None:
    url, answers, _ = scripted
    made, ticket = evaluator(url), Ticket("c/1/http/1", "r1")
    answers.append((200, {}, b'{"run": "r1", "status": "running", "progress": "40 %"}'))
    assert made.receive([ticket]) == []
    assert made.progress([ticket]) == {"c/1/http/1": "running, 40 %"}


# Secrets ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "named", "said"),
    [
        ({"url": "ftp://x"}, "url", "https://assay.lab"),
        ({"url": "http://me:hunter2@x"}, "url", "holds a password"),
        ({"credentials": {"bearer": "hunter2"}}, "credentials", "env:NAME"),
        ({"credentials": {"token": "env:X"}}, "credentials", "and not token"),
        ({"callback": {"secret": "hunter2"}}, "callback", "env:NAME"),
        ({"ca": "/no/such/file"}, "ca", "no such file"),
        ({"in_flight": 0}, "in_flight", "at least 1"),
        ({"measures": {}}, "measures", "is empty"),
        ({"measures": {"yield": "parsnips"}}, "measures", "parsnips"),
    ],
)
def test_a_wrong_option_is_named_and_no_secret_repeated(
    options: dict[str, Any], named: str, said: str
) -> None:
    given = {"url": "http://x", "measures": {"yield": "percent"}} | options
    with pytest.raises(OptionError) as caught:
        registry.build(HttpEvaluator, "http", given)
    assert caught.value.option == named
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_secrets_come_from_the_environment_or_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.backend import KeyringBackend

    class Memory(KeyringBackend):
        priority = 1.0

        def set_password(self, service: str, username: str, password: str) -> None:
            raise NotImplementedError

        def get_password(self, service: str, username: str) -> str | None:
            return SECRET if (service, username) == ("lab", "ada") else None

    monkeypatch.setenv("ASSAY_TOKEN", SECRET)
    assert resolve("env:ASSAY_TOKEN") == SECRET
    before = keyring.get_keyring()
    keyring.set_keyring(Memory())  # type: ignore[no-untyped-call]
    try:
        assert resolve("keyring:lab/ada") == SECRET
        with pytest.raises(OptionError, match="the keyring does not have"):
            resolve("keyring:lab/bob")
    finally:
        keyring.set_keyring(before)
    with pytest.raises(OptionError, match="which the environment does not have"):
        resolve("env:NO_SUCH_NAME")


def test_the_token_is_sent_and_stands_nowhere(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the database, the bytes of artifacts, the report of an error, or a log."""
    from orchestrator import report
    from orchestrator.settings import Settings

    with service(lab.folder) as made:
        campaign = lab.start(**spec(made.url) | {"budget": {"evaluations": 3}})
        with wiring.driving(lab.build(campaign)) as parts:
            assert driver.drive(parts, awaits=Awaits.INSTRUMENTS) is Standing.FINISHED
            page = report.write(parts, lab.folder / "report.html").read_text()
        wrong = evaluator(made.url, credentials={"bearer": "env:PATH"})
        with pytest.raises(EvaluatorError, match="answered 401") as caught:
            wrong.submit(ONE)
    texts = [page, caplog.text, str(caught.value), repr(wrong), str(Settings.read())]
    with lab.database.engine.connect() as connection:
        from sqlalchemy import text

        for table in ("ledger_entry", "artifact_chunk", "campaign_revision", "attempt", "job"):
            texts += [str(row) for row in connection.execute(text(f"SELECT * FROM {table}"))]
    assert [one for one in texts if SECRET in one] == []


# Web hooks ----------------------------------------------------------------------------------------


def test_only_what_is_signed_just_now_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_SECRET", SECRET)
    made = evaluator("http://x", callback={"secret": "env:ASSAY_SECRET", "tolerance": 60.0})
    body = b'{"job": "c/1/http/1"}'

    def accept(headers: dict[str, str], content: bytes = body) -> Delivery:
        return made.accept(Incoming(content, headers, "application/json"))

    assert accept(sign(SECRET, body)).body == body
    for headers, content, said in (
        ({}, body, "is not signed"),
        (sign("other", body), body, "shared secret"),
        (sign(SECRET, body), body + b" ", "shared secret"),
        (sign(SECRET, body, time.time() - 120), body, "set the clocks"),
        (sign(SECRET, body, time.time() + 120), body, "set the clocks"),
        (sign(SECRET, body) | {"x-assayloop-timestamp": "0"}, body, "shared secret"),
    ):
        with pytest.raises(UntrustedError, match=said):
            accept(headers, content)
    with pytest.raises(EvaluatorError, match="no option callback"):
        evaluator("http://x").accept(Incoming(body, {}))


# The description ----------------------------------------------------------------------------------


def build() -> Callable[..., Any]:
    """What makes the server of the examples."""
    import runpy

    made: Callable[..., Any] = runpy.run_path(str(SERVER))["build"]
    return made


def test_the_description_is_that_of_the_reference_server(tmp_path: Path) -> None:
    served = build()(str(tmp_path / "a.db")).openapi()
    assert json.loads(DESCRIPTION.read_text()) == served, (
        "write it again: python examples/assay-server/server.py --describe"
    )


def test_the_reference_server_says_what_is_wrong(tmp_path: Path) -> None:
    with TestClient(build()(str(tmp_path / "b.db"))) as client:
        assert client.post("/runs", json={"batch": "b", "jobs": []}).status_code == 422
        assert client.get("/runs/none").status_code == 404
        sample = {"kind": "parameters", "content": "{}"}
        job = {"job": "c/1/http/1", "measures": ["yield"], "sample": sample}
        first = client.post("/runs", json={"batch": "b", "jobs": [job]}).json()
        assert client.post("/runs", json={"batch": "b", "jobs": [job]}).json() == first

"""What a SiLA 2 server may answer to the start of a command, which the library's own never does."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from adapters.protocol import EvaluatorError, OutcomeStatus, Ticket
from adapters.sila2_server import Sila2Evaluator
from adapters.sila2_server.wire import Codec, Shape, framework
from db.models import Attempt
from db.session import Database
from db.states import JobState
from orchestrator.driver import Standing
from orchestrator.people import jobs
from tests.e2e.lab import Lab, opened
from tests.photometer import cuvette, submit

FEATURE = """\
<Feature xmlns="http://www.sila-standard.org" SiLA2Version="1.1" FeatureVersion="2.3"
         Originator="org.example" Category="test">
  <Identifier>Balance</Identifier>
  <Command>
    <Identifier>Weigh</Identifier>
    <Observable>Yes</Observable>
    <Parameter>
      <Identifier>Ph</Identifier>
      <DataType><Basic>Real</Basic></DataType>
    </Parameter>
    <Response>
      <Identifier>Mass</Identifier>
      <DataType><Basic>Real</Basic></DataType>
    </Response>
  </Command>
</Feature>
"""
TEXT = Shape("String")
EXECUTION = "5b0f2a1c-3d4e-4f5a-8b6c-7d8e9f0a1b2c"

Answer = Callable[[bytes, grpc.ServicerContext], bytes]


class Balance(grpc.GenericRpcHandler):
    """A server of one feature, whose command answers as it is told."""

    def __init__(self) -> None:
        self.start: Answer = lambda request, context: b""
        self.result: Answer = lambda request, context: b""

    def service(self, details: Any) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """The method of that name."""
        named = Codec({"ServerUUID": TEXT}).encode({"ServerUUID": EXECUTION})
        listed = Shape("List", None, {"item": TEXT})
        features = Codec({"F": listed}).encode({"F": ["org.example/test/Balance/v2"]})
        defined = Codec({"FeatureDefinition": TEXT}).encode({"FeatureDefinition": FEATURE})
        answers: dict[str, Answer] = {
            "Get_ServerUUID": lambda request, context: named,
            "Get_ImplementedFeatures": lambda request, context: features,
            "GetFeatureDefinition": lambda request, context: defined,
            "Weigh": lambda request, context: self.start(request, context),
            "Weigh_Result": lambda request, context: self.result(request, context),
        }
        found = answers.get(details.method.rpartition("/")[2])
        return None if found is None else grpc.unary_unary_rpc_method_handler(found)


@pytest.fixture
def balance() -> Iterator[tuple[Balance, dict[str, Any]]]:
    """A server in this process, and the options of an evaluator."""
    handler = Balance()
    server = grpc.server(ThreadPoolExecutor(4), [handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    options = {
        "address": f"127.0.0.1:{port}",
        "feature": "Balance",
        "command": "Weigh",
        "measures": {"mass": "gram"},
        "kinds": ["parameters"],
        "parameters": {"Ph": "{ph}"},
        "responses": {"mass": {"response": "Mass", "unit": "milligram"}},
        "tls": "insecure",
    }
    yield handler, options
    server.stop(0)


def fault(kind: str, **values: object) -> Answer:
    """An answer that is a SiLA error."""

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        error = framework("SiLAError")
        getattr(error, kind).SetInParent()
        for name, value in values.items():
            setattr(getattr(error, kind), name, value)
        text = base64.b64encode(error.SerializeToString()).decode()
        context.abort(grpc.StatusCode.ABORTED, text)

    return answer


def status(code: grpc.StatusCode, details: str) -> Answer:
    """An answer that is an error of gRPC, not of SiLA."""

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(code, details)

    return answer


def confirmed(request: bytes, context: grpc.ServicerContext) -> bytes:
    """What starts."""
    message = framework("CommandConfirmation")
    message.execution.value = EXECUTION
    message.lifetime.seconds, message.lifetime.nanos = 90, 500_000_000
    body: bytes = message.SerializeToString()
    return body


Given = tuple[Balance, dict[str, Any]]


@pytest.fixture
def evaluator(balance: Given) -> Iterator[Sila2Evaluator]:
    made = Sila2Evaluator(**balance[1])
    yield made
    made.close()


def test_a_command_that_is_not_accepted_is_sent_again_later(
    balance: Given, evaluator: Sila2Evaluator
) -> None:
    balance[0].start = fault("framework", type=0, message="the door is open")
    with pytest.raises(EvaluatorError, match="does not accept it: the door is open") as caught:
        submit(evaluator, cuvette(20, 7))
    assert caught.value.transient


@pytest.mark.parametrize("number", [3, 4])
def test_metadata_that_does_not_fit_is_no_matter_of_time(
    balance: Given, evaluator: Sila2Evaluator, number: int
) -> None:
    balance[0].start = fault("framework", type=number, message="no token")
    with pytest.raises(EvaluatorError, match="no token") as caught:
        submit(evaluator, cuvette(20, 7))
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("code", "transient"),
    [(grpc.StatusCode.PERMISSION_DENIED, False), (grpc.StatusCode.RESOURCE_EXHAUSTED, True)],
)
def test_what_was_never_read_is_said_to_be_refused(
    balance: Given, evaluator: Sila2Evaluator, code: grpc.StatusCode, transient: bool
) -> None:
    balance[0].start = status(code, "not now")
    with pytest.raises(EvaluatorError, match=f"answered with {code.name}: not now") as caught:
        submit(evaluator, cuvette(20, 7))
    assert caught.value.transient is transient


DOUBTFUL: list[Answer] = [
    status(grpc.StatusCode.UNKNOWN, "Exception calling application"),
    status(grpc.StatusCode.ABORTED, "not a SiLA error"),
    status(grpc.StatusCode.UNAVAILABLE, "connection reset"),
    lambda request, context: b"\xff\xff",
]


@pytest.mark.parametrize("answer", DOUBTFUL)
def test_what_may_have_been_taken_is_not_said_to_be_refused(
    balance: Given, evaluator: Sila2Evaluator, answer: Answer
) -> None:
    balance[0].start = answer
    with pytest.raises(ConnectionError, match="the SiLA 2 server"):
        submit(evaluator, cuvette(20, 7))


@pytest.mark.parametrize(
    ("answer", "expected", "reason"),
    [
        (fault("undefined", message="smoke"), OutcomeStatus.FAILED, "smoke"),
        (fault("validation", message="too sour"), OutcomeStatus.REJECTED, "too sour"),
    ],
)
def test_what_ends_at_the_start_is_delivered_with_its_bytes(
    balance: Given,
    evaluator: Sila2Evaluator,
    answer: Answer,
    expected: OutcomeStatus,
    reason: str,
) -> None:
    balance[0].start = answer
    (delivery,) = evaluator.receive(submit(evaluator, cuvette(20, 7)))
    (outcome,) = evaluator.parse(delivery)
    assert outcome.status is expected
    assert reason in outcome.reason


def test_a_response_without_a_unit_is_in_the_one_that_the_spec_says(
    balance: Given, evaluator: Sila2Evaluator
) -> None:
    balance[0].start = confirmed
    balance[0].result = lambda request, context: Codec({"Mass": Shape("Real")}).encode({"Mass": 7})
    (delivery,) = evaluator.receive(submit(evaluator, cuvette(20, 7)))
    (reading,) = evaluator.parse(delivery)[0].readings
    assert (reading.name, reading.value, reading.unit) == ("mass", 7.0, "milligram")
    assert b'"lifetime":90.5' in delivery.body


def test_responses_that_cannot_be_read_fail_the_job_and_are_kept(
    balance: Given, evaluator: Sila2Evaluator
) -> None:
    balance[0].start = confirmed
    balance[0].result = lambda request, context: b"\xff\xff"
    (delivery,) = evaluator.receive(submit(evaluator, cuvette(20, 7)))
    assert evaluator.parse(delivery)[0].status is OutcomeStatus.FAILED
    assert base64.b64encode(b"\xff\xff") in delivery.body


def test_responses_that_are_missing_fail_the_job(balance: Given, evaluator: Sila2Evaluator) -> None:
    balance[0].start = confirmed
    (delivery,) = evaluator.receive(submit(evaluator, cuvette(20, 7)))
    (outcome,) = evaluator.parse(delivery)
    assert (outcome.status, outcome.reason) == (
        OutcomeStatus.FAILED,
        "the server gave no response 'Mass'",
    )


def test_strange_tickets_are_nobodys(evaluator: Sila2Evaluator) -> None:
    strange = ["{}", "[]", "null", "[" * 10_000, "run 7"]
    assert evaluator.receive([Ticket(f"c/{n}/x/1", one) for n, one in enumerate(strange)]) == []


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("ran", [True, False])
def test_a_job_that_may_have_been_taken_is_parked_and_settled(
    balance: Given,
    database: Database,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    ran: bool,
) -> None:
    server, options = balance
    server.start = status(grpc.StatusCode.UNKNOWN, "Exception calling application")
    server.result = fault("framework", type=1, message="no such execution")
    with opened(database, tmp_path, monkeypatch) as lab:
        campaign = start(lab, options)
        for _ in range(3):
            assert lab.drive(campaign) is Standing.WAITING
            assert lab.states(campaign) == ["parked"]
        jobs.resolve(lab.database, campaign, 1, lab.actor, ran=ran, reason="its display says so")
        server.start = confirmed
        if not ran:
            encoded = Codec({"Mass": Shape("Real")}).encode({"Mass": 7})
            server.result = lambda request, context: encoded
        assert lab.drive(campaign) is Standing.FINISHED
        (job,) = lab.jobs(campaign)
        assert job.state == (JobState.FAILED if ran else JobState.SUCCEEDED)
        assert len(lab.rows(Attempt, campaign)) == (1 if ran else 2)


def start(lab: Lab, options: dict[str, Any]) -> str:
    """A campaign of one evaluation."""
    ph = {"name": "ph", "lower": 4, "upper": 12}
    return lab.start(
        space={"kind": "box", "parameters": [ph]},
        evaluators=[{"use": "sila2", "measures": ["mass"], "options": options}],
        objective={"direction": "maximize", "terms": [{"measure": "mass"}]},
        proposer={"kind": "sobol", "initial": 1, "batch": 1},
        budget={"evaluations": 1},
        failures={"share": 1, "after": 100},
    )

"""The transport ``sila2`` against a SiLA 2 server in another process, which is killed at will."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.protocol import (
    Batch,
    Checkable,
    Closable,
    EvaluatorError,
    Job,
    OptionError,
    Outcome,
    OutcomeStatus,
    Progressing,
    Sample,
)
from adapters.sila2_server import Sila2Evaluator
from tests.photometer import Photometer, cuvette, deliveries, serving, submit

pytestmark = pytest.mark.slow  # servers are started

S = OutcomeStatus


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Photometer]:
    """A photometer that measures at once."""
    with serving(tmp_path_factory.mktemp("photometer"), "--seconds", "0") as found:
        yield found


@pytest.fixture
def made() -> Iterator[Callable[..., Sila2Evaluator]]:
    """Makes evaluators, which are closed in the end."""
    all_made: list[Sila2Evaluator] = []

    def make(options: dict[str, Any]) -> Sila2Evaluator:
        all_made.append(Sila2Evaluator(**options))
        return all_made[-1]

    yield make
    for one in all_made:
        one.close()


def outcomes(evaluator: Sila2Evaluator, *samples: Sample) -> list[Outcome]:
    """What becomes of samples, in order."""
    found = deliveries(evaluator, submit(evaluator, *samples))
    return [evaluator.parse(delivery)[0] for delivery in found]


Make = Callable[[dict[str, Any]], Sila2Evaluator]


# What a server says ---------------------------------------------------------------------------


def test_responses_become_readings_with_unit_deviation_and_time(
    server: Photometer, made: Make
) -> None:
    measures = {"product": {"unit": "umol/l"}, "absorbance": {"unit": "percent"}}
    evaluator = made(server.options(measures=measures))
    (delivery,) = deliveries(evaluator, submit(evaluator, cuvette(61.85, 8)))
    (outcome,) = evaluator.parse(delivery)
    product, absorbance = outcome.readings
    # 61.85 degC are the 335 K at which most is made.
    assert product.value == pytest.approx(2500)
    assert product.unit == "umol/l"
    assert product.std is None
    assert product.measured_at is not None
    assert abs(product.measured_at / 1e6 - time.time()) < 60
    # A response without a unit is taken to be in that of the measure.
    assert absorbance.value == pytest.approx(2.0)
    assert absorbance.unit == "percent"
    assert absorbance.std == pytest.approx(0.02)
    document = json.loads(delivery.body)
    assert document["command"] == "org.example/measure/Photometer/v1/Command/Measure"
    assert len(document["execution"]) == 36
    original = base64.b64decode(document["message"])
    readings = document["responses"]["Absorbance"]["value"]["Readings"]["value"]
    assert len(readings) == 3
    assert len(original) > 3 * 8


def test_a_response_may_be_deep_within_another(server: Photometer, made: Make) -> None:
    responses = {"product": "Product", "absorbance": "Absorbance.Readings.1"}
    (outcome,) = outcomes(made(server.options(responses=responses)), cuvette(61.85, 8))
    assert outcome.readings[1].value == pytest.approx(2.0)
    place = "/responses/Absorbance/value/Readings/value/1/value"
    assert outcome.readings[1].place == place


FATES: list[tuple[Sample, OutcomeStatus, bool, str]] = [
    (cuvette(60, 2), S.FAILED, False, "DyePrecipitated: at pH 2 the cuvette is cloudy"),
    (cuvette(60, 13.5), S.FAILED, True, "RuntimeError - the shutter does not open"),
    (cuvette(101, 8), S.REJECTED, False, "Temperature: Constraint violated"),
    (Sample("parameters", '{"ph": 8}'), S.REJECTED, False, "the sample has no {temperature}"),
    (Sample("parameters", '{"ph": "x", "temperature": 9}'), S.REJECTED, False, "Ph is 'x'"),
    (Sample("parameters", '{"ph": 7, "temperature": "9"}'), S.REJECTED, False, "of degC is want"),
    (Sample("parameters", "[7]"), S.REJECTED, False, r"the sample is \[7\]"),
    (Sample("molecule", "CCO"), S.REJECTED, False, "measures parameters, not 'molecule'"),
]


@pytest.mark.parametrize(("sample", "status", "transient", "reason"), FATES)
def test_each_kind_of_error_has_its_outcome(
    server: Photometer,
    made: Make,
    sample: Sample,
    status: OutcomeStatus,
    transient: bool,
    reason: str,
) -> None:
    evaluator = made(server.options())
    (outcome,) = outcomes(evaluator, sample)
    assert (outcome.status, outcome.transient) == (status, transient)
    assert re.search(reason, outcome.reason), outcome.reason


def test_a_defined_error_may_be_declared_to_pass(server: Photometer, made: Make) -> None:
    (outcome,) = outcomes(made(server.options(transient=["DyePrecipitated"])), cuvette(60, 2))
    assert (outcome.status, outcome.transient) == (S.FAILED, True)


def test_a_sample_that_the_server_cannot_take_in_is_rejected(
    server: Photometer, made: Make
) -> None:
    parameters = {"Temperature": 300, "Ph": 7, "Label": "{sample}"}
    evaluator = made(server.options(parameters=parameters, kinds=["molecule"]))
    huge, small = outcomes(evaluator, Sample("molecule", "C" * 5_000_000), Sample("molecule", "CC"))
    assert huge.status is S.REJECTED
    assert "RESOURCE_EXHAUSTED" in huge.reason
    assert small.status is S.SUCCEEDED
    assert server.lines("ends")[-1] == "CC"


def test_what_is_over_the_limit_of_the_server_is_tried_again(tmp_path: Path, made: Make) -> None:
    with serving(tmp_path, "--seconds", "0.2", "--limit", "2") as server:
        fates = outcomes(made(server.options()), *[cuvette(60, 8)] * 4)
        glances = made(server.glance(in_flight=4))
        jobs = [Job(f"g/{n}/sila2/1", cuvette(60, 8), ("transmission",)) for n in range(4)]
        found = deliveries(glances, glances.submit(Batch("all at once", tuple(jobs))))
    assert sorted(one.status for one in fates) == [S.FAILED] * 2 + [S.SUCCEEDED] * 2
    read = [glances.parse(delivery)[0] for delivery in found]
    assert sorted(one.status for one in read) == [S.FAILED] * 2 + [S.SUCCEEDED] * 2
    for one in (*fates, *read):
        assert one.transient is (one.status is S.FAILED)
        assert one.status is S.SUCCEEDED or one.reason == "2 cuvettes wait already"


def test_progress_is_told_of_what_runs(tmp_path: Path, made: Make) -> None:
    with serving(tmp_path, "--seconds", "1") as server:
        evaluator = made(server.options())
        assert isinstance(evaluator, Progressing)
        first, second = submit(evaluator, cuvette(60, 8), cuvette(60, 7))
        said = set()
        while not evaluator.receive([first]):
            said |= set(evaluator.progress([first, second]).items())
        jobs = {job for job, _ in said}
        assert jobs - {second.job} == {first.job}
        assert {text for job, text in said if job == first.job} >= {
            "running, 40 %, about 1 s left",
            "running, 80 %, about 0 s left",
        }
        assert first.job not in evaluator.progress([first, second])


def test_executions_run_while_others_are_started(tmp_path: Path, made: Make) -> None:
    with serving(tmp_path, "--seconds", "0.1") as server:
        evaluator = made(server.options())
        started = time.monotonic()
        tickets = submit(evaluator, *[cuvette(60, 8)] * 5)
        assert time.monotonic() - started < 0.5
        assert len(deliveries(evaluator, tickets)) == 5


# What fits ------------------------------------------------------------------------------------

UNFIT: list[tuple[dict[str, Any], str, str]] = [
    ({"measures": {"product": "gram"}}, "responses", "unit of 'Product'.*cannot be converted"),
    (
        {"responses": {"product": {"response": "Product", "unit": "nmol/l"}}},
        "responses",
        "gives it in 'mmol/l', not in 'nmol/l'",
    ),
    ({"responses": {"product": "Prodct"}}, "responses", "did you mean 'Product'"),
    ({"responses": {"product": "Absorbance.Mode"}}, "responses", "Mean"),
    ({"responses": {"product": "MeasuredAt"}}, "responses", "Timestamp, which is no number"),
    ({"responses": {"product": "Absorbance"}}, "responses", "Structure, which is no number"),
    ({"measured_at": "Product"}, "measured_at", "names a Real; name a Timestamp"),
    ({"parameters": {"Temperature": 300, "Ph": 7}}, "parameters", "lacks 'Label'"),
    (
        {"parameters": {"Temprature": 300, "Ph": 7, "Label": ""}},
        "parameters",
        "no parameter 'Temprature'; did you mean 'Temperature'",
    ),
    (
        {"parameters": {"Temperature": {"value": "{t}", "unit": "bar"}, "Ph": 7, "Label": ""}},
        "parameters",
        "unit of 'Temperature'.*cannot be converted",
    ),
    (
        {"parameters": {"Temperature": 300, "Ph": {"value": 7, "unit": "bar"}, "Label": ""}},
        "parameters",
        "'Ph' has no unit on the server",
    ),
    (
        {"parameters": {"Temperature": 300, "Ph": "acid", "Label": ""}},
        "parameters",
        "Ph is 'acid'; a number is wanted",
    ),
    ({"observable": False}, "observable", "is false; the command Measure says true"),
    ({"command": "Mesure"}, "command", "did you mean 'Measure'"),
    ({"feature": "Fotometer"}, "feature", "no feature 'Fotometer'"),
    ({"metadata": {"Photometer/Mood": "good"}}, "metadata", "no metadata 'Mood'"),
    ({"metadata": {"Moods/Mood": "good"}}, "metadata", "no feature 'Moods'"),
]


@pytest.mark.parametrize(("changes", "option", "reason"), UNFIT)
def test_a_spec_that_does_not_fit_the_server_is_refused(
    server: Photometer, made: Make, changes: dict[str, Any], option: str, reason: str
) -> None:
    """Before anything is stored where the server is there, and before anything is measured."""
    only = {"measures": {"product": "mmol/l"}, "responses": {}} | changes
    if "responses" not in changes:
        only["responses"] = {"product": "Product"}
    evaluator = made(server.options(**only))
    acts: list[Callable[[], object]] = [
        lambda: evaluator.check(["product"]),
        evaluator.health,
        lambda: submit(evaluator, cuvette(60, 8)),
    ]
    for act in acts:
        with pytest.raises(OptionError, match=reason) as caught:
            act()
        assert caught.value.option == option


def test_health_says_who_answered(server: Photometer, made: Make) -> None:
    evaluator = made(server.options())
    assert isinstance(evaluator, Checkable)
    said = evaluator.health()
    assert said.startswith(f"Photometer 1.2 at 127.0.0.1:{server.port} (SiLAService, Photometer, ")


def test_a_server_that_is_off_is_no_fault_of_the_spec(tmp_path: Path, made: Make) -> None:
    server = Photometer(tmp_path)
    evaluator = made(server.options())
    evaluator.check(["product"])
    with pytest.raises(EvaluatorError, match="gives no measure 'colour'"):
        evaluator.check(["colour"])
    for act in (evaluator.health, lambda: submit(evaluator, cuvette(60, 8))):
        with pytest.raises(EvaluatorError, match=r"cannot be reached.*refused") as caught:
            act()
        assert caught.value.transient


# TLS and the lock -----------------------------------------------------------------------------


def test_a_server_is_believed_by_its_certificate_alone(
    tmp_path: Path, server: Photometer, made: Make
) -> None:
    (tmp_path / "other").mkdir()
    other = Photometer(tmp_path / "other", tls=True)
    other.start()
    other.kill()
    with serving(tmp_path, "--seconds", "0", tls=True) as encrypted:
        (outcome,) = outcomes(made(encrypted.options()), cuvette(60, 8))
        assert outcome.status is S.SUCCEEDED
        for tls in (str(other.certificate), "system"):
            with pytest.raises(EvaluatorError, match=r"(?i)certificate.verify.failed") as caught:
                made(encrypted.options(tls=tls)).health()
            assert caught.value.transient
        with pytest.raises(EvaluatorError, match="cannot be reached"):
            made(encrypted.options(tls="insecure")).health()
    with pytest.raises(OptionError, match=r"missing.pem', which cannot be read") as wrong:
        made(encrypted.options(tls="missing.pem")).health()
    assert wrong.value.option == "tls"


def test_a_locked_server_measures_for_its_holder_alone(
    tmp_path: Path, made: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "a secret of ours")
    monkeypatch.setenv("THEIRS", "a secret of theirs")
    with serving(tmp_path, "--seconds", "0") as server:
        ours, again, theirs, bare = (
            made(server.options(lock=lock)) for lock in ("env:OURS", "env:OURS", "env:THEIRS", "")
        )
        assert outcomes(ours, cuvette(60, 8))[0].status is S.SUCCEEDED
        assert outcomes(again, cuvette(60, 8))[0].status is S.SUCCEEDED
        (refused,) = outcomes(theirs, cuvette(60, 8))
        assert (refused.status, refused.transient) == (S.FAILED, True)
        assert refused.reason == "InvalidLockIdentifier: somebody else has it"
        with pytest.raises(EvaluatorError, match="required metadata"):
            submit(bare, cuvette(60, 8))
        given = {"LockController/LockIdentifier": "env:OURS"}
        assert outcomes(made(server.options(metadata=given)), cuvette(60, 8))[0].readings
        assert isinstance(ours, Closable)
        ours.close()
        assert outcomes(theirs, cuvette(60, 8))[0].status is S.SUCCEEDED
        tickets = submit(theirs, cuvette(60, 8))
        kept = [*(ticket.reference for ticket in tickets)]
        kept += [one.body.decode() for one in deliveries(theirs, tickets)]
        assert not [text for text in kept if "a secret" in text]


# When something dies --------------------------------------------------------------------------


def test_another_process_goes_on_from_the_tickets_alone(tmp_path: Path, made: Make) -> None:
    with serving(tmp_path, "--seconds", "0.2") as server:
        first = made(server.options())
        tickets = submit(first, cuvette(60, 8), cuvette(200, 8))
        first.close()
        bodies = [
            [one.body for one in deliveries(made(server.options()), tickets)] for _ in range(2)
        ]
    assert bodies[0] == bodies[1]
    assert server.lines("begins") == [tickets[0].job]


def test_nothing_is_known_while_the_server_is_away_and_doubt_is_said_when_it_forgot(
    tmp_path: Path, made: Make
) -> None:
    with serving(tmp_path, "--seconds", "30") as server:
        evaluator = made(server.options())
        rejected, running = submit(evaluator, cuvette(200, 8), cuvette(60, 8))
        assert [one.jobs for one in evaluator.receive([rejected, running])] == [(rejected.job,)]
        server.kill()
        with pytest.raises(EvaluatorError, match="cannot be reached") as caught:
            evaluator.receive([running])
        assert caught.value.transient
        assert [one.jobs for one in evaluator.receive([rejected, running])] == [(rejected.job,)]
        assert evaluator.progress([running]) == {}
        server.start()
        (delivery,) = deliveries(evaluator, [running])
    (outcome,) = evaluator.parse(delivery)
    assert outcome.status is S.DOUBTFUL
    assert "No running command instance" in outcome.reason


def test_a_job_without_an_execution_stays_in_doubt(server: Photometer, made: Make) -> None:
    """A person said that it ran, and nobody knows under which name."""
    evaluator = made(server.options())
    (ticket,) = submit(evaluator, cuvette(60, 8))
    bare = type(ticket)(ticket.job)
    (outcome,) = evaluator.parse(deliveries(evaluator, [bare])[0])
    assert outcome.status is S.DOUBTFUL


def test_a_command_that_was_cut_off_is_in_doubt(tmp_path: Path, made: Make) -> None:
    with serving(tmp_path, "--seconds", "30") as server:
        evaluator = made(server.glance())
        evaluator.health()
        threading.Timer(0.5, server.kill).start()
        (cut,) = outcomes(evaluator, cuvette(60, 8))
        server.start()
        (late,) = outcomes(made(server.glance(timeout=0.3)), cuvette(60, 8))
    assert (cut.status, late.status) == (S.DOUBTFUL, S.DOUBTFUL)
    assert "cannot be reached" in cut.reason
    assert "gave no answer in 0.3 s" in late.reason

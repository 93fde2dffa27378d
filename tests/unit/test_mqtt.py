"""Options, payloads and the inbox of the transport ``mqtt``, without a broker."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.mqtt import MqttEvaluator
from adapters.mqtt.inbox import Inbox, reference
from adapters.mqtt.options import Results
from adapters.protocol import (
    Batch,
    Censoring,
    Delivery,
    EvaluatorError,
    Job,
    OptionError,
    OutcomeStatus,
    Sample,
)
from adapters.registry import build

ROOT = Path(__file__).parents[2]

GIVEN: dict[str, Any] = {
    "broker": "mqtt://localhost",
    "orders": "lab/orders",
    "results": "lab/results",
    "measures": {"product": {"unit": "mmol/l"}, "a/b": ""},
    "kinds": ["parameters"],
}
KEY = "c0ffee/17/mqtt/1"


def made(**changes: Any) -> MqttEvaluator:
    """An evaluator, as the registry makes it from a spec."""
    found = build(MqttEvaluator, "mqtt", GIVEN | changes)
    assert isinstance(found, MqttEvaluator)
    return found


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"broker": "localhost:1883"}, "broker", "write mqtt://HOST:PORT"),
    ({"broker": "mqtt://localhost:99999"}, "broker", "cannot be read"),
    ({"broker": "mqtt://ada:s3cret@localhost"}, "broker", "by reference"),
    ({"broker": "mqtt://localhost/path"}, "broker", "write mqtt://HOST:PORT"),
    ({"ca": "ca.pem"}, "broker", "write mqtts://"),
    ({"user": "ada"}, "user", "is no reference"),
    ({"password": "s3cret"}, "password", "is no reference"),
    ({"orders": "lab/+/orders"}, "orders", "wildcards are for results"),
    ({"orders": ""}, "orders", "name a topic"),
    ({"orders": "lab/{key}"}, "orders", r"placeholders are: \{job\} and \{label\}"),
    ({"cancel": "lab/{label}"}, "cancel", r"placeholders are: \{job\}$"),
    ({"status": "lab/{job}"}, "status", "placeholders are: none"),
    ({"results": "lab/#/x"}, "results", "has the level '#'"),
    ({"results": "lab/a+"}, "results", r"has the level 'a\+'"),
    ({"results": "lab/{label}"}, "results", "has the level"),
    ({"results": "{job}/{job}"}, "results", "write such as"),
    ({"results": "$share/us/lab"}, "results", "would lose some"),
    ({"payload": {"job": "job"}}, "payload", "write a JSON pointer such as /job"),
    ({"payload": "number"}, "payload", "there are 2"),
    ({"payload": "number", "protocol": "3.1.1", "measures": {"m": ""}}, "results", "{job}"),
    ({"protocol": 4}, "protocol", "protocol"),
    ({"others": "steal"}, "others", "others"),
    ({"timeout": 0}, "timeout", "number of seconds"),
    ({"keep_session": -1}, "keep_session", "number of seconds"),
    ({"window": 0}, "window", "1 at least"),
    ({"measures": {}}, "measures", "is empty"),
]


@pytest.mark.parametrize(("changes", "option", "reason"), WRONG)
def test_a_wrong_option_is_named_and_no_secret_is_shown(
    changes: dict[str, Any], option: str, reason: str
) -> None:
    with pytest.raises(OptionError, match=reason) as caught:
        made(**changes)
    assert caught.value.option == option
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("protocol", [5, "5", "3.1.1"])
def test_right_options_open_no_connection(protocol: object) -> None:
    evaluator = made(protocol=protocol, cancel="c/{job}", idempotent=True, in_flight=3)
    assert evaluator.capabilities.cancellable
    assert evaluator.capabilities.idempotent
    assert evaluator.capabilities.in_flight == 3
    evaluator.check(["product"])
    with pytest.raises(EvaluatorError, match="gives no measure"):
        evaluator.check(["colour"])
    evaluator.acknowledge(Delivery("never/heard#of", b""))
    evaluator.cancel([])
    evaluator.close()
    evaluator.close()


def test_the_campaign_of_the_page_is_that_of_the_example() -> None:
    page = (ROOT / "docs" / "transports" / "mqtt.md").read_text(encoding="utf-8")
    spec = page.partition("```yaml\n")[2].partition("```")[0]
    example = (ROOT / "examples" / "mqtt" / "campaign.yaml").read_text(encoding="utf-8")
    assert spec
    assert example.endswith(spec)
    (part,) = yaml.safe_load(spec)["evaluators"]
    evaluator = build(MqttEvaluator, part["use"], part["options"])
    evaluator.check(part["measures"])
    # Each option has its line.
    options = inspect.signature(MqttEvaluator).parameters
    assert {
        name for name in options if not re.search(rf"^\|.*`{name}`.*\|.*\|", page, re.M)
    } == set()


def test_a_filter_finds_the_key_of_a_job() -> None:
    assert Results("lab/{job}/result").filter == "lab/+/+/+/+/result"
    assert Results("lab/{job}/result").job(f"lab/{KEY}/result") == KEY
    assert Results("lab/{job}/result").job(f"lab/x/{KEY}/result") is None
    assert Results("+/{job}/#").job(f"lab/{KEY}/a/b") == KEY
    assert Results("lab/#").job(f"lab/{KEY}") is None
    assert Results("lab/{job}").reply_topic(KEY) == f"lab/{KEY}"
    assert Results("lab/+/{job}").reply_topic(KEY) == ""


def test_what_cannot_be_ordered_is_refused_before_anything_is_sent() -> None:
    evaluator = made()
    for sample, reason in (
        (Sample("molecule", "CCO"), "not measured here"),
        (Sample("parameters", "{"), "no JSON; nothing was sent"),
    ):
        with pytest.raises(EvaluatorError, match=reason):
            evaluator.submit(Batch("b", (Job(KEY, sample, ("product",)),)))


# Payloads -------------------------------------------------------------------------------------


def body(**document: Any) -> bytes:
    """A result."""
    return json.dumps({"job": KEY} | document).encode()


def test_a_result_in_full() -> None:
    value = {"value": 2.31, "unit": "mmol/l", "std": 0.01}
    about = {"measured_at": "2026-11-27T15:05:00+01:00", "instrument": "S-1", "operator": "ada"}
    full = body(values={"product": value, "a/b": "<0.5", "other": "x"}, **about)
    (outcome,) = made().parse(Delivery("r", full))
    assert (outcome.job, outcome.status) == (KEY, OutcomeStatus.SUCCEEDED)
    first, second = outcome.readings
    assert (first.value, first.unit, first.std) == (2.31, "mmol/l", 0.01)
    assert (first.place, second.place) == ("/values/product/value", "/values/a~1b")
    assert (second.value, second.censoring) == (0.5, Censoring.LEFT)
    assert first.measured_at == 1795788300000000
    assert (first.instrument, first.operator) == ("S-1", "ada")


def test_pointers_say_what_stands_elsewhere() -> None:
    where = {"job": "/meta/id", "values": "/data/1", "measured_at": "/meta/at"}
    document = {"meta": {"id": KEY, "at": 1.5}, "data": [{}, {"product": 1}]}
    (outcome,) = made(payload=where).parse(Delivery("r", json.dumps(document).encode()))
    assert outcome.job == KEY
    assert (outcome.readings[0].place, outcome.readings[0].measured_at) == (
        "/data/1/product",
        1_500_000,
    )
    flat = made(payload={"values": ""})
    (outcome,) = flat.parse(Delivery("r", body(product=1)))
    assert outcome.readings[0].place == "/product"


@pytest.mark.parametrize("status", ["failed", "rejected"])
def test_what_was_not_measured_says_why(status: str) -> None:
    (outcome,) = made().parse(Delivery("r", body(status=status, reason="door", transient=True)))
    assert (outcome.status, outcome.reason, outcome.transient) == (status, "door", True)
    (outcome,) = made().parse(Delivery("r", body(status=status)))
    assert "no reason" in outcome.reason


UNREADABLE: list[tuple[bytes, str]] = [
    (b"", "this is no JSON"),
    (b"\xff\xfe", "this is no JSON"),
    (b"[" * 100_000, "this is no JSON"),
    (b'{"job": "a", "values": {"product": 1.5e400}}', "larger than any number"),
    (b'{"job": "a", "values": {"product": 1' + b"0" * 400 + b"}}", "larger than any number"),
    (b'{"values": {"product": 1}}', "there is nothing"),
    (b'{"job": 17, "values": {"product": 1}}', "there is 17"),
    (b"null", "there is nothing"),
    (body(), "values by measure are to stand at /values: nothing"),
    (body(values=[1]), "values by measure"),
    (body(values={"product": "1,5"}), "has a comma"),
    (body(values={"product": "=cmd()"}), "is a formula"),
    (body(values={"product": ""}), "is empty"),
    (body(values={"product": True}), "is True, which is no number"),
    (body(values={"product": {"unit": "g"}}), "has no value"),
    (body(values={"product": {"value": 1, "unit": 2}}), "which is no text"),
    (body(values={"product": {"value": 1, "std": "x"}}), "std of 'product'"),
    (body(values={"product": 1}, measured_at="2026-11-27T15:05:00"), "say the zone"),
    (body(values={"product": 1}, measured_at="yesterday"), "which is no time"),
    (body(values={"product": 1}, measured_at=True), "no number"),
    (body(status="great"), "it must be of: succeeded, failed, rejected"),
    (body(status=["failed"]), "it must be of"),
]


@pytest.mark.parametrize(("message", "reason"), UNREADABLE)
def test_what_cannot_be_read_is_refused_with_a_reason(message: bytes, reason: str) -> None:
    with pytest.raises(EvaluatorError, match=reason):
        made().parse(Delivery("r", message))


def test_numbers_alone() -> None:
    scale = made(payload="number", measures={"mass": "mg"})
    (outcome,) = scale.parse(Delivery("r", b"12.5 ug", "text/plain", (KEY,)))
    assert (outcome.job, outcome.readings[0].value, outcome.readings[0].unit) == (KEY, 12.5, "ug")
    for message, jobs, reason in (
        (b"12.5", (), "names its job"),
        (b"\xff", (KEY,), "is no text"),
        (b"heavy", (KEY,), "is no number"),
    ):
        with pytest.raises(EvaluatorError, match=reason):
            scale.parse(Delivery("r", message, "text/plain", jobs))


# The inbox ------------------------------------------------------------------------------------


def test_what_was_acknowledged_in_vain_is_acknowledged_again_and_nothing_else() -> None:
    said: list[int] = []
    inbox = Inbox(10)
    delivery = Delivery(reference("t", b"x", b""), b"x")
    inbox.connected(said.append)
    inbox.put(delivery, KEY, 7, again=False)
    inbox.disconnected()
    assert inbox.done(delivery.reference) == KEY
    assert inbox.done(delivery.reference) is None
    inbox.connected(said.append)
    assert said == []
    inbox.put(delivery, KEY, 7, again=True)
    assert said == [7]
    assert inbox.deliveries() == []
    inbox.put(delivery, KEY, 8, again=True)  # which says the same, and is another
    inbox.put(delivery, KEY, 9, again=False)
    assert inbox.deliveries() == [delivery]
    inbox.done(delivery.reference)
    assert said == [7, 8, 9]


def test_what_is_too_much_is_let_go_of_until_there_is_room() -> None:
    said: list[int] = []
    inbox = Inbox(2)
    inbox.connected(said.append)
    for number in (1, 2, 3):
        inbox.put(Delivery(str(number), b""), None, number, again=False)
    assert [one.reference for one in inbox.deliveries()] == ["1", "2"]
    inbox.done("1")
    assert not inbox.starved
    inbox.done("2")
    assert inbox.starved
    assert said == [1, 2]


def test_a_message_of_another_topic_or_job_is_another() -> None:
    names = {reference(t, b, c) for t in ("t", "u") for b in (b"x", b"y") for c in (b"", b"j")}
    assert len(names) == 8

"""The transport ``mqtt`` against Mosquitto, which is killed, hangs, and says no."""

from __future__ import annotations

import json
import logging
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.mqtt import InDoubt, MqttEvaluator
from adapters.protocol import (
    Checkable,
    Closable,
    EvaluatorError,
    OptionError,
    OutcomeStatus,
    Refusing,
    Sample,
)
from tests.broker import (
    Authority,
    Broker,
    Publisher,
    broker,
    deliveries,
    instrument,
    job,
    options,
    submit,
    wait,
)

pytestmark = pytest.mark.slow  # brokers are started

ORDERS, RESULTS = "lab/spectrometer/orders", "lab/spectrometer/results"
Make = Callable[..., MqttEvaluator]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that no test harms; each uses topics of its own."""
    with broker(tmp_path_factory.mktemp("broker")) as found:
        yield found


@pytest.fixture
def made() -> Iterator[Make]:
    """Makes evaluators, which are closed in the end."""
    all_made: list[MqttEvaluator] = []

    def make(where: Broker, /, **changes: Any) -> MqttEvaluator:
        all_made.append(MqttEvaluator(**options(where, **changes)))
        return all_made[-1]

    yield make
    for one in all_made:
        one.close()


def result(number: int, value: float, campaign: str = "c") -> dict[str, Any]:
    """What an instrument says of a job."""
    return {"job": job(number, campaign).key, "values": {"product": value, "absorbance": 1}}


def topics(name: str) -> dict[str, Any]:
    """Of one test alone."""
    return {"orders": f"{name}/orders", "results": f"{name}/results"}


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_an_order_says_what_is_wanted_and_a_message_is_kept_as_it_came(
    shared: Broker, made: Make, protocol: str
) -> None:
    where = {"orders": f"o{protocol}/{{label}}/{{job}}", "results": f"r{protocol}/{{job}}"}
    evaluator = made(shared, protocol=protocol, **where)
    with Publisher(shared, f"o{protocol}/#") as lab:
        (ticket,) = submit(evaluator, job(1))
        wait(lambda: lab.heard)
        (order,) = lab.heard
        assert order.topic == f"o{protocol}/1/c/1/mqtt/1"
        assert json.loads(order.payload) == {
            "job": "c/1/mqtt/1",
            "label": "1",
            "replicate": 1,
            "measures": ["product", "absorbance"],
            "sample": {"kind": "parameters", "name": "", "content": {"temperature": 60, "ph": 8}},
        }
        if protocol == "5":
            about: Any = order.properties  # whose attributes are made as they come
            assert about.CorrelationData == b"c/1/mqtt/1"
            assert about.ResponseTopic == "r5/c/1/mqtt/1"
        body = b' {"values": {"product": 1.5,\n "absorbance": "<0.01"}} '
        lab.say(f"r{protocol}/c/1/mqtt/1", body)
        (delivery,) = deliveries(evaluator, [ticket], 1)
    assert delivery.body == body
    assert delivery.jobs == ("c/1/mqtt/1",)
    assert delivery.media_type == "application/json"
    (outcome,) = evaluator.parse(delivery)
    assert (outcome.job, outcome.status) == ("c/1/mqtt/1", OutcomeStatus.SUCCEEDED)
    assert [one.value for one in outcome.readings] == [1.5, 0.01]


# What comes again, late, or from elsewhere ----------------------------------------------------


def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(
    shared: Broker, made: Make
) -> None:
    where = topics("again")
    first = made(shared, **where)
    assert isinstance(first, Refusing)
    with Publisher(shared, where["orders"]) as lab:
        tickets = submit(first, job(1), job(2), job(3))
        for number in (3, 1, 2):
            lab.say(where["results"], result(number, number))
    one, two, three = deliveries(first, tickets, 3)
    assert [json.loads(found.body)["values"]["product"] for found in (one, two, three)] == [3, 1, 2]
    first.acknowledge(one)
    first.refuse(two, "for the test")
    assert isinstance(first, Closable)
    first.close()
    assert deliveries(made(shared, **where), tickets, 1) == [three]


def test_what_comes_while_nobody_drives_is_kept_for_the_next(shared: Broker, made: Make) -> None:
    where = topics("kept")
    first = made(shared, **where)
    with Publisher(shared, where["orders"]) as lab:
        tickets = submit(first, job(1))
        first.close()
        lab.say(where["results"], result(1, 1))
    second = made(shared, **where)
    (delivery,) = second.receive(tickets)  # at the first look: a scheduled pass has no other
    second.acknowledge(delivery)
    second.close()
    assert made(shared, **where).receive(tickets) == []


def test_duplicates_are_one_delivery_and_another_answer_is_another(
    shared: Broker, made: Make
) -> None:
    where = topics("twice")
    evaluator = made(shared, **where)
    with Publisher(shared, where["orders"]) as lab:
        tickets = submit(evaluator, job(1))
        for value in (1, 1, 1, 2, 1):
            lab.say(where["results"], result(1, value))
        lab.say(where["results"], result(1, 3))  # so that all have come
        once, other, _ = deliveries(evaluator, tickets, 3)
        evaluator.acknowledge(once)
        evaluator.acknowledge(other)
        evaluator.close()
        # Each copy was acknowledged with it.
        (last,) = made(shared, **where).receive(tickets)
        assert json.loads(last.body) == result(1, 3)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_retained_result_counts_once_its_job_is_ours(
    shared: Broker, made: Make, protocol: str
) -> None:
    where = topics(f"retained{protocol}")
    with Publisher(shared, where["orders"]) as lab:
        lab.say(where["results"], result(1, 1, "an earlier campaign"), retain=True)
        evaluator = made(shared, protocol=protocol, **where)
        tickets = submit(evaluator, job(1))
        assert evaluator.receive(tickets) == []
        lab.say(where["results"], result(1, 2), retain=True)
        (delivery,) = deliveries(evaluator, tickets, 1)
        evaluator.acknowledge(delivery)
        evaluator.close()
        found = made(shared, protocol=protocol, **where).receive(tickets)
    # By MQTT 3.1.1 a broker hands over what is retained at each subscription, the same as before.
    assert list(found) == ([] if protocol == "5" else [delivery])


@pytest.mark.parametrize("others", ["leave", "refuse"])
def test_each_campaign_gets_its_own_and_takes_nothing_from_another(
    shared: Broker, made: Make, others: str
) -> None:
    where = topics(f"others-{others}") | {"others": others}
    one, two = made(shared, **where), made(shared, **where)
    with Publisher(shared, where["orders"]) as lab:
        mine, yours = submit(one, job(1, "mine")), submit(two, job(1, "yours"))
        lab.say(where["results"], result(1, 1, "mine"))
        lab.say(where["results"], result(1, 2, "yours"))
        lab.say(where["results"], b"rubbish")
        for evaluator, tickets, value in ((one, mine, 1), (two, yours, 2)):
            found = deliveries(evaluator, tickets, 2 if others == "leave" else 3)
            assert found[-1].body == b"rubbish"
            with pytest.raises(EvaluatorError, match="no JSON"):
                evaluator.parse(found[-1])
            values = [evaluator.parse(d)[0].readings[0].value for d in found[:-1]]
            assert values == ([value] if others == "leave" else [1, 2])
            for delivery in found:
                evaluator.acknowledge(delivery)


def test_a_session_that_campaigns_share_leaves_what_is_for_another(
    shared: Broker, made: Make
) -> None:
    where = topics("fixed") | {"client_id": "only-this-one-is-allowed"}
    one = made(shared, **where)
    with Publisher(shared, where["orders"]) as lab:
        mine = submit(one, job(1, "mine"))
        lab.say(where["results"], result(1, 2, "yours"))
        lab.say(where["results"], result(1, 1, "mine"))
        (found,) = deliveries(one, mine, 1)
        one.acknowledge(found)
        one.close()
    two = made(shared, **where)
    (found,) = two.receive([type(mine[0])(job(1, "yours").key)])
    assert two.parse(found)[0].readings[0].value == 2


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_is_held_is_bounded_and_nothing_is_lost(
    shared: Broker, made: Make, protocol: str
) -> None:
    where = topics(f"many{protocol}") | {"window": 5, "protocol": protocol}
    evaluator = made(shared, **where)
    with Publisher(shared, where["orders"]) as lab:
        tickets = submit(evaluator, *(job(number) for number in range(40)))
        for number in range(40):
            lab.say(where["results"], result(number, number))
    seen: list[float] = []

    def look() -> bool:
        found = evaluator.receive(tickets)
        assert len(found) <= 5
        for delivery in found:
            seen.append(evaluator.parse(delivery)[0].readings[0].value)
            evaluator.acknowledge(delivery)
        return len(seen) == 40

    wait(look)
    assert sorted(seen) == list(range(40))


def test_two_processes_of_a_campaign_do_not_fight_for_its_session(
    shared: Broker, made: Make
) -> None:
    where = topics("two")
    driver, receiver = made(shared, **where), made(shared, **where)
    with Publisher(shared, where["orders"]) as lab:
        tickets = submit(driver, job(1))
        assert receiver.receive(tickets) == []  # which takes the session over
        lab.say(where["results"], result(1, 1))
        assert driver.receive(tickets) == []
        (delivery,) = deliveries(receiver, tickets, 1)
        submit(driver, job(2))  # and takes it back
        assert deliveries(driver, tickets, 1) == [delivery]


# Numbers alone --------------------------------------------------------------------------------


def test_a_number_on_a_topic_of_its_job(shared: Broker, made: Make) -> None:
    plain = {"payload": "number", "measures": {"mass": "mg"}, "kinds": ["molecule"]}
    evaluator = made(shared, orders="scale/orders", results="scale/{job}/mass", **plain)
    with Publisher(shared, "scale/orders") as lab:
        tickets = submit(evaluator, job(1, sample=Sample("molecule", "CCO")))
        lab.say("scale/c/1/mqtt/1/mass", b"12.5\xc2\xb10.1 ug")
        (delivery,) = deliveries(evaluator, tickets, 1)
    (outcome,) = evaluator.parse(delivery)
    (reading,) = outcome.readings
    assert (reading.value, reading.std, reading.unit) == (12.5, 0.1, "ug")


def test_correlation_data_names_the_job_where_nothing_else_does(shared: Broker, made: Make) -> None:
    plain = {"payload": "number", "measures": {"mass": "mg"}}
    evaluator = made(shared, orders="blind/orders", results="blind/mass", **plain)
    with Publisher(shared, "blind/orders") as lab:
        tickets = submit(evaluator, job(1), job(2))
        wait(lambda: len(lab.heard) == 2)
        for order in lab.heard:
            properties: Any = order.properties
            answer = type(properties)(3)
            answer.CorrelationData = properties.CorrelationData
            lab.say(properties.ResponseTopic, b"12.5", properties=answer)
        found = deliveries(evaluator, tickets, 2)
    assert [one.jobs for one in found] == [("c/1/mqtt/1",), ("c/2/mqtt/1",)]


# A broker that is not there, hangs, or says no ------------------------------------------------


def test_a_broker_that_is_off_took_nothing(tmp_path: Path, made: Make) -> None:
    evaluator = made(Broker(tmp_path))
    evaluator.check(["product"])
    for act in (lambda: submit(evaluator, job(1)), evaluator.health):
        with pytest.raises(EvaluatorError, match=r"127\.0\.0\.1.* cannot be used: .*efused") as no:
            act()
        assert no.value.transient


def test_nobody_who_listens_is_said(shared: Broker, made: Make) -> None:
    with pytest.raises(EvaluatorError, match="nobody listens to deaf/orders") as caught:
        submit(made(shared, **topics("deaf")), job(1))
    assert caught.value.transient


@pytest.mark.parametrize("idempotent", [True, False])
def test_an_order_without_an_answer_is_in_doubt_and_never_sent_by_itself(
    tmp_path: Path, made: Make, idempotent: bool
) -> None:
    with broker(tmp_path) as hanging:
        evaluator = made(hanging, idempotent=idempotent, timeout=0.3, **topics("hangs"))
        with Publisher(hanging, "hangs/orders") as lab:
            submit(evaluator, job(1))
            hanging.stop()
            with pytest.raises(EvaluatorError if idempotent else InDoubt, match="not confirm"):
                submit(evaluator, job(2))
        hanging.kill()
        hanging.start()
        with pytest.raises(EvaluatorError, match="does not answer"):  # so soon, nobody waits again
            submit(evaluator, job(3))
        time.sleep(0.3)
        with Publisher(hanging, "hangs/orders") as lab:
            submit(evaluator, job(3))
            wait(lambda: len(lab.heard) >= 1)
            heard = {json.loads(one.payload)["label"] for one in lab.heard}
    # The broker may have lost what it had just confirmed: of an instrument that knows its orders
    # again, those without a result are sent again.
    assert heard <= ({"1", "3"} if idempotent else {"3"})


def test_a_message_that_was_stored_while_the_broker_was_away_is_acknowledged_later(
    tmp_path: Path, made: Make
) -> None:
    with broker(tmp_path) as mortal:
        evaluator = made(mortal, **topics("away"))
        with Publisher(mortal, "away/orders") as lab:
            tickets = submit(evaluator, job(1))
            lab.say("away/results", result(1, 1))
            (delivery,) = deliveries(evaluator, tickets, 1)
        wait(lambda: (tmp_path / "store" / "mosquitto.db").exists())
        mortal.kill()
        evaluator.acknowledge(delivery)

        def is_away() -> bool:
            try:
                assert evaluator.receive(tickets) == []
            except EvaluatorError as error:
                return "cannot be used" in str(error)
            return False

        wait(is_away)
        mortal.start()
        with Publisher(mortal, "away/orders"):
            submit(evaluator, job(2))
        time.sleep(0.2)  # in which the message would come again, and does
        assert evaluator.receive(tickets) == []
        evaluator.close()
        assert made(mortal, **topics("away")).receive(tickets) == []


def test_a_wrong_password_is_said_and_the_secret_is_not(
    tmp_path: Path, made: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "passwords"
    known = ["mosquitto_passwd", "-b", "-c", str(file), "reader", "right-3141"]
    subprocess.run(known, check=True, capture_output=True)
    monkeypatch.setenv("MQTT_USER", "reader")
    monkeypatch.setenv("MQTT_RIGHT", "right-3141")
    monkeypatch.setenv("MQTT_WRONG", "planted-2718")
    lines = ("allow_anonymous false", f"password_file {file}")
    with broker(tmp_path / "broker", *lines) as guarded:
        for protocol in ("5", "3.1.1"):
            who = {"user": "env:MQTT_USER", "protocol": protocol}
            right = made(guarded, password="env:MQTT_RIGHT", **who)
            assert isinstance(right, Checkable)
            assert f"by MQTT {protocol}" in right.health()
            for changes in (who | {"password": "env:MQTT_WRONG"}, {"protocol": protocol}):
                wrong = made(guarded, **changes)
                for act in (wrong.health, lambda wrong=wrong: submit(wrong, job(1))):
                    with pytest.raises(EvaluatorError, match=r"refused us: .*user, password") as no:
                        act()
                    assert "planted-" not in "".join(traceback.format_exception(no.value))
    assert "planted-" not in caplog.text


def test_a_broker_is_believed_by_its_certificate_and_may_want_ours(
    tmp_path: Path, made: Make
) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    certificate, key = ours.issue("broker")
    lines = (f"cafile {ours.file}", f"certfile {certificate}", f"keyfile {key}")
    with broker(tmp_path / "one", *lines, tls=True) as encrypted:
        assert encrypted.url in made(encrypted, ca=ours.file).health()
        with instrument(encrypted, "--ca", str(ours.file), "--seconds", "0"):
            evaluator = made(encrypted, ca=ours.file)
            (delivery,) = deliveries(evaluator, submit(evaluator, job(1)), 1)
            assert evaluator.parse(delivery)[0].readings
        for ca in (theirs.file, None):
            with pytest.raises(EvaluatorError, match=r"not to be trusted.*option ca") as caught:
                made(encrypted, ca=ca).health()
            assert caught.value.transient
        with pytest.raises(EvaluatorError, match="mqtts:// may be mixed up"):
            made(encrypted, broker=encrypted.url.replace("mqtts", "mqtt")).health()
    with broker(tmp_path / "two", *lines, "require_certificate true", tls=True) as strict:
        mine, my_key = ours.issue("client")
        assert made(strict, ca=ours.file, certificate=mine, key=my_key).health()
        with pytest.raises(EvaluatorError, match="a certificate of ours"):
            made(strict, ca=ours.file).health()
    for option, given in (
        ("ca", {"ca": tmp_path / "missing.pem"}),
        ("certificate", {"ca": ours.file, "certificate": mine, "key": key}),
    ):
        with pytest.raises(OptionError, match="which cannot be read") as unreadable:
            made(strict, **given).check(["product"])
        assert unreadable.value.option == option


def test_a_topic_that_we_may_not_read_is_said(tmp_path: Path, made: Make) -> None:
    access = tmp_path / "access"
    access.write_text(f"topic read {ORDERS}\ntopic read {RESULTS}\n")
    with broker(tmp_path / "broker", f"acl_file {access}") as guarded:
        made(guarded).health()
        with pytest.raises(EvaluatorError, match=r"refused an order.*[Nn]ot authorized"):
            submit(made(guarded), job(1))


# Presence -------------------------------------------------------------------------------------


def test_whether_somebody_drives_stands_on_a_topic(shared: Broker, made: Make) -> None:
    evaluator = made(shared, status="present/driver", **topics("present"))
    with Publisher(shared, "present/orders", "present/driver") as lab:
        submit(evaluator, job(1))

        def said() -> list[bytes]:
            return [bytes(one.payload) for one in lab.heard if one.topic == "present/driver"]

        wait(lambda: said() == [b"online"])
        evaluator.close()
        wait(lambda: said() == [b"online", b"offline"])


def test_a_cancellation_is_published_without_taking_the_session(shared: Broker, made: Make) -> None:
    where = topics("cancel")
    evaluator = made(shared, cancel="cancel/it/{job}", **where)
    with Publisher(shared, where["orders"], "cancel/it/#") as lab:
        tickets = submit(evaluator, job(1))
        made(shared, cancel="cancel/it/{job}", **where).cancel(tickets)
        wait(lambda: "cancel/it/c/1/mqtt/1" in [one.topic for one in lab.heard])
        lab.say(where["results"], result(1, 1))
        assert deliveries(evaluator, tickets, 1)

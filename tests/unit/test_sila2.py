"""The transport ``sila2`` as far as it needs no server: units, messages, templates, deliveries."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.protocol import (
    Delivery,
    EvaluatorError,
    Job,
    Measure,
    OptionError,
    OutcomeStatus,
    Sample,
)
from adapters.registry import build
from adapters.sila2_server import Sila2Evaluator, delivery, template
from adapters.sila2_server.delivery import Reader
from adapters.sila2_server.feature import read
from adapters.sila2_server.options import Source
from adapters.sila2_server.template import SampleError
from adapters.sila2_server.units import Unit
from adapters.sila2_server.wire import Codec, Shape

ROOT = Path(__file__).parents[2]
PHOTOMETER = (ROOT / "examples" / "sila2-server" / "Photometer.sila.xml").read_text()

KELVIN = Unit("K", 1, 0, (("kelvin", 1),))
CELSIUS = Unit("°C", 1, 273.15, (("kelvin", 1),))
FAHRENHEIT = Unit("F", 5 / 9, 255.3722222222222, (("kelvin", 1),))
PERCENT = Unit("%", 0.01, 0, ())
MILLIMOLAR = Unit("mmol/l", 1, 0, (("mole", 1), ("meter", -3)))


@pytest.mark.parametrize(
    ("unit", "value", "to", "expected"),
    [
        (KELVIN, 335.15, "degC", 62.0),
        (CELSIUS, 62.0, "kelvin", 335.15),
        (FAHRENHEIT, 212, "degC", 100),
        (PERCENT, 12.5, "", 0.125),
        (MILLIMOLAR, 2.5, "umol/l", 2500),
        (MILLIMOLAR, 2.5, "mol/l", 0.0025),
    ],
)
def test_units_are_converted_there_and_back(
    unit: Unit, value: float, to: str, expected: float
) -> None:
    assert unit.value(value, to) == pytest.approx(expected)
    assert unit.of(expected, to) == pytest.approx(value)


@pytest.mark.parametrize(
    ("unit", "same"),
    [(KELVIN, "kelvin"), (CELSIUS, "degC"), (PERCENT, "percent"), (MILLIMOLAR, "mmol/l")],
)
def test_a_value_in_the_same_unit_keeps_its_bits(unit: Unit, same: str) -> None:
    """12.3 % must not become 12.300000000000001 %."""
    for value in (0.1, 12.3, 1 / 3, 1e-300):
        assert unit.value(value, same) == value
        assert unit.std(value, same) == value
        assert unit.of(value, same) == value


def test_a_deviation_has_no_offset() -> None:
    assert CELSIUS.std(2.0, "kelvin") == pytest.approx(2.0)
    assert FAHRENHEIT.std(9.0, "degC") == pytest.approx(5.0)


def test_units_that_measure_different_things_are_refused() -> None:
    for unit, to in ((KELVIN, "mol/l"), (PERCENT, "gram"), (MILLIMOLAR, "")):
        with pytest.raises(EvaluatorError, match="cannot be converted"):
            unit.require(to)
    with pytest.raises(EvaluatorError, match="factor 0"):
        Unit("none", 0.0, 0, ()).require("")


def test_a_definition_gives_commands_with_units_and_exponents() -> None:
    feature = read(PHOTOMETER)
    assert feature.identifier == "org.example/measure/Photometer/v1"
    assert feature.service == "sila2.org.example.measure.photometer.v1.Photometer"
    measure, glance = feature.commands["Measure"], feature.commands["Glance"]
    assert (measure.observable, glance.observable) == (True, False)
    assert list(measure.parameters) == ["Temperature", "Ph", "Label"]
    assert measure.responses["Product"].unit == MILLIMOLAR
    assert glance.responses["Transmission"].unit == PERCENT
    assert measure.parameters["Temperature"].bare() == Shape("Real", KELVIN)


@pytest.mark.parametrize(
    "definition",
    [
        "",
        "<Feature/>",
        PHOTOMETER.replace("<SIUnit>Kelvin", "<SIUnit>Furlong"),
        PHOTOMETER.replace("<DataTypeIdentifier>Ph<", "<DataTypeIdentifier>Nowhere<"),
        # A type that is defined by itself.
        PHOTOMETER.replace(
            "<Description>From 0 to 14.</Description>\n    <DataType>",
            "<DataType><DataTypeIdentifier>Ph</DataTypeIdentifier></DataType><DataType>",
        ),
        '<!DOCTYPE x [<!ENTITY a "b">]><Feature>&a;&c;</Feature>',
    ],
)
def test_a_broken_definition_is_refused(definition: str) -> None:
    with pytest.raises(EvaluatorError, match="definition of a feature cannot be read"):
        read(definition)


REAL, TEXT = Shape("Real"), Shape("String")
FIELDS = {
    "Real": REAL,
    "Integer": Shape("Integer"),
    "Text": TEXT,
    "Boolean": Shape("Boolean"),
    "Binary": Shape("Binary"),
    "Timestamp": Shape("Timestamp"),
    "Named": Shape("Definition", None, {"Name": Shape("Real", KELVIN)}),
    "Structure": Shape("Structure", None, {"One": REAL, "Two": TEXT}),
    "List": Shape("List", None, {"item": Shape("Structure", None, {"One": REAL})}),
}
VALUES: dict[str, Any] = {
    "Real": 1.5,
    "Integer": -(2**63),
    "Text": "µM \U0001f9ea",
    "Boolean": True,
    "Binary": b"\x00\xff",
    "Timestamp": "2026-11-27T14:30:00.25+01:00",
    "Named": 300.0,
    "Structure": {"One": 2.0, "Two": "b"},
    "List": [{"One": 3.0}, {"One": 4.0}],
}


def test_every_type_that_can_be_given_comes_back() -> None:
    codec = Codec(FIELDS)
    found = codec.decode(codec.encode(VALUES))
    assert found["Integer"] == {"type": "Integer", "value": -(2**63)}
    assert found["Text"]["value"] == VALUES["Text"]
    assert found["Boolean"]["value"] is True
    assert found["Binary"]["value"] == "AP8="
    assert found["Timestamp"]["value"] == "2026-11-27T13:30:00.250000+00:00"
    assert found["Named"] == {"type": "Real", "unit": KELVIN.written(), "value": 300.0}
    assert found["Structure"]["value"]["Two"] == {"type": "String", "value": "b"}
    values = [one["value"]["One"]["value"] for one in found["List"]["value"]]
    assert values == [3.0, 4.0]


def test_zero_and_nothing_are_told_apart() -> None:
    codec = Codec({"Real": REAL, "Integer": Shape("Integer")})
    zero = codec.encode({"Real": 0.0, "Integer": 0})
    assert codec.decode(zero)["Real"]["value"] == 0.0
    assert codec.decode(b"") == {}


def test_what_is_not_finite_survives_json() -> None:
    codec = Codec({"Real": REAL})
    spelled = [
        codec.decode(codec.encode({"Real": value}))["Real"]["value"]
        for value in (math.nan, math.inf, -math.inf)
    ]
    assert spelled == ["NaN", "Infinity", "-Infinity"]


def test_moments_are_read_whatever_a_server_sends() -> None:
    moment = Shape("Timestamp")
    # Day 31 of month 2; a zone of -3:30.
    wrong = bytes([0x0A, 6, 0x20, 31, 0x28, 2, 0x30, 99])
    assert Codec({"At": moment}).decode(wrong)["At"]["value"] is None
    zone = bytes([0x3A, 13, 8, 0xFD, *[0xFF] * 8, 1, 16, 30])
    body = bytes([8, 5, 0x20, 1, 0x28, 2, 0x30, 0xEA, 0x0F, *zone])
    found = Codec({"At": moment}).decode(bytes([0x0A, len(body), *body]))
    assert found["At"]["value"] == "2026-02-01T00:00:05-03:30"
    day = bytes([8, 27, 16, 11, 24, 0xEA, 0x0F])
    found = Codec({"At": Shape("Date")}).decode(bytes([0x0A, len(day), *day]))
    assert found["At"]["value"] == "2026-11-27+00:00"
    clock = bytes([8, 5, 16, 30, 24, 14])
    found = Codec({"At": Shape("Time")}).decode(bytes([0x0A, len(clock), *clock]))
    assert found["At"]["value"] == "14:30:05+00:00"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("Real", "warm", "Real is 'warm'; a number is wanted"),
        ("Real", True, "a number is wanted"),
        ("Integer", 1.5, "a whole number is wanted"),
        ("Integer", 2**63, "which 64 bits do not hold"),
        ("Text", "\ud800", "which UTF-8 cannot hold"),
        ("Text", b"\xff", "no text in UTF-8"),
        ("Boolean", 1, "true or false is wanted"),
        ("Timestamp", "noon", "write it as 2026-11-27T13:30:00Z"),
        ("Structure", {"One": 1}, "a mapping with One, Two is wanted"),
        ("List", 7, "a list is wanted"),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Codec(FIELDS).encode(VALUES | {name: value})


def job(content: str | bytes = "CCO", kind: str = "molecule") -> Job:
    return Job("c/1/sila2/2", Sample(kind, content, "vial 7"), ("x",), 2, "1/2")


def test_a_template_is_filled_from_the_sample() -> None:
    box = json.dumps({"t": 60.25, "n": 3, "sample": "hidden"})
    values = template.placeholders(job(box, "parameters"))
    assert template.fill("{t}", values) == 60.25
    assert template.fill("{n}", values) == 3
    assert template.fill("{t:.1f} degrees", values) == "60.2 degrees"
    assert template.fill("{sample}", values) == box
    assert template.fill({"A": ["{n}", 7, True]}, values) == {"A": [3, 7, True]}
    plain = template.placeholders(job())
    shown = template.fill("{name} {key} {label} {replicate} {sample} {{}}", plain)
    assert shown == "vial 7 c/1/sila2/2 1/2 2 CCO {}"
    assert template.fill("{sample}", template.placeholders(job(b"\xff"))) == b"\xff"


@pytest.mark.parametrize("value", ["{}", "{a.b}", "{a[0]}", "{a!r}", "{", "}", ["{}"], {"A": "{"}])
def test_a_template_reaches_into_nothing(value: object) -> None:
    with pytest.raises(OptionError) as caught:
        template.require("parameters", value)
    assert caught.value.option == "parameters"


def test_what_a_sample_lacks_is_said() -> None:
    with pytest.raises(SampleError, match=r"no \{tempe\}; did you mean 'temperature'"):
        template.fill("{tempe}", {"temperature": 1})
    with pytest.raises(SampleError, match="cannot show 'x'"):
        template.fill("{a:.1f}", {"a": "x"})


OPTIONS: dict[str, Any] = {
    "address": "localhost:50052",
    "feature": "Photometer",
    "command": "Measure",
    "measures": {"product": "mmol/l"},
    "kinds": ["parameters"],
}


@pytest.mark.parametrize(
    ("changes", "option", "said"),
    [
        ({"address": "localhost"}, "address", "write host:port"),
        ({"address": "localhost:0"}, "address", "write host:port"),
        ({"address": ":50052"}, "address", "write host:port"),
        ({"measures": {}}, "measures", "is empty"),
        ({"measures": {"product": "bananas"}}, "measures", "'bananas' is no unit"),
        ({"kinds": []}, "kinds", "is empty"),
        ({"timeout": 0}, "timeout", "above 0"),
        ({"in_flight": 0}, "in_flight", "at least 1"),
        ({"lock_timeout": 0}, "lock_timeout", "above 0"),
        ({"parameters": {"Ph": "{"}}, "parameters", "braces"),
        ({"parameters": {"Ph": {"value": 1, "unit": "bananas"}}}, "parameters", "'Ph'"),
        ({"responses": {"produkt": "P"}}, "responses", "did you mean 'product'"),
        ({"responses": {"product": {"respons": "P"}}}, "responses", "did you mean 'response'"),
        ({"responses": {"product": {"unit": "bananas"}}}, "responses", "'product'"),
        ({"metadata": {"LockIdentifier": "x"}}, "metadata", "write the feature"),
        ({"metadata": {"A/B": "{}"}}, "metadata", "write a name"),
        ({"colour": "red"}, "colour", "no option 'colour'"),
    ],
)
def test_a_wrong_option_is_named_without_a_server(
    changes: dict[str, Any], option: str, said: str
) -> None:
    with pytest.raises(OptionError, match=said) as caught:
        build(Sila2Evaluator, "sila2", OPTIONS | changes)
    assert caught.value.option == option


def test_capabilities_follow_from_the_options() -> None:
    started = Sila2Evaluator(**OPTIONS, in_flight=4).capabilities
    assert (started.synchronous, started.batch_size, started.in_flight) == (False, 1, 4)
    executed = Sila2Evaluator(**OPTIONS, in_flight=4, observable=False).capabilities
    assert (executed.synchronous, executed.batch_size, executed.in_flight) == (True, 4, 4)
    assert not started.idempotent
    assert not executed.idempotent


def reader(**sources: Source) -> Reader:
    return Reader((Measure("product", "umol/l"),), sources, "", frozenset())


def test_a_delivery_reads_alike_years_later() -> None:
    unit = MILLIMOLAR.written()
    body = delivery.write(
        {"job": "c/1/x/1", "responses": {"P": {"type": "Real", "unit": unit, "value": "NaN"}}}
    )
    outcome = reader(product=Source("P")).outcome(body)
    assert outcome.status is OutcomeStatus.SUCCEEDED
    assert math.isnan(outcome.readings[0].value)
    assert outcome.readings[0].place == "/responses/P/value"


@pytest.mark.parametrize(
    ("responses", "said"),
    [
        ({}, "gave no response 'P'"),
        ({"P": {"type": "String", "value": "7"}}, "is '7', which is no number"),
        ({"P": {"type": "String", "value": "NaN"}}, "is 'NaN', which is no number"),
        ({"P": {"type": "Real"}}, "which is no number"),
        ({"P": {"type": "Real", "value": 1.0, "unit": {"si": {}}}}, "factor"),
        ({"P": {"type": "Real", "value": 1.0, "unit": KELVIN.written()}}, "cannot be converted"),
    ],
)
def test_responses_that_are_no_measurement_fail_the_job(
    responses: dict[str, Any], said: str
) -> None:
    body = delivery.write({"job": "c/1/x/1", "responses": responses})
    outcome = reader(product=Source("P")).outcome(body)
    assert outcome.status is OutcomeStatus.FAILED
    assert said in outcome.reason


@pytest.mark.parametrize(
    "document",
    [
        7,
        {"job": 7, "responses": {}},
        {"job": "a"},
        {"job": "a", "responses": []},
        {"job": "a", "error": "x"},
        {"job": "a", "error": {"kind": "strange", "identifier": "", "message": ""}},
        {"job": "a", "error": {"kind": "defined", "identifier": 7, "message": ""}},
    ],
)
def test_bytes_that_are_no_delivery_are_refused(document: object) -> None:
    with pytest.raises(EvaluatorError, match="no delivery of a SiLA 2 server"):
        Sila2Evaluator(**OPTIONS).parse(Delivery("x", json.dumps(document).encode()))


def test_it_is_made_and_reads_without_any_library_of_the_network() -> None:
    """Whoever audits a campaign years later need not install them."""
    script = (
        "import sys; sys.modules |= {'grpc': None, 'google.protobuf': None}\n"
        "from adapters.sila2_server import Sila2Evaluator\n"
        "from adapters.protocol import Delivery, EvaluatorError\n"
        f"made = Sila2Evaluator(**{OPTIONS!r})\n"
        'print(made.parse(Delivery("x", b\'{"job": "a", "responses": {}}\'))[0].reason)\n'
        "try:\n made.check(['product'])\nexcept EvaluatorError as error:\n print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    read_back, refused = run.stdout.splitlines()
    assert read_back == "the server gave no response 'product'"
    assert refused.startswith("evaluator 'sila2' needs ")
    assert refused.endswith("install it with pip install 'assayloop[sila2]'")

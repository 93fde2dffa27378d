"""Values that go into the database are the values that come out, on both kinds."""

from __future__ import annotations

import json
import math
import struct
from enum import StrEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from db import repository
from db.columns import _ENCODER, _spelled, canonical, parse, storable
from db.ledger import Draft
from db.models import Candidate, LedgerEntry
from db.session import Database
from tests import histories
from tests.histories import CAMPAIGN

TEXT = st.text(st.characters(exclude_categories=()))
"""Any text that Python can hold: NUL, other control characters and lone surrogates too."""
FLOATS = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
PATIENT = settings(deadline=None)
"""The machine may be busy with other tests."""
ODD_NUMBERS = [0.0, -0.0, 5e-324, -2.2e-308, 1e308, -1e308, 0.1 + 0.2, 1e22, math.pi]
ODD_TEXTS = ["", "Ångström", "𝒙🧪", "a\tb\r\n\x1b\x7f", "\u2028\ufeff", "e\u0301", "\ufffe"]


@PATIENT
@given(JSON)
@example({"b": 1, "a": [-0.0, 5e-324, 1e308, math.nan, -math.inf]})
@example({"\0": "\ud83d\ude00", "\ud83d": {"\udc00x": "\0"}})
def test_canonical_json_reads_back_to_the_same_text(value: Any) -> None:
    """Else a verification would call an untouched history forged."""
    text = canonical(value)
    text.encode()
    assert canonical(json.loads(text)) == text
    assert "\0" not in text


def by_the_rules(value: Any) -> str:
    """Canonical JSON by the standard library alone."""
    return _ENCODER.encode(_spelled(value))


@PATIENT
@given(JSON)
@example([1e-5, 9.99e-5, 1e-4, 1e15, 1e16, 123456789012345678.0, 5e-324, 2**64, -(2**63)])
@example({"a": math.nan, "b": None, "c": {"d": [math.inf]}, 3: True, None: 1})
@example(("a", StrEnum("Kind", ["QUEUED"]).QUEUED, np.float64(0.1)))  # type: ignore[attr-defined]
@example({"ä": 1, "a": 2, "𝒙": 3, "\uffff": 4, "\x7f": "\b\f\x1f/"})
@example(["\\u0000", "a:[1e5,0.00001]", 4.453329950877113e-05, 1.5e300, -1e-7])
@example(1e-5)
def test_the_quick_way_writes_what_the_slow_way_does(value: Any) -> None:
    """Else the hash of an entry would depend on the encoder at hand."""
    assert canonical(value) == by_the_rules(value)


@PATIENT
@given(JSON, st.booleans())
@example({"a": "\\u0000"}, True)  # a text of six letters, not a NUL
@example({"a": "\0"}, True)
@example({"ä": "\udcff"}, False)
@example([math.nan], True)
@example({"b": 1, "a": 2}, True)
@example([1e-5, 2**64, -0.0, 1e16], True)
@example({"a": ["[1e5,0.00001]", 1e-5, -1e22]}, True)
def test_what_is_canonical_is_told_from_what_is_not(value: Any, plain: bool) -> None:
    """A short cut that erred would raise a false alarm, or miss a change."""
    for text in (canonical(value), json.dumps(value, ensure_ascii=plain, separators=(",", ":"))):
        read, whether = parse(text)
        expected = json.loads(text)
        assert by_the_rules(read) == by_the_rules(expected)
        assert whether == (by_the_rules(expected) == text)


@pytest.mark.parametrize(
    "text",
    [
        *("0.00001", "[0.00001]", "[1e-7]", "[1e16]", "[1E+16]", "[1e+16,-0]", "[1.50]", "[1e-5]"),
        *('{"a":1,"a":1}', '{"a": 1}', '{"b":1,"a":1}', '["\\u00e4"]', '["\\/"]', '["\\u001F"]'),
        *("[0.10000000000000000555]", "[1e400]", "[18446744073709551616.0]", " [1]", "[1]\n"),
    ],
)
def test_another_spelling_is_not_canonical(text: str) -> None:
    """Two readers could take such an entry for two things, and its hash would be of neither."""
    assert parse(text) == (json.loads(text), False)


@PATIENT
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_to_the_same_bits(value: float) -> None:
    """Else a replay would start from other numbers than the campaign did."""
    read = json.loads(canonical([value]))[0]
    assert struct.pack("<d", read) == struct.pack("<d", value)


@PATIENT
@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_equal_values_give_equal_text(value: dict[str, int]) -> None:
    """Else the same change would have two hashes."""
    assert canonical(dict(reversed(value.items()))) == canonical(value)


def test_canonical_json_is_what_the_documents_say() -> None:
    """Others write verifiers from these rules, without our code."""
    value = {"z": [1, 2.0, -0.0, math.inf, -math.inf, math.nan], "é": '\n"', "a": None}
    assert canonical(value) == (
        '{"a":null,"z":[1,2.0,-0.0,"Infinity","-Infinity","NaN"],"é":"\\n\\""}'
    )
    assert canonical({10: "ten", 9: "nine"}) == '{"10":"ten","9":"nine"}'


@PATIENT
@given(TEXT)
def test_storable_text_is_left_alone_and_the_rest_is_spelled_out(text: str) -> None:
    """An instrument's message is kept to the letter, as far as a database has the letters."""
    stored = storable(text)
    stored.encode()
    assert "\0" not in stored
    assert storable(stored) == stored
    if "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert stored == text


def test_what_no_database_can_hold_is_spelled_as_python_spells_it() -> None:
    """A person still sees what an instrument sent."""
    assert storable("a\0b\udc80") == "a\\x00b\\udc80"


def test_odd_numbers_and_texts_come_back_unchanged(database: Database) -> None:
    """A unit with an Å or a value of 5e-324 must survive the database it is kept in."""
    histories.begin(database)
    draft = Draft("tell")
    for number, value in enumerate(ODD_NUMBERS, 1):
        histories.candidate(draft, number, point=ODD_NUMBERS, mean=value, filters={"n": value})
    for number, text in enumerate(ODD_TEXTS, len(ODD_NUMBERS) + 1):
        histories.candidate(draft, number, object=text, reason=text, external_ids=[text])
    histories.write(database, draft)
    with database.read() as session:
        rows = repository.candidates(session, CAMPAIGN)
        for row, value in zip(rows, ODD_NUMBERS, strict=False):
            assert row.mean == value
            assert _bits(row.point) == _bits(ODD_NUMBERS)
            assert _bits([row.filters["n"]]) == _bits([value])
        for row, text in zip(rows[len(ODD_NUMBERS) :], ODD_TEXTS, strict=True):
            assert (row.object, row.reason, row.external_ids) == (text, text, [text])


def _bits(values: Any) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(value=JSON, text=TEXT, number=FLOATS, point=st.lists(FLOATS, max_size=3))
@example(value="\0", text="\0\udfff", number=math.nan, point=[math.nan, math.inf, -0.0])
@example(value={}, text="\ud83d\ude00", number=-math.inf, point=[])
def test_whatever_an_adapter_hands_over_is_stored(
    database: Database, value: Any, text: str, number: float, point: list[float]
) -> None:
    """A NUL in an error message must not end a campaign on one database and not on the other."""
    with database.read() as session:
        started = repository.position(session, CAMPAIGN) > 0
        last = repository.next_number(session, Candidate, CAMPAIGN) - 1
    if not started:
        histories.begin(database)
    draft = Draft("tell", {"said": value, text: text})
    histories.candidate(
        draft, last + 1, object=text, mean=number, point=point, filters={"f": value}
    )
    entry = histories.write(database, draft)
    with database.read() as session:
        row = session.get_one(Candidate, (CAMPAIGN, last + 1))
        stored = session.get_one(LedgerEntry, (CAMPAIGN, entry.sequence))
    assert row.object == storable(text)
    assert row.mean == (None if math.isnan(number) else number)
    assert _bits(row.point) == _bits([math.nan if math.isnan(x) else x for x in point])
    assert canonical(row.filters) == canonical({"f": value})
    assert stored.payload == entry.payload


@pytest.mark.parametrize("value", [math.nan, "NaN"])
def test_a_number_that_is_none_is_no_value_on_both(database: Database, value: Any) -> None:
    """SQLite keeps no NaN; if PostgreSQL did, the two would disagree about the same history."""
    histories.begin(database)
    draft = Draft("tell")
    histories.candidate(draft, 1, mean=value, log_prior=-math.inf)
    histories.write(database, draft)
    with database.read() as session:
        row = session.get_one(Candidate, (CAMPAIGN, 1))
    assert row.mean is None
    assert row.log_prior == -math.inf

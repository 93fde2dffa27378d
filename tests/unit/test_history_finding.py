"""Finding what somebody asks for in a history, on both databases alike."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, text

from db import repository
from db.ledger import Actor, Draft, append
from db.models import Campaign, LedgerEntry, Measurement
from db.session import Database
from orchestrator.history.listings import candidate_list, measurement_table, search
from tests import histories
from tests.histories import CAMPAIGN

MINUTE = 60_000_000
REASONS = {
    3: "100% pure, by HPLC_7",
    4: "100 parts pure, by HPLC-7",
    5: 'a "quoted" C/C=C\\C and a tab\t',
    6: "Ångström, caf\u00e9",
    7: "A\u030angstro\u0308m, cafe\u0301",
    8: "das Maß 𝒙",
}


@pytest.fixture
def said(database: Database) -> Database:
    """A campaign with what people said, a minute apart, and one of them on another's behalf."""
    histories.begin(database)
    histories.write(database, Draft("tell"), at=MINUTE)
    for number, reason in REASONS.items():
        draft = Draft("pause" if number % 2 else "resume", {"reason": reason})
        draft.set("campaign", state="paused", reason=reason)
        who = Actor("token", "grace/1", on_behalf_of="grace") if number == 8 else histories.ACTOR
        with database.write(CAMPAIGN) as session:
            append(session, CAMPAIGN, who, draft, number * MINUTE)
    return database


def row(database: Database) -> Campaign:
    with database.read() as session:
        return repository.campaign(session, CAMPAIGN)


def found(database: Database, *named: Any, last: int | None = None) -> list[int]:
    with database.read() as session:
        conditions = [one(session) if callable(one) else one for one in named]
        return [one.sequence for one in search.entries(session, row(database), conditions, last)]


def test_a_text_is_found_as_it_was_written_and_no_character_is_a_wildcard(said: Database) -> None:
    """Who looks for 100% finds that, and not every 100."""
    for asked, numbers in {
        "100%": [3],
        "HPLC_7": [3],
        "hplc": [],
        "C/C=C\\C": [5],
        '"quoted"': [5],
        "tab\t": [5],
        "\\": [5],
        "caf\u00e9": [6, 7],
        "cafe\u0301": [6, 7],
        "cafe": [7],
        "Maß 𝒙": [8],
        "MASS": [],
        "'; DROP TABLE ledger_entry": [],
        "\0": [],
        "\udc80": [],
    }.items():
        assert found(said, lambda session, asked=asked: search.holds(session, asked)) == numbers, (
            asked
        )
    with said.read() as session:
        entry = next(iter(search.entries(session, row(said), [search.holds(session, "𝒙")])))
        assert search.described(entry, "𝒙")["found"].endswith("…")


def test_entries_are_found_by_time_actor_and_number(said: Database) -> None:
    def since(when: str) -> Any:
        return lambda session: search.bound(session, row(said), when, "--from", end=False)

    def until(when: str) -> Any:
        return lambda session: search.bound(session, row(said), when, "--to", end=True)

    assert found(said, since("1970-01-01T00:07Z")) == [7, 8]
    assert found(said, until("1970-01-01T00:03Z"), since("entry:2")) == [2, 3]
    assert found(said, since("1970-01-01"), until("1970-01-01"), last=2) == [7, 8]
    assert found(said, search.by("grace")) == [8]
    assert found(said, search.by("ada"), until("entry:3")) == [1, 2, 3]


def test_measurements_are_found_by_value(database: Database) -> None:
    histories.everything(database)

    def numbers(*conditions: Any, last: int | None = None) -> list[int]:
        rows = measurement_table.rows(database, row(database), conditions, last)
        return [one["measurement"] for one in rows]

    assert numbers() == [1, 2]
    assert numbers(last=1) == [2]
    assert numbers(Measurement.value >= 0.5) == [1]
    assert numbers(Measurement.value >= 2, last=5) == []
    (first,) = measurement_table.rows(database, row(database), [Measurement.candidate == 1])
    assert (first["flags"], first["actor"]) == (["late"], "ada")


def test_every_candidate_is_in_one_state(database: Database) -> None:
    """One that no state lists would be lost to whoever asks for all of them in turn."""
    histories.begin(database)
    draft = Draft("tell")
    kinds: dict[str, dict[str, Any]] = {
        "undecoded": {"valid": None},
        "invalid": {"valid": False, "reason": "no valence", "object": None},
        "duplicate": {"duplicate_of": 4, "reason": "too large"},
        "measured": {},
        "filtered": {"reason": "too large"},
        "waiting": {},
    }
    for number, columns in enumerate(kinds.values(), 1):
        histories.candidate(draft, number, **columns)
    histories.measurement(draft, 1, 4, value=0.5)
    histories.write(database, draft)

    def listed(*conditions: Any, last: int | None = None) -> list[tuple[int, str]]:
        with database.read() as session:
            rows = candidate_list.candidates(session, row(database), conditions, last)
            return [(one["candidate"], one["state"]) for one in rows]

    assert [state for _, state in listed()] == list(kinds)
    for number, state in enumerate(kinds, 1):
        assert listed(candidate_list.in_state(state)) == [(number, state)]
    assert listed(candidate_list.measured_between("score", 0.5, 0.5)) == [(4, "measured")]
    assert listed(candidate_list.measured_between("score", 0.6, None)) == []
    assert listed(last=2) == [(5, "filtered"), (6, "waiting")]


def test_the_first_page_of_a_long_history_reads_that_page(database: Database) -> None:
    """Of a million measurements and entries, an index gives the last twenty, without sorting."""
    histories.everything(database)
    asked: list[tuple[str, Any]] = []
    event.listen(
        database.engine,
        "before_cursor_execute",
        lambda *of: asked.append((of[2], of[3])),
    )
    list(measurement_table.rows(database, row(database), last=20))
    with database.read() as session:
        list(candidate_list.candidates(session, row(database), [], 20))
    kind = LedgerEntry.kind == "record"
    for conditions in ([], [kind]):
        found(database, *conditions, last=20)
    found(database, lambda session: search.holds(session, "x"), last=20)
    with database.read() as session:
        repository.position_at(session, CAMPAIGN, 5)
    wanted = [one for one in asked if "ledger_entry" in one[0] or "measurement" in one[0]]
    assert len(wanted) >= 7
    with database.engine.connect() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if not sqlite:  # which would read a table as small as this as a whole
            connection.execute(text("SET enable_seqscan = off"))
            connection.execute(text("SET enable_bitmapscan = off"))
        for statement, parameters in wanted:
            explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
            plan = str(connection.exec_driver_sql(explain + statement, parameters).all())
            for wrong in ("SCAN ", "Seq Scan", "TEMP B-TREE", "Sort Key"):
                assert wrong not in plan, (statement, plan)

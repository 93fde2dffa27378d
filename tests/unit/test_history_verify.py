"""Whatever somebody does to a database behind our back is found, and where it is."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from db import repository
from db.ledger import GENESIS, Draft, digest
from db.models import LedgerEntry
from db.session import Database
from orchestrator.errors import NotFound
from orchestrator.history.verify.verification import verify
from tests import histories
from tests.histories import CAMPAIGN
from tests.intruder import Intruder

OTHER = CAMPAIGN.replace("1", "9")
HERE = f"campaign small {CAMPAIGN}"


def problems(intruder: Intruder) -> list[str]:
    """What a verification says, when the intruder is gone."""
    intruder.leaves()
    found = verify(intruder.database)
    assert found.ok == (not found.problems)
    return [str(problem) for problem in found.problems]


# The tables -----------------------------------------------------------------------------------

ROWS = [
    (
        ["DELETE FROM measurement WHERE number = 2"],
        f"{HERE}, measurement 2: the ledger has this row, and it is not stored",
    ),
    (
        ["UPDATE candidate SET number = 9 WHERE number = 3"],
        f"{HERE}, candidate 9: this row is stored, and no entry made it",
    ),
    (
        ["UPDATE measurement SET value = 0.6 WHERE number = 1"],
        f"{HERE}, measurement 1, value: 0.6 is stored; by the ledger it is 0.5",
    ),
    (
        [
            "UPDATE measurement SET number = -1 WHERE number = 1",
            "UPDATE measurement SET number = 1 WHERE number = 2",
            "UPDATE measurement SET number = 2 WHERE number = -1",
        ],
        f"{HERE}, measurement 2, value: 0.5 is stored; by the ledger it is 0.3333333333333333",
    ),
    (
        [f"UPDATE job SET campaign = '{OTHER}' WHERE number = 2"],
        f"table job: has rows of '{OTHER}', of which the ledger has no entry",
    ),
    (
        ["UPDATE candidate SET filters = '{\"alerts\": true}' WHERE number = 2"],
        f"{HERE}, candidate 2, filters: '{{\"alerts\": true}}' is stored; "
        "by the ledger it is '{\"alerts\":true}'",
    ),
    (
        ["UPDATE latent_model SET name = 'other'"],
        "name: 'other' is stored; by the ledger it is 'tiny'",
    ),
]


@pytest.mark.parametrize(("statements", "said"), ROWS)
def test_a_forged_table_is_found(intruder: Intruder, statements: list[str], said: str) -> None:
    """Deleted, inserted, exchanged or moved: the ledger knows what was there."""
    intruder.does(*statements)
    assert any(problem.endswith(said) for problem in problems(intruder)), problems(intruder)


# The chain ------------------------------------------------------------------------------------

ENTRIES = [
    (
        ["UPDATE ledger_entry SET actor_id = 'eve' WHERE sequence = 3 AND chain <> 'system'"],
        "entry 3: was changed: its hash is ",
    ),
    (
        ["UPDATE ledger_entry SET at = at + 1 WHERE sequence = 6"],
        "entry 6: was changed: its hash is ",
    ),
    (
        ["UPDATE ledger_entry SET payload = replace(payload, '0.5', '0.6') WHERE sequence = 5"],
        "entry 5: was changed: its hash is ",
    ),
    (
        ["UPDATE ledger_entry SET hash = previous, previous = hash WHERE sequence = 4"],
        "entry 4: names '",
    ),
    (
        ["DELETE FROM ledger_entry WHERE sequence = 3 AND chain <> 'system'"],
        "entry 4: follows entry 2: what was between them is missing",
    ),
    (
        ["DELETE FROM ledger_entry WHERE sequence = 1 AND chain <> 'system'"],
        "entry 2: follows entry 0: what was between them is missing",
    ),
    (
        ["DELETE FROM ledger_entry WHERE sequence = 6"],
        "candidate 3: this row is stored, and no entry made it",
    ),
    (
        ["DELETE FROM ledger_entry WHERE chain <> 'system'"],
        "the system chain names it, and the ledger has no entry of it",
    ),
    (
        ["DELETE FROM ledger_entry WHERE chain = 'system' AND kind = 'campaign'"],
        f"campaign {CAMPAIGN}: the system chain does not name it",
    ),
    (
        ["DELETE FROM ledger_entry"],
        f"table campaign: has rows of '{CAMPAIGN}', of which the ledger has no entry",
    ),
    (
        [
            f"UPDATE ledger_entry SET payload = replace(payload, '{CAMPAIGN}', '{OTHER}') "
            "WHERE chain = 'system'"
        ],
        f"campaign small {OTHER}: the system chain names it, and the ledger has no entry of it",
    ),
    (
        ["UPDATE ledger_entry SET payload = payload || ' ' WHERE sequence = 2"],
        "entry 2: its payload is not canonical JSON",
    ),
]


@pytest.mark.parametrize(("statements", "said"), ENTRIES)
def test_a_forged_entry_is_found(intruder: Intruder, statements: list[str], said: str) -> None:
    """Who, when, what: nothing of it can be changed alone."""
    intruder.does(*statements)
    assert any(said in problem for problem in problems(intruder)), problems(intruder)


SENSELESS = [
    "",
    "{",
    "[]",
    "null",
    '"text"',
    '{"new":[],"set":{}}',
    '{"new":{"candidate":[{}]},"set":{}}',
    '{"new":{"candidate":[7]},"set":{}}',
    '{"new":{"candidate":[{"number":[]}]},"set":{}}',
    '{"new":{"candidate":[{"number":1,"point":"x","mean":"y"}]},"set":{}}',
    '{"new":{"secrets":[{"number":1}]},"set":{}}',
    '{"new":{},"set":{"candidate":[{"number":99,"mean":1}]}}',
    "[" * 100_000,
    "9" * 10_000,
]


@pytest.mark.slow
def test_an_entry_that_makes_no_sense_is_reported(intruder: Intruder) -> None:
    """A verification that broke on a forgery would prove nothing."""
    for payload in SENSELESS:
        intruder.does(
            "UPDATE ledger_entry SET payload = :payload "
            "WHERE chain <> 'system' AND sequence = 3 OR chain = 'system' AND sequence = 1",
            payload=payload,
        )
        found = problems(intruder)
        for place in (f"{CAMPAIGN}, entry 3: ", "system, entry 1: "):
            assert any(place in problem for problem in found), (payload[:40], found)


def test_an_entry_forged_with_its_hash_breaks_the_next(intruder: Intruder) -> None:
    """Whoever knows the rules must rewrite everything that follows."""
    with intruder.database.read() as session:
        entry = session.get_one(LedgerEntry, (CAMPAIGN, 4))
    entry.actor_id = "eve"
    intruder.does(
        "UPDATE ledger_entry SET actor_id = 'eve', hash = :hash "
        "WHERE sequence = 4 AND chain <> 'system'",
        hash=digest(entry),
    )
    (found,) = problems(intruder)
    assert found.startswith(f"{HERE}, entry 5: names '")


def test_a_campaign_begun_anew_is_found(intruder: Intruder) -> None:
    """A chain that is sound in itself is not the one that was begun."""
    with intruder.database.read() as session:
        entries = list(repository.entries(session, CAMPAIGN))
    previous = GENESIS
    for entry in entries:
        entry.at, entry.previous = entry.at + 1, previous
        previous = digest(entry)
        intruder.does(
            "UPDATE ledger_entry SET at = :at, previous = :previous, hash = :digest "
            "WHERE chain <> 'system' AND sequence = :sequence",
            sequence=entry.sequence,
            at=entry.at,
            previous=entry.previous,
            digest=previous,
        )
    begun, signed = problems(intruder)
    assert begun.startswith(
        f"{HERE}, entry 1: has hash {digest(entries[0])}; the system chain says"
    )
    assert signed.startswith(f"{HERE}, signature 1: 'grace' signed an entry 6 whose hash is ")


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_text_that_is_no_text_is_reported(intruder: Intruder) -> None:
    """SQLite takes any bytes as text; a single one must not hide the rest."""
    intruder.does("UPDATE candidate SET object = CAST(x'ff41' AS TEXT) WHERE number = 1")
    intruder.does("UPDATE ledger_entry SET kind = CAST(x'ff' AS TEXT) WHERE sequence = 4")
    intruder.does("UPDATE ledger_entry SET clock_back = 2, at = 'noon' WHERE sequence = 5")
    found = problems(intruder)
    assert any("candidate 1, object: '\\udcffA' is stored" in problem for problem in found)
    assert any(f"{HERE}, entry 4: " in problem for problem in found)
    assert any(f"{HERE}, entry 5: " in problem for problem in found)


# What guards it -------------------------------------------------------------------------------


def test_a_trigger_that_is_gone_or_hollow_is_found(intruder: Intruder) -> None:
    """Somebody who means to come back leaves the door open."""
    sqlite = intruder.database.engine.dialect.name == "sqlite"
    with intruder.database.engine.begin() as connection:
        where = "" if sqlite else " ON measurement"
        connection.execute(text(f"DROP TRIGGER measurement_no_delete{where}"))
        if sqlite:
            connection.execute(text("DROP TRIGGER artifact_no_update"))
            hollow = "CREATE TRIGGER artifact_no_update BEFORE UPDATE ON artifact BEGIN SELECT 1"
            connection.connection.executescript(f"{hollow}; END")
        else:
            connection.execute(text("ALTER TABLE artifact DISABLE TRIGGER artifact_no_update"))
    assert problems(intruder) == [
        "table measurement: the trigger measurement_no_delete, which refuses DELETE, is missing",
        "table artifact: the trigger artifact_no_update was changed: it must refuse every UPDATE",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_hollow_function_behind_the_triggers_is_found(intruder: Intruder) -> None:
    """On PostgreSQL all triggers call one function."""
    with intruder.database.engine.begin() as connection:
        connection.execute(
            text(
                "CREATE OR REPLACE FUNCTION assayloop_refuse() RETURNS trigger "
                "LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
            )
        )
    assert len(problems(intruder)) == 21


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE measurement_flag", "table measurement_flag: is missing"),
        ("ALTER TABLE fit DROP COLUMN duration", "table fit: has no column duration"),
    ],
)
def test_a_table_that_was_taken_apart_is_found(
    intruder: Intruder, statement: str, said: str
) -> None:
    """The answer is what is missing, and no traceback."""
    with intruder.database.engine.begin() as connection:
        connection.execute(text(statement))
    assert problems(intruder) == [said]


# Artifacts ------------------------------------------------------------------------------------

ARTIFACTS = [
    (["UPDATE artifact_chunk SET data = :bytes WHERE chain = 'system'"], "its bytes were changed"),
    (["UPDATE artifact_chunk SET number = 1 WHERE chain = 'system'"], "its chunks are not whole"),
    (["DELETE FROM artifact_chunk WHERE chain = 'system'"], "its bytes are missing"),
    (["UPDATE artifact SET size = 8 WHERE chain = 'system'"], "size: 8 is stored; by the ledger"),
    (
        [f"UPDATE artifact_chunk SET sha256 = '{'0' * 64}' WHERE chain = 'system'"],
        "its bytes are stored, and no entry made it",
    ),
    (
        [f"UPDATE artifact_chunk SET chain = '{OTHER}' WHERE chain = 'system'"],
        f"table artifact_chunk: has rows of '{OTHER}', of which the ledger has no entry",
    ),
]


@pytest.mark.parametrize(("statements", "said"), ARTIFACTS)
def test_forged_bytes_are_found(intruder: Intruder, statements: list[str], said: str) -> None:
    """The original of a result, or the weights of a model, is what it was."""
    values = {"bytes": b"weighed"} if ":bytes" in statements[0] else {}
    intruder.does(*statements, **values)
    assert any(said in problem for problem in problems(intruder)), problems(intruder)


def test_a_reference_to_bytes_that_never_were_is_found(intruder: Intruder) -> None:
    """A measurement without its original record cannot be traced back."""
    draft = Draft("record")
    histories.measurement(draft, 3, 1, delivery="0" * 64)
    draft.set("campaign_revision", revision=1, reason="another model")
    histories.write(intruder.database, draft, at=9)
    assert problems(intruder) == [
        f"{HERE}, measurement 3: names the artifact {'0' * 64}, which there is not"
    ]


# What is asked for ----------------------------------------------------------------------------


@pytest.mark.slow
def test_one_campaign_is_verified_by_what_people_call_it(intruder: Intruder) -> None:
    """Somebody else's broken campaign is not in the way of mine."""
    database = intruder.database
    histories.begin(database, OTHER, name="other")
    intruder.does("UPDATE campaign SET reason = 'forged' WHERE name = 'other'")
    intruder.leaves()
    for mine in ("small", "small#1", CAMPAIGN):
        assert verify(database, mine).problems == ()
    (problem,) = verify(database, "other").problems
    assert problem.where == f"campaign other {OTHER}, campaign {OTHER}, reason"
    with pytest.raises(NotFound, match="no campaign 'third'; known: other, small"):
        verify(database, "third")
    intruder.does("DELETE FROM campaign WHERE name = 'other'")
    intruder.leaves()
    for gone in ("other", OTHER):
        (problem,) = verify(database, gone).problems
        assert problem.what == "the ledger has this row, and it is not stored"


def test_an_empty_database_is_sound(database: Database) -> None:
    """Nothing happened yet."""
    assert verify(database).problems == ()
    assert verify(database).entries == 0


def test_a_sound_history_raises_no_alarm_and_tells_its_progress(intruder: Intruder) -> None:
    """A million entries take a minute; somebody waits."""
    told: list[int] = []
    found = verify(intruder.database, progress=told.append)
    assert (found.problems, found.entries, found.ok) == ((), 10, True)
    assert told[-1] == 10
    assert told == sorted(told)

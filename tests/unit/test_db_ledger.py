"""The ledger: an unbroken chain, and tables that are nothing but its fold."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import time_machine
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from db import artifacts, ledger, migrate, repository
from db.ledger import GENESIS, KINDS, Actor, Draft, append, apply, digest, fold
from db.models import APPEND_ONLY, CHAIN_COLUMN, SYSTEM, Artifact, Base, Campaign, LedgerEntry
from db.session import Database, now
from orchestrator.history.verify.tables_from_ledger import raw
from orchestrator.history.verify.verification import verify
from orchestrator.people import campaigns
from tests import histories
from tests.histories import CAMPAIGN

ROOT = Path(__file__).parents[2]
HEADER = [column.name for column in LedgerEntry.__table__.columns if column.name != "hash"]


def entries(database: Database, chain: str = CAMPAIGN) -> list[LedgerEntry]:
    with database.read() as session:
        return list(repository.entries(session, chain))


def tables(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every folded table, as the driver gives it."""
    with database.read() as session:
        return {
            name: sorted(
                (
                    tuple(row.values())
                    for chain in repository.chains(session)
                    for row in raw(session, name, column, chain)
                    if column is not None or chain == SYSTEM
                ),
                key=repr,
            )
            for name, column in CHAIN_COLUMN.items()
        }


# The chain ------------------------------------------------------------------------------------


def test_entries_are_numbered_from_one_and_name_the_one_before(database: Database) -> None:
    """Else an entry could be taken out and nobody would know."""
    histories.everything(database)
    found = entries(database)
    assert [entry.sequence for entry in found] == [1, 2, 3, 4, 5, 6, 7]
    assert [entry.previous for entry in found] == [GENESIS, *(entry.hash for entry in found[:-1])]
    assert [entry.hash for entry in found] == [digest(entry) for entry in found]


@pytest.mark.parametrize("name", HEADER)
def test_the_hash_covers_every_column(name: str) -> None:
    """A changed time or actor is a changed history."""
    entry = LedgerEntry(**dict.fromkeys(HEADER, "a"), hash="")
    entry.sequence, entry.at, entry.version, entry.clock_back = 1, 2, 3, False
    before = digest(entry)
    value = getattr(entry, name)
    setattr(entry, name, not value if isinstance(value, bool) else value * 2)
    assert digest(entry) != before


def test_moving_text_between_columns_changes_the_hash() -> None:
    """Two different histories must never have one hash."""
    columns = {"chain": "c", "sequence": 1, "at": 1, "clock_back": False, "version": 1}
    columns |= {"on_behalf_of": "", "mode": "m", "previous": GENESIS, "payload": "{}"}
    one = LedgerEntry(**columns, actor_kind="ab", actor_id="c", kind="k")
    other = LedgerEntry(**columns, actor_kind="a", actor_id="bc", kind="k")
    assert digest(one) != digest(other)


def test_the_hash_is_what_the_documents_say() -> None:
    """Others write verifiers from these rules; a release that changed them would break all."""
    entry = LedgerEntry(
        chain=SYSTEM,
        sequence=1,
        at=0,
        clock_back=False,
        actor_kind="os account",
        actor_id="ada",
        on_behalf_of="",
        mode="single-user",
        kind="campaign",
        version=1,
        payload='{"about":{},"new":{},"set":{}}',
        previous=GENESIS,
    )
    fields = [ledger.DOMAIN, "system", "1", "0", "0", "os account", "ada", "", "single-user"]
    fields += ["campaign", "1", "0" * 64, entry.payload]
    lengths = [len(field).to_bytes(8, "big") for field in fields]
    written = b"".join(n + field.encode() for n, field in zip(lengths, fields, strict=True))
    assert digest(entry) == hashlib.sha256(written).hexdigest()
    assert digest(entry) == "4829c4877ecde5e777f492a16fb0a43001060d2cf16e3f378be92bc7a91c5adb"


def test_a_payload_is_kept_to_the_byte(database: Database) -> None:
    """The text is what was hashed: no database may turn an é or a line end into another."""
    about = {"é": "e\u0301 𝒙 \u2028 \r\n", "numbers": [0.1, -0.0, 5e-324, 1e308]}
    histories.write(database, Draft("pause", about))
    (entry,) = entries(database)
    expected = {"about": about, "new": {}, "set": {}}
    assert entry.payload == json.dumps(
        expected, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def test_a_clock_that_was_set_back_is_marked_and_no_alarm(database: Database) -> None:
    """Times are kept as read: a wrong clock is a fact, and not a forgery."""
    histories.begin(database)
    for at in (100, 50, 50, 60):
        histories.write(database, Draft("pause"), at=at)
    assert [entry.clock_back for entry in entries(database)] == [False, False, True, False, False]
    assert [entry.at for entry in entries(database)] == [1, 100, 50, 50, 60]
    assert verify(database).ok


def test_a_change_of_the_time_zone_changes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop travels; its history must not."""
    try:
        histories.everything(database)
        before = (tables(database), [entry.hash for entry in entries(database)])
        monkeypatch.setenv("TZ", "Pacific/Kiritimati")
        time.tzset()
        database.engine.dispose()
        assert (tables(database), [entry.hash for entry in entries(database)]) == before
        assert verify(database).ok
    finally:
        monkeypatch.undo()
        time.tzset()


def test_time_is_read_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines in two zones must agree on when something happened."""
    with time_machine.travel("2026-03-01T12:00:00.000250+00:00", tick=False):
        assert now() == 1_772_366_400_000_250


def test_who_it_was_is_kept(database: Database) -> None:
    """An account with a strange name is still an account."""
    actor = Actor("token", "a\udc80b", on_behalf_of="grace", mode="multi-user")
    with database.write(CAMPAIGN) as session:
        append(session, CAMPAIGN, actor, Draft("pause"), 1)
    (entry,) = entries(database)
    found = (entry.actor_kind, entry.actor_id, entry.on_behalf_of, entry.mode)
    assert found == ("token", "a\\udc80b", "grace", "multi-user")


def test_an_entry_and_its_rows_are_written_together_or_not_at_all(database: Database) -> None:
    """A row without its entry would be a change that nobody made."""
    histories.everything(database)
    before = (tables(database), len(entries(database)))
    draft = Draft("tell")
    draft.attach(b"new", "text/plain")
    histories.candidate(draft, 4)
    histories.candidate(draft, 3)  # is there already
    with pytest.raises(IntegrityError):
        histories.write(database, draft)
    assert (tables(database), len(entries(database))) == before


def test_a_change_of_a_row_that_is_not_there_is_refused(database: Database) -> None:
    """Else an entry could say what the tables do not show."""
    histories.begin(database)
    draft = Draft("pause")
    draft.set("candidate", number=9, objective=1.0)
    with pytest.raises(ValueError, match="candidate has no row"):
        histories.write(database, draft)


# The fold -------------------------------------------------------------------------------------


def test_folding_is_pure(database: Database) -> None:
    """Verification folds years later, without the tables."""
    histories.everything(database)
    for entry in entries(database):
        before = {name: getattr(entry, name) for name in HEADER}
        assert list(fold(entry)) == list(fold(entry))
        assert {name: getattr(entry, name) for name in HEADER} == before


def test_the_ledger_alone_gives_the_same_tables(database: Database, tmp_path: Path) -> None:
    """A copy of the ledger is a copy of everything but the bytes of artifacts."""
    histories.everything(database)
    copy = Database(f"sqlite:///{tmp_path / 'copy.db'}")
    migrate.upgrade(copy.engine)
    with database.read() as source, copy.write() as target:
        for chain in (CAMPAIGN, SYSTEM):
            for entry in repository.entries(source, chain):
                row = {name: getattr(entry, name) for name in [*HEADER, "hash"]}
                target.execute(insert(LedgerEntry), [row])
                apply(target, fold(entry))
    assert typed(tables(copy)) == typed(tables(database))
    assert all(tables(copy).values())
    copy.close()


def typed(found: dict[str, list[tuple[Any, ...]]]) -> dict[str, set[str]]:
    """Rows with what both drivers spell differently made alike: SQLite's booleans are 0 and 1."""
    return {
        name: {repr(tuple(int(x) if isinstance(x, bool) else x for x in row)) for row in rows}
        for name, rows in found.items()
    }


@pytest.mark.slow
def test_the_same_history_gives_the_same_rows_on_both_databases(
    tmp_path: Path, postgresql_url: str
) -> None:
    """A lab that moves from SQLite to PostgreSQL keeps its numbers to the bit."""
    found = []
    for url in (f"sqlite:///{tmp_path / 'one.db'}", postgresql_url):
        database = Database(url)
        migrate.upgrade(database.engine)
        histories.everything(database)
        found.append((typed(tables(database)), [entry.hash for entry in entries(database)]))
        database.close()
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"new": {"lease": [{"name": "x"}]}, "set": {}}, "lease"),
        ({"new": {"candidate": [{"number": 1, "colour": "red"}]}, "set": {}}, "no column 'colour'"),
        ({"new": {"latent_model": [{"hash": "x"}]}, "set": {}}, "belong to the system chain"),
    ],
)
def test_an_entry_that_means_nothing_is_refused(payload: dict[str, Any], message: str) -> None:
    """A forged entry must not reach a table that is none of its business."""
    entry = LedgerEntry(chain=CAMPAIGN, sequence=1, version=1, payload=json.dumps(payload))
    with pytest.raises(ValueError, match=message):
        list(fold(entry))


def test_an_entry_of_a_later_release_is_refused() -> None:
    """Guessing what it means would falsify the tables."""
    entry = LedgerEntry(chain=CAMPAIGN, sequence=1, version=99, payload="{}")
    with pytest.raises(ValueError, match="version 99"):
        list(fold(entry))


def test_every_folded_table_has_its_chain_and_entry() -> None:
    """Else a table would escape verification."""
    beside = {"ledger_entry", "anchor", "artifact_chunk", "lease", "secret"}
    assert set(Base.metadata.tables) - beside == set(CHAIN_COLUMN)
    for name in CHAIN_COLUMN:
        assert "entry" in Base.metadata.tables[name].columns
    assert set(APPEND_ONLY) <= set(Base.metadata.tables)


# Several writers ------------------------------------------------------------------------------

WRITER = """
import sys
from db.ledger import Actor, Draft, append
from db.session import Database, now
url, chain, name, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
database = Database(url)
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    with database.write(chain, "system") as session:
        append(session, chain, Actor("os account", name), Draft("pause", {"number": number}), now())
"""


@pytest.mark.slow
def test_writers_side_by_side_give_one_unbroken_chain(
    database: Database,
) -> None:
    """Two people and a schedule may change a campaign in the same second."""
    histories.begin(database)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, database.url, CAMPAIGN, f"writer {number}", "15"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        for number in range(3)
    ]
    for writer in writers:  # all start to write at once
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    found = entries(database)
    assert [entry.sequence for entry in found] == list(range(1, 47))
    for number in range(3):
        mine = [entry for entry in found if entry.actor_id == f"writer {number}"]
        assert [json.loads(entry.payload)["about"]["number"] for entry in mine] == list(range(15))
    assert verify(database).problems == ()


def test_a_reader_sees_one_moment(database: Database) -> None:
    """A verification that saw half of a change would call it a forgery."""
    histories.begin(database)
    with database.read() as session:
        before = repository.position(session, CAMPAIGN)
        other = Database(database.url)
        histories.write(other, Draft("pause"))
        other.close()
        assert repository.position(session, CAMPAIGN) == before
    with database.read() as session:
        assert repository.position(session, CAMPAIGN) == before + 1


# Artifacts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"x" * artifacts.CHUNK, os.urandom(2 * artifacts.CHUNK + 1)],
    ids=["empty", "NUL", "one chunk", "three chunks"],
)
def test_an_artifact_comes_back_to_the_byte(database: Database, data: bytes) -> None:
    """It is the original record: what an instrument sent, or the weights of a model."""
    histories.begin(database)
    draft = Draft("deliver")
    sha256 = draft.attach(data, "application/octet-stream")
    histories.write(database, draft)
    with database.read() as session:
        assert artifacts.get(session, CAMPAIGN, sha256) == data
        row = session.get_one(Artifact, (CAMPAIGN, sha256))
    assert (row.size, row.media_type) == (len(data), "application/octet-stream")
    assert verify(database).ok


def test_the_same_bytes_are_stored_once_a_chain(database: Database) -> None:
    """Ten thousand equal deliveries are one artifact; another campaign has its own copy."""
    other = CAMPAIGN.replace("1", "9")
    histories.begin(database)
    histories.begin(database, other, name="other")
    for chain in (CAMPAIGN, CAMPAIGN, other):
        draft = Draft("deliver")
        draft.attach(b"same", "text/plain")
        histories.write(database, draft, chain=chain)
    with database.read() as session:
        found = session.scalars(select(Artifact.chain)).all()
    assert sorted(found) == [CAMPAIGN, other]
    assert verify(database).ok


def test_changed_bytes_are_never_handed_out(database: Database) -> None:
    """A campaign must not go on with weights or results that somebody exchanged."""
    histories.begin(database)
    draft = Draft("deliver")
    sha256 = draft.attach(b"original", "text/plain")
    histories.write(database, draft)
    with database.engine.begin() as connection:
        where = " ON artifact_chunk" if connection.dialect.name == "postgresql" else ""
        connection.execute(text(f"DROP TRIGGER artifact_chunk_no_update{where}"))
        connection.execute(text("UPDATE artifact_chunk SET data = :data"), {"data": b"forged"})
    with database.read() as session, pytest.raises(ValueError, match="were changed"):
        artifacts.get(session, CAMPAIGN, sha256)
    with database.read() as session, pytest.raises(KeyError, match="no artifact"):
        artifacts.get(session, CAMPAIGN, "0" * 64)


def test_campaigns_of_one_name_are_numbered(database: Database) -> None:
    """NAME#2 is the second for ever."""
    histories.begin(database)
    with pytest.raises(IntegrityError):
        histories.begin(database, CAMPAIGN.replace("1", "9"))
    with database.read() as session:
        assert session.scalars(select(Campaign.id)).all() == [CAMPAIGN]


def test_the_kinds_of_entries_are_those_that_the_code_writes() -> None:
    """An entry of a kind that is not listed is reported as somebody's forgery."""
    written = {
        kind.value
        for folder in ("orchestrator", "db", "flows")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Draft"
        for kind in ast.walk(node.args[0])
        if isinstance(kind, ast.Constant)
    }
    assert written | {*campaigns._VERBS.values()} == KINDS

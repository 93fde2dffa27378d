"""Whatever is asked for in error, the answer names it, and history is as it was."""

from __future__ import annotations

import gc
import resource
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from db.session import Database
from orchestrator import opening
from orchestrator.settings import Settings
from tests import histories
from tests.e2e.terminal import Terminal

BESIDE = ("-wal", "-shm")
"""What SQLite has beside a file that is open."""


def files(folder: Path) -> set[Path]:
    """Everything that lies there, but originals put on disk to be looked at, and Matplotlib's."""
    there = {one for one in folder.rglob("*") if not one.name.endswith(BESIDE)}
    return {one for one in there if not {"artifacts", "matplotlib"} & set(one.parts)}


@pytest.fixture
def guarded(finished: Terminal) -> Iterator[Terminal]:
    """A terminal whose database and files must be the same when the test is over."""
    with untouched(finished):
        yield finished


@contextmanager
def untouched(terminal: Terminal) -> Iterator[None]:
    """Compares all rows and names before and after."""
    database = opening.database(Settings.read())
    rows, names = histories.rows(database), files(terminal.folder)
    yield
    assert histories.rows(database) == rows
    assert files(terminal.folder) == names
    database.close()


def refused(terminal: Terminal, command: str, *said: str) -> None:
    """A command ends with exit code 2, and the message names these."""
    message = terminal.refused(*command.split())
    for one in said:
        assert one in message, message


# What there is not ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "audit verify bxo",
        "audit replay bxo --all",
        "audit explain bxo 1",
        "audit taint bxo",
        "audit report bxo --out new.html",
        "show bxo --at entry:1",
        "audit signatures bxo",
        "export crate bxo --out new.zip",
        "export csv bxo --out new.csv",
        "export parquet bxo --out new.parquet",
        "export jsonl bxo --out new.jsonl",
        "export sqlite bxo --out new.db",
        "history bxo --out new.csv",
        "diff bxo --from entry:1",
        "result correct bxo 1 --value 1 --reason x",
        "result flag bxo 1 --kind suspect --reason x",
    ],
)
def test_an_unknown_campaign_is_named_with_those_there_are(guarded: Terminal, command: str) -> None:
    refused(guarded, command, "'bxo'", "known: box")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("audit replay box 99", "99"),
        ("audit replay box 99999999999999999999", "no round '99999999999999999999'"),
        ("audit replay box --candidate 99", "99"),
        ("audit explain box 99", "99"),
        ("diff box --from entry:999", "999"),
        ("history box --at entry:999", "999"),
        ("result correct box 999 --value 1 --reason x", "999"),
        ("result flag box 999 --kind suspect --reason x", "999"),
        ("result flag box 99999999999999999999 --kind suspect --reason x", "no measurement '999"),
    ],
)
def test_a_number_that_is_out_of_range_is_named(guarded: Terminal, command: str, said: str) -> None:
    refused(guarded, command, said)


# Keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("audit anchor", "ASSAYLOOP_KEYS: there is no key to sign with"),
        ("audit keys rotate --reason x", "there is no key to sign with"),
        ("audit keys revoke 0123 --reason x", "no key '0123'"),
        ("audit verify --trust 0123", "'0123' is no public key"),
        ("audit verify --anchors none.jsonl", "none.jsonl cannot be read"),
    ],
)
def test_a_key_that_is_missing_is_named(guarded: Terminal, command: str, said: str) -> None:
    refused(guarded, command, said)


def test_a_key_that_was_revoked_or_lost_signs_nothing(finished: Terminal) -> None:
    finished("audit", "keys", "create")
    (row,) = finished("audit", "keys", "list", "--json").json
    private = next(Settings.read().keys.glob("*.pem"))
    kept = private.read_bytes()
    private.unlink()
    with untouched(finished):
        refused(finished, "audit anchor", f"no private key '{private.name}'")
    private.write_bytes(kept[:40])
    with untouched(finished):
        refused(finished, "audit anchor", "ASSAYLOOP_KEYS: ", " cannot be read")
    private.write_bytes(kept)
    finished("audit", "keys", "revoke", row["key"], "--reason", "stolen")
    with untouched(finished):
        refused(finished, "audit anchor", "there is no key to sign with")
        refused(finished, "audit keys rotate --reason x", "there is no key to sign with")
        refused(
            finished,
            f"audit keys revoke {row['key'][:8]} --reason x",
            f"the key {row['key']} was revoked before: stolen",
        )


# Half of something ----------------------------------------------------------------------------


def test_a_half_written_export_is_not_taken_in(
    finished: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off in the middle, without a file, and what was never one."""
    assert finished("export", "crate", "box", "--out", "box.zip").code == 0
    assert finished("export", "crate", "box", "--out", "whole").code == 0
    assert finished("export", "jsonl", "box", "--out", "box.jsonl").code == 0
    assert finished("db", "backup", "backup").code == 0
    whole = (finished.folder / "box.zip").read_bytes()
    (finished.folder / "half.zip").write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(finished.folder / "box.zip") as archive:
        names = archive.namelist()
        archive.extractall(finished.folder / "less", names[:5])
    shutil.copytree(finished.folder / "backup", finished.folder / "half")
    data = finished.folder / "half" / "database.sqlite"
    data.write_bytes(data.read_bytes()[:-4096])
    (finished.folder / "half.jsonl").write_text('{"chain": "sys')

    with untouched(finished):
        refused(finished, "import box.zip", "has a history already")
        ended = finished("audit", "verify", "--anchors", "half.jsonl")
        assert (ended.code, "half.jsonl, line 1: is no anchor" in ended.err) == (5, True)
        ended = finished("db", "restore", "half", "--to", "sqlite:///other.db")
        assert (ended.code, "database.sqlite: has" in " ".join(ended.err.split())) == (5, True)

    monkeypatch.setenv("ASSAYLOOP_HOME", str(finished.folder / "elsewhere"))
    assert finished("db", "upgrade").code == 0
    with untouched(finished):
        refused(finished, "import half.zip", "half.zip cannot be imported")
        refused(finished, "import box.jsonl", "box.jsonl cannot be imported")
        ended = finished("import", "less")
        assert (ended.code in (2, 5), "less" in ended.err) == (True, True)
        refused(finished, "db restore whole --to sqlite:///other.db", "whole is no backup")


# A database that may only be read -------------------------------------------------------------

WRITES = [
    "result correct box 1 --value 1 --reason x",
    "result flag box 1 --kind suspect --reason x",
    "campaign revise box box.yaml --set budget.evaluations=9 --reason x",
    "audit keys create",
    "audit keys rotate --reason x",
    "audit anchor",
]


@pytest.fixture
def keyed(finished: Terminal) -> Terminal:
    """A terminal with a signing key, a file of anchors, and something that no anchor knows yet."""
    assert finished("audit", "keys", "create").code == 0
    assert finished("audit", "anchor").code == 0
    flagged = ("result", "flag", "box", 3, "--kind", "suspect", "--reason", "a bubble")
    assert finished(*flagged).code == 0
    return finished


def test_a_sqlite_file_that_may_only_be_read_is_not_written(keyed: Terminal) -> None:
    """Marked so in its header: to root, who often runs tests, permissions mean nothing."""
    file = Settings.read().sqlite_file
    assert file is not None
    database = opening.database(Settings.read())
    with database.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    database.close()  # the last one who leaves empties the write-ahead log
    gc.collect()  # a connection of an earlier command that lingers has the old header in its cache
    header = bytearray(file.read_bytes())
    header[18] = 3  # a version of writing that this SQLite does not know; reading it does
    file.write_bytes(header)
    with untouched(keyed):
        for command in WRITES:
            refused(keyed, command, "the database: attempt to write a readonly database")
        assert keyed("audit", "verify").code == 0
        taken = keyed("db", "copy", "--to", "sqlite:///copy.db")
        assert taken.code == 0, "what may be read may be copied"
        (keyed.folder / "copy.db").unlink()


@pytest.mark.slow
def test_a_postgresql_database_that_may_only_be_read_is_not_written(
    keyed: Terminal,
    postgresql_url: str,
    postgresql_tools: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a standby, or after an administrator closed it; and its disk is full where we are."""
    settings = Settings.read()
    assert keyed("db", "copy", "--to", postgresql_url).code == 0
    monkeypatch.setenv("ASSAYLOOP_DATABASE_URL", postgresql_url)
    monkeypatch.setenv("ASSAYLOOP_ANCHORS", str(settings.anchors))
    database = Database(postgresql_url)
    name = database.engine.url.database
    with database.engine.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    database.close()
    anchors = settings.anchors.read_bytes()
    with untouched(keyed):
        for command in WRITES:
            refused(keyed, command, "in a read-only transaction")
        assert keyed("audit", "verify").code == 0
        with no_room(monkeypatch):
            message = keyed.refused("db", "backup", "backup")
            assert "pg_dump: " in message
    assert settings.anchors.read_bytes() == anchors


# A full disk ----------------------------------------------------------------------------------


@contextmanager
def no_room(patch: pytest.MonkeyPatch, size: int = 512) -> Iterator[None]:
    """No file of this process may grow beyond that many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with patch.context() as within:
        within.setattr(sys, "dont_write_bytecode", True)  # Python would keep half a file
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("export crate box --out new.zip", "new.zip cannot be written"),
        ("export crate box --out new", "new cannot be written"),
        ("export csv box --out new.csv", "new.csv cannot be written"),
        ("export parquet box --out new.parquet", "new.parquet cannot be written"),
        ("export jsonl box --out new.jsonl", "new.jsonl cannot be written"),
        ("export sqlite box --out new.db", "new.db cannot be written"),
        ("history box --out new.csv", "new.csv cannot be written"),
        ("history box --out new.jsonl", "new.jsonl cannot be written"),
        ("history box --out new.parquet", "new.parquet cannot be written"),
        ("audit explain box 1 --html new.html", "new.html cannot be written"),
        ("audit report box --out new.html", "new.html cannot be written"),
        ("db backup new", "new cannot be written"),
        ("db restore backup --to sqlite:///new.db", "new.db cannot be written"),
        ("db copy --to sqlite:///new.db", "new.db cannot be opened: disk I/O error"),
        ("audit anchor", "cannot be written: File too large"),
        *((command, "disk I/O error") for command in WRITES[:5] if "rotate" not in command),
    ],
)
def test_a_full_disk_leaves_nothing_under_the_name(
    keyed: Terminal, command: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a file under a good name is taken for a whole one, some day."""
    assert keyed("db", "backup", "backup").code == 0
    with untouched(keyed), no_room(monkeypatch):
        refused(keyed, command, said)
    assert keyed("audit", "verify").code == 0

"""The heartbeat: a driver that is busy elsewhere is not taken for a dead one."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text, update

from db import lease
from db.heartbeat import Heartbeat
from db.lease import Grip, LeaseHeld, LeaseLost
from db.models import Lease
from db.session import Database
from tests.histories import CAMPAIGN

DEADLINE_S = 60

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_quick")]


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_S", 0.05)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.005)


def pass_intervals(count: int) -> None:
    """Let so many heartbeats be due."""
    over = time.monotonic() + count * lease.HEARTBEAT_S
    until(lambda: time.monotonic() > over)


def take(database: Database) -> Grip:
    with database.write(CAMPAIGN) as session:
        return lease.take(session, CAMPAIGN, lease.clock(session))


def expiry(database: Database) -> int:
    with database.read() as session:
        return session.get_one(Lease, CAMPAIGN).expires_at


def beats(database: Database) -> Callable[[], bool]:
    """Whether the lease was renewed since this was called."""
    before = expiry(database)
    return lambda: expiry(database) > before


def test_it_renews_the_lease_of_a_driver_that_writes_nothing(database: Database) -> None:
    """An assay of an hour is no reason to lose the campaign."""
    with Heartbeat(database.url, take(database)) as heart:
        for _ in range(3):
            until(beats(database))
        assert not heart.lost.is_set()
        with pytest.raises(LeaseHeld):
            take(database)


def test_a_long_write_of_the_driver_is_no_fault(database: Database) -> None:
    """It keeps the heartbeat waiting, and holds the lease itself meanwhile."""
    grip = take(database)
    with Heartbeat(database.url, grip) as heart:
        with database.write(CAMPAIGN) as session:
            lease.hold(session, grip, lease.clock(session))
            pass_intervals(10)
        until(beats(database))
        assert not heart.lost.is_set()


def test_it_outlives_a_database_that_is_away(database: Database) -> None:
    """A server is restarted at night, and the campaign goes on in the morning."""
    with Heartbeat(database.url, take(database)) as heart:
        until(beats(database))
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE lease RENAME TO away"))
        if database.engine.dialect.name == "postgresql":
            cut_off(database)
        pass_intervals(5)
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO lease"))
        until(beats(database))
        assert not heart.lost.is_set()
        assert heart.is_alive()


def cut_off(database: Database) -> None:
    """End all other connections to a PostgreSQL database."""
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_it_says_that_the_lease_was_taken_over_and_ends(database: Database) -> None:
    """Whoever waits for the next hour's retry learns it now."""
    with Heartbeat(database.url, take(database)) as heart:
        heart.require()
        with database.write(CAMPAIGN) as session:
            session.execute(update(Lease).values(token=Lease.token + 1, pid=7, host="next-door"))
        assert heart.lost.wait(DEADLINE_S)
        with pytest.raises(LeaseLost, match=r"another driver took over .*: process 7 on next-door"):
            heart.require()
        heart.join(DEADLINE_S)
        assert not heart.is_alive()


@pytest.mark.parametrize("end", [None, ValueError, KeyboardInterrupt])
def test_it_ends_with_the_drive_however_that_ends(
    database: Database, end: type[BaseException] | None
) -> None:
    """A notebook that drove twenty campaigns has not twenty threads at the database."""
    heart = Heartbeat(database.url, take(database))

    def drive() -> None:
        with heart:
            until(beats(database))
            if end is not None:
                raise end

    if end is None:
        drive()
    else:
        with pytest.raises(end):
            drive()
    assert not heart.is_alive()
    assert heart not in threading.enumerate()
    last = expiry(database)
    pass_intervals(5)
    assert expiry(database) == last


def test_its_end_does_not_wait_for_its_next_beat(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that is done, or that somebody interrupts, gives the prompt back."""
    monkeypatch.setattr(lease, "HEARTBEAT_S", 3600.0)
    started = time.monotonic()
    with Heartbeat(database.url, take(database)) as heart:
        pass
    assert not heart.is_alive()
    assert time.monotonic() - started < DEADLINE_S


def test_a_beat_that_comes_late_does_not_take_back_what_was_given_back(database: Database) -> None:
    """Otherwise the next command would be refused for a minute, by a driver that has ended."""
    grip = take(database)
    with database.write(CAMPAIGN) as session:
        lease.release(session, grip)
    with Heartbeat(database.url, grip) as heart:
        assert heart.lost.wait(DEADLINE_S)
    assert take(database).token == 2


def test_it_keeps_no_process_alive(database: Database) -> None:
    """Not even where nobody tells it to end."""
    take(database)
    script = (
        "import sys; from db.heartbeat import Heartbeat; from db.lease import Grip; "
        f"Heartbeat(sys.argv[1], Grip({CAMPAIGN!r}, 1)).start(); print('done')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, database.url],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_what_is_left_is_counted_by_the_clock_of_the_database(database: Database) -> None:
    """Machines whose clocks differ must agree on who may drive."""
    grip = take(database)
    with database.read() as session:
        at = lease.clock(session)
        assert 0 < lease.left(session, grip, at) <= lease.EXPIRY_S * 1_000_000
        assert lease.left(session, grip, at + 120_000_000) < 0
        assert abs(at - time.time_ns() // 1000) < 60_000_000
    with database.write(CAMPAIGN) as session:
        session.execute(update(Lease).values(token=Lease.token + 1))
    with database.read() as session, pytest.raises(LeaseLost, match="another driver took over"):
        lease.left(session, grip, at)

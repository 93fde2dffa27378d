"""One driver a campaign: two at once would spend the budget twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from db import lease
from db.lease import Grip, LeaseHeld, LeaseLost
from db.ledger import Draft, append
from db.models import Lease
from db.session import MICROSECONDS, Database, now
from tests import histories
from tests.histories import ACTOR, CAMPAIGN

HOLD = """
import sys
from db import lease
from db.session import Database, now
database = Database(sys.argv[1])
with database.write(sys.argv[2]) as session:
    lease.take(session, sys.argv[2], now())
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_driver(url: str) -> Iterator[subprocess.Popen[str]]:
    """A living process that holds the lease."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, url, CAMPAIGN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def take(database: Database, at: int | None = None) -> Grip:
    with database.write(CAMPAIGN) as session:
        return lease.take(session, CAMPAIGN, now() if at is None else at)


def write_as(database: Database, grip: Grip) -> int:
    """Write an entry as a driver does; its number."""
    with database.write(CAMPAIGN) as session:
        entry = append(session, CAMPAIGN, ACTOR, Draft("pause"), now())
        lease.hold(session, grip, now())
        return entry.sequence


def held_elsewhere(session: Session, **columns: object) -> None:
    """A lease as a driver on another machine left it."""
    values = {"token": 7, "host": "elsewhere", "pid": 1, "process_started": 0.0, "expires_at": 1000}
    session.execute(insert(Lease).values(name=CAMPAIGN, **values | columns))


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "zombie"])
def test_a_second_driver_is_refused_until_the_first_is_dead(
    database: Database, reaped: bool
) -> None:
    """Nobody drives beside another, and nobody waits a minute because a process was killed.

    A killed process that no parent looks at, as in many containers, is as dead as any.
    """
    with another_driver(database.url) as first:
        with pytest.raises(LeaseHeld, match=f"process {first.pid} on "):
            take(database)
        with database.read() as session:
            holder = lease.holder(session, CAMPAIGN, now())
        assert holder is not None
        assert holder.pid == first.pid
        first.kill()
        os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
        if reaped:
            assert first.wait() == -9
        with database.read() as session:
            assert lease.holder(session, CAMPAIGN, now()) is None
        assert take(database) == Grip(CAMPAIGN, 2)


def test_a_driver_that_was_fenced_out_writes_nothing_more(database: Database) -> None:
    """A laptop that wakes up must not go on with a campaign that another took over."""
    histories.begin(database)
    first = take(database, at=1)
    with database.write(CAMPAIGN) as session:
        session.execute(update(Lease).values(process_started=0.0))  # its process is gone
    second = take(database)
    with pytest.raises(LeaseLost, match="another driver took over"):
        write_as(database, first)
    assert write_as(database, second) == 2
    with database.write(CAMPAIGN) as session:
        lease.release(session, first)
    with pytest.raises(LeaseHeld):
        take(database)


def test_a_lease_from_another_machine_is_taken_when_it_expires(database: Database) -> None:
    """Whether a process elsewhere lives cannot be seen from here; the clock decides."""
    with database.write(CAMPAIGN) as session:
        held_elsewhere(session)
    with pytest.raises(LeaseHeld, match="process 1 on elsewhere"):
        take(database, at=999)
    assert take(database, at=1000) == Grip(CAMPAIGN, 8)


def test_holding_it_renews_it(database: Database) -> None:
    """A campaign that runs for days is not taken away from a driver that works on it."""
    grip = take(database, at=0)
    with database.write(CAMPAIGN) as session:
        lease.hold(session, grip, 5000)
    with database.read() as session:
        assert session.get_one(Lease, CAMPAIGN).expires_at == 5000 + lease.EXPIRY_S * MICROSECONDS


def test_a_new_process_with_an_old_number_is_not_the_holder(database: Database) -> None:
    """Process numbers come again after a restart of the machine."""
    take(database)
    with database.write(CAMPAIGN) as session:
        long_ago = psutil.Process().create_time() - 3600
        session.execute(update(Lease).values(process_started=long_ago))
    assert take(database).token == 2


def test_a_released_lease_is_free_and_its_token_still_grows(database: Database) -> None:
    """A token that came again would let a driver from before write."""
    first = take(database)
    with database.write(CAMPAIGN) as session:
        lease.release(session, first)
    with database.read() as session:
        assert lease.holder(session, CAMPAIGN, now()) is None
    assert take(database).token == first.token + 1


def test_one_process_cannot_drive_a_campaign_twice(database: Database) -> None:
    """Two threads of a notebook are two drivers too."""
    take(database)
    with pytest.raises(LeaseHeld, match=f"process {os.getpid()}"):
        take(database)

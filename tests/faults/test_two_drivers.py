"""Two processes that would drive one campaign: an assay is paid for once, and nobody waits long."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

from db import lease
from db.models import Lease
from db.session import MICROSECONDS, Database
from orchestrator import opening, wiring
from orchestrator.driver import Standing, drive
from orchestrator.errors import Busy, ExitCode
from tests.faults import campaign, checks, gated, same
from tests.faults.runs import CONTEXT, DEADLINE_S, Bench, Run

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture
def run(
    request: pytest.FixtureRequest,
    database_kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """A campaign that was created and not begun, on each kind of database.

    This process is one of its drivers, with the patience of those that are gated.
    """
    monkeypatch.setattr(lease, "HEARTBEAT_S", gated.HEARTBEAT_S)
    monkeypatch.setattr(lease, "EXPIRY_S", gated.EXPIRY_S)
    monkeypatch.syspath_prepend(campaign.PLUGIN)
    is_file = database_kind == "sqlite"
    server = None if is_file else request.getfixturevalue("postgresql")
    made = Bench(tmp_path, server=server).run()
    monkeypatch.chdir(made.folder)
    return made


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.005)


@contextmanager
def driver(run: Run, host: str = "") -> Iterator[BaseProcess]:
    """A process that drives the campaign and is held inside its evaluator's first call."""
    process = CONTEXT.Process(target=_drive, args=(run.folder, run.url, host))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _drive(folder: Path, url: str, host: str) -> None:
    """Runs in the process, where torch is imported; here it need not be."""
    gated.drive(folder, url, host)


def ended(run: Run, process: BaseProcess) -> str:
    """What a driver that ended with an error said."""
    process.join(DEADLINE_S)
    assert process.exitcode == ExitCode.BAD_INPUT
    return (run.folder / f"ended-{process.pid}.txt").read_text()


def held(opened: Database) -> Lease:
    """The campaign's lease."""
    with opened.read() as session:
        return session.get_one(Lease, opening.campaign(opened, campaign.NAME).id)


def go(run: Run) -> None:
    """Let the drivers go on that are held inside of their evaluator."""
    (run.folder / gated.GO).touch()


def overtake(opened: Database) -> Standing:
    """Drive the campaign as far as it goes, as soon as its lease can be had."""
    parts = wiring.build(opened, opening.campaign(opened, campaign.NAME).id)
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            with wiring.driving(parts):
                return drive(parts)
        except Busy:
            assert time.monotonic() < deadline, "the lease does not expire"
            time.sleep(0.02)


def stop(opened: Database, pid: int) -> None:
    """Stop a process right after a heartbeat: in the middle of one it would hold the database."""
    last = held(opened).expires_at
    until(lambda: held(opened).expires_at > last)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)


def assert_nothing_was_done_twice(run: Run, opened: Database) -> None:
    """No key was measured twice, and the history verifies and holds each measurement once."""
    assert checks.called_twice(run) == []
    assert same.broken(run.url) == []
    ending = same.ending(run.url)
    assert len(ending.tables["measurement"]) == 2 * 8, "two measures of eight candidates"
    assert held(opened).expires_at == 0


def test_a_driver_that_was_stopped_and_overtaken_ends_and_asks_nothing_more(run: Run) -> None:
    """A laptop that was closed over lunch must not run the afternoon's plates again."""
    opened = Database(run.url)
    with driver(run) as first:
        until(lambda: gated.asked(run.folder) == [first.pid])
        assert first.pid is not None
        stop(opened, first.pid)
        assert overtake(opened) is Standing.FINISHED
        measured = run.called()
        go(run)
        os.kill(first.pid, signal.SIGCONT)
        said = ended(run, first)
    assert said.startswith(f"killed was taken over by process {os.getpid()} on ")
    assert "writes nothing more and asks no evaluator" in said
    assert gated.asked(run.folder) == [first.pid]
    assert run.called() == measured
    assert_nothing_was_done_twice(run, opened)
    opened.close()


def test_an_evaluator_that_takes_longer_than_the_lease_keeps_its_campaign(run: Run) -> None:
    """A docking run of an hour is no reason for a second driver to start it again."""
    opened = Database(run.url)
    parts = wiring.build(opened, opening.campaign(opened, campaign.NAME).id)
    with driver(run) as first:
        until(lambda: gated.asked(run.folder) == [first.pid])
        over = held(opened).expires_at + 2 * gated.EXPIRY_S * MICROSECONDS
        while held(opened).expires_at < over:
            with (
                pytest.raises(Busy, match=rf"killed is being driven by process {first.pid} on "),
                wiring.driving(parts),
            ):
                pass
            time.sleep(0.02)
        go(run)
        first.join(DEADLINE_S)
        assert first.exitcode == 0
    assert held(opened).token == 1
    assert set(gated.asked(run.folder)) == {first.pid}
    assert_nothing_was_done_twice(run, opened)
    opened.close()


def test_of_two_drivers_one_drives_and_once_it_is_killed_the_other_may(run: Run) -> None:
    """Started twice by mistake, a campaign runs once; and a lost machine costs a minute.

    Each says that it is on a machine of its own, from where nobody sees whether a process lives.
    """
    opened = Database(run.url)
    with driver(run, "bench-1") as one, driver(run, "bench-2") as two:
        until(lambda: len(gated.asked(run.folder)) == 1)
        (pid,) = gated.asked(run.folder)
        first, second = (one, two) if one.pid == pid else (two, one)
        host = "bench-1" if first is one else "bench-2"
        said = ended(run, second)
        assert "; its lease ends at " in said
        assert said.startswith(f"killed is being driven by process {pid} on {host}, which started ")
        first.kill()
        first.join()
        killed_at, expires_at = time.time_ns() // 1000, held(opened).expires_at
        assert expires_at <= killed_at + gated.EXPIRY_S * MICROSECONDS
        assert overtake(opened) is Standing.FINISHED
        first_entry = next(
            row["at"] for row in same.ending(run.url).entries if row["at"] > killed_at
        )
        assert first_entry >= expires_at
    assert held(opened).token == 2
    assert_nothing_was_done_twice(run, opened)
    opened.close()


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_command_that_was_stopped_and_overtaken_says_so(run: Run, prefect_home: Path) -> None:
    """Whoever comes back to the terminal reads what happened, and a script gets an exit code."""
    opened = Database(run.url)
    spec = run.folder / "spec.yaml"
    spec.write_text(json.dumps(campaign.written(idempotent=True)))  # which is YAML, too
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.gated", "", "run", spec],
        env={
            **os.environ,
            "PYTHONPATH": f"{campaign.PLUGIN}:{ROOT}",
            "ASSAYLOOP_HOME": str(prefect_home),
            "ASSAYLOOP_DATABASE_URL": run.url,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as first:
        try:
            until(lambda: gated.asked(run.folder) == [first.pid])
            stop(opened, first.pid)
            assert overtake(opened) is Standing.FINISHED
            go(run)
            os.kill(first.pid, signal.SIGCONT)
            _, errors = first.communicate(timeout=DEADLINE_S)
        finally:
            first.kill()
    assert first.returncode == ExitCode.BAD_INPUT
    words = " ".join(errors.split())
    assert f"killed was taken over by process {os.getpid()} on " in words
    assert "`assayloop status` shows how the campaign goes on" in words
    assert "Traceback" not in errors
    assert "Our fault" not in errors
    assert gated.asked(run.folder) == [first.pid]
    assert_nothing_was_done_twice(run, opened)
    opened.close()

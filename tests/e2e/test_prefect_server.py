"""The embedded engine: two commands must be enough, and nothing may be left running after them."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
DEADLINE_S = 120

PRELUDE = """
import sys
from pathlib import Path
import psutil
from flows.server import prefect_api
home = Path(sys.argv[1])
log = home / "logs" / "engine.log"
"""

RUN_A_FLOW = f"""{PRELUDE}
with prefect_api(home, log) as url:
    from prefect import flow, task
    from prefect.artifacts import create_markdown_artifact
    from prefect.cache_policies import NO_CACHE

    @task(cache_policy=NO_CACHE, persist_result=False)
    def double(value: int) -> int:
        create_markdown_artifact(key="round", markdown="one round")
        return 2 * value

    @flow
    def answer() -> int:
        return double(21)

    print(answer())
print(len(psutil.Process().children()), "processes left")
"""

WAIT_INSIDE = f"""{PRELUDE}
with prefect_api(home, log):
    print("ready", flush=True)
    sys.stdin.read()
"""

SHOW_ADDRESS = f"""{PRELUDE}
with prefect_api(home, log) as url:
    print(url, len(psutil.Process().children()))
"""

SHOW_ERROR = f"""{PRELUDE}
from flows.server import ServerError
try:
    with prefect_api(home, log):
        print("started")
except ServerError as error:
    print(error)
"""


def _start(script: str, home: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(home)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_flow_runs_and_leaves_its_record_but_no_process(prefect_home: Path) -> None:
    process = _start(RUN_A_FLOW, prefect_home)
    shown, errors = process.communicate(timeout=DEADLINE_S)
    assert shown == "42\n0 processes left\n"
    assert errors == "", "the engine's lines belong in its log"
    log = (prefect_home / "logs" / "engine.log").read_text()
    assert "Finished in state Completed()" in log
    with sqlite3.connect(prefect_home / "prefect" / "prefect.db") as database:
        for table, wanted in [("flow_run", "COMPLETED"), ("task_run", "COMPLETED")]:
            assert database.execute(f"SELECT state_type FROM {table}").fetchall() == [(wanted,)]
        assert database.execute("SELECT key FROM artifact").fetchall() == [("round",)]


def test_the_server_dies_with_its_killed_parent(prefect_home: Path) -> None:
    process = _start(WAIT_INSIDE, prefect_home)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    (server,) = psutil.Process(process.pid).children()
    assert os.getsid(server.pid) != os.getsid(process.pid), "Ctrl-C must reach the parent alone"
    _kill_and_expect_gone(process, server)


def test_the_server_dies_with_a_parent_killed_while_it_starts(tmp_path: Path) -> None:
    process = _start(WAIT_INSIDE, tmp_path)
    while not (children := psutil.Process(process.pid).children()):
        assert process.poll() is None
    _kill_and_expect_gone(process, children[0])


def _kill_and_expect_gone(process: subprocess.Popen[str], server: psutil.Process) -> None:
    process.kill()
    assert process.wait() == -signal.SIGKILL
    _, alive = psutil.wait_procs([server], timeout=10)
    assert not alive
    process.communicate()


def test_a_given_server_is_used_and_none_started(tmp_path: Path) -> None:
    given = "http://127.0.0.1:9/api"
    process = _start(SHOW_ADDRESS, tmp_path, PREFECT_API_URL=given)
    shown, _ = process.communicate(timeout=DEADLINE_S)
    assert shown == f"{given} 0\n"
    assert not (tmp_path / "prefect").exists()


def test_a_server_that_cannot_start_says_where_its_log_is(tmp_path: Path) -> None:
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "prefect.db").write_bytes(b"not a database" * 1000)
    process = _start(SHOW_ERROR, tmp_path)
    shown, _ = process.communicate(timeout=DEADLINE_S)
    log = tmp_path / "logs" / "engine.log"
    assert "Prefect's embedded server does not answer" in shown
    assert str(log) in shown
    assert "file is not a database" in log.read_text()


@pytest.mark.slow
def test_two_first_starts_in_one_home_do_not_meet(tmp_path: Path) -> None:
    """Two terminals, one folder: both must come up although the database is made only once."""
    processes = [_start(RUN_A_FLOW, tmp_path) for _ in range(2)]
    shown = [process.communicate(timeout=DEADLINE_S)[0] for process in processes]
    assert shown == ["42\n0 processes left\n"] * 2


def test_usage_is_reported_to_nobody(prefect_home: Path) -> None:
    """Prefect's own reports are off before it is imported, in this process and in the server."""
    script = f"""{PRELUDE}
import os
from prefect._internal.analytics.enabled import is_telemetry_enabled
print(is_telemetry_enabled())
with prefect_api(home, log) as url:
    import httpx
    print(httpx.get(f"{{url}}/admin/settings").json()["server"]["analytics_enabled"])
"""
    process = _start(script, prefect_home, DO_NOT_TRACK="", CI="")
    shown, errors = process.communicate(timeout=DEADLINE_S)
    assert shown == "False\nFalse\n", errors


def test_the_engine_is_not_imported_before_it_is_needed() -> None:
    script = "import flows.server, sys; print('prefect' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "False\n"

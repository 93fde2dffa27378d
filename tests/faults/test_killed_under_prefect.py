"""The same through the engine: ``assayloop run`` may be killed, and is continued by itself."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import campaign, checks, same
from tests.faults.boundaries import Boundary
from tests.faults.runs import DEADLINE_S, KILLED, Bench, Run
from tests.faults.seed import SEED, Say

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def command(run: Run, home: Path, kill_at: int = 0) -> subprocess.CompletedProcess[str]:
    """Give the command in the run's folder."""
    spec = run.folder / "spec.yaml"
    spec.write_text(json.dumps(campaign.written(idempotent=True)))  # which is YAML, too
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.command", ".", str(kill_at), "run", "--json", spec],
        cwd=run.folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{campaign.PLUGIN}:{ROOT}",
            "ASSAYLOOP_HOME": str(home),
            "ASSAYLOOP_DATABASE_URL": run.url,
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_killed_three_times_under_prefect_it_ends_the_same(
    tmp_path: Path, prefect_home: Path, say: Say
) -> None:
    """The engine keeps nothing that we need, and leaves nothing in the way of the next run."""
    whole = checks.undisturbed(Bench(tmp_path))
    run, rng = whole.bench.run(), random.Random(SEED)
    most = max(one.inside for one in whole.crossed)
    say("3 kills under Prefect")
    for _ in range(3):
        kill_at = rng.randrange(1, most // 4)
        done = command(run, prefect_home, kill_at)
        assert done.returncode == KILLED, f"no kill at {kill_at}, FAULTS_SEED={SEED}\n{done.stderr}"
        word = run.folder / "killed.json"
        assert Boundary(**json.loads(word.read_text())["boundary"]).inside == kill_at
        word.unlink()
    done = command(run, prefect_home)
    assert done.returncode == 0, done.stderr
    assert [one["status"] for one in json.loads(done.stdout)] == ["finished"]
    assert same.differences(whole.ending, same.ending(run.url)) == [], f"FAULTS_SEED={SEED}"
    assert same.broken(run.url) == []
    assert checks.called_twice(run) == []

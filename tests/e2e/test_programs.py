"""Functions and programs as evaluators: side by side, on a leash, and told when they change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from adapters import registry
from adapters.protocol import Batch, EvaluatorError, Job, OptionError, Outcome, Sample
from adapters.python_source import PythonSource
from db.models import Measurement
from db.session import Database
from orchestrator import driver, wiring
from orchestrator.driver import Standing
from orchestrator.spec.file import read
from orchestrator.verbs import sources
from tests.e2e.lab import Lab, opened

ROOT = Path(__file__).parents[2]
MEASURES = {"yield": "percent"}
FUNCTIONS = """\
import ctypes, os, re, time
from adapters.calculator import RejectedError

def fine(p): return {"yield": p["x"]}
def slow(p): time.sleep(p.get("s", 0.5)); return {"yield": 1.0}
def meet(p):
    here = os.path.dirname(os.path.abspath(__file__))
    open(f"{here}/{p['n']:.0f}.here", "w").close()
    while sum(name.endswith(".here") for name in os.listdir(here)) < p["of"]: time.sleep(0.01)
    return {"yield": float(os.getpid())}
def busy(p): return {"yield": len(re.match(r"(a+)+$", "a" * 40 + "b").group())}
def crash(p):
    if p["x"] > 0.5: os.kill(os.getpid(), 11)
    return {"yield": p["x"]}
def leave(p): os._exit(3)
def hog(p): return {"yield": len(bytearray(10**10))}
def prints(p): print("noise"); return {"yield": 2.0}
def wrong(p): return [1]
def raises(p): raise ValueError("too hot \u2603")
def rejects(p): raise RejectedError("explosive")
def text(p): return {"yield": "high"}
class Counted:
    made = 0
    def __init__(self): Counted.made += 1; self.asked = 0
    def __call__(self, p): self.asked += 1; return {"yield": self.asked + 100 * (Counted.made - 1)}
"""


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab on each kind of database."""
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    """A file of functions."""
    file = tmp_path / "functions.py"
    file.write_text(FUNCTIONS)
    return file


def ask(made: Any, *points: dict[str, float]) -> list[Outcome]:
    """Measure points, one job each."""
    jobs = tuple(
        Job(f"c/{n}/e/1", Sample("parameters", json.dumps(p)), ("yield",))
        for n, p in enumerate(points)
    )
    tickets = made.submit(Batch("c/batch/1", jobs))
    found = [one for delivery in made.receive(tickets) for one in made.parse(delivery)]
    return sorted(found, key=lambda one: one.job)


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("prints", "succeeded", ""),
        ("wrong", "failed", "no dict of measures"),
        ("raises", "failed", "ValueError: too hot \u2603"),
        ("rejects", "rejected", "explosive"),
        ("leave", "failed", "exit code 3"),
        ("busy", "failed", "no answer within 1 s"),
        ("slow", "succeeded", ""),
    ],
)
def test_what_a_function_does_is_its_outcome(
    functions: Path, name: str, status: str, said: str
) -> None:
    made = PythonSource(function=f"{functions}:{name}", measures=MEASURES, timeout=1.0)
    try:
        (outcome,) = ask(made, {"x": 0.25})
    finally:
        made.close()
    assert (outcome.status, said in outcome.reason) == (status, True), outcome


def test_memory_is_limited(functions: Path) -> None:
    made = PythonSource(function=f"{functions}:hog", measures=MEASURES, memory=2000)
    (outcome,) = ask(made, {"x": 1})
    assert "MemoryError" in outcome.reason
    made.close()


def test_a_crash_takes_no_other_job_with_it(functions: Path) -> None:
    made = PythonSource(function=f"{functions}:crash", measures=MEASURES, workers=2, batch_size=4)
    outcomes = ask(made, {"x": 0.1}, {"x": 0.9}, {"x": 0.2}, {"x": 0.3})
    assert [one.status for one in outcomes] == ["succeeded", "failed", "succeeded", "succeeded"]
    assert "SIGSEGV" in outcomes[1].reason
    made.close()


def test_so_many_run_at_a_time_as_there_are_workers(functions: Path) -> None:
    """Four that wait for each other need four processes."""
    made = PythonSource(function=f"{functions}:meet", measures=MEASURES, workers=4, timeout=60.0)
    outcomes = ask(made, *[{"n": float(n), "of": 4.0} for n in range(4)])
    assert {one.status for one in outcomes} == {"succeeded"}
    assert len({one.readings[0].value for one in outcomes}) == 4
    made.close()


def test_a_class_is_made_once_a_worker(functions: Path) -> None:
    made = PythonSource(function=f"{functions}:Counted", measures=MEASURES, batch_size=3)
    values = [one.readings[0].value for one in ask(made, {"x": 1}, {"x": 2}, {"x": 3})]
    assert sorted(values) == [1.0, 2.0, 3.0]
    made.close()


def test_workers_go_when_their_driver_is_killed(functions: Path) -> None:
    """However it was killed."""
    script = f"""
        import sys
        from adapters.python_source import PythonSource
        from adapters.protocol import Batch, Job, Sample
        made = PythonSource(function="{functions}:slow", measures={{"yield": "percent"}})
        ask = lambda s: made.submit(Batch("b", (Job(f"c/{{s}}/e/1", Sample("parameters",
            '{{"s": %s}}' % s), ("yield",)),)))
        ask(0)
        print("up", flush=True)
        ask(60)
    """
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, env=environment
    ) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"up\n"
        workers = psutil.Process(driver.pid).children(recursive=True)
        assert len(workers) == 1
        driver.kill()
    gone, alive = psutil.wait_procs(workers, timeout=5)
    assert (len(gone), alive) == (1, [])


# Programs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "status", "transient", "said"),
    [
        ('echo \'{"readings": {"yield": 3}}\'', "succeeded", False, ""),
        ("echo oops >&2; exit 4", "failed", False, "exit code 4; it said: oops"),
        ("exit 75", "failed", True, "exit code 75"),
        ("sleep 60", "failed", False, "no answer within 1 s"),
        ("sleep 60 & sleep 60", "failed", False, "no answer within 1 s"),
        ("yes | head -c 40000000", "failed", False, "more than 16,000,000 bytes"),
        ("kill -9 $$", "failed", True, "SIGKILL"),
        ("kill -11 $$", "failed", False, "SIGSEGV"),
    ],
)
def test_how_a_program_ends_is_its_outcome(
    tmp_path: Path, script: str, status: str, transient: bool, said: str
) -> None:
    program = tmp_path / "program.sh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    options = {"command": [str(program)], "measures": MEASURES, "timeout": 1.0}
    made = registry.create("command", options)
    (outcome,) = ask(made, {"x": 0.25})
    assert (outcome.status, outcome.transient) == (status, transient), outcome
    assert said in outcome.reason


def test_garbage_is_no_result(tmp_path: Path) -> None:
    made = registry.create("command", {"command": ["echo", "3.5"], "measures": MEASURES})
    with pytest.raises(EvaluatorError, match=r"is 3\.5, and no result"):
        ask(made, {"x": 0.25})


def test_secrets_reach_the_program_and_no_list_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_TOKEN", "hunter2")
    script = 'echo "{\\"readings\\": {\\"yield\\": ${#KEY}}}"'
    program = tmp_path / "program.sh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    options = {"command": [str(program)], "measures": MEASURES}
    made = registry.create("command", options | {"environment": {"KEY": "env:LAB_TOKEN"}})
    (outcome,) = ask(made, {"x": 0.25})
    assert outcome.readings[0].value == 7.0


@pytest.mark.parametrize(
    ("use", "options", "named", "said"),
    [
        ("python", {"function": "nothing"}, "function", "write ./my_assay.py:reactor"),
        ("python", {"function": "./no.py:f"}, "function", "there is no file"),
        ("python", {"function": "json:dumps", "measures": None}, "measures", "not decorated"),
        ("python", {"function": "json:dumps", "workers": -1}, "workers", "at least 1"),
        ("command", {"command": []}, "command", "is empty"),
        ("command", {"command": ["x"], "timeout": 0}, "timeout", "must be above 0"),
    ],
)
def test_a_wrong_option_is_named(use: str, options: dict[str, Any], named: str, said: str) -> None:
    given = {"measures": MEASURES} | options
    with pytest.raises(OptionError) as caught:
        registry.create(use, {key: one for key, one in given.items() if one is not None})
    assert (caught.value.option, said in str(caught.value)) == (named, True), caught.value


def test_a_program_that_is_not_there_is_said_before_anything_runs() -> None:
    made = registry.create("command", {"command": ["/no/such"], "measures": MEASURES})
    with pytest.raises(OptionError, match="is not there"):
        made.check(["yield"])


# Campaigns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["python-assay", "command-assay"])
def test_the_example_runs_to_its_end(lab: Lab, name: str) -> None:
    before = set(psutil.Process().children())
    spec = read(ROOT / "examples" / name / "campaign.yaml").spec
    wiring.check(read(ROOT / "examples" / name / "campaign.yaml"))
    cheap = spec.model_copy(update={"proposer": spec.proposer.model_copy(update={"kind": "sobol"})})
    campaign, standing = lab.run(**cheap.model_dump(mode="json", exclude_unset=True))
    assert standing is Standing.FINISHED
    assert len(lab.rows(Measurement, campaign)) == 30
    left = set(psutil.Process().children()) - before
    assert [one for one in left if "python_worker" in " ".join(one.cmdline())] == []


@pytest.mark.parametrize("use", ["python", "command"])
def test_a_worker_that_is_killed_twice_costs_nothing(lab: Lab, use: str) -> None:
    """The campaign ends as the undisturbed one, and nothing is lost."""
    where = ROOT / "examples"
    options: dict[str, Any] = {"measures": MEASURES, "kinds": ["parameters"], "idempotent": True}
    if use == "python":
        options["function"] = f"{where}/python-assay/my_assay.py:reactor"
    else:
        program = lab.folder / "kept.sh"
        single = where / "command-assay" / "measure.py"
        loop = f'while read -r line; do echo "$line" | {sys.executable} {single}; echo; done'
        program.write_text(f"#!/bin/sh\n{loop}\n")
        program.chmod(0o755)
        options |= {"command": [str(program)], "kept": True}
    parameters = [
        {"name": "temperature", "lower": 20, "upper": 120},
        {"name": "time", "lower": 5, "upper": 90},
    ]
    part = {"use": use, "measures": ["yield"], "options": options, "backoff": 0.01}
    found = []
    for name, kills in (("calm", ()), ("rough", (8, 17))):
        campaign = lab.start(
            name=name,
            space={"kind": "box", "parameters": parameters},
            evaluators=[part],
            objective={"direction": "maximize", "terms": [{"measure": "yield"}]},
            budget={"evaluations": 30},
        )
        left = list(kills)

        def disturb(glance: driver.Glance, left: list[int] = left) -> None:
            if left and glance.evaluations >= left[0]:
                left.pop(0)
                for one in psutil.Process().children():
                    said = " ".join(one.cmdline())
                    if "python_worker" in said or "kept.sh" in said:
                        one.kill()

        with wiring.driving(lab.build(campaign)) as parts:
            assert driver.drive(parts, observe=disturb) is Standing.FINISHED
        assert left == []
        rows = {row.candidate: row.value for row in lab.rows(Measurement, campaign)}
        found.append((lab.campaign(campaign).best, rows))
        if kills:
            assert sum(job.attempts for job in lab.jobs(campaign)) > 30, "nobody was killed"
    assert found[0] == found[1]
    assert len(found[0][1]) == 30


def test_a_changed_file_is_kept_and_said(lab: Lab, functions: Path) -> None:
    """Whoever asks in a year what was run, finds it."""
    part = {"use": f"{functions}:fine", "measures": ["yield"], "options": {"measures": MEASURES}}
    space = {"kind": "box", "parameters": [{"name": "x", "lower": 0, "upper": 1}]}
    campaign = lab.start(
        space=space,
        evaluators=[part],
        objective={"direction": "maximize", "terms": [{"measure": "yield"}]},
    )
    words: Sequence[str] = sources.note(lab.build(campaign))
    assert words == []
    assert sources.note(lab.build(campaign)) == []
    functions.write_text(FUNCTIONS + "# changed\n")
    (word,) = sources.note(lab.build(campaign))
    assert "functions.py, which fine runs, has changed" in word
    assert [len(about["sources"]) for about in lab.entries(campaign, "source")] == [1, 1]
    assert lab.drive(campaign) is Standing.FINISHED

"""An evaluator of one's own, as the pages describe it, and its box."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from orchestrator import Campaign
from tests.e2e.terminal import Terminal

EXAMPLE = Path(__file__).parents[2] / "examples" / "own-evaluator"
PLUGIN = Path(__file__).parent / "evaluator_plugin"


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example's module, installed with its entry point."""
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.syspath_prepend(PLUGIN)


def best_of_the_model() -> float:
    """The most productive yield of 80 % on a fine grid: what no campaign can beat by much."""
    reactor = importlib.import_module("flow_reactor").flow_reactor
    found = (
        reactor({"temperature": temperature, "residence_time": time})
        for temperature in np.linspace(40, 140, 201)
        for time in np.linspace(1, 30, 291)
    )
    return max(float(one["productivity"]) for one in found if one["yield"] >= 80)


@pytest.mark.slow
def test_the_campaign_of_the_page_finds_the_best_of_the_reactor(terminal: Terminal) -> None:
    campaign = Campaign.open(EXAMPLE / "campaign.yaml")
    assert campaign.run() == "finished"
    (best,) = campaign.best(1)
    assert best["measurements"]["yield"]["value"] >= 80
    assert best["objective"] == pytest.approx(best_of_the_model(), rel=0.02)
    assert terminal("audit", "verify", "flow-reactor").code == 0


@pytest.mark.slow
def test_measurements_of_ones_own_bench_are_told_as_the_page_says(terminal: Terminal) -> None:
    spec = (EXAMPLE / "campaign.yaml").read_text().replace("initial: 8", "initial: 2")
    (terminal.folder / "own.yaml").write_text(spec.replace("evaluations: 30", "evaluations: 3"))
    Campaign.open("own.yaml").run()
    assert "is finished" in terminal("ask", "flow-reactor").err
    revised = ("own.yaml", "--set", "budget.evaluations=9", "--reason", "more")
    assert terminal("campaign", "revise", "flow-reactor", *revised).code == 0
    asked = terminal("ask", "flow-reactor", "--count", "2", "--json").json
    assert len(asked) == 2
    told = ("yield=79.2", "productivity=20.1", "--provenance", "the best of last year")
    point = '{"temperature": 75, "residence_time": 11}'
    assert terminal("tell", "flow-reactor", *told, "--object", point).code == 0
    listed = terminal("candidates", "flow-reactor", "--json").json
    assert [one["object"] for one in listed if one["source"] == "told"] == [
        '{"residence_time": 11.0, "temperature": 75.0}'
    ]


@pytest.mark.slow
def test_its_own_tests_pass() -> None:
    """The kit of the page, run by pytest as its author runs it."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", str(EXAMPLE)])},
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
    assert " passed" in run.stdout

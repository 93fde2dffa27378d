"""What every proposer, built in or plugged in, must do; a campaign would stall or mislead if not.

All proposers that are installed are tested, found through their entry points.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from orchestrator.latent import gaussian
from orchestrator.latent.box import BoxSpace
from orchestrator.latent.protocol import Decoded, Points, Rendering, Space, SpaceError
from orchestrator.objective import Objective
from orchestrator.proposers import registry
from orchestrator.proposers.protocol import Problem, Proposal, Proposer
from orchestrator.spec.model import ObjectiveSpec, Parameter
from orchestrator.surrogates.gp import GPSurrogate
from orchestrator.surrogates.protocol import Data, Floats

PROPOSERS = registry.names(registry.PROPOSERS)
LEARNERS = [name for name in PROPOSERS if registry.proposer(name).needs_fit]

OBJECTIVES: dict[str, dict[str, Any]] = {
    "one measure": {"direction": "maximize", "terms": [{"measure": "a"}]},
    "prior and constraint": {
        "direction": "minimize",
        "terms": [{"measure": "a"}, {"measure": "latent_log_prior", "weight": -1}],
        "constraints": [{"measure": "b", "min": 0.5}, {"measure": "a", "min": -9, "max": 9}],
    },
    "not linear": {
        "direction": "maximize",
        "terms": [
            {"measure": "a", "transform": {"kind": "sigmoid", "center": 0}},
            {"measure": "b"},
        ],
        "aggregate": "geometric_mean",
    },
}


class Shell:
    """A latent space of twelve dimensions with a standard normal prior, whose objects are text."""

    sample_kind, media_type, model_hash = "text", "text/plain", ""
    dim, bounds = 12, gaussian.box(4.0, 12)
    filters: Mapping[str, Callable[[str | bytes], bool]] = {
        "small": lambda content: bool(json.loads(content)[2] < 1)
    }

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        return [Decoded(text, text, True) for text in map(json.dumps, points.tolist())]

    def read(self, objects: Sequence[str | bytes]) -> list[Decoded]:
        return self.decode(self.encode(objects), np.random.default_rng(0))

    def encode(self, objects: Sequence[str | bytes]) -> Points:
        return np.array([json.loads(text) for text in objects])

    def log_prior(self, points: Points) -> Floats:
        return gaussian.log_density(points)

    def sample_prior(self, n: int, rng: np.random.Generator) -> Points:
        return gaussian.sample(n, self.bounds, rng)

    def render(self, content: str | bytes) -> Rendering:
        return Rendering("text/plain", str(content).encode())


class Coarse(Shell):
    """Many points decode to one object, some to none, and one object that cannot be encoded."""

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        return [_coarse(point) for point in points]

    def encode(self, objects: Sequence[str | bytes]) -> Points:
        found = super().encode(objects)
        if (found[:, 1] == 2).any():
            raise SpaceError("the model has no word for it")
        return found


class Void(Shell):
    """Nothing decodes to anything."""

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        return [Decoded(None, "", False, "nothing there")] * len(points)


def _coarse(point: Floats) -> Decoded:
    if point[0] < -1:
        return Decoded(None, "", False, "nothing there")
    text = json.dumps(np.round(point).tolist())
    return Decoded(text, text, True)


SPACES: dict[str, Space] = {
    "box": BoxSpace(
        [Parameter(name="x", lower=-5, upper=10), Parameter(name="y", lower=0, upper=1)]
    ),
    "shell": Shell(),
    "coarse": Coarse(),
    "void": Void(),
}


@pytest.fixture(params=PROPOSERS)
def proposer(request: pytest.FixtureRequest) -> Proposer:
    return registry.proposer(request.param)


def measured(problem: Problem, n: int, *, scale: float = 1.0) -> Data:
    """Values of a smooth function at prior draws."""
    points = problem.space.sample_prior(n, np.random.default_rng(11))
    lower, upper = problem.space.bounds
    unit = (points - lower) / (upper - lower)
    columns = {"a": np.sin(5 * unit[:, 0]) + unit[:, 1] ** 2, "b": unit.sum(axis=1)}
    values = [outcome.apply(columns[outcome.measure]) for outcome in problem.objective.outcomes]
    stacked = scale * np.stack(values, axis=1)
    return Data(points, stacked, np.full(stacked.shape, np.nan), problem.objective.labels)


def problem_of(space: str = "box", objective: str = "one measure") -> Problem:
    spec = ObjectiveSpec.model_validate(OBJECTIVES[objective])
    return Problem(SPACES[space], Objective(spec))


def propose(
    proposer: Proposer, problem: Problem, data: Data, q: int = 3, pending: Points | None = None
) -> Proposal:
    fit = GPSurrogate().fit(data, problem.space.bounds, None) if proposer.needs_fit else None
    waiting = np.empty((0, problem.space.dim)) if pending is None else pending
    return proposer.propose(problem, fit, data, waiting, q, np.random.default_rng([7, 1]))


def check(proposal: Proposal, problem: Problem, data: Data, q: int = 3) -> None:
    """What holds for every proposal."""
    lower, upper = problem.space.bounds
    assert proposal.points.shape == (q, problem.space.dim)
    assert ((proposal.points >= lower) & (proposal.points <= upper)).all()
    assert len(np.unique(proposal.points, axis=0)) == q
    assert not (proposal.points[:, None] == data.points[None]).all(axis=2).any()
    for column in (proposal.mean, proposal.std, proposal.acquisition):
        assert column is None or np.isfinite(column).all()
    json.dumps(proposal.state, allow_nan=False)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("space", ["box", "shell"])
def test_points_are_distinct_new_and_inside_the_bounds(
    proposer: Proposer, space: str, objective: str
) -> None:
    problem = problem_of(space, objective)
    data = measured(problem, 15)
    check(propose(proposer, problem, data), problem, data)


def test_the_same_seed_gives_the_same_proposal_and_global_chance_is_left_alone(
    proposer: Proposer,
) -> None:
    problem = problem_of("shell")
    data = measured(problem, 15)
    before, legacy = torch.get_rng_state(), np.random.get_state(legacy=True)[1].copy()  # type: ignore[index]  # noqa: NPY002
    first = propose(proposer, problem, data)
    torch.manual_seed(5)
    second = propose(proposer, problem, data)
    torch.set_rng_state(before)
    assert np.array_equal(first.points, second.points)
    assert (np.random.get_state(legacy=True)[1] == legacy).all()  # type: ignore[index]  # noqa: NPY002


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_any_data_is_enough(proposer: Proposer, n: int) -> None:
    problem = problem_of(objective="prior and constraint")
    data = measured(problem, n)
    check(propose(proposer, problem, data), problem, data)


def test_equal_values_everywhere(proposer: Proposer) -> None:
    problem = problem_of(objective="prior and constraint")
    data = measured(problem, 12)
    data.values[:] = 0.1 * 3
    check(propose(proposer, problem, data), problem, data)


def test_duplicates_in_the_data(proposer: Proposer) -> None:
    problem = problem_of()
    data = measured(problem, 12)
    data.points[6:] = data.points[:6]
    check(propose(proposer, problem, data), problem, data)


@pytest.mark.parametrize("rows", [slice(0, 3), slice(0, 11), slice(None)])
@pytest.mark.parametrize("columns", [slice(None), slice(0, 1), slice(1, 2)])
def test_missing_values_up_to_all_of_them(proposer: Proposer, rows: slice, columns: slice) -> None:
    problem = problem_of(objective="prior and constraint")
    data = measured(problem, 12)
    data.values[rows, columns] = np.nan
    check(propose(proposer, problem, data), problem, data)


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_units_of_the_objective_do_not_matter(name: str, scale: float) -> None:
    problem, proposer = problem_of(), registry.proposer(name)
    plain, scaled = measured(problem, 15), measured(problem, 15, scale=scale)
    proposal = propose(proposer, problem, scaled)
    check(proposal, problem, scaled)
    expected = propose(proposer, problem, plain)
    assert proposal.points[0] == pytest.approx(expected.points[0], abs=1e-2)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_pending_point_is_not_proposed_again_nor_its_close_neighbour(name: str) -> None:
    problem, proposer = problem_of(), registry.proposer(name)
    data = measured(problem, 15)
    lower, upper = problem.space.bounds
    first = propose(proposer, problem, data, q=1)
    again = propose(proposer, problem, data, q=2, pending=first.points)
    gaps = np.abs((again.points - first.points) / (upper - lower)).max(axis=1)
    assert (gaps > 1e-2).all()


@pytest.mark.parametrize("name", LEARNERS)
def test_a_latent_proposal_stays_where_the_prior_lives(name: str) -> None:
    problem, proposer = problem_of("shell"), registry.proposer(name)
    proposal = propose(proposer, problem, measured(problem, 15), q=4)
    draws = problem.space.sample_prior(2000, np.random.default_rng(0))
    floor = problem.space.log_prior(draws).min()
    assert (problem.space.log_prior(proposal.points) >= floor).all()


def at_objects(space: str) -> tuple[Problem, Data]:
    """A problem whose surrogate reads objects, and what was measured of some."""
    problem = replace(problem_of(space), at="realised", filters=("small",))
    points = measured(problem, 40)
    return problem, replace(points, points=np.round(points.points))


@pytest.mark.parametrize("name", LEARNERS)
def test_read_at_objects_only_new_ones_that_pass_are_proposed(name: str) -> None:
    problem, data = at_objects("coarse")
    proposal = propose(registry.proposer(name), problem, data, q=6)
    check(proposal, problem, data, q=6)
    decoded = problem.space.decode(proposal.points, np.random.default_rng(0))
    objects = problem.space.encode([str(one.content) for one in decoded if one.valid])
    assert (objects[:, 2] < 1).all()
    assert len(np.unique(np.concatenate([objects, data.points]), axis=0)) == 46


@pytest.mark.parametrize("name", LEARNERS)
def test_read_at_objects_something_is_proposed_even_if_nothing_decodes(name: str) -> None:
    problem, data = at_objects("void")
    check(propose(registry.proposer(name), problem, data), problem, data)


def test_another_process_proposes_the_same_bits() -> None:
    """One process answers for all proposers, since most of its time goes into imports."""
    code = f"import sys; sys.path.insert(0, {str(__file__.rsplit('/', 1)[0])!r})\n" + (
        "import json, torch, test_proposers as t; torch.set_num_threads(int(sys.argv[1]))\n"
        "print(json.dumps(t.all_points()))\n"
    )
    command = [sys.executable, "-c", code, str(torch.get_num_threads())]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == all_points()


def all_points() -> dict[str, list[list[float]]]:
    """A proposal of every proposer, as plain numbers."""
    problem = problem_of("shell", "prior and constraint")
    cases = {"points": (problem, measured(problem, 30)), "objects": at_objects("coarse")}
    return {
        f"{name}, {case}": propose(registry.proposer(name), *cases[case], q=2).points.tolist()
        for name in PROPOSERS
        for case in cases
    }

"""If these fail, a campaign spends its evaluations no better than by chance."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import LogConstrainedExpectedImprovement, LogExpectedImprovement

from orchestrator.latent import gaussian
from orchestrator.latent.box import BoxSpace
from orchestrator.objective import Objective
from orchestrator.proposers import registry
from orchestrator.proposers.acquisition import ComposedLogEI, known_terms, log_h
from orchestrator.proposers.gp import GPProposer
from orchestrator.proposers.protocol import Problem, Proposal
from orchestrator.proposers.random import RandomProposer
from orchestrator.proposers.sobol import SobolProposer
from orchestrator.spec.model import ObjectiveSpec, Parameter
from orchestrator.surrogates.gp import GPSurrogate
from orchestrator.surrogates.protocol import Data, Floats

NONE = np.empty((0, 2))


class Plane(BoxSpace):
    """A box with the prior of a latent space."""

    def log_prior(self, points: Floats) -> Floats:
        return gaussian.log_density(points)

    def sample_prior(self, n: int, rng: np.random.Generator) -> Floats:
        return gaussian.sample(n, self.bounds, rng)


def box(*limits: tuple[float, float], kind: type[BoxSpace] = BoxSpace) -> BoxSpace:
    return kind(
        [Parameter(name=f"x{i}", lower=low, upper=high) for i, (low, high) in enumerate(limits)]
    )


def problem_of(space: BoxSpace, *measures: str, **parts: object) -> Problem:
    spec = {"direction": "minimize", "terms": [{"measure": name} for name in measures], **parts}
    return Problem(space, Objective(ObjectiveSpec.model_validate(spec)))


def data_of(points: Floats, problem: Problem, *columns: Floats) -> Data:
    values = np.stack(columns, axis=1)
    return Data(points, values, np.full(values.shape, np.nan), problem.objective.labels)


def branin(x: Floats) -> Floats:
    a, b = x[:, 0], x[:, 1]
    bend = b - 5.1 / (4 * math.pi**2) * a**2 + 5 / math.pi * a - 6
    return np.asarray(bend**2 + 10 * (1 - 1 / (8 * math.pi)) * np.cos(a) + 10)


def hartmann6(x: Floats) -> Floats:
    heights = np.array([1.0, 1.2, 3.0, 3.2])
    widths = np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    )
    centres = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )
    away = (widths * (x[:, None] - centres) ** 2).sum(axis=2)
    return np.asarray(-(heights * np.exp(-away)).sum(axis=1))


@pytest.mark.parametrize(
    ("function", "space", "budget", "batch", "goal"),
    [
        (branin, box((-5, 10), (0, 15)), 30, 1, 0.41),
        pytest.param(hartmann6, box(*[(0, 1)] * 6), 60, 3, -2.9, marks=pytest.mark.slow),
    ],
)
def test_known_optima_are_found_and_chance_does_not_find_them(
    function: Callable[[Floats], Floats], space: BoxSpace, budget: int, batch: int, goal: float
) -> None:
    problem = problem_of(space, "y")
    points = space.sample_prior(10, np.random.default_rng(101))
    state = None
    for step in range((budget - 10) // batch):
        data = data_of(points, problem, function(points))
        fit = GPSurrogate().fit(data, space.bounds, state)
        state = fit.state
        rng = np.random.default_rng([101, step])
        none = np.empty((0, space.dim))
        found = GPProposer().propose(problem, fit, data, none, batch, rng)
        points = np.concatenate([points, found.points])
    by_chance = space.sample_prior(budget, np.random.default_rng(102))
    assert function(points).min() < goal < function(by_chance).min()


def test_log_h_agrees_with_its_definition_and_stays_smooth_far_below() -> None:
    u = torch.linspace(-6, 6, 200, dtype=torch.float64)
    phi = torch.exp(-u.square() / 2) / math.sqrt(2 * math.pi)
    assert torch.allclose(log_h(u), (phi + u * torch.special.ndtr(u)).log(), rtol=1e-6)
    far = -torch.logspace(0, 8, 500, dtype=torch.float64)
    far.requires_grad_()
    (slope,) = torch.autograd.grad(log_h(far).sum(), far)
    # Towards minus infinity h(u) is phi(u) / u^2, and the slope of its log -u - 2 / u.
    assert (log_h(far).diff() < 0).all()
    assert torch.allclose(slope[100:], (-far - 2 / far)[100:], rtol=1e-2)


@pytest.mark.parametrize("limits", [(None, 0.3), (0.1, None), (0.1, 0.3)])
def test_the_acquisition_agrees_with_botorch(limits: tuple[float | None, float | None]) -> None:
    space = box((0, 1), (0, 1))
    constraint = {"measure": "c", "min": limits[0], "max": limits[1]}
    problem = problem_of(space, "y", direction="maximize", constraints=[constraint])
    points = space.sample_prior(12, np.random.default_rng(0))
    data = data_of(points, problem, np.sin(5 * points[:, 0]), points[:, 1] ** 2)
    model = GPSurrogate().fit(data, space.bounds, None).model
    at = torch.tensor(space.sample_prior(30, np.random.default_rng(1))).unsqueeze(-2)
    ours = ComposedLogEI(model, problem, torch.tensor([0.5]), 1.0, torch.zeros(4, 2))(at)
    plain = LogExpectedImprovement(model.models[0], 0.5)(at)  # type: ignore[arg-type]
    theirs = LogConstrainedExpectedImprovement(model, 0.5, 0, {1: limits})(at)
    assert torch.allclose(ours, theirs, atol=1e-6)
    assert not torch.allclose(ours, plain, atol=1e-2)


def test_the_log_prior_is_exact_in_value_and_gradient() -> None:
    problem = problem_of(box((-4, 4), (-4, 4), kind=Plane), "y", "latent_log_prior")
    at = torch.tensor([[0.3, -2.0], [4.0, 1.0]], dtype=torch.float64, requires_grad=True)
    known = known_terms(problem, at)
    (slope,) = torch.autograd.grad(known.sum(), at)
    assert known.detach().numpy()[:, 0] == pytest.approx(gaussian.log_density(at.detach().numpy()))
    assert slope[0].numpy() == pytest.approx([-0.3, 2.0], abs=1e-6)
    assert slope[1].numpy() == pytest.approx([-4.0, -1.0], abs=1e-3)


def proposal(problem: Problem, data: Data, q: int = 1, pending: Floats = NONE) -> Proposal:
    fit = GPSurrogate().fit(data, problem.space.bounds, None)
    return GPProposer().propose(problem, fit, data, pending, q, np.random.default_rng(3))


def test_the_prediction_is_of_the_composed_objective_in_the_direction_of_the_spec() -> None:
    space = box((-4, 4), (-4, 4), kind=Plane)
    terms = [{"measure": "y", "weight": 2}, {"measure": "latent_log_prior", "weight": -1}]
    problem = problem_of(space, terms=terms)
    points = space.sample_prior(25, np.random.default_rng(0))
    data = data_of(points, problem, points[:, 0] + 3)
    found = proposal(problem, data, q=2)
    expected = 2 * (found.points[:, 0] + 3) - gaussian.log_density(found.points)
    assert found.mean == pytest.approx(expected, abs=0.3)
    assert found.std is not None
    assert (found.std > 0).all()


@pytest.mark.slow
def test_a_plateau_is_left_for_a_valley_that_nothing_points_to() -> None:
    """Its ripples make amplitude and lengthscale small: no model of them expects the valley."""

    def landscape(at: Floats) -> Floats:
        ripples = np.sin(9 * at[:, 0]) + np.cos(8 * at[:, 1])
        return np.where(at[:, 0] + at[:, 1] < -1, 0.0, 6 + ripples)

    terms = [{"measure": "y"}, {"measure": "latent_log_prior", "weight": -1}]
    problem = problem_of(box((-4, 4), (-4, 4), kind=Plane), terms=terms)
    middle = 0.2 * problem.space.sample_prior(25, np.random.default_rng(0))
    best = int(np.argmin(landscape(middle) - gaussian.log_density(middle)))
    middle[[0, best]] = middle[[best, 0]]
    assert landscape(middle).min() > 0
    points, starts = middle[:8], []
    for step in range(5):  # the best one came first; a better one only comes from the valley
        points = np.concatenate([points, middle[8 + 3 * step :][: 1 if step == 0 else 3]])
        data = data_of(points, problem, landscape(points))
        fit = GPSurrogate().fit(data, problem.space.bounds, None)
        found = GPProposer().propose(problem, fit, data, NONE, 1, np.random.default_rng(step))
        points = np.concatenate([points, found.points])
        starts += found.state["starts"]
    assert starts[0] == "explore"
    assert landscape(points).min() == 0


def test_constraints_keep_proposals_where_they_hold() -> None:
    space = box((0, 1), (0, 1))
    problem = problem_of(
        space, "y", direction="maximize", constraints=[{"measure": "c", "max": 0.5}]
    )
    points = space.sample_prior(25, np.random.default_rng(0))
    data = data_of(points, problem, points[:, 0], points[:, 0])
    found = proposal(problem, data, q=3)
    assert (found.points[:, 0] < 0.55).all()
    assert found.points[:, 0].max() > 0.4


def test_while_nothing_is_feasible_the_way_to_feasibility_is_sought() -> None:
    space = box((0, 1), (0, 1))
    problem = problem_of(
        space, "y", direction="maximize", constraints=[{"measure": "c", "min": 0.9}]
    )
    points = 0.6 * space.sample_prior(15, np.random.default_rng(0))
    data = data_of(points, problem, -points[:, 1], points[:, 0])
    found = proposal(problem, data)
    assert found.points[0, 0] > 0.8
    assert found.state["incumbent"] is None


def test_the_acquisition_can_be_drawn_and_is_largest_where_the_proposal_is() -> None:
    space = box((0, 1), (0, 1))
    problem = problem_of(space, "y")
    points = space.sample_prior(12, np.random.default_rng(0))
    data = data_of(points, problem, np.cos(4 * points[:, 0]) + points[:, 1])
    fit = GPSurrogate().fit(data, space.bounds, None)
    best = GPProposer().propose(problem, fit, data, NONE, 1, np.random.default_rng(3))
    axis = np.linspace(0, 1, 21)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    values = GPProposer().acquisition(problem, fit, data, NONE, grid)
    top = GPProposer().acquisition(problem, fit, data, NONE, best.points)
    assert values.shape == (441,)
    assert top[0] >= values.max() - 0.05


def test_sobol_covers_a_plane_evenly_and_a_latent_space_as_its_prior() -> None:
    plane = problem_of(box((-4, 4), (-4, 4), kind=Plane), "y")
    nothing = data_of(np.empty((0, 2)), plane, np.empty(0))
    found = SobolProposer().propose(plane, None, nothing, NONE, 64, np.random.default_rng(0))
    counts, *_ = np.histogram2d(*found.points.T, bins=8, range=((-4, 4), (-4, 4)))  # type: ignore[call-overload]
    assert (counts == 1).all()

    deep = problem_of(box(*[(-5, 5)] * 20, kind=Plane), "y")
    none = np.empty((0, 20))
    nothing = data_of(none, deep, np.empty(0))
    found = SobolProposer().propose(deep, None, nothing, none, 64, np.random.default_rng(0))
    assert found.state["cover"] == "prior"
    assert found.points.std(axis=0) == pytest.approx(np.ones(20), abs=0.1)


def test_a_box_of_many_dimensions_is_covered_to_its_bounds() -> None:
    wide = problem_of(box(*[(0, 1)] * 6), "y")
    none = np.empty((0, 6))
    nothing = data_of(none, wide, np.empty(0))
    found = SobolProposer().propose(wide, None, nothing, none, 5, np.random.default_rng(0))
    assert found.state["cover"] == "bounds"
    assert found.points.shape == (5, 6)


def test_random_draws_from_the_prior() -> None:
    plane = problem_of(box((-4, 4), (-4, 4), kind=Plane), "y")
    nothing = data_of(np.empty((0, 2)), plane, np.empty(0))
    found = RandomProposer().propose(plane, None, nothing, NONE, 500, np.random.default_rng(0))
    assert found.points.std(axis=0) == pytest.approx([1.0, 1.0], abs=0.1)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(registry.RegistryError, match=r"'gpp'.*gp.*random.*sobol"):
        registry.proposer("gpp")
    with pytest.raises(registry.RegistryError, match=r"unknown surrogate 'forest'; known: gp"):
        registry.surrogate("forest")


@pytest.mark.parametrize(
    ("value", "words"),
    [("orchestrator.nowhere:Thing", "cannot be loaded"), ("builtins:dict", "is not a proposer")],
)
def test_a_broken_plug_in_is_named(value: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken", value, registry.PROPOSERS)
    monkeypatch.setattr(registry, "installed", lambda *_: (broken,))
    with pytest.raises(registry.RegistryError, match=words):
        registry.proposer("broken")


@pytest.mark.slow
def test_the_registry_and_the_baselines_load_no_torch() -> None:
    code = (
        "import sys; from orchestrator.proposers import registry\n"
        "registry.proposer('random'); registry.proposer('sobol')\n"
        "print(sorted({'torch', 'botorch', 'rdkit'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"

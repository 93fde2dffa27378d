"""Figures: what a reader of a report sees must be what the numbers say, and never break a page."""

import re
from collections.abc import Callable
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from orchestrator.latent.box import BoxSpace
from orchestrator.objective import Objective
from orchestrator.plots import figures
from orchestrator.plots.figures import Evaluations, Field
from orchestrator.plots.landscape import cells, centres, principal_plane, survey
from orchestrator.plots.style import VARIABLES, svg
from orchestrator.proposers.protocol import Problem
from orchestrator.spec.model import ObjectiveSpec, Parameter
from orchestrator.surrogates.gp import GPSurrogate
from orchestrator.surrogates.protocol import Data

BOUNDS = np.array([[-1.0, 0.0], [1.0, 10.0]])
NAMES = ("temperature", "flow")


def evaluations(
    n: int = 8, *, maximize: bool = True, feasible: bool = True, label: str = "score"
) -> Evaluations:
    rng = np.random.default_rng(1)
    known = np.arange(n) >= n // 2
    return Evaluations(
        objective=rng.normal(size=n),
        feasible=(np.arange(n) % 3 > 0) & feasible,
        mean=np.where(known, rng.normal(size=n), np.nan),
        std=np.where(known, 0.5, np.nan),
        points=rng.uniform(BOUNDS[0], BOUNDS[1], (n, 2)),
        maximize=maximize,
        label=label,
    )


def field(shown: Evaluations, *, level: bool = False) -> Figure:
    values = np.zeros((6, 6)) if level else np.arange(36.0).reshape(6, 6)
    return figures.field(Field(values, BOUNDS, shown.label, "viridis"), shown, NAMES)


def pictures(shown: Evaluations) -> Figure:
    return figures.pictures(np.zeros((6, 6), dtype=np.uint8), BOUNDS, shown, NAMES)


def scatter(shown: Evaluations) -> Figure:
    return figures.scatter(shown.points, shown, NAMES)


ALL = [figures.best_so_far, figures.predicted_against_measured, field, pictures, scatter]
Draw = Callable[[Evaluations], Figure]
NASTY = 'IC50 "nM" $x$ $\\frac </svg><script> 収率\n\x07'


@cache
def drawn(draw: Draw, name: str) -> str:
    return svg(draw(evaluations()), name, "")


@pytest.mark.parametrize(
    ("maximize", "best", "running"),
    [(True, 2, [np.nan, 1, 3, 3, 3]), (False, 1, [np.nan, 1, 1, 1, 1])],
)
def test_the_best_is_feasible_and_the_earliest_among_equals(
    maximize: bool, best: int, running: list[float]
) -> None:
    nothing = np.full(5, np.nan)
    found = Evaluations(
        objective=np.array([9.0, 1.0, 3.0, 3.0, 1.0]),
        feasible=np.array([False, True, True, True, True]),
        mean=nothing,
        std=nothing,
        points=np.zeros((5, 2)),
        maximize=maximize,
        label="",
    )
    assert found.best == best
    np.testing.assert_array_equal(found.running_best, running)


def test_calibration_counts_what_lies_in_the_interval() -> None:
    """A model that is too sure of itself has to show as one."""
    found = Evaluations(
        objective=np.array([0.0, 1.9, 2.1, 0.0]),
        feasible=np.ones(4, dtype=bool),
        mean=np.array([0.0, 0.0, 0.0, np.nan]),
        std=np.array([1.0, 1.0, 1.0, np.nan]),
        points=np.zeros((4, 2)),
        maximize=True,
        label="",
    )
    assert found.predicted.tolist() == [True, True, True, False]
    assert (found.inside & found.predicted).tolist() == [True, True, False, False]


def test_columns_of_other_lengths_are_refused() -> None:
    one = evaluations()
    with pytest.raises(ValueError, match="n entries"):
        Evaluations(one.objective, one.feasible[1:], one.mean, one.std, one.points, True, "")


@pytest.mark.parametrize("draw", ALL)
def test_any_name_makes_well_formed_svg_that_stays_text(draw: Draw) -> None:
    """A dollar sign must not raise as a broken formula, a tag must not end the picture."""
    text = svg(draw(evaluations(label=NASTY)), "a", NASTY)
    root = ElementTree.fromstring(text.replace("\x07", ""))
    assert root.tag.endswith("svg")
    assert root.get("role") == "img"
    assert "</svg><script>" in root.get("aria-label", "")
    assert not {element.tag.rpartition("}")[2] for element in root.iter()} & {"script", "style"}


@pytest.mark.parametrize("draw", ALL)
def test_figures_of_one_page_share_no_identifiers(draw: Draw) -> None:
    """Else the second figure is clipped by the first one's frame."""
    ids = [set(re.findall(r' id="([^"]+)"', drawn(draw, name))) for name in ("a", "b")]
    used = [set(re.findall(r'(?:href="|url\()#([^")]+)', drawn(draw, name))) for name in ("a", "b")]
    assert ids[0]
    assert ids == used
    assert not ids[0] & ids[1]


def test_the_same_numbers_give_the_same_picture() -> None:
    """Two reports of one state differ in nothing but their time."""
    assert drawn(field, "a") == svg(field(evaluations()), "a", "")


@pytest.mark.parametrize("draw", ALL)
def test_colours_follow_the_page(draw: Draw) -> None:
    """In the dark, a figure whose ink stayed black could not be read."""
    text = drawn(draw, "a")
    assert "var(--ink" in text
    assert "#000000" not in text
    for colour, variable in VARIABLES.items():
        assert text.count(colour) == text.count(f"var(--{variable}, {colour})")


@pytest.mark.slow
@pytest.mark.parametrize("draw", ALL)
@pytest.mark.parametrize("shown", [evaluations(1), evaluations(feasible=False)], ids=["one", "bad"])
def test_little_is_enough_for_a_figure(draw: Draw, shown: Evaluations) -> None:
    """One evaluation, or none that is feasible, is what a campaign begins with."""
    assert svg(draw(shown), "a", "").startswith("<svg")


def test_a_field_without_relief_is_drawn() -> None:
    assert svg(field(evaluations(), level=True), "a", "").startswith("<svg")


def test_cells_lie_where_the_picture_shows_them() -> None:
    """A field that is turned or mirrored would send people to the wrong corner."""
    points = cells(BOUNDS, 4)
    np.testing.assert_allclose(points[0], [-0.75, 1.25])
    np.testing.assert_allclose(points[1] - points[0], [0.5, 0.0])
    np.testing.assert_allclose(points[4] - points[0], [0.0, 2.5])
    np.testing.assert_allclose(centres(BOUNDS[:, 1], 4), points[::4, 1])


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_landscape_is_in_the_direction_of_the_spec(direction: str) -> None:
    """A picture with its sign turned would call the worst corner the best."""
    parameters = [Parameter(name=name, lower=0, upper=1) for name in ("x0", "x1")]
    spec = {"direction": direction, "terms": [{"measure": "height"}]}
    problem = Problem(BoxSpace(parameters), Objective(ObjectiveSpec.model_validate(spec)))
    points = cells(problem.space.bounds, 5)
    height = points.sum(axis=1, keepdims=True) + 10
    data = Data(points, height, np.full_like(height, np.nan), ("height",))
    fit = GPSurrogate().fit(data, problem.space.bounds, None)
    seen = survey(problem, fit, data, np.empty((0, 2)))
    assert seen.mean[0, 0] == pytest.approx(10, abs=0.2)
    assert seen.mean[-1, -1] == pytest.approx(12, abs=0.2)
    assert seen.mean[0, -1] == pytest.approx(11, abs=0.2)
    assert (seen.std > 0).all()
    best = seen.acquisition[-1, -1] > seen.acquisition[0, 0]
    assert best == (direction == "maximize")


def test_the_principal_plane_keeps_the_directions_that_matter() -> None:
    rng = np.random.default_rng(2)
    points = rng.normal(size=(50, 5)) * [0.01, 3.0, 0.01, 1.0, 0.01]
    xy, shares = principal_plane(points)
    assert np.corrcoef(xy[:, 0], points[:, 1])[0, 1] > 0.99
    assert np.corrcoef(xy[:, 1], points[:, 3])[0, 1] > 0.99
    assert shares[0] > shares[1] > 0
    assert shares.sum() == pytest.approx(1, abs=1e-3)

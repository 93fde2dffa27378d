"""The four-parameter logistic curve, fitted by least squares from starts that never vary.

Response at dose d, with x = log10 d and c = log10 IC50::

    bottom + (top - bottom) / (1 + 10 ** (-hill (x - c)))     rising
    bottom + (top - bottom) / (1 + 10 ** (+hill (x - c)))     falling; hill is positive either way
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import expit
from scipy.stats import f as f_distribution

from adapters.protocol import EvaluatorError
from adapters.reduction.recipes import CurveRecipe, Range

Array = NDArray[np.float64]

BOTTOM, TOP, CENTRE, HILL = range(4)
NAMES = ("bottom", "top", "IC50", "hill")
BEYOND = 3.0
"""Decades outside the doses in which an IC50 is still looked for."""
MAX_EVALUATIONS = 400
TOLERANCE = 1e-12
SIGNIFICANCE = 0.01
"""Level of the test that a response changes with the dose at all."""
_LN10 = math.log(10.0)
_HILLS = np.array([0.3, 0.5, 0.8, 1.0, 1.4, 2.0, 3.0, 5.0, 8.0])


@dataclass(frozen=True)
class Fit:
    """A fitted curve."""

    parameters: tuple[float, float, float, float]
    """Bottom, top, log10 IC50, hill."""
    covariance: Array
    """4 x 4, in that order: s^2 (J'J)^-1; zero where a parameter is fixed or at its limit, infinite
    where the wells do not determine it."""
    residual: float
    """Sum of squares."""
    freedom: int
    """Wells less fitted parameters."""
    r_squared: float
    significance: float
    """Probability of such a curve where the response does not change with the dose (F test)."""
    at_limit: tuple[str, ...] = ()
    """Parameters that ended at the limit which the recipe sets them."""
    converged: bool = True

    @property
    def bottom(self) -> float:
        """Lower asymptote."""
        return self.parameters[BOTTOM]

    @property
    def top(self) -> float:
        """Upper asymptote."""
        return self.parameters[TOP]

    @property
    def centre(self) -> float:
        """log10 of the relative IC50: where half of top - bottom is reached."""
        return self.parameters[CENTRE]

    @property
    def hill(self) -> float:
        """Steepness, positive."""
        return self.parameters[HILL]

    def std(self, parameter: int) -> float:
        """Standard error of one parameter."""
        return math.sqrt(self.covariance[parameter, parameter])


def response(parameters: Array, x: Array, rising: bool) -> Array:
    """Response at x = log10 dose (n) of parameters as in :class:`Fit` (4): n."""
    bottom, top, centre, hill = parameters
    share = expit((1 if rising else -1) * _LN10 * hill * (x - centre))
    return np.asarray(bottom + (top - bottom) * share, dtype=np.float64)


def fit(x: Array, y: Array, recipe: CurveRecipe) -> Fit:
    """Fit the curve to responses y (n) at x = log10 dose (n).

    Raises:
        EvaluatorError: too few wells or doses for the parameters that are free.
    """
    require(x, recipe)
    rising = recipe.direction == "rising"
    ranges = _ranges(x, y, recipe)
    free = [index for index, one in enumerate(ranges) if not one.fixed]
    start = _start(x, y, ranges, rising)
    lower = np.array([ranges[index].lower for index in free])
    upper = np.array([ranges[index].upper for index in free])

    def full(values: Array) -> Array:
        parameters = start.copy()
        parameters[free] = values
        return parameters

    # Scaled by the data's own spread, so that the tolerances mean the same for 1e6 counts and 0.1.
    scale = float(np.ptp(y)) or 1.0
    found = least_squares(
        lambda values: (response(full(values), x, rising) - y) / scale,
        _inside(start[free], lower, upper),
        jac=lambda values: _jacobian(full(values), x, rising)[:, free] / scale,
        bounds=(lower, upper),
        x_scale="jac",
        ftol=TOLERANCE,
        xtol=TOLERANCE,
        gtol=TOLERANCE,
        max_nfev=MAX_EVALUATIONS,
    )
    parameters = full(found.x)
    set_ranges = {BOTTOM: recipe.bottom, TOP: recipe.top, HILL: recipe.hill}
    at_limit = [
        index
        for index in free
        if index in set_ranges and _reached(parameters[index], set_ranges[index])
    ]
    for index in at_limit:
        near = set_ranges[index]
        parameters[index] = min(
            (near.lower, near.upper), key=lambda end: abs(end - parameters[index])
        )
    residual = float(np.sum((response(parameters, x, rising) - y) ** 2))
    freedom = len(x) - len(free)
    # A parameter at its limit is as good as fixed there: it adds nothing to the others' error.
    loose = [index for index in free if index not in at_limit]
    start_fixed = (ranges[BOTTOM] if rising else ranges[TOP]).fixed
    null = start[BOTTOM if rising else TOP] if start_fixed else float(np.mean(y))
    return Fit(
        parameters=(parameters[0], parameters[1], parameters[2], parameters[3]),
        covariance=_covariance(
            _jacobian(parameters, x, rising)[:, loose], residual / freedom, loose
        ),
        residual=residual,
        freedom=freedom,
        r_squared=_r_squared(residual, y),
        significance=_significance(
            float(np.sum((y - null) ** 2)), residual, len(free) - (not start_fixed), freedom
        ),
        at_limit=tuple(NAMES[index] for index in at_limit),
        converged=found.status > 0,
    )


def require(x: Array, recipe: CurveRecipe) -> None:
    """Make sure that wells at these x = log10 dose (n) determine the curve.

    Raises:
        EvaluatorError: too few wells or doses for the parameters that are free.
    """
    free = 1 + sum(not one.fixed for one in (recipe.bottom, recipe.top, recipe.hill))
    doses, needed = len(np.unique(x)), max(free, 3)
    if doses < needed or len(x) <= free:
        raise EvaluatorError(
            f"usable are {len(x)} wells at {doses} doses; a curve of {free} free parameters needs "
            f"{needed} doses and {free + 1} wells, one of fixed asymptotes fewer"
        )


def absolute(found: Fit, level: float, rising: bool) -> tuple[float, float]:
    """log10 of the dose at which the response is ``level``, and its standard error.

    -inf where the curve lies on the effective side of the level from the lowest dose on, +inf where
    it never gets there; the error is then 0.
    """
    below, above = level - found.bottom, found.top - level
    if below <= 0 or above <= 0:
        never = above <= 0 if rising else below <= 0
        return (math.inf if never else -math.inf), 0.0
    sign = 1.0 if rising else -1.0
    ratio = math.log10(below / above)
    gradient = np.array(
        [
            -sign / (_LN10 * found.hill * below),
            -sign / (_LN10 * found.hill * above),
            1.0,
            -sign * ratio / found.hill**2,
        ]
    )
    with np.errstate(invalid="ignore"):
        variance = float(gradient @ found.covariance @ gradient)
    return (
        found.centre + sign * ratio / found.hill,
        math.sqrt(max(variance, 0.0)) if math.isfinite(variance) else math.inf,
    )


def _ranges(x: Array, y: Array, recipe: CurveRecipe) -> tuple[Range, Range, Range, Range]:
    """Where the parameters may lie; none is unbounded, as one of half a curve would run away."""
    centre = Range(float(np.min(x)) - BEYOND, float(np.max(x)) + BEYOND)
    room = 2.0 * (float(np.ptp(y)) or max(abs(float(y[0])), 1.0))
    low, high = float(np.min(y)) - room, float(np.max(y)) + room
    bottom, top = (
        # What the recipe sets wins over where the data lie.
        Range(
            one.lower if np.isfinite(one.lower) else min(low, one.upper),
            one.upper if np.isfinite(one.upper) else max(high, one.lower),
        )
        for one in (recipe.bottom, recipe.top)
    )
    return bottom, top, centre, recipe.hill


def _jacobian(parameters: Array, x: Array, rising: bool) -> Array:
    """Derivatives of the response at x (n) by the parameters: n x 4."""
    bottom, top, centre, hill = parameters
    sign = 1.0 if rising else -1.0
    share = expit(sign * _LN10 * hill * (x - centre))
    slope = (top - bottom) * share * (1 - share) * _LN10 * sign
    return np.stack([1 - share, share, -slope * hill, slope * (x - centre)], axis=1)


def _start(x: Array, y: Array, ranges: tuple[Range, ...], rising: bool) -> Array:
    """The best of a grid of centres and hills, each with the best asymptotes for it."""
    bottom, top, _, hill = ranges
    hills = np.unique(np.clip(_HILLS, hill.lower, hill.upper))
    centres = np.linspace(float(np.min(x)) - 0.5, float(np.max(x)) + 0.5, 41)
    c, h = (grid.ravel() for grid in np.meshgrid(centres, hills, indexing="ij"))
    b = expit((1 if rising else -1) * _LN10 * h[:, None] * (x[None, :] - c[:, None]))
    a = 1 - b  # y = bottom a + top b, which is linear in both
    if bottom.fixed:
        bottoms = np.full(len(c), bottom.lower)
        tops = _ratio(((y - bottom.lower * a) * b).sum(1), (b * b).sum(1), float(np.mean(y)))
    elif top.fixed:
        bottoms = _ratio(((y - top.lower * b) * a).sum(1), (a * a).sum(1), float(np.mean(y)))
        tops = np.full(len(c), top.lower)
    else:
        aa, ab, bb = (a * a).sum(1), (a * b).sum(1), (b * b).sum(1)
        ay, by = (a * y).sum(1), (b * y).sum(1)
        determinant = aa * bb - ab * ab
        bottoms = _ratio(ay * bb - by * ab, determinant, float(np.min(y)))
        tops = _ratio(by * aa - ay * ab, determinant, float(np.max(y)))
    bottoms = np.clip(bottoms, bottom.lower, bottom.upper)
    tops = np.clip(tops, top.lower, top.upper)
    residuals = ((bottoms[:, None] * a + tops[:, None] * b - y) ** 2).sum(1)
    # Rounded, so that of starts as good as each other the first is taken on every machine.
    best = int(np.argmin(np.round(residuals / (float(np.sum(y * y)) or 1.0), 9)))
    return np.array([bottoms[best], tops[best], c[best], h[best]])


def _ratio(over: Array, under: Array, otherwise: float) -> Array:
    small = np.abs(under) < 1e-9
    return np.where(small, otherwise, over / np.where(small, 1.0, under))


def _inside(values: Array, lower: Array, upper: Array) -> Array:
    """Within the bounds and off them, where the method may not start."""
    room = np.where(np.isfinite(upper - lower), 1e-3 * (upper - lower), 0.0)
    return np.clip(values, lower + room, upper - room)


def _reached(value: float, allowed: Range) -> bool:
    tolerance = 1e-6 * max(1.0, abs(value))
    return value - allowed.lower < tolerance or allowed.upper - value < tolerance


def _covariance(jacobian: Array, variance: float, loose: list[int]) -> Array:
    """4 x 4; the columns of ``jacobian`` are those of the parameters ``loose``."""
    covariance = np.zeros((4, 4))
    if not loose:
        return covariance
    norms = np.linalg.norm(jacobian, axis=0)
    scaled = jacobian / np.where(norms > 0, norms, 1.0)
    singular = np.linalg.svd(scaled, compute_uv=False)
    if np.any(norms == 0) or singular[-1] < 1e-7 * singular[0]:
        covariance[loose, loose] = np.inf
        return covariance
    inverse = np.linalg.inv(scaled.T @ scaled) / np.outer(norms, norms)
    covariance[np.ix_(loose, loose)] = variance * inverse
    return covariance


def _r_squared(residual: float, y: Array) -> float:
    total = float(np.sum((y - np.mean(y)) ** 2))
    return 1.0 - residual / total if total > 0 else 0.0


def _significance(null: float, residual: float, extra: int, freedom: int) -> float:
    if null <= residual or extra <= 0:
        return 1.0
    if residual <= 1e-20 * null:
        return 0.0
    statistic = (null - residual) / extra / (residual / freedom)
    return float(f_distribution.sf(statistic, extra, freedom))

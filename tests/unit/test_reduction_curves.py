"""Fits of curves, held against the truth, against a rival, and against arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.stats import t as student

from adapters.protocol import Censoring, EvaluatorError
from adapters.reduction import curves
from adapters.reduction.curves import Array
from adapters.reduction.potency import Potency, potency
from adapters.reduction.recipes import CurveRecipe, recipe

DOSES: Array = np.array([1e4 / 3.0**step for step in range(10)])
X = np.log10(DOSES)


def curve(**keys: object) -> CurveRecipe:
    option: dict[str, Any] = {"curve": {"model": "4pl", **keys}, "dose_unit": "nmol/l"}
    made = recipe(option).curve
    assert made is not None
    return made


def truth(x: Array, bottom: float, top: float, centre: float, hill: float) -> Array:
    """Written out, as a rival to the code's own way of computing it."""
    return np.asarray(bottom + (top - bottom) / (1 + 10 ** (-hill * (x - centre))))


@pytest.mark.slow
@pytest.mark.parametrize(
    "keys",
    [{}, {"bottom": "free"}, {"top": 100}, {"top": 100, "hill": 1}, {"ic50": "absolute"}],
    ids=str,
)
def test_errors_cover_the_truth_as_often_as_they_say(keys: dict[str, object]) -> None:
    """400 curves: the 95 % interval of log10 IC50 holds the truth in 95 % of them.

    Three binomial deviations of 400 are 3.3 %.
    """
    made, rng = curve(**keys), np.random.default_rng(20)
    free = 1 + sum(not one.fixed for one in (made.top, made.bottom, made.hill))
    quantile = student.ppf(0.975, len(X) - free)
    inside, z = 0, []
    for _ in range(400):
        centre = rng.uniform(1.0, 3.0)
        hill = 1.0 if made.hill.fixed else rng.uniform(0.7, 2.0)
        found = potency(DOSES, truth(X, 0, 100, centre, hill) + rng.normal(0, 4, 10), made, False)
        assert found.censoring is Censoring.NONE
        assert found.log_std is not None
        z.append((math.log10(found.value) - centre) / found.log_std)
        inside += abs(z[-1]) < quantile
    assert 0.917 <= inside / 400 <= 0.983
    assert abs(np.mean(z)) < 0.2


@pytest.mark.slow
def test_the_error_of_the_ic50_is_that_of_repeated_plates() -> None:
    """The delta method: the stated error is the scatter of the estimates, within its own error."""
    rng, made = np.random.default_rng(21), curve()
    found = [
        potency(DOSES, truth(X, 0, 100, 2, 1) + rng.normal(0, 3, 10), made, False)
        for _ in range(300)
    ]
    scatter = float(np.std([one.value for one in found], ddof=1))
    stated = math.sqrt(np.mean([one.std**2 for one in found if one.std is not None]))
    assert stated == pytest.approx(scatter, rel=0.12)  # three times 1 / sqrt(2 * 300)


def test_a_rival_finds_the_same_curves_and_errors() -> None:
    rng, made = np.random.default_rng(22), curve(bottom="free")
    for _ in range(40):
        asked = (rng.uniform(-10, 10), rng.uniform(70, 120), rng.uniform(1, 3), rng.uniform(0.7, 2))
        y = truth(X, *asked) + rng.normal(0, 3, 10)
        found = curves.fit(X, y, made)
        theirs, covariance = curve_fit(truth, X, y, p0=asked, xtol=1e-12, ftol=1e-12)
        np.testing.assert_allclose(found.parameters, theirs, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found.covariance, covariance, rtol=1e-3, atol=1e-9)


def test_rising_and_falling_are_mirrored() -> None:
    y = truth(X, 0, 100, 2.2, 1.3) + np.random.default_rng(23).normal(0, 3, 10)
    up = potency(DOSES, y, curve(), False)
    option = {"curve": "4pl", "dose_unit": "nmol/l", "normalise": "percent_of_controls"}
    falling = recipe(option).curve
    assert falling is not None
    down = potency(DOSES, 100 - y, falling, False)
    assert down.value == pytest.approx(up.value, rel=1e-6)
    assert down.std == pytest.approx(up.std, rel=1e-5)


def test_without_noise_the_truth_is_found_whatever_the_scale() -> None:
    """Counts of a million or an absorbance of a thousandth: scale and start do not matter."""
    option = {"curve": {"direction": "rising"}, "dose_unit": "nmol/l", "normalise": "none"}
    made = recipe(option).curve
    assert made is not None
    for scale in (1e-3, 1.0, 1e6):
        for centre in (0.7, 2.0, 3.3):
            found = curves.fit(X, truth(X, 2 * scale, 9 * scale, centre, 1.2), made)
            np.testing.assert_allclose(
                found.parameters, (2 * scale, 9 * scale, centre, 1.2), rtol=1e-6
            )


def test_the_absolute_ic50_and_its_error_by_hand() -> None:
    """Where the curve passes 50; the error by differences instead of derivatives."""
    rng = np.random.default_rng(24)
    for rising in (True, False):
        y = truth(X, 4, 88, 2, 1.2) + rng.normal(0, 3, 10)
        option = {
            "curve": {"bottom": "free", "top": "free"},
            "dose_unit": "nmol/l",
            "normalise": "percent_inhibition" if rising else "percent_of_controls",
        }
        made = recipe(option).curve
        assert made is not None
        found = curves.fit(X, y if rising else 100 - y, made)
        at, error = curves.absolute(found, 50.0, rising)
        parameters = np.array(found.parameters)
        assert curves.response(parameters, np.array([at]), rising)[0] == pytest.approx(50.0)
        gradient = np.zeros(4)
        for index in range(4):
            step = np.zeros(4)
            step[index] = 1e-6 * max(1.0, abs(parameters[index]))
            ends = []
            for sign in (1, -1):
                moved = parameters + sign * step
                bottom, top, centre, hill = moved
                ratio = math.log10((50 - bottom) / (top - 50)) / hill
                ends.append(centre + (ratio if rising else -ratio))
            gradient[index] = (ends[0] - ends[1]) / (2 * step[index])
        by_hand = math.sqrt(gradient @ found.covariance @ gradient)
        assert error == pytest.approx(by_hand, rel=1e-5)


def test_the_same_bits_again() -> None:
    rng = np.random.default_rng(25)
    y = truth(X, 0, 95, 2.5, 0.9) + rng.normal(0, 5, 10)
    first = potency(DOSES, y, curve(bottom="free"), False)
    for _ in range(3):
        again = potency(DOSES, y.copy(), curve(bottom="free"), False)
        assert (again.value.hex(), again.std) == (first.value.hex(), first.std)


@pytest.mark.parametrize(
    ("centre", "top", "keys", "censoring", "value"),
    [
        (9.0, 100, {}, Censoring.RIGHT, 1e4),  # no inhibition at all
        (5.0, 100, {}, Censoring.RIGHT, 1e4),  # a tenth at the highest dose
        (-3.0, 100, {}, Censoring.LEFT, DOSES[-1]),  # complete at the lowest
        (-1.5, 100, {}, Censoring.LEFT, DOSES[-1]),
        (2.0, 15, {}, Censoring.RIGHT, 1e4),  # a plateau below min_effect
        (2.0, 40, {"ic50": "absolute"}, Censoring.RIGHT, 1e4),  # half is never reached
        (2.0, -40, {}, Censoring.RIGHT, 1e4),  # the wrong way round
    ],
)
def test_censored(
    centre: float, top: float, keys: dict[str, object], censoring: Censoring, value: float
) -> None:
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0, 2, 10)
        found = potency(DOSES, truth(X, 0, top, centre, 1) + noise, curve(**keys), False)
        assert (found.censoring, found.std) == (censoring, None)
        assert found.value == pytest.approx(value)


def test_near_the_ends_a_limit_is_never_on_the_wrong_side() -> None:
    """IC50s half a decade past an end of the doses come as a limit there or as a value near it."""
    for centre, right in ((4.5, Censoring.RIGHT), (math.log10(DOSES[-1]) - 0.5, Censoring.LEFT)):
        for seed in range(40):
            noise = np.random.default_rng(seed).normal(0, 4, 10)
            found = potency(DOSES, truth(X, 0, 100, centre, 1) + noise, curve(), False)
            assert found.censoring in (right, Censoring.NONE)
            if found.censoring is Censoring.NONE:
                assert found.log_std is not None
                assert abs(math.log10(found.value) - centre) < 5 * found.log_std + 0.7


def test_partial_and_incomplete_curves_say_so() -> None:
    partial = potency(DOSES, truth(X, 0, 42, 2, 1), curve(), False)
    assert partial.value == pytest.approx(100, rel=1e-4)
    assert partial.notes == ("partial: the plateau, 42, does not reach 50",)
    late = potency(DOSES, truth(X, 0, 100, 3.7, 1), curve(), False)
    assert late.notes == ("incomplete: the highest dose reaches 67 % of the way",)
    steep = potency(DOSES, truth(X, 0, 100, 2.1, 3), curve(hill=[0.5, 2]), False)
    assert "hill is at the limit of its range" in steep.notes


def no_ic50(doses: Array, responses: Array, made: CurveRecipe) -> str:
    with pytest.raises(EvaluatorError) as caught:
        potency(doses, responses, made, False)
    return str(caught.value)


def test_where_neither_value_nor_limit_is_known_a_reason_is_given() -> None:
    raw = recipe({"curve": "4pl", "dose_unit": "nmol/l", "normalise": "none"}).curve
    assert raw is not None
    noise = np.random.default_rng(1).normal(0, 1, 10)
    assert no_ic50(DOSES, 7 + noise, raw) == "no IC50: the response does not change with the dose"
    assert no_ic50(DOSES, np.full(10, 7.0), raw).startswith("no IC50: the response does not change")
    assert "is partial and does not change" in no_ic50(DOSES, 40 + noise, curve())
    assert "usable are 2 wells at 2 doses" in no_ic50(DOSES[:2], np.array([90.0, 10.0]), curve())
    assert "3 doses and 4 wells" in no_ic50(DOSES[:3], np.array([90.0, 50.0, 10.0]), curve())
    noisy = truth(X, 0, 100, 2, 1) + 10 * noise
    assert no_ic50(DOSES, noisy, curve(max_log_std=0.01)).endswith("decades, more than 0.01")


def test_a_step_between_two_doses_is_as_wide_as_they_are_apart() -> None:
    """Where between two doses a step lies no curve can say: the deviation is 1 / sqrt(12)."""
    doses = np.array([1.0, 10, 100, 1000, 1e4, 1e5])
    noise = np.random.default_rng(2).normal(0, 0.5, 6)
    found = potency(
        doses, np.array([0.0, 0, 0, 100, 100, 100]) + noise, curve(hill=[0.5, 5]), False
    )
    assert 100 < found.value < 1000
    assert found.log_std == pytest.approx(1 / math.sqrt(12))


def test_a_plateau_of_one_dose_is_none() -> None:
    """The last doses of an incomplete curve look like a partial inhibitor's, by chance."""
    y = np.array([31.0, 13, -3, 0, 1, -1, 0, 1, 0, 0])
    found = potency(DOSES, y, curve(), False)
    assert (found.value, found.censoring) == (1e4, Censoring.RIGHT)
    assert found.notes == ("the highest dose does not reach half, and no plateau is seen",)


def test_the_median_of_a_dose_survives_an_outlier() -> None:
    doses = np.tile(DOSES, 3)
    y = np.tile(truth(X, 0, 100, 2, 1), 3)
    y[4] = 400.0
    found: Potency = potency(doses, y, curve(), True)
    assert found.value == pytest.approx(100, rel=1e-4)
    assert abs(potency(doses, y, curve(), False).value - 100) > 5

"""Z' and its kin by hand, and which plates they refuse."""

from __future__ import annotations

import pytest

from adapters.reduction.quality import (
    PlateQuality,
    cv,
    judge,
    signal_to_background,
    z_prime,
    z_prime_robust,
)
from adapters.reduction.recipes import Limits

NEGATIVE = [98.0, 100.0, 102.0]  # mean 100, deviation 2; median 100, absolute deviations 2, 0, 2
POSITIVE = [9.0, 10.0, 11.0]  # mean 10, deviation 1; median 10, absolute deviations 1, 0, 1


def test_by_hand() -> None:
    assert z_prime(NEGATIVE, POSITIVE) == pytest.approx(1 - 3 * (2 + 1) / 90)
    robust = 1 - 3 * 1.4826022185 * (2 + 1) / 90
    assert z_prime_robust(NEGATIVE, POSITIVE) == pytest.approx(robust)
    assert signal_to_background(NEGATIVE, POSITIVE) == pytest.approx(10)
    assert cv(NEGATIVE, POSITIVE) == pytest.approx(2)


def test_signals_that_rise_with_inhibition_are_judged_alike() -> None:
    for figure in (z_prime, z_prime_robust, signal_to_background, cv):
        assert figure(POSITIVE, NEGATIVE) == figure(NEGATIVE, POSITIVE)


def test_the_robust_one_survives_an_outlier() -> None:
    negative, positive = [100.0, 101, 99, 100, 102, 20], [10.0, 11, 9, 10, 10, 10]
    plain, robust = z_prime(negative, positive), z_prime_robust(negative, positive)
    assert plain is not None
    assert robust is not None
    assert plain < 0 < 0.9 < robust


@pytest.mark.parametrize(
    ("negative", "positive"), [([], []), ([1.0], [0.0, 0.1]), ([1.0, 2.0], [0.0]), ([2, 4], [1, 5])]
)
def test_no_z_prime_of_too_few_or_equal_controls(
    negative: list[float], positive: list[float]
) -> None:
    assert z_prime(negative, positive) is None
    assert z_prime_robust(negative, positive) is None


GOOD = PlateQuality(0.9, 0.85, 10.0, 2.0, negative=3, positive=3)
POOR = PlateQuality(0.31, 0.4, 2.5, 14.0, negative=3, positive=3)
NONE = PlateQuality(negative=1, positive=3)


@pytest.mark.parametrize(
    ("quality", "limits", "verdict"),
    [
        (GOOD, Limits(), ""),
        (POOR, Limits(), ""),
        (GOOD, Limits(z_prime=0.5, z_prime_robust=0.5, signal_to_background=3, cv=10), ""),
        (GOOD, Limits(z_prime=0.9, cv=2.0), ""),  # the limit itself is good enough
        (POOR, Limits(z_prime=0.5), "Z' is 0.31, less than the limit 0.5"),
        (POOR, Limits(z_prime_robust=0.5), "robust Z' is 0.4, less than the limit 0.5"),
        (POOR, Limits(signal_to_background=3), "signal to background is 2.5, less than the limit"),
        (POOR, Limits(cv=10), "CV of the stronger control in percent is 14, more than the limit"),
        (NONE, Limits(z_prime=0.5), "Z' cannot be judged against 0.5: 1 negative and 3 positive"),
        (NONE, Limits(cv=10), "cannot be judged"),
    ],
)
def test_verdicts(quality: PlateQuality, limits: Limits, verdict: str) -> None:
    found = judge(quality, limits)
    assert verdict in found
    assert bool(found) is bool(verdict)


def test_every_reason_is_given() -> None:
    assert judge(POOR, Limits(z_prime=0.5, cv=10)).count("limit") == 2

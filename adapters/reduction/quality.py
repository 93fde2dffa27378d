"""How well the controls of a plate are told apart, and whether that is enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adapters.reduction.recipes import Limits

MAD = 1.482602218505602
"""Standard deviations in a median absolute deviation, of a normal distribution."""


@dataclass(frozen=True)
class PlateQuality:
    """What the controls of one plate say; None where there are too few, or no controls at all."""

    z_prime: float | None = None
    z_prime_robust: float | None = None
    signal_to_background: float | None = None
    cv: float | None = None
    """Percent, of the control with the stronger signal."""
    negative: int = 0
    """Usable wells of the negative control."""
    positive: int = 0
    blank: int = 0
    left_out: tuple[str, ...] = ()
    """Wells that counted for nothing, each with its reason: ``B7: saturated (65535)``."""


def z_prime(negative: Sequence[float], positive: Sequence[float]) -> float | None:
    """Z' = 1 - 3 (s_n + s_p) / |m_n - m_p| of the controls' means and sample deviations.

    Zhang, Chung, Oldenburg: J. Biomol. Screen. 4 (1999) 67. None where a control has fewer than two
    wells, or the means are equal.
    """
    if min(len(negative), len(positive)) < 2:
        return None
    spread = float(np.std(negative, ddof=1) + np.std(positive, ddof=1))
    return _separation(spread, float(np.mean(negative) - np.mean(positive)))


def z_prime_robust(negative: Sequence[float], positive: Sequence[float]) -> float | None:
    """The same of medians, and of median absolute deviations times 1.4826."""
    if min(len(negative), len(positive)) < 2:
        return None
    middles = [float(np.median(one)) for one in (negative, positive)]
    spreads = [
        MAD * float(np.median(np.abs(np.subtract(one, middle))))
        for one, middle in zip((negative, positive), middles, strict=True)
    ]
    return _separation(sum(spreads), middles[0] - middles[1])


def signal_to_background(negative: Sequence[float], positive: Sequence[float]) -> float | None:
    """The larger mean of raw signals over the smaller; None where the smaller is not above 0."""
    if not (negative and positive):
        return None
    weak, strong = sorted((float(np.mean(negative)), float(np.mean(positive))))
    return strong / weak if weak > 0 else None


def cv(negative: Sequence[float], positive: Sequence[float]) -> float | None:
    """Percent of deviation in the mean, of the control with the stronger signal."""
    given = [one for one in (negative, positive) if len(one) >= 2]
    if not given:
        return None
    strong = max(given, key=lambda one: float(np.mean(one)))
    mean = float(np.mean(strong))
    return 100.0 * float(np.std(strong, ddof=1)) / mean if mean > 0 else None


def judge(quality: PlateQuality, limits: Limits) -> str:
    """Why a plate of this quality is refused, all reasons; empty where it is not."""
    counts = f"{quality.negative} negative and {quality.positive} positive control wells"
    found = []
    for name, value, limit, least in (
        ("Z'", quality.z_prime, limits.z_prime, True),
        ("robust Z'", quality.z_prime_robust, limits.z_prime_robust, True),
        ("signal to background", quality.signal_to_background, limits.signal_to_background, True),
        ("CV of the stronger control in percent", quality.cv, limits.cv, False),
    ):
        if limit is None:
            continue
        if value is None:
            found.append(
                f"{name} cannot be judged against {limit:g}: {counts} are usable, and two of each "
                "with different, positive means are needed"
            )
        elif (value < limit) if least else (value > limit):
            found.append(
                f"{name} is {value:.3g}, {'less' if least else 'more'} than the limit {limit:g} "
                f"({counts})"
            )
    return "; ".join(found)


def _separation(spread: float, window: float) -> float | None:
    if window == 0 or not math.isfinite(spread):
        return None
    return 1.0 - 3.0 * spread / abs(window)

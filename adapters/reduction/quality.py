"""How well the controls of a plate are told apart."""

from __future__ import annotations

from dataclasses import dataclass


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

"""An evaluator of one's own: a flow reactor, here as its textbook model instead of the pumps.

Two first-order reactions follow each other in an ideal tube, A -> B -> C, and B is wanted: too cold
or too fast and A comes out, too hot or too slow and C does (Levenspiel, Chemical Reaction
Engineering, 3rd ed., chapter 8). Put the calls of your pumps, heater and HPLC where the formula is.
"""

from __future__ import annotations

import math

from adapters.function import RejectedError, evaluator
from adapters.protocol import Measure

GAS_CONSTANT = 8.314  # J / (mol K)
SOLVENT_BOILS = 140.0  # degC at the pressure of the reactor


def rate(temperature: float, at_80: float, activation: float) -> float:
    """Rate constant, 1/min, by Arrhenius.

    Args:
        temperature: degC.
        at_80: The constant at 80 degC, 1/min.
        activation: Energy of activation, J/mol.
    """
    kelvin = temperature + 273.15
    return at_80 * math.exp(-activation / GAS_CONSTANT * (1 / kelvin - 1 / 353.15))


@evaluator(
    measures=[
        Measure("yield", "percent", lower=0, upper=100, description="B for A fed"),
        Measure("productivity", "mmol/h", lower=0, description="B made in an hour"),
    ],
    idempotent=True,  # asked twice, it gives the same and costs nothing; a reactor is not so
    expected_duration=0.001,
)
def flow_reactor(parameters: dict[str, float]) -> dict[str, float]:
    """Yield and productivity at a temperature (degC) and a residence time (min)."""
    temperature, time = parameters["temperature"], parameters["residence_time"]
    if temperature > SOLVENT_BOILS:
        raise RejectedError(f"the solvent boils at {SOLVENT_BOILS:g} degC")
    to_b = rate(temperature, at_80=0.30, activation=60_000)
    to_c = rate(temperature, at_80=0.03, activation=95_000)
    made = to_b / (to_c - to_b) * (math.exp(-to_b * time) - math.exp(-to_c * time))
    volume, fed = 10.0, 0.5  # ml, mol/l
    return {"yield": 100 * made, "productivity": made * fed * volume / time * 60}

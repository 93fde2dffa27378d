"""An assay that is a function: the yield of a reaction, in percent."""

import math


def reactor(parameters: dict) -> dict:
    """Best at 78 degrees and 45 minutes."""
    heat = (parameters["temperature"] - 78) / 20
    wait = (parameters["time"] - 45) / 25
    return {"yield": 92 * math.exp(-(heat**2) - wait**2)}

"""A spec in words, for people: what is optimised, where, by whom, and how long."""

from __future__ import annotations

import math
from collections.abc import Iterable

from orchestrator.spec.model import (
    LOG_PRIOR,
    Budget,
    Clip,
    Constraint,
    Gaussian,
    Log,
    NegLog,
    ObjectiveSpec,
    ProposerSpec,
    Sigmoid,
    Step,
    StopRule,
    Term,
)


def number(value: float | None) -> str:
    """Four significant digits; a dash for what is not known."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.4g}".replace("-", "−")


def quantity(value: float | None, unit: str) -> str:
    """A number with its unit."""
    return f"{number(value)} {unit}".rstrip()


def seconds(value: float) -> str:
    """A length of time in the unit that suits it."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if value >= 2 * size or value == size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} s"


def ranges(numbers: Iterable[int]) -> str:
    """Ascending numbers in short, such as ``1-3, 7``."""
    runs: list[list[int]] = []
    for one in numbers:
        if runs and one == runs[-1][-1] + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def objective(spec: ObjectiveSpec) -> str:
    """What is optimised, as a formula: ``Minimise −log(p_4 + 1e−08) − log prior``."""
    verb = "Maximise" if spec.direction == "maximize" else "Minimise"
    weighted = [(term.weight, formula(term)) for term in spec.terms]
    match spec.aggregate:
        case "weighted_sum":
            body = _sum(weighted)
        case "arithmetic_mean" | "geometric_mean":
            listed = (t if w == 1 else f"{t} (weight {number(w)})" for w, t in weighted)
            body = f"the {spec.aggregate.replace('_', ' ')} of {', '.join(listed)}"
        case _:
            body = " × ".join(t if w == 1 else f"{number(w)} × {t}" for w, t in weighted)
    return f"{verb} {body}"


def _sum(weighted: list[tuple[float, str]]) -> str:
    text = ""
    for weight, term in weighted:
        size = "" if abs(weight) == 1 else f"{number(abs(weight))} × "
        shown = f"({term})" if term.startswith("−") and (size or weight < 0) else term
        sign = "−" if weight < 0 else "+"
        text += f" {sign} {size}{shown}" if text else f"{sign.strip('+')}{size}{shown}"
    return text.replace("+ −", "− ")


def formula(term: Term) -> str:
    """A term without its weight."""
    x = "log prior" if term.measure == LOG_PRIOR else term.measure
    match term.transform:
        case Log(epsilon=e):
            return f"log({_plus(x, e)})"
        case NegLog(epsilon=e):
            return f"−log({_plus(x, e)})"
        case Gaussian(mean=m, std=s):
            return f"exp(−(({x} − {number(m)}) / {number(s)})² / 2)"
        case Sigmoid(center=c, scale=s):
            return f"sigmoid(({x} − {number(c)}) / {number(s)})"
        case Clip(lower=low, upper=high):
            return f"{x} scaled from {number(low)}…{number(high)} to 0…1 and cut there"
        case Step(threshold=t):
            return f"[{x} ≥ {number(t)}]"
        case _:
            return x


def _plus(x: str, epsilon: float) -> str:
    return f"{x} + {number(epsilon)}" if epsilon else x


def constraint(spec: Constraint) -> str:
    """Limits of a measure: ``0 ≤ logp ≤ 5``."""
    low = "" if spec.min is None else f"{number(spec.min)} ≤ "
    high = "" if spec.max is None else f" ≤ {number(spec.max)}"
    return f"{low}{spec.measure}{high}"


def proposer(spec: ProposerSpec) -> str:
    """The strategy and its numbers."""
    batch = "one candidate" if spec.batch == 1 else f"{spec.batch} candidates"
    return f"{spec.kind}, {spec.initial} drawn at random first, then {batch} a round"


def budget(spec: Budget) -> str:
    """What may be spent."""
    limits = [
        "" if spec.evaluations is None else f"{spec.evaluations} evaluations",
        "" if spec.wall_time is None else f"{seconds(spec.wall_time)} of driver time",
        "" if spec.cost is None else f"cost {number(spec.cost)}",
    ]
    return " or ".join(limit for limit in limits if limit)


def stop_rule(spec: StopRule) -> str:
    """What ends a campaign early."""
    if spec.target is not None:
        return f"target {number(spec.target)} reached"
    return f"no better candidate in {spec.stagnation} evaluations"

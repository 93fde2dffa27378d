"""What is done with the signals of a plate, as a spec's options say it; docs/reduction.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from adapters.messages import quote
from adapters.protocol import EvaluatorError, OptionError
from adapters.reduction.options import Options, real
from adapters.units import convert, require_unit

Background = Literal["none", "blank", "row"]
Normalise = Literal["percent_inhibition", "percent_of_controls", "ratio", "none"]
Centre = Literal["mean", "median"]
Direction = Literal["rising", "falling"]
Midpoint = Literal["relative", "absolute"]
Quantity = Literal["value", "ic50", "pic50", "hill", "top", "bottom", "r_squared"]

_KEYS = (
    "signal", "divide_by", "background", "normalise", "controls", "replicates", "dose_unit",
    "unit", "curve", "saturation", "quality", "gives",
)  # fmt: skip
_CURVE = (
    "model", "direction", "top", "bottom", "hill", "ic50", "min_effect", "max_log_std",
)  # fmt: skip
_QUALITY = (
    "z_prime", "z_prime_robust", "signal_to_background", "cv", "min_controls", "replicate_std",
    "r_squared",
)  # fmt: skip


@dataclass(frozen=True)
class Range:
    """Where a parameter of a curve may lie; fixed where both ends are one."""

    lower: float = float("-inf")
    upper: float = float("inf")

    @property
    def fixed(self) -> bool:
        """Whether it is not fitted."""
        return self.lower == self.upper


FREE = Range()
HILL = Range(0.1, 10.0)
"""Steeper or flatter than this, no curve of a dose series says how steep."""


@dataclass(frozen=True)
class CurveRecipe:
    """How a dose-response curve is fitted."""

    direction: Direction
    """Of the response with the dose."""
    top: Range
    bottom: Range
    hill: Range = HILL
    midpoint: Midpoint = "relative"
    level: float | None = None
    """The response at an absolute IC50, and past which a dose counts as effective; None where no
    controls say."""
    baseline: float | None = None
    """The response without any effect; None where no controls say."""
    min_effect: float = 0.0
    """The least response beside the baseline of which an IC50 is spoken."""
    max_log_std: float = 1.0
    """The largest standard error of log10 IC50, in decades, of what is still a value."""


@dataclass(frozen=True)
class Limits:
    """What a plate must reach to be believed, and a sample on it; None is not judged."""

    z_prime: float | None = None
    z_prime_robust: float | None = None
    signal_to_background: float | None = None
    cv: float | None = None
    """Percent, of the control with the stronger signal."""
    min_controls: int = 2
    """Usable wells of each control that the recipe needs; with fewer, nothing is computed."""
    replicate_std: float | None = None
    """In the unit of the normalised response."""
    r_squared: float | None = None


@dataclass(frozen=True)
class Recipe:
    """All that turns wells into readings. Make one with :func:`recipe`."""

    signal: str = ""
    """The channel that is read; empty where there is one only."""
    divide_by: str = ""
    """The channel that ``signal`` is divided by, well by well; empty for none."""
    background: Background = "none"
    normalise: Normalise = "percent_inhibition"
    controls: Centre = "mean"
    replicates: Centre = "mean"
    unit: str = "percent"
    """Of the normalised response."""
    dose_unit: str = ""
    curve: CurveRecipe | None = None
    saturation: float | None = None
    """A raw signal from here on is the detector's limit, not the sample's."""
    limits: Limits = field(default_factory=Limits)
    gives: Mapping[str, Quantity] = field(default_factory=lambda: {"value": "value"})
    """By the measure's name."""


def recipe(option: Mapping[str, object], name: str = "reduction") -> Recipe:
    """The recipe that a spec's option describes.

    Raises:
        OptionError: a key is unknown, a value is wrong, or two do not go together.
    """
    options = Options(name, option, _KEYS)
    normalise: Normalise = options.word("normalise", get_args(Normalise), "percent_inhibition")
    curve = _curve(options, normalise)
    made = Recipe(
        signal=options.text("signal"),
        divide_by=options.text("divide_by"),
        background=options.word("background", get_args(Background), "none"),
        normalise=normalise,
        controls=options.word("controls", get_args(Centre), "mean"),
        replicates=options.word("replicates", get_args(Centre), "mean"),
        unit=_unit(options, normalise),
        dose_unit=options.text("dose_unit"),
        curve=curve,
        saturation=options.number("saturation"),
        limits=_limits(options),
        gives=_gives(options, curve),
    )
    if made.divide_by and not made.signal:
        raise options.error("divide_by", f"name the channel that is divided as {name}.signal")
    if curve and not made.dose_unit:
        raise options.error("dose_unit", "write the unit of the doses, such as 'nmol/l'")
    try:
        require_unit(made.dose_unit)
    except EvaluatorError as error:
        raise options.error("dose_unit", str(error)) from error
    if "pic50" in made.gives.values():
        try:
            convert(1.0, made.dose_unit, "mol/l")
        except EvaluatorError as error:
            raise options.error("dose_unit", f"a pic50 needs a molar one: {error}") from error
    return made


def _unit(options: Options, normalise: Normalise) -> str:
    """The unit of the response: what the normalisation makes it, or what is said of raw signals."""
    made = {"percent_inhibition": "percent", "percent_of_controls": "percent", "ratio": ""}
    if normalise != "none":
        if "unit" in options:
            raise options.error("unit", f"leave it out: {normalise} makes {made[normalise]!r}")
        return made[normalise]
    unit = options.text("unit")
    try:
        require_unit(unit)
    except EvaluatorError as error:
        raise options.error("unit", str(error)) from error
    return unit


def _curve(options: Options, normalise: Normalise) -> CurveRecipe | None:
    given = options.get("curve")
    if given is None or given == "none":
        return None
    inner = Options(f"{options.name}.curve", {} if given == "4pl" else given, _CURVE)
    inner.word("model", ("4pl",), "4pl")
    rising = normalise == "percent_inhibition"
    direction = inner.word("direction", get_args(Direction), "rising" if rising else "falling")
    baseline, level, effect = {
        "percent_inhibition": (0.0, 50.0, 30.0),
        "percent_of_controls": (100.0, 50.0, 30.0),
        "ratio": (1.0, 0.5, 0.3),
        "none": (None, None, 0.0),
    }[normalise]
    if baseline is not None and (direction == "rising") is not rising:
        # An activator: it starts where the other starts, and ends nobody knows where.
        level = None
    # The negative controls measured the response without any effect, and nothing the other.
    start = FREE if baseline is None else Range(baseline, baseline)
    top, bottom = (FREE, start) if direction == "rising" else (start, FREE)
    made = CurveRecipe(
        direction,
        top=_range(inner, "top", top),
        bottom=_range(inner, "bottom", bottom),
        hill=_range(inner, "hill", HILL, above=0.0),
        midpoint=inner.word("ic50", get_args(Midpoint), "relative"),
        level=level,
        baseline=baseline,
        min_effect=inner.number("min_effect", effect, least=0) or 0.0,
        max_log_std=inner.number("max_log_std", 1.0, above=0) or 1.0,
    )
    if made.midpoint == "absolute" and level is None:
        raise inner.error("ic50", "an absolute IC50 needs inhibition normalised by controls")
    if made.top.upper <= made.bottom.lower:
        raise inner.error("top", f"it must lie above the bottom, {made.bottom.lower:g}")
    return made


def _range(options: Options, key: str, default: Range, above: float = float("-inf")) -> Range:
    """``free``, a number, or ``[lower, upper]``."""
    given = options.get(key)
    if given is None:
        return default
    if given == "free":
        return HILL if key == "hill" else FREE
    ends = given if isinstance(given, list | tuple) else [given, given]
    lower, upper = [real(one) for one in ends] if len(ends) == 2 else [None, None]
    if lower is None or upper is None or lower > upper or lower <= above:
        raise options.error(key, "write free, a number to fix it at, or [lower, upper]")
    return Range(lower, upper)


def _limits(options: Options) -> Limits:
    inner = Options(f"{options.name}.quality", options.get("quality") or {}, _QUALITY)
    return Limits(
        z_prime=inner.number("z_prime", most=1),
        z_prime_robust=inner.number("z_prime_robust", most=1),
        signal_to_background=inner.number("signal_to_background", above=0),
        cv=inner.number("cv", above=0),
        min_controls=inner.whole("min_controls", 2),
        replicate_std=inner.number("replicate_std", above=0),
        r_squared=inner.number("r_squared", least=0, most=1),
    )


def _gives(options: Options, curve: CurveRecipe | None) -> Mapping[str, Quantity]:
    possible = [one for one in get_args(Quantity) if (one != "value") is (curve is not None)]
    given = options.get("gives")
    if given is None:
        return {possible[0]: possible[0]}
    if not isinstance(given, Mapping) or not given:
        raise options.error("gives", f"write a measure of yours for {' or '.join(possible)}")
    for measure, quantity in given.items():
        if quantity not in possible:
            raise OptionError(
                options.name,
                f"{options.name}.gives.{measure} is {quote(quantity)}; "
                f"{'a curve' if curve else 'without a curve the reduction'} gives "
                f"{', '.join(possible)}",
            )
    return dict(given)

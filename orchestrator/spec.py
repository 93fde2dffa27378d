"""The spec: the validated description of a campaign.

YAML on disk (:mod:`orchestrator.spec_file` reads it and names lines), Pydantic here. A spec is
frozen; a changed one is a new revision of its campaign. What a spec means for evaluators, spaces
and proposers that are plugged in is checked where they are wired (:mod:`orchestrator.wiring`).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

LOG_PRIOR = "latent_log_prior"
"""May stand in a term where a measure stands: the space's own log density, known exactly."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def _duration(value: object) -> object:
    """Seconds of ``90``, ``"90s"``, ``"30min"``, ``"2h"``, ``"3d"`` or ``"1w"``."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d|w)\s*", value)
    if match is None:
        raise ValueError("write a duration as a number and s, min, h, d or w, such as 30min")
    return float(match[1]) * _SECONDS[match[2]]


def _tagged(value: object) -> object:
    """``neg_log`` is short for ``{kind: neg_log}``."""
    return {"kind": value} if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_duration), Field(gt=0)]


class Part(BaseModel):
    """Base of every part of a spec: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Parameter(Part):
    """One continuous parameter of a ``box`` space."""

    name: str = Field(min_length=1)
    lower: float
    upper: float
    unit: str = ""
    """As pint reads it; empty is dimensionless."""

    @model_validator(mode="after")
    def _ordered(self) -> Parameter:
        if not self.lower < self.upper:
            raise ValueError(f"lower ({self.lower}) must be below upper ({self.upper})")
        return self


class SpaceSpec(Part):
    """Where candidates live."""

    kind: str
    """``digits``, ``molecules``, ``box`` or a space that is plugged in."""
    model: str | None = None
    """Name of the model whose latent space it is; the space's default if absent."""
    parameters: tuple[Parameter, ...] = ()
    """Coordinates of a ``box``."""

    @model_validator(mode="after")
    def _box(self) -> SpaceSpec:
        if self.kind == "box" and not self.parameters:
            raise ValueError("a box needs parameters: a list of {name, lower, upper, unit}")
        if self.kind != "box" and self.parameters:
            raise ValueError(f"only a box takes parameters, not a space of kind {self.kind!r}")
        return self


class EvaluatorSpec(Part):
    """One evaluator and what is wanted of it."""

    use: str
    """Name of the evaluator, as ``assayloop evaluators list`` prints it."""
    measures: tuple[str, ...] = Field(min_length=1)
    """Measures wanted; each belongs to one evaluator of the spec."""
    options: dict[str, Any] = {}
    """Passed to the evaluator, which checks them."""
    replicates: int = Field(default=1, ge=1, le=1000)
    attempts: int = Field(default=3, ge=1, le=100)
    """How often a job is tried before it has failed."""
    backoff: Seconds = 10.0
    """Wait before the second attempt; doubled for each further one."""
    timeout: Seconds | None = None
    """A job without a result after this long is timed out; by default it may take for ever."""


class Identity(Part):
    """The value as it is."""

    kind: Literal["identity"]


class Log(Part):
    """log(value + epsilon)."""

    kind: Literal["log"]
    epsilon: float = Field(default=1e-8, ge=0)


class NegLog(Part):
    """-log(value + epsilon)."""

    kind: Literal["neg_log"]
    epsilon: float = Field(default=1e-8, ge=0)


class Gaussian(Part):
    """exp(-((value - mean) / std)^2 / 2)."""

    kind: Literal["gaussian"]
    mean: float
    std: float = Field(gt=0)


class Sigmoid(Part):
    """1 / (1 + exp(-(value - center) / scale)); a negative scale falls."""

    kind: Literal["sigmoid"]
    center: float
    scale: float = 1.0

    @field_validator("scale")
    @classmethod
    def _nonzero(cls, value: float) -> float:
        if value == 0:
            raise ValueError("scale must not be 0")
        return value


class Clip(Part):
    """(value - lower) / (upper - lower), cut at 0 and 1."""

    kind: Literal["clip"]
    lower: float
    upper: float

    @model_validator(mode="after")
    def _distinct(self) -> Clip:
        if self.lower == self.upper:
            raise ValueError("lower and upper must differ")
        return self


class Step(Part):
    """1 where the value is at least the threshold, else 0."""

    kind: Literal["step"]
    threshold: float


Transform = Annotated[
    Annotated[
        Identity | Log | NegLog | Gaussian | Sigmoid | Clip | Step, Field(discriminator="kind")
    ],
    BeforeValidator(_tagged),
]


class Term(Part):
    """One summand or factor of an objective."""

    measure: str
    """A measure of the spec's evaluators, or ``latent_log_prior``."""
    transform: Transform = Identity(kind="identity")
    weight: float = 1.0


class Constraint(Part):
    """A measure that has to stay between two limits; either may be absent."""

    measure: str
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _limits(self) -> Constraint:
        if self.min is None and self.max is None:
            raise ValueError("a constraint needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min ({self.min}) must not be above max ({self.max})")
        return self


class ObjectiveSpec(Part):
    """How measures become what is optimised."""

    direction: Literal["maximize", "minimize"]
    terms: tuple[Term, ...] = Field(min_length=1)
    aggregate: Literal["weighted_sum", "arithmetic_mean", "geometric_mean", "product"] = (
        "weighted_sum"
    )
    constraints: tuple[Constraint, ...] = ()


class SurrogateSpec(Part):
    """The model of the measures."""

    kind: str = "gp"
    at: Literal["proposed", "realised"] = "proposed"
    """Whether it is fitted at the points proposed or at those the decoded objects encode to."""


class ProposerSpec(Part):
    """The strategy that picks points."""

    kind: str = "gp"
    initial: int = Field(default=10, ge=1, le=100_000)
    """Evaluations before the surrogate is asked; drawn from the prior."""
    batch: int = Field(default=1, ge=1, le=1000)
    """Candidates a round."""


class Budget(Part):
    """What may be spent; the first limit reached ends the campaign."""

    evaluations: int | None = Field(default=None, ge=1)
    wall_time: Seconds | None = None
    """Time that a driver works on it, added up over interruptions."""
    cost: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _some(self) -> Budget:
        if self.evaluations is None and self.wall_time is None and self.cost is None:
            raise ValueError("set at least one of evaluations, wall_time and cost")
        return self


class StopRule(Part):
    """Ends the campaign early."""

    target: float | None = None
    """The best feasible objective is at least as good as this."""
    stagnation: int | None = Field(default=None, ge=1)
    """That many evaluations without a better one."""

    @model_validator(mode="after")
    def _one(self) -> StopRule:
        if (self.target is None) == (self.stagnation is None):
            raise ValueError("a stop rule has exactly one of target and stagnation")
        return self


class Tick(Part):
    """One scheduled advance."""

    rounds: int | None = Field(default=None, ge=1)


class Schedule(Part):
    """When the campaign is advanced, for ``assayloop deploy``."""

    cron: str | None = None
    interval: Seconds | None = None
    timezone: str = "UTC"
    mode: Literal["continue", "new"] = "continue"
    overlap: Literal["skip", "queue"] = "skip"

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        from croniter import croniter

        if value is not None and not croniter.is_valid(value):
            raise ValueError("not a cron expression; write five fields, such as '0 2 * * *'")
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("not an IANA time zone, such as Europe/Berlin") from None
        return value

    @model_validator(mode="after")
    def _one(self) -> Schedule:
        if (self.cron is None) == (self.interval is None):
            raise ValueError("a schedule has exactly one of cron and interval")
        return self


class Failures(Part):
    """When failing jobs pause the campaign."""

    share: float = Field(default=0.5, gt=0, le=1)
    after: int = Field(default=10, ge=1)
    """Jobs ended before the share is looked at."""


class Spec(Part):
    """The whole campaign."""

    name: str
    """Lower-case letters, digits, dot, dash and underscore."""
    description: str = ""
    space: SpaceSpec
    evaluators: tuple[EvaluatorSpec, ...] = Field(min_length=1)
    objective: ObjectiveSpec
    surrogate: SurrogateSpec = SurrogateSpec()
    proposer: ProposerSpec = ProposerSpec()
    budget: Budget
    stop: tuple[StopRule, ...] = ()
    failures: Failures = Failures()
    in_flight: int = Field(default=0, ge=0)
    """0 waits for the whole round; n opens the next while at most n jobs are open."""
    tick: Tick = Tick()
    schedule: Schedule | None = None
    seed: int = Field(default=0, ge=0, lt=2**32)
    threads: int = Field(default=1, ge=1, le=256)
    """Threads for the numerics: results are bit-equal for one number of them."""

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("use lower-case letters, digits, '.', '-' and '_', at most 63")
        return value

    @model_validator(mode="after")
    def _measures(self) -> Spec:
        given = [measure for evaluator in self.evaluators for measure in evaluator.measures]
        doubled = sorted({measure for measure in given if given.count(measure) > 1})
        if doubled:
            raise ValueError(f"measure {doubled[0]!r} is asked of more than one evaluator")
        used = [term.measure for term in self.objective.terms if term.measure != LOG_PRIOR]
        used += [constraint.measure for constraint in self.objective.constraints]
        for measure in used:
            if measure not in given:
                raise ValueError(
                    f"no evaluator of this spec gives {measure!r}; measures asked for: "
                    + ", ".join(given)
                )
        return self

    @property
    def measures(self) -> tuple[str, ...]:
        """Every measure asked for, in the order of the spec."""
        return tuple(m for evaluator in self.evaluators for m in evaluator.measures)

"""The spec: the validated description of a campaign.

YAML on disk (:mod:`orchestrator.spec.file` reads it and names lines), Pydantic here. A spec is
frozen; a changed one is a new revision of its campaign. What a spec means for evaluators, spaces
and proposers that are plugged in is checked where they are wired (:mod:`orchestrator.wiring`).
"""

from __future__ import annotations

import re
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from orchestrator.spec.objective import (
    LOG_PRIOR,
    Clip,
    Constraint,
    Gaussian,
    Identity,
    Log,
    NegLog,
    ObjectiveSpec,
    Sigmoid,
    Step,
    Term,
    Transform,
)
from orchestrator.spec.parts import Number, Part, Seconds, Whole, misplaced

__all__ = [
    "LOG_PRIOR",
    "Budget",
    "Clip",
    "Constraint",
    "EvaluatorSpec",
    "Failures",
    "Gaussian",
    "Identity",
    "Log",
    "NegLog",
    "ObjectiveSpec",
    "Parameter",
    "Precision",
    "ProposerSpec",
    "Rate",
    "Schedule",
    "Sigmoid",
    "SpaceSpec",
    "Spec",
    "Step",
    "StopRule",
    "SurrogateSpec",
    "Term",
    "Tick",
    "Transform",
]

MOLECULES = ("molecules", "smiles")
"""Kinds of spaces of molecules."""
MOLECULE_FILTERS = ("structural_alerts", "synthesizable", "usual_rings", "usual_valences")
"""What a molecule must pass unless its spec says otherwise: a network writes much that nobody would
make."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_NAMES = "use lower-case letters, digits, '.', '-' and '_', at most 63"


class Parameter(Part):
    """One continuous parameter of a ``box`` space."""

    name: str = Field(min_length=1)
    """What the evaluators and the history call it."""
    lower: Number
    """Smallest value, in ``unit``."""
    upper: Number
    """Largest value, in ``unit``."""
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
    """``automata``, ``box``, ``digits``, ``molecules``, ``smiles`` or one that is plugged in."""
    model: str | None = None
    """Name of the model whose latent space it is; the space's default if absent."""
    parameters: tuple[Parameter, ...] = ()
    """Coordinates of a ``box``."""
    filters: tuple[str, ...] = ()
    """Known filters of the space that an object has to pass before anything is spent on it; by
    default, for ``molecules`` and ``smiles``, all four, and ``[]`` switches them off."""

    @model_validator(mode="after")
    def _filtered(self) -> SpaceSpec:
        """Give molecules their filters, which is not as if somebody had written them.

        What was stored names its own, so that it means for ever what it meant.
        """
        if self.kind in MOLECULES and "filters" not in self.model_fields_set:
            self.__dict__["filters"] = MOLECULE_FILTERS
        return self

    @field_validator("parameters")
    @classmethod
    def _distinct(cls, value: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
        names = [parameter.name for parameter in value]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise misplaced(f"a parameter {name!r} stands above already", index, "name")
        return value

    @model_validator(mode="after")
    def _box(self) -> SpaceSpec:
        if self.kind == "box" and not self.parameters:
            raise ValueError("a box needs parameters: a list of {name, lower, upper, unit}")
        if self.kind != "box" and self.parameters:
            raise ValueError(f"only a box takes parameters, not a space of kind {self.kind!r}")
        return self


class Rate(Part):
    """How fast jobs may be sent to an evaluator."""

    jobs: Whole = Field(ge=1)
    """At most so many"""
    per: Seconds
    """within so long, whatever run sends them."""


class Precision(Part):
    """Further replicates, until the mean is known well enough."""

    error: dict[str, Number] = Field(min_length=1)
    """The standard error that is small enough, by measure, in the measure's unit."""
    most: Whole = Field(ge=2, le=1000)
    """Replicates after which it ends all the same."""


class EvaluatorSpec(Part):
    """One evaluator and what is wanted of it."""

    use: str
    """Name of the evaluator, as ``assayloop evaluators list`` prints it; or a function of your own,
    ``./my_assay.py:reactor`` beside the spec, or ``module:function``."""
    name: str = ""
    """What jobs, keys, limits and pages call it, so that a spec may use the same transport twice;
    lower-case letters, digits, ``.``, ``-`` and ``_``. The name in ``use`` if absent."""
    measures: tuple[str, ...] = Field(min_length=1)
    """Measures wanted; each is asked for once in a spec."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Passed to the evaluator, which checks them."""
    replicates: Whole = Field(default=1, ge=1, le=1000)
    """How often each candidate is measured; it counts as one evaluation."""
    precision: Precision | None = None
    """Further replicates where those leave the mean uncertain."""
    when: tuple[Constraint, ...] = ()
    """What measures of evaluators above must be before this one is asked: a cheap gate before a
    dear assay. A candidate that does not pass costs nothing here."""
    approval: Literal["none", "required"] | None = None
    """Whether a person approves a candidate before it goes there; as the campaign says if absent.
    """
    in_flight: Whole | None = Field(default=None, ge=1)
    """Jobs of the campaign that may be open there at a time; as many as it takes, if absent."""
    rate: Rate | None = None
    """How fast jobs may be sent; as fast as they come, if absent."""
    attempts: Whole = Field(default=3, ge=1, le=100)
    """How often a job is tried before it has failed."""
    backoff: Seconds = 10.0
    """Wait before the second attempt; doubled for each further one."""
    timeout: Seconds | None = None
    """A job without a result after this long is timed out; by default it may take for ever."""

    @model_validator(mode="after")
    def _precise(self) -> EvaluatorSpec:
        for name in self.precision.error if self.precision else ():
            if name not in self.measures:
                raise misplaced(
                    f"{name!r} is none of its measures, {', '.join(self.measures)}",
                    *("precision", "error", name),
                )
        return self

    @model_validator(mode="after")
    def _named(self) -> EvaluatorSpec:
        """Name it after what it uses, which is not as if somebody had written that."""
        if not self.name:
            self.__dict__["name"] = self.use.rpartition(":")[2]
        elif self.name != self.use.rpartition(":")[2] and not _NAME.fullmatch(self.name):
            raise misplaced(f"{self.name!r}: {_NAMES}", "name")
        return self


class SurrogateSpec(Part):
    """The model of the measures."""

    kind: str = "gp"
    """``gp`` or a surrogate that is plugged in."""
    at: Literal["proposed", "realised"] = "proposed"
    """Whether it is fitted at the points proposed or at those the decoded objects encode to."""


class ProposerSpec(Part):
    """The strategy that picks points."""

    kind: str = "gp"
    """``random``, ``sobol``, ``gp`` or a proposer that is plugged in."""
    initial: Whole = Field(default=10, ge=1, le=100_000)
    """Evaluations before the surrogate is asked; drawn from the prior."""
    batch: Whole = Field(default=1, ge=1, le=1000)
    """Candidates a round."""


class Budget(Part):
    """What may be spent; the first limit reached ends the campaign."""

    evaluations: Whole | None = Field(default=None, ge=1)
    """Candidates sent to evaluators, whatever replicates and attempts they need."""
    wall_time: Seconds | None = None
    """Time that a driver works on it, added up over interruptions."""
    cost: Number | None = Field(default=None, gt=0)
    """In the unit in which the evaluators state theirs."""

    @model_validator(mode="after")
    def _some(self) -> Budget:
        if self.evaluations is None and self.wall_time is None and self.cost is None:
            raise ValueError("set at least one of evaluations, wall_time and cost")
        return self


class StopRule(Part):
    """Ends the campaign early."""

    target: Number | None = None
    """The best feasible objective is at least as good as this."""
    stagnation: Whole | None = Field(default=None, ge=1)
    """That many evaluations without a better one."""

    @model_validator(mode="after")
    def _one(self) -> StopRule:
        if (self.target is None) == (self.stagnation is None):
            raise ValueError("a stop rule has exactly one of target and stagnation")
        return self


class Tick(Part):
    """One scheduled advance."""

    rounds: Whole | None = Field(default=None, ge=1)
    """Rounds after which it ends; by default it goes on until it has to wait."""


class Schedule(Part):
    """When the campaign is advanced, for ``assayloop deploy``."""

    cron: str | None = None
    """Five fields: minute, hour, day of the month, month, day of the week."""
    interval: Seconds | None = None
    """Time from one start to the next."""
    timezone: str = "UTC"
    """IANA name of the zone in which ``cron`` is meant."""
    mode: Literal["continue", "new"] = "continue"
    """Whether a tick continues the campaign or starts another."""
    overlap: Literal["skip", "queue"] = "skip"
    """What becomes of a tick that is due while one is running."""

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        from croniter import croniter  # type: ignore[import-untyped]

        if value is None:
            return None
        fields = value.split()
        # Seconds, @daily, and R and H ("random", "hashed") are croniter's own; Prefect refuses
        # the last two, and a spec that is good here must be good there.
        own = any(field[0] in "@rRhH" for field in fields)
        if len(fields) != 5 or own or not croniter.is_valid(value):
            raise ValueError("not a cron expression; write five fields, such as '0 2 * * *'")
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: "Europe" is a directory
            raise ValueError("not an IANA time zone, such as Europe/Berlin") from None
        return value

    @model_validator(mode="after")
    def _one(self) -> Schedule:
        if (self.cron is None) == (self.interval is None):
            raise ValueError("a schedule has exactly one of cron and interval")
        return self


class Failures(Part):
    """When failing jobs pause the campaign."""

    share: Number = Field(default=0.5, gt=0, le=1)
    """Share of the ended jobs that may fail."""
    after: Whole = Field(default=10, ge=1)
    """Jobs ended before the share is looked at."""


class Spec(Part):
    """The whole campaign."""

    name: str
    """Lower-case letters, digits, dot, dash and underscore."""
    description: str = ""
    """What it is for; shown in the report."""
    space: SpaceSpec
    """Where candidates live."""
    evaluators: tuple[EvaluatorSpec, ...] = Field(min_length=1)
    """Who measures."""
    objective: ObjectiveSpec
    """What is optimised."""
    surrogate: SurrogateSpec = SurrogateSpec()
    """The model of the measures."""
    proposer: ProposerSpec = ProposerSpec()
    """The strategy that picks points."""
    budget: Budget
    """What may be spent."""
    stop: tuple[StopRule, ...] = ()
    """Rules that end it early; the first that holds does."""
    failures: Failures = Failures()
    """When failing jobs pause it."""
    approval: Literal["none", "required"] = "none"
    """Whether a person approves each candidate before an evaluator is asked; a cheap one may be
    excepted."""
    in_flight: Whole = Field(default=0, ge=0)
    """0 waits for the whole round; n opens the next while at most n jobs are open."""
    tick: Tick = Tick()
    """One scheduled advance."""
    schedule: Schedule | None = None
    """When it is advanced, once deployed."""
    seed: Whole = Field(default=0, ge=0, lt=2**32)
    """The same seed gives the same campaign."""
    threads: Whole = Field(default=1, ge=1, le=256)
    """Threads for the numerics: results are bit-equal for one number of them."""

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError(_NAMES)
        return value

    @field_validator("evaluators")
    @classmethod
    def _asked_once(cls, value: tuple[EvaluatorSpec, ...]) -> tuple[EvaluatorSpec, ...]:
        names: set[str] = set()
        measures: set[str] = set()
        for i, evaluator in enumerate(value):
            if evaluator.name in names:  # jobs are named by it
                remedy = "join the two, or give each a name of its own"
                where = "name" if "name" in evaluator.model_fields_set else "use"
                raise misplaced(f"{evaluator.name!r} stands above already; {remedy}", i, where)
            names.add(evaluator.name)
            for j, gate in enumerate(evaluator.when):
                if gate.measure not in measures:
                    what = f"no evaluator above gives {gate.measure!r}; they give: "
                    raise misplaced(
                        what + (", ".join(sorted(measures)) or "nothing"), i, "when", j, "measure"
                    )
            for j, measure in enumerate(evaluator.measures):
                if measure in measures:
                    raise misplaced(f"{measure!r} is asked for above already", i, "measures", j)
                measures.add(measure)
        return value

    @model_validator(mode="after")
    def _given(self) -> Spec:
        used = [
            (("terms", i), term.measure)
            for i, term in enumerate(self.objective.terms)
            if term.measure != LOG_PRIOR
        ]
        used += [
            (("constraints", i), constraint.measure)
            for i, constraint in enumerate(self.objective.constraints)
        ]
        for path, measure in used:
            if measure not in self.measures:
                raise misplaced(
                    f"no evaluator of this spec gives {measure!r}; measures asked for: "
                    + ", ".join(self.measures),
                    *("objective", *path, "measure"),
                )
        return self

    @property
    def measures(self) -> tuple[str, ...]:
        """Every measure asked for, in the order of the spec."""
        return tuple(m for evaluator in self.evaluators for m in evaluator.measures)

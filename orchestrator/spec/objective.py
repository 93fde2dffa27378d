"""The objective of a spec: terms with their transforms, and constraints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from orchestrator.spec.parts import Number, Part

LOG_PRIOR = "latent_log_prior"
"""May stand in a term where a measure stands: the space's own log density, known exactly."""


class Identity(Part):
    """The value as it is."""

    kind: Literal["identity"]


class Log(Part):
    """log(value + epsilon)."""

    kind: Literal["log"]
    epsilon: Number = Field(default=1e-8, ge=0)
    """Added first, so that a value of 0 has a logarithm."""


class NegLog(Part):
    """-log(value + epsilon)."""

    kind: Literal["neg_log"]
    epsilon: Number = Field(default=1e-8, ge=0)
    """Added first, so that a value of 0 has a logarithm."""


class Gaussian(Part):
    """exp(-((value - mean) / std)^2 / 2)."""

    kind: Literal["gaussian"]
    mean: Number
    """The value that is best, where the transform is 1."""
    std: Number = Field(gt=0)
    """How far from it the transform has fallen to 0.61."""


class Sigmoid(Part):
    """1 / (1 + exp(-(value - center) / scale)); a negative scale falls."""

    kind: Literal["sigmoid"]
    center: Number
    """The value at which the transform is one half."""
    scale: Number = 1.0
    """How far from there it has risen to 0.73; below 0 it falls instead."""

    @field_validator("scale")
    @classmethod
    def _nonzero(cls, value: float) -> float:
        if value == 0:
            raise ValueError("scale must not be 0")
        return value


class Clip(Part):
    """(value - lower) / (upper - lower), cut at 0 and 1."""

    kind: Literal["clip"]
    lower: Number
    """The value that becomes 0; above ``upper``, less is better."""
    upper: Number
    """The value that becomes 1."""

    @model_validator(mode="after")
    def _distinct(self) -> Clip:
        if self.lower == self.upper:
            raise ValueError("lower and upper must differ")
        return self


class Step(Part):
    """1 where the value is at least the threshold, else 0."""

    kind: Literal["step"]
    threshold: Number
    """The smallest value that becomes 1."""


def _tagged(value: object) -> object:
    """``neg_log`` is short for ``{kind: neg_log}``."""
    return {"kind": value} if isinstance(value, str) else value


_Transform = Annotated[
    Identity | Log | NegLog | Gaussian | Sigmoid | Clip | Step, Field(discriminator="kind")
]
_TransformName = Literal["identity", "log", "neg_log"]
"""Those that need nothing but their name."""
Transform = Annotated[
    _Transform,
    BeforeValidator(_tagged, json_schema_input_type=_Transform | _TransformName),
]


class Term(Part):
    """One summand or factor of an objective."""

    measure: str
    """A measure of the spec's evaluators, or ``latent_log_prior``."""
    transform: Transform = Identity(kind="identity")
    """What is done to the value first; a name stands for the transform without parameters."""
    weight: Number = 1.0
    """How much the term counts in the aggregate."""


class Constraint(Part):
    """A measure that has to stay between two limits; either may be absent."""

    measure: str
    """A measure of the spec's evaluators."""
    min: Number | None = None
    """Smallest value that is feasible, in the measure's unit."""
    max: Number | None = None
    """Largest value that is feasible."""

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
    """Which way is better."""
    terms: tuple[Term, ...] = Field(min_length=1)
    """Summands or factors."""
    aggregate: Literal["weighted_sum", "arithmetic_mean", "geometric_mean", "product"] = (
        "weighted_sum"
    )
    """How the terms become one number."""
    constraints: tuple[Constraint, ...] = ()
    """What makes a candidate feasible; an infeasible one is kept, but is never the best."""

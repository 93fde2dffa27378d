"""Turn a plain Python function into an evaluator.

::

    from adapters.function import evaluator
    from adapters.protocol import Measure

    @evaluator(measures=[Measure("yield", "percent", lower=0, upper=100)], idempotent=True)
    def reactor(parameters: dict) -> dict:
        return {"yield": 80 - (parameters["temperature"] - 60) ** 2 / 10}

``reactor(...)`` is still that function; name ``reactor`` in the entry-point group
``assayloop.evaluators`` and campaigns can use it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from adapters.calculator import Calculator, RejectedError, Value
from adapters.messages import quote
from adapters.protocol import Capabilities, Measure, Sample

__all__ = ["Function", "FunctionEvaluator", "RejectedError", "Value", "evaluator"]

Function = Callable[[Any], Mapping[str, Value]]
"""Takes the dict of a sample of kind ``parameters``, or the :class:`Sample` of any other kind."""


class FunctionEvaluator(Calculator):
    """A function as an evaluator; made by :func:`evaluator`."""

    def __init__(self, function: Function, capabilities: Capabilities) -> None:
        super().__init__(capabilities)
        self._function = function
        functools.update_wrapper(self, function)

    def __call__(self, argument: Any) -> Mapping[str, Value]:
        """Call the plain function."""
        return self._function(argument)

    def calculate(self, sample: Sample, wanted: Sequence[str]) -> Mapping[str, Value]:
        """What the function returns for the sample."""
        return self._function(parameters(sample) if sample.kind == "parameters" else sample)


def evaluator(
    *,
    measures: Sequence[Measure | str],
    kinds: Collection[str] = frozenset({"parameters"}),
    name: str | None = None,
    version: str = "1",
    idempotent: bool = False,
    batch_size: int = 1,
    cost: float = 0.0,
    expected_duration: float = 0.0,
) -> Callable[[Function], FunctionEvaluator]:
    """Decorate a function that measures one sample.

    Args:
        measures: What it returns; a bare name is a dimensionless measure without bounds.
        kinds: Kinds of sample it takes. For ``parameters`` it gets their dict, otherwise the
            :class:`~adapters.protocol.Sample`.
        name: Name of the evaluator; the function's own, with hyphens, when left out.
        version: Raise it when the same sample would be measured differently.
        idempotent: Say so where calling it twice for one sample does no harm and gives the same
            values. Otherwise a job whose call a crash interrupted waits for a person.
        batch_size: The most samples of one ``submit``; after a crash, that many are in doubt.
        cost: Cost of one job, in the campaign's unit of cost.
        expected_duration: Seconds of one job.
    """

    def decorate(function: Function) -> FunctionEvaluator:
        capabilities = Capabilities(
            name=name or function.__name__.replace("_", "-"),
            version=version,
            sample_kinds=frozenset(kinds),
            measures=tuple(Measure(m) if isinstance(m, str) else m for m in measures),
            batch_size=batch_size,
            synchronous=True,
            idempotent=idempotent,
            cost=cost,
            expected_duration=expected_duration,
        )
        return FunctionEvaluator(function, capabilities)

    return decorate


def parameters(sample: Sample) -> dict[str, Any]:
    """The dict in a sample of kind ``parameters``.

    Raises:
        RejectedError: its content is no JSON object.
    """
    try:
        content = json.loads(sample.content)
    except (ValueError, RecursionError) as error:
        raise RejectedError(f"{quote(sample.content)} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise RejectedError(f"{quote(sample.content)} is no JSON object of named parameters")
    return content

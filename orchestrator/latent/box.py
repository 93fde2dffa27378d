"""A box of continuous parameters in their own units: nothing is generated, the point is the object.

The object is canonical JSON text, ``{"flow": 2.5, "temperature": 310.0}``: sorted keys, floats in
their shortest form that reads back to the same number.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from orchestrator.latent.protocol import Decoded, Points, Rendering, SpaceError


class ParameterLike(Protocol):
    """One continuous parameter, as a spec gives it."""

    @property
    def name(self) -> str:
        """Key of the parameter in the object."""
        ...

    @property
    def lower(self) -> float:
        """Lower limit, in ``unit``."""
        ...

    @property
    def upper(self) -> float:
        """Upper limit, in ``unit``."""
        ...

    @property
    def unit(self) -> str:
        """As pint reads it; empty is dimensionless."""
        ...


class BoxSpace:
    """Continuous parameters between limits, with a uniform prior.

    Raises:
        SpaceError: there is no parameter, two share a name, or limits are not in order.
    """

    sample_kind = "parameters"
    media_type = "application/json"
    model_hash = ""

    def __init__(self, parameters: Sequence[ParameterLike]) -> None:
        names = [parameter.name for parameter in parameters]
        if not names:
            raise SpaceError("a box needs at least one parameter")
        for name in names:
            if names.count(name) > 1:
                raise SpaceError(f"parameter {name!r} is there twice; names must differ")
        for parameter in parameters:
            if not (np.isfinite([parameter.lower, parameter.upper]).all()) or not (
                parameter.lower < parameter.upper
            ):
                raise SpaceError(
                    f"parameter {parameter.name!r} lies between {parameter.lower} and "
                    f"{parameter.upper}; limits must be finite and in order"
                )
        self._parameters = tuple(parameters)
        self._bounds = np.array(
            [[p.lower for p in parameters], [p.upper for p in parameters]], dtype=np.float64
        )

    @property
    def dim(self) -> int:
        """Number of parameters, d."""
        return len(self._parameters)

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Limits of the parameters in their own units, shape ``2 x d``."""
        return self._bounds.copy()

    @property
    def filters(self) -> Mapping[str, Callable[[str | bytes], bool]]:
        """None is known here."""
        return {}

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        """The parameters of each point as canonical JSON; invalid outside the limits."""
        return [self._decoded(point) for point in points]

    def read(self, objects: Sequence[str | bytes]) -> list[Decoded]:
        """Objects brought by a person, canonical, or invalid with the reason."""
        return [self._read(content) for content in objects]

    def encode(self, objects: Sequence[str | bytes]) -> Points:
        """Points of n objects, ``n x d``.

        Raises:
            SpaceError: an object is not JSON with exactly these parameters as numbers.
        """
        return np.array([self._encoded(text) for text in objects]).reshape(-1, self.dim)

    def log_prior(self, points: Points) -> NDArray[np.float64]:
        """Minus the log volume of the box inside it, minus infinity outside; shape ``n``."""
        inside = ((points >= self._bounds[0]) & (points <= self._bounds[1])).all(axis=1)
        volume = float(np.log(self._bounds[1] - self._bounds[0]).sum())
        return np.where(inside, -volume, -np.inf)

    def sample_prior(self, n: int, rng: np.random.Generator) -> Points:
        """Uniform draws, ``n x d``."""
        return rng.uniform(self._bounds[0], self._bounds[1], (n, self.dim))

    def render(self, content: str | bytes) -> Rendering:
        """A table of the parameters with their units, as SVG."""
        point = self._encoded(content)
        rows = []
        for line, (parameter, value) in enumerate(zip(self._parameters, point, strict=True)):
            y = 20 * line + 16
            quantity = html.escape(f"{value:.6g} {parameter.unit}".strip())
            rows.append(f'<text x="8" y="{y}">{html.escape(parameter.name)}</text>')
            rows.append(f'<text x="232" y="{y}" text-anchor="end">{quantity}</text>')
        height = 20 * self.dim + 6
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="240" height="{height}" '
            f'viewBox="0 0 240 {height}" font-family="sans-serif" font-size="13">'
            + "".join(rows)
            + "</svg>"
        )
        return Rendering("image/svg+xml", svg.encode())

    def _decoded(self, point: NDArray[np.float64]) -> Decoded:
        for parameter, value in zip(self._parameters, point.tolist(), strict=True):
            if not parameter.lower <= value <= parameter.upper:
                return Decoded(
                    None,
                    "",
                    valid=False,
                    reason=f"{parameter.name} = {value!r} is not between {parameter.lower} "
                    f"and {parameter.upper} {parameter.unit}".rstrip(),
                )
        text = json.dumps(
            {
                parameter.name: value + 0.0  # -0.0 and 0.0 are one object
                for parameter, value in zip(self._parameters, point.tolist(), strict=True)
            },
            sort_keys=True,
            ensure_ascii=False,
            allow_nan=False,
        )
        return Decoded(text, text, valid=True)

    def _read(self, content: str | bytes) -> Decoded:
        try:
            return self._decoded(self._encoded(content))
        except SpaceError as error:
            return Decoded(None, "", valid=False, reason=str(error))

    def _encoded(self, content: str | bytes) -> NDArray[np.float64]:
        names = [parameter.name for parameter in self._parameters]
        try:
            read = json.loads(content)
        except ValueError:
            read = None
        numbers = isinstance(read, dict) and all(
            isinstance(value, int | float) and not isinstance(value, bool)
            for value in read.values()
        )
        if not isinstance(read, dict) or set(read) != set(names) or not numbers:
            raise SpaceError(
                f"{content!r} is not an object of this box; give JSON with the numbers "
                + ", ".join(names)
            )
        return np.array([float(read[name]) for name in names])

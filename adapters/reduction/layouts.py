"""Which well of a plate holds what: controls, blanks, and samples with replicates and doses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from adapters.messages import quote
from adapters.protocol import EvaluatorError, OptionError
from adapters.reduction.options import Options, real
from adapters.reduction.plates import Order, Plate, Position, Role, Well, plate, sort

_KEYS = (
    "wells", "negative", "positive", "blank", "empty", "samples", "mask",
    "edges", "order", "replicates", "doses",
)  # fmt: skip
_CONTROLS = (Role.NEGATIVE, Role.POSITIVE, Role.BLANK, Role.EMPTY)


@dataclass(frozen=True)
class Layout:
    """The plan of a plate before any sample is on it."""

    plate: Plate
    roles: Mapping[Position, Role]
    """The controls, blanks and wells that stay empty."""
    places: tuple[Position, ...]
    """Where samples go, in the order in which they are filled."""
    replicates: int = 1
    doses: tuple[float, ...] = ()
    """Empty where each sample is measured at one dose that nobody names."""
    masked: frozenset[Position] = frozenset()

    @property
    def wells_each(self) -> int:
        """How many wells one sample takes."""
        return self.replicates * max(1, len(self.doses))

    @property
    def capacity(self) -> int:
        """How many samples fit on one plate."""
        return len(self.places) // self.wells_each

    def fill(self, samples: Sequence[str]) -> tuple[Well, ...]:
        """The wells of a plate with these samples, without signals, along the rows.

        Each sample takes the next free wells: its doses in the order in which they are written,
        and the whole series again for each further replicate. Places left over stay empty.

        Raises:
            EvaluatorError: more samples than fit, or one twice.
        """
        if len(samples) > self.capacity:
            raise EvaluatorError(
                f"{len(samples)} samples of {self.wells_each} wells each do not fit on "
                f"{self.plate} with {len(self.places)} places for samples; {self.capacity} do"
            )
        if len(set(samples)) < len(samples):
            twice = next(one for one in samples if samples.count(one) > 1)
            raise EvaluatorError(f"sample {quote(twice)} is on the plate twice; use replicates")
        series: Sequence[float | None] = self.doses or (None,)
        contents = [
            (sample, dose) for sample in samples for _ in range(self.replicates) for dose in series
        ]
        held = {
            place: Well(place, {}, Role.SAMPLE, sample, dose)
            for place, (sample, dose) in zip(self.places, contents, strict=False)
        }
        return tuple(
            replace(
                held.get(one, Well(one, {}, self.roles.get(one, Role.EMPTY))),
                masked="masked in the layout" if one in self.masked else "",
            )
            for one in self.plate.positions()
        )


def layout(option: Mapping[str, object], name: str = "layout") -> Layout:
    """The layout that a spec's option describes; docs/reduction.md has the keys.

    Raises:
        OptionError: a key is unknown, a value is wrong, a well has two roles, or no sample fits.
    """
    options = Options(name, option, _KEYS)
    try:
        geometry = plate(options.whole("wells", 96))
    except OptionError:
        raise
    except EvaluatorError as error:
        raise options.error("wells", str(error)) from error
    roles: dict[Position, Role] = {}
    for role in _CONTROLS:
        for position in options.wells(role.value, geometry):
            if position in roles:
                raise options.error(
                    role.value, f"well {position} is in {roles[position].value} already"
                )
            roles[position] = role
    order: Order = options.word("order", get_args(Order), "rows")
    made = Layout(
        geometry,
        roles,
        _places(options, geometry, roles, order),
        options.whole("replicates", 1),
        doses(options),
        frozenset(options.wells("mask", geometry)),
    )
    if not made.capacity:
        raise OptionError(
            name,
            f"{name} has {len(made.places)} places for samples, and one sample takes "
            f"{made.wells_each} wells",
        )
    return made


def measured(
    wells: Sequence[Well], signals: Mapping[Position, Mapping[str, float]]
) -> tuple[Well, ...]:
    """The wells of a layout with what a reader measured; where it gave nothing, there is none.

    Raises:
        EvaluatorError: a signal is of a well that is not among ``wells``.
    """
    strange = sort(signals.keys() - {well.position for well in wells})
    if strange:
        raise EvaluatorError(f"signals of wells that are not on the plate: {listed(strange)}")
    return tuple(replace(well, signals=signals.get(well.position, {})) for well in wells)


def listed(positions: Sequence[Position], limit: int = 12) -> str:
    """Names of wells for a person, the first ``limit`` of them."""
    names = ", ".join(map(str, positions[:limit]))
    return names if len(positions) <= limit else f"{names} and {len(positions) - limit} more"


def doses(options: Options) -> tuple[float, ...]:
    """The dose series under the key ``doses``: a list, or a serial dilution."""
    given = options.get("doses")
    if given is None:
        return ()
    if isinstance(given, Mapping):
        series = Options(f"{options.name}.doses", given, ("highest", "factor", "points"))
        highest = series.number("highest", above=0)
        if highest is None:
            raise series.error("highest", "write the highest dose, in the recipe's dose_unit")
        factor = series.number("factor", 3.0, above=1) or 3.0
        return tuple(highest / factor**step for step in range(series.whole("points", 10, 2)))
    read = [real(one) for one in given] if isinstance(given, Sequence) else []
    found = tuple(one for one in read if one is not None and one > 0)
    if not found or len(found) < len(read) or len(set(found)) < len(found):
        raise options.error(
            "doses",
            "write different numbers above 0, or {highest: 10000, factor: 3, points: 10}",
        )
    return found


def _places(
    options: Options, geometry: Plate, roles: Mapping[Position, Role], order: Order
) -> tuple[Position, ...]:
    """Where samples go: the wells given, or all that are left, without the rim if so asked."""
    chosen = options.wells("samples", geometry)
    for position in chosen:
        if position in roles:
            raise options.error("samples", f"well {position} is in {roles[position].value} already")
    avoid = options.word("edges", ("use", "avoid"), "use") == "avoid"
    # Masked wells stay places: what is masked once a plate was filled moves no sample on it.
    return sort(
        (
            one
            for one in chosen or geometry.positions()
            if one not in roles and not (avoid and geometry.edge(one))
        ),
        order,
    )

"""The join with the reduction: the raw signals of whole plates become readings of their jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from adapters.checks import refusals
from adapters.file_drop.items import WRONG, Item, joined
from adapters.file_drop.matching import ANSWERED, Matching
from adapters.file_drop.places import Places
from adapters.protocol import (
    Capabilities,
    EvaluatorError,
    Measure,
    OptionError,
    Outcome,
    OutcomeStatus,
    Ticket,
)
from adapters.reduction.layouts import Layout, measured
from adapters.reduction.plates import Position, Role, Well
from adapters.reduction.recipes import Recipe

Used = Sequence[tuple[Item, Ticket | None]]
"""Items that name a plate of ours, each with the ticket of the job that begins there."""


def channels(recipe: Recipe) -> tuple[Measure, ...]:
    """The raw signals that a recipe reads, as what a file must give."""
    names = [recipe.signal or "signal", recipe.divide_by]
    return tuple(Measure(name) for name in names if name)


@dataclass
class _Plate:
    """What a file says of the wells of one plate."""

    signals: dict[Position, dict[str, float]] = field(default_factory=dict)
    items: dict[Position, Item] = field(default_factory=dict)
    wrong: dict[Position, list[str]] = field(default_factory=dict)
    failed: dict[Position, str] = field(default_factory=dict)


class Reducing:
    """Reduces the plates in a file.

    Raises:
        OptionError: the recipe gives what is not declared as a measure, or there is no plate.
    """

    def __init__(
        self, recipe: Recipe, capabilities: Capabilities, places: Places, *, partial: bool
    ) -> None:
        if places.layout is None:
            raise OptionError("reduction", "reduction needs the option 'plate', with its controls")
        declared = {measure.name for measure in capabilities.measures}
        if set(recipe.gives) != declared:
            raise OptionError(
                "reduction",
                f"reduction.gives has {', '.join(sorted(recipe.gives))}, measures are "
                f"{', '.join(sorted(declared))}; name each measure in both",
            )
        self._recipe, self._capabilities, self._partial = recipe, capabilities, partial
        self._places = places
        self._layout: Layout = places.layout

    def outcomes(self, used: Used, matching: Matching) -> list[Outcome]:
        """The outcome of each job of the plates in a file; what is wrong in the file is marked.

        Raises:
            EvaluatorError: a control is wrong, or a well that holds something is missing.
        """
        plates: dict[str, _Plate] = {}
        for item, ticket in used:
            barcode = ticket.reference.rpartition(":")[0] if ticket else item.barcode
            self._add(plates.setdefault(matching.known(barcode), _Plate()), item, ticket)
        return [
            outcome
            for barcode, plate in plates.items()
            for outcome in self._plate(plate, barcode, matching.plates[barcode])
        ]

    def _add(self, plate: _Plate, item: Item, ticket: Ticket | None) -> None:
        well = item.well or (ticket.reference.rpartition(":")[2] if ticket else "")
        position = self._layout.plate.position(well)
        plate.items.setdefault(position, item)
        if item.wrong:
            plate.wrong.setdefault(position, []).extend(item.wrong)
        if item.failed:
            plate.failed[position] = item.failed
        for amount in item.amounts:
            held = plate.signals.setdefault(position, {})
            if amount.name in held:
                plate.wrong.setdefault(position, []).append(
                    f"{amount.place}: well {position} has a second value of {amount.name}; does "
                    "the file hold two results, or two plates?"
                )
            held[amount.name] = amount.value

    def _plate(self, plate: _Plate, barcode: str, tickets: dict[str, Ticket]) -> Iterator[Outcome]:
        from adapters.reduction.reduce import reduce  # loads scipy, which nobody else here needs

        wells = self._wells(tickets)
        lost = [
            why
            for well in wells
            if well.role not in (Role.EMPTY, Role.SAMPLE)
            for why in plate.wrong.get(well.position, ())
        ]
        others = [why for all_of_them in plate.wrong.values() for why in all_of_them]
        lacking = [
            str(well.position)
            for well in wells
            if well.role is not Role.EMPTY and well.position not in plate.items and not well.masked
        ]
        if lacking and not self._partial:
            more = f" and {len(lacking) - 12} more" if len(lacking) > 12 else ""
            lost.append(f"plate {barcode} lacks the wells {', '.join(lacking[:12])}{more}")
        if lost:
            raise EvaluatorError(joined(list(dict.fromkeys([*lost, *others]))))
        on_plate = {well.position for well in wells}
        signals = {at: one for at, one in plate.signals.items() if at in on_plate}
        reduced = reduce(measured(wells, signals), self._recipe)
        for well_name, ticket in tickets.items():
            if ticket.closed not in ("", ANSWERED):
                continue
            mine = [well.position for well in wells if well.sample == ticket.job]
            wrong = [why for position in mine for why in plate.wrong.get(position, ())]
            if wrong:
                yield Outcome(ticket.job, OutcomeStatus.FAILED, reason=WRONG + joined(wrong))
                continue
            outcome = reduced.outcome(ticket.job, ticket.job)
            why = [plate.failed[position] for position in mine if position in plate.failed]
            if outcome.status is not OutcomeStatus.SUCCEEDED and why:
                outcome = replace(outcome, reason=f"{outcome.reason} ({joined(why)})")
            begin = plate.items.get(self._layout.plate.position(well_name))
            yield self._told(outcome, begin)

    def _wells(self, tickets: dict[str, Ticket]) -> tuple[Well, ...]:
        """The wells of a plate, by the keys of its jobs; places without a ticket stay unnamed."""
        samples: list[str] = []
        for place, ticket in tickets.items():
            number = self._places.number(place)
            if number is None:
                raise EvaluatorError(
                    f"the job of well {place} does not stand there by the option 'plate', which "
                    "was changed since its plate was sent"
                )
            samples += [f" {n}" for n in range(len(samples), number + 1)]
            samples[number] = ticket.job
        return tuple(
            replace(well, role=Role.EMPTY, sample="") if well.sample.startswith(" ") else well
            for well in self._layout.fill(samples)
        )

    def _told(self, outcome: Outcome, item: Item | None) -> Outcome:
        """The outcome with when and by whom it was measured, if its values are possible."""
        if item is not None:
            readings = tuple(
                replace(
                    one,
                    measured_at=item.measured_at,
                    instrument=item.instrument,
                    operator=item.operator,
                    lot=item.lot,
                )
                for one in outcome.readings
            )
            outcome = replace(outcome, readings=readings)
        wrong = refusals(self._capabilities, (), outcome.readings)
        if wrong:
            return Outcome(outcome.job, OutcomeStatus.FAILED, reason=joined(wrong))
        return outcome

"""From what a result file says, and the tickets of the plates, to the outcomes of jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.checks import refusals
from adapters.file_drop.formats import Format
from adapters.file_drop.items import WRONG, Amount, Item, joined
from adapters.file_drop.matching import ANSWERED, Matching, UnknownPlateError
from adapters.file_drop.places import Places
from adapters.file_drop.reducing import Reducing
from adapters.protocol import (
    Capabilities,
    EvaluatorError,
    Outcome,
    OutcomeStatus,
    Reading,
    Ticket,
)


@dataclass
class _Found:
    """What a file says of one job."""

    ticket: Ticket
    amounts: dict[str, tuple[Amount, Item]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class Reader:
    """Makes outcomes of items.

    Args:
        reducing: turns raw signals into readings; None where the values are the measures.
    """

    def __init__(
        self, capabilities: Capabilities, form: Format, places: Places, reducing: Reducing | None
    ) -> None:
        self._capabilities, self._form, self._places = capabilities, form, places
        self._reducing = reducing

    def outcomes(self, items: Sequence[Item], tickets: Sequence[Ticket]) -> list[Outcome]:
        """What the file says about each job.

        Raises:
            EvaluatorError: something in it is wrong, and its good rows alone may not count; or
                nothing in it is of use.
        """
        matching = Matching(tickets, self._places)
        lost, found, used = self._sort(items, matching)
        self._refuse_closed(found, lost, matching)
        if self._reducing is not None:
            made = self._reducing.outcomes(used, matching)
        else:
            made = [self._outcome(one, matching) for one in found.values()]
        whole = [*lost, *self._missing(found, matching)]
        tied = [outcome for outcome in made if outcome.reason.startswith(WRONG)]
        whole += [outcome.reason.removeprefix(WRONG) for outcome in tied]
        good = len(made) > len(tied)
        if whole and not (good and self._form.accept_good_rows):
            raise EvaluatorError(joined(whole))
        if not made:
            raise EvaluatorError(
                f"no {self._places.noun} in it holds a job; is it another plate, or a part of one?"
            )
        return [
            Outcome(o.job, o.status, o.readings, o.reason.removeprefix(WRONG), suspect=o.suspect)
            for o in made
        ]

    def _sort(
        self, items: Sequence[Item], matching: Matching
    ) -> tuple[list[str], dict[str, _Found], list[tuple[Item, Ticket | None]]]:
        """What cannot be tied to a job, what each job has, and all that names a plate of ours."""
        lost: dict[str, None] = {}
        strange: set[str] = set()
        found: dict[str, _Found] = {}
        used: list[tuple[Item, Ticket | None]] = []
        for item in items:
            if item.broken:
                lost[item.broken] = None
                continue
            try:
                ticket = matching.ticket(item)
            except UnknownPlateError as error:
                if error.barcode not in strange:
                    lost[str(error)] = None
                strange.add(error.barcode)
                continue
            except EvaluatorError as error:
                lost[str(error)] = None
                continue
            used.append((item, ticket))
            if ticket is None:
                continue
            one = found.setdefault(ticket.reference or ticket.job, _Found(ticket))
            one.wrong += item.wrong
            if item.failed:
                one.failed.append(item.failed)
            for amount in item.amounts:
                if amount.name in one.amounts:
                    first = one.amounts[amount.name][0].place
                    one.wrong.append(
                        f"{amount.place}: {matching.name(ticket)} has a second value of "
                        f"{amount.name}, the first is at {first}; does the file hold two results, "
                        "or two plates?"
                    )
                else:
                    one.amounts[amount.name] = (amount, item)
        return list(lost), found, used

    def _refuse_closed(
        self, found: dict[str, _Found], lost: Sequence[str], matching: Matching
    ) -> None:
        """Leave jobs out that were cancelled or failed; a plate goes on without them.

        Raises:
            EvaluatorError: the file is about nothing else.
        """
        closed = {
            name: one for name, one in found.items() if one.ticket.closed not in ("", ANSWERED)
        }
        if closed and len(closed) == len(found) and not lost:
            raise EvaluatorError(
                joined(
                    [
                        f"the job in {matching.name(one.ticket)} is {one.ticket.closed}: no result "
                        "is wanted any more"
                        for one in closed.values()
                    ]
                )
            )
        for name in closed:
            del found[name]

    def _outcome(self, one: _Found, matching: Matching) -> Outcome:
        """What the file says of one job."""
        readings, wrong = [], list(one.wrong)
        for amount, item in one.amounts.values():
            reading = reading_of(amount, item)
            wrong += [
                f"{amount.place}: {why}" for why in refusals(self._capabilities, (), [reading])
            ]
            readings.append(reading)
        lacking = [
            name
            for name, value in self._form.values.items()
            if name not in one.amounts and not value.optional
        ]
        if not wrong and one.failed:
            reason = joined(one.failed)
            return Outcome(one.ticket.job, OutcomeStatus.FAILED, reason=reason)
        if not wrong and lacking:
            wrong.append(f"{matching.name(one.ticket)} has no value of {', '.join(lacking)}")
        if not wrong and not readings:
            wrong.append(f"{matching.name(one.ticket)} has no value")
        if wrong:
            reason = WRONG + joined(wrong)
            return Outcome(one.ticket.job, OutcomeStatus.FAILED, reason=reason)
        return Outcome(one.ticket.job, OutcomeStatus.SUCCEEDED, tuple(readings))

    def _missing(self, found: Mapping[str, _Found], matching: Matching) -> Iterator[str]:
        """Open jobs of the plates in the file of which it says nothing."""
        if self._form.partial:
            return
        plates = {one.ticket.reference.rpartition(":")[0] for one in found.values()}
        for barcode in plates:
            lacking = [
                place
                for place, ticket in matching.plates.get(barcode, {}).items()
                if not ticket.closed and ticket.reference not in found
            ]
            if lacking:
                more = f" and {len(lacking) - 12} more" if len(lacking) > 12 else ""
                noun = self._places.noun + ("s" if len(lacking) > 1 else "")
                yield (
                    f"plate {barcode} lacks {noun} {', '.join(lacking[:12])}{more}; export the "
                    "whole plate, or say 'partial: true' under results"
                )


def reading_of(amount: Amount, item: Item) -> Reading:
    """An amount with all that its row says."""
    return Reading(
        name=amount.name,
        value=amount.value,
        unit=amount.unit,
        std=amount.std,
        censoring=amount.censoring,
        measured_at=item.measured_at,
        place=amount.place,
        instrument=item.instrument,
        operator=item.operator,
        lot=item.lot,
    )

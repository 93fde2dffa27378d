"""Which job each part of a result file is about."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.file_drop.items import Item
from adapters.file_drop.places import Places
from adapters.messages import known, quote
from adapters.protocol import EvaluatorError, Ticket

ANSWERED = "answered already"
"""What the core says of a job that an earlier delivery answered. The same file comes again after a
crash, so that this is no reason to refuse one."""


class UnknownPlateError(EvaluatorError):
    """A barcode is none of ours; said once for all rows that have it."""

    def __init__(self, barcode: str, message: str) -> None:
        super().__init__(message)
        self.barcode = barcode


class Matching:
    """Finds tickets by barcode and place, or by the job's key or label."""

    def __init__(self, tickets: Sequence[Ticket], places: Places) -> None:
        self._places = places
        self.plates: dict[str, dict[str, Ticket]] = {}
        """Tickets by barcode and place."""
        self._jobs: dict[str, Ticket] = {}
        self._campaigns = {ticket.job.split("/")[0] for ticket in tickets}
        for ticket in tickets:
            barcode, colon, place = ticket.reference.rpartition(":")
            if colon:
                self.plates.setdefault(barcode, {})[place] = ticket
            for name in (ticket.job, label(ticket.job)):
                before = self._jobs.get(name)
                if before is None or before.closed:  # of several attempts, the one that is open
                    self._jobs[name] = ticket

    def ticket(self, item: Item) -> Ticket | None:
        """The ticket of the job that an item is about; None where its place holds no job.

        Raises:
            EvaluatorError: nobody here knows the plate or the job, or the place is none.
        """
        plate = self._plate(item.barcode, item.line) if item.barcode else None
        ticket = self._job(item.job, item.line) if item.job else None
        if ticket is None:
            if plate is None:
                raise EvaluatorError(f"{item.line} names no plate; write its barcode")
            try:
                return self.plates[plate].get(self._places.read(item.well))
            except EvaluatorError as error:
                raise EvaluatorError(f"{item.line}: {error}") from error
        barcode, _, place = ticket.reference.rpartition(":")
        if plate is not None and plate != barcode:
            raise EvaluatorError(
                f"{item.line} has job {item.job} on plate {plate}; it stands on plate {barcode}"
            )
        try:
            if item.well and self._places.read(item.well) != place:
                raise EvaluatorError(f"job {item.job} stands in {place}, not in {item.well}")
        except EvaluatorError as error:
            raise EvaluatorError(f"{item.line}: {error}") from error
        return ticket

    def name(self, ticket: Ticket) -> str:
        """Where a job stands, for a person."""
        barcode, _, place = ticket.reference.rpartition(":")
        return f"{self._places.noun} {place} of plate {barcode}"

    def known(self, written: str) -> str:
        """The barcode of a plate of ours as we write it."""
        return written if written in self.plates else written.upper()

    def _plate(self, written: str, line: str) -> str:
        if (barcode := self.known(written)) in self.plates:
            return barcode
        open_ones = [
            barcode
            for barcode, wells in self.plates.items()
            if any(not ticket.closed for ticket in wells.values())
        ]
        raise UnknownPlateError(
            written,
            f"{line} has the barcode {quote(written, 40)}, of a plate that this campaign has not "
            f"sent; open plates: {', '.join(open_ones[:20]) or 'none'}",
        )

    def _job(self, written: str, line: str) -> Ticket:
        found = self._jobs.get(written)
        if found is not None:
            return found
        campaign = written.split("/")[0]
        if written.count("/") == 3 and campaign not in self._campaigns:
            raise EvaluatorError(
                f"{line} has the job {quote(written)}, of another campaign; put the file where "
                "that campaign's results go"
            )
        open_ones = [label(t.job) for t in self._jobs.values() if not t.closed]
        raise EvaluatorError(
            f"{line} has the job {quote(written, 40)}, which this campaign has not sent; open "
            f"jobs: {known(written, sorted(set(open_ones))[:20])}"
        )


def label(key: str) -> str:
    """What a worklist calls a job: its candidate, and its replicate from the second on."""
    parts = key.split("/")
    if len(parts) != 4:
        return key
    return parts[1] if parts[3] == "1" else f"{parts[1]}/{parts[3]}"


def owner(key: str) -> str:
    """The campaign and the evaluator of a job."""
    parts = key.split("/")
    return f"{parts[0]}/{parts[2]}" if len(parts) == 4 else key

"""The transport ``file_drop``: worklists go out as files, results come in as files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from adapters import declared
from adapters.checks import require_measures
from adapters.file_drop import folders, formats, grid, issued, textfile, tidy, workbook
from adapters.file_drop import worklist as worklists
from adapters.file_drop.items import Item
from adapters.file_drop.matching import owner
from adapters.file_drop.outcomes import Reader
from adapters.file_drop.places import places
from adapters.file_drop.reducing import Reducing, channels
from adapters.messages import quote
from adapters.protocol import (
    Batch,
    Capabilities,
    Delivery,
    EvaluatorError,
    OptionError,
    Outcome,
    Ticket,
)
from adapters.reduction.recipes import recipe

TEXT = "text/csv"
TOO_LARGE = "application/vnd.assayloop.too-large+json"


class FileDrop:
    """Writes a worklist a batch into one folder, and takes results from another.

    Args:
        worklist: ``folder`` and how worklists are written; docs/transports/file_drop.md has the
            keys.
        results: ``folder`` and what the reader exports; the same page.
        measures: What can be measured; see :mod:`adapters.declared`.
        kinds: Kinds of sample.
        plate: Layout of the plate; None for a list of tubes.
        reduction: How raw signals become measures; None where the reader exports measures.
        batch_size: The most jobs a worklist; by default what the plate has room for.
        cost: Of one job, in the campaign's unit.
        batch_cost: Of a plate.
        expected_duration: Seconds until the results of a plate usually come.

    Raises:
        OptionError: an option is wrong.
    """

    def __init__(
        self,
        *,
        worklist: Mapping[str, object],
        results: Mapping[str, object],
        measures: declared.Measures,
        kinds: Sequence[str],
        plate: Mapping[str, object] | None = None,
        reduction: Mapping[str, object] | None = None,
        batch_size: int | None = None,
        cost: float = 0.0,
        batch_cost: float = 0.0,
        expected_duration: float = 0.0,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise OptionError("batch_size", f"batch_size is {batch_size}; write 1 or more")
        self._places = places(plate, batch_size)
        self._capabilities = Capabilities(
            name="file_drop",
            version="1",
            sample_kinds=frozenset(kinds),
            measures=declared.measures(measures),
            batch_size=self._places.size,
            idempotent=True,  # a plate is issued once; see adapters.file_drop.issued
            cost=cost,
            batch_cost=batch_cost,
            expected_duration=expected_duration,
        )
        try:
            steps = None if reduction is None else recipe(reduction)
            quantities = self._capabilities.measures if steps is None else channels(steps)
            self._form = formats.read(results, quantities)
        except OptionError as error:  # of a key within an option: the spec's line is the option's
            raise OptionError(error.option.partition(".")[0], str(error)) from error
        self._require_shape(reduced=steps is not None)
        reducing = None
        if steps is not None:
            reducing = Reducing(steps, self._capabilities, self._places, partial=self._form.partial)
        self._reader = Reader(self._capabilities, self._form, self._places, reducing)
        self._style = worklists.style(worklist)
        self._issued = issued.Issued(_folder("worklist", worklist), self._style.suffix)
        self._inbox = folders.Inbox(_folder("results", results), self._form.settle)
        self._stuck: dict[str, str] = {}
        """Why a delivery that was dealt with could not be moved, by its reference."""
        self._plates: dict[folders.Found, frozenset[str]] = {}
        """Barcodes in a file, as long as it does not change."""

    def _require_shape(self, *, reduced: bool) -> None:
        layout = self._places.layout
        if layout is not None and layout.wells_each > 1 and not reduced:
            raise OptionError(
                "plate",
                f"plate gives each sample {layout.wells_each} wells; say by 'reduction' what "
                "becomes of them, or leave replicates and doses out",
            )
        if self._form.layout == "grid":
            if layout is None:
                raise OptionError("results", "results.layout is 'grid'; say by 'plate' how large")
            for name, area in self._form.grids.items():
                try:
                    grid.require_shape(area, layout.plate)
                except EvaluatorError as error:
                    raise OptionError("results", f"results.grids.{name} {error}") from error

    @property
    def capabilities(self) -> Capabilities:
        """What the instrument can do."""
        return self._capabilities

    def check(self, measures: Sequence[str]) -> None:
        """Make sure that these measures are declared, and that the template is one.

        Raises:
            OptionError: the template cannot be read.
            EvaluatorError: a measure is not declared.
        """
        require_measures(self.capabilities, measures)
        worklists.template(self._style)

    def submit(self, batch: Batch) -> Sequence[Ticket]:
        """Write the worklist; a batch that has one gets no second.

        Raises:
            EvaluatorError: nothing of the batch was taken; says why.
        """
        if not batch.jobs:
            return []
        barcode = issued.barcode(batch)
        for folder in (self._issued.folder, self._inbox.folder):
            folders.make(folder)

        def render() -> bytes:
            if len(batch.jobs) > self._places.size:
                raise EvaluatorError(
                    f"a worklist takes {self._places.size} jobs, batch {batch.key!r} has "
                    f"{len(batch.jobs)}"
                )
            worklists.require_writable(batch, self.capabilities.sample_kinds)
            return worklists.render(self._style, self._places, batch, barcode)

        return self._issued.issue(batch, barcode, self._places, render).tickets

    def receive(self, tickets: Sequence[Ticket]) -> Sequence[Delivery]:
        """Every complete file, but for those about plates of other campaigns or evaluators.

        Raises:
            EvaluatorError: the folder cannot be read.
        """
        mine = {owner(ticket.job) for ticket in tickets}
        found = []
        files = self._inbox.complete()
        self._plates = {one: held for one, held in self._plates.items() if one in files}
        self._issued.confirm({ticket.reference.rpartition(":")[0] for ticket in tickets})
        for file in files:
            try:
                delivery = self._deliver(file)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._stuck[file.name] = f"{file.name} cannot be read: {error.strerror or error}"
                continue
            if delivery.reference in self._stuck or self._is_left(file, delivery, mine):
                continue
            found.append(replace(delivery, tickets=tuple(tickets)))
        return found

    def parse(self, delivery: Delivery) -> Sequence[Outcome]:
        """Read a file; what it says of each job.

        Raises:
            EvaluatorError: something in it is wrong; names file, place, value and what is right.
        """
        name, _ = folders.referred(delivery.reference)
        try:
            if name and not folders.is_plain(name):
                raise EvaluatorError(
                    "its name leads to another folder or has control characters; rename it"
                )
            items = self._items(delivery)
            return self._reader.outcomes(items, delivery.tickets)
        except EvaluatorError as error:
            if not name:
                raise
            raise EvaluatorError(f"{quote(name, 120)}: {error}") from error

    def acknowledge(self, delivery: Delivery) -> None:
        """Move the file to ``done``.

        Raises:
            EvaluatorError: it cannot be moved; it is not handed over again by this process.
        """
        self._put_away(delivery, folders.DONE)

    def refuse(self, delivery: Delivery, reason: str) -> None:
        """Move the file to ``rejected``, with the reason beside it.

        Raises:
            EvaluatorError: as for :meth:`acknowledge`.
        """
        self._put_away(delivery, folders.REJECTED, reason)

    def cancel(self, tickets: Sequence[Ticket]) -> None:
        """Do nothing: the plate is with the reader."""

    def health(self) -> str:
        """Which folders are there, and what waits in them.

        Raises:
            EvaluatorError: a folder is missing or may not be written to, or a file is stuck.
        """
        for folder in (self._issued.folder, self._inbox.folder):
            if not folder.is_dir():
                raise EvaluatorError(f"the folder {folder} is not there; make it, or mount it")
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise EvaluatorError(f"the folder {folder} may not be read or written to")
        if self._stuck:
            raise EvaluatorError("; ".join(self._stuck.values()))
        waiting = sum(
            not folders.is_unfinished(one.name) and one.is_file(follow_symlinks=False)
            for one in os.scandir(self._inbox.folder)
        )
        out = sum(one.is_file() for one in os.scandir(self._issued.folder))
        return (
            f"{out} worklists lie in {self._issued.folder}, {waiting} files in {self._inbox.folder}"
        )

    def _deliver(self, file: folders.Found) -> Delivery:
        body, sha256 = self._inbox.read(file.name, self._form.largest)
        reference = folders.reference(file.name, sha256)
        if body is None:
            document = {"file": quote(file.name), "bytes": file.size, "sha256": sha256}
            return Delivery(reference, json.dumps(document, sort_keys=True).encode(), TOO_LARGE)
        kind = workbook.MEDIA_TYPE if workbook.is_workbook(body) else TEXT
        where = self._form.barcode
        if where is not None and where.kind == "name":
            # The name says which plate it is, and has to be there when it is read years later.
            kind += f"; name={json.dumps(file.name)}"
        return Delivery(reference, body, kind)

    def _items(self, delivery: Delivery) -> list[Item]:
        """What a file says, whatever it is.

        Raises:
            EvaluatorError: it cannot be read.
        """
        form = self._form
        if delivery.media_type == TOO_LARGE:
            raise EvaluatorError(
                f"it is larger than {form.largest:,} bytes, as no results of a plate are: "
                f"{delivery.body.decode()}; export the results alone, or raise 'largest' under "
                "results"
            )
        _, _, told = delivery.media_type.partition("; name=")
        name = str(json.loads(told)) if told else folders.referred(delivery.reference)[0]
        if workbook.is_workbook(delivery.body):
            sheets = list(workbook.sheets(delivery.body))
            if form.sheet:
                names = [one.name for one in sheets]
                sheets = [one for one in sheets if one.name == form.sheet]
                if not sheets:
                    raise EvaluatorError(
                        f"it has no visible sheet {form.sheet!r}, but {', '.join(names)}"
                    )
            whole = True
        else:
            text = textfile.decode(delivery.body, form.encoding)
            sheets, whole = list(textfile.sheets(text, form.delimiter)), False
        if form.layout == "tidy":
            return tidy.items(sheets, form, name, all_of_them=whole)
        assert self._places.layout is not None, "the options were checked"
        return grid.items(sheets, form, self._places.layout.plate, name, all_of_them=whole)

    def _is_left(self, file: folders.Found, delivery: Delivery, mine: set[str]) -> bool:
        """Whether a file is left where it is for now.

        One about plates of others alone is, who come for it themselves. So is one about a plate
        whose tickets the core has not stored yet: it would not know the plate.
        """
        if file not in self._plates:
            try:
                barcodes = frozenset(item.barcode for item in self._items(delivery))
            except EvaluatorError:
                barcodes = frozenset()
            self._plates[file] = barcodes
        known = [self._issued.known(one) for one in self._plates[file]]
        if any(
            record.owner in mine and not self._issued.confirmed(record)
            for record in known
            if record
        ):
            return True
        return bool(known) and all(record and record.owner not in mine for record in known)

    def _put_away(self, delivery: Delivery, into: str, reason: str = "") -> None:
        name, sha256 = folders.referred(delivery.reference)
        if not name:
            return
        try:
            self._inbox.move(name, sha256, into, reason)
        except EvaluatorError as error:
            self._stuck[delivery.reference] = str(error)
            raise
        self._stuck.pop(delivery.reference, None)


def _folder(option: str, given: Mapping[str, object]) -> Path:
    folder = given.get("folder")
    if not isinstance(folder, str) or not folder:
        raise OptionError(option, f"{option}.folder is {quote(folder)}; write a folder")
    return Path(folder).expanduser()

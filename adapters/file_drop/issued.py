"""Which worklists were written: a plate is issued once, however often it is asked for."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.file_drop import folders
from adapters.file_drop.matching import owner
from adapters.file_drop.places import Places
from adapters.messages import quote
from adapters.protocol import Batch, EvaluatorError, Ticket

_RECORDS = ".assayloop"
"""Folder within that of the worklists. Readers look at files, and not at those that are hidden."""
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SAFE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,47}")


@dataclass(frozen=True)
class Record:
    """What is known of an issued worklist."""

    batch: str
    owner: str
    """Campaign and evaluator."""
    tickets: tuple[Ticket, ...]


class Issued:
    """The worklists of a folder.

    A worklist is made in a hidden folder, recorded there, and then moved out by one rename. So
    whether it went out is known by whether it is still in there, and a reader that took it away
    is never given it again.
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        self.folder = folder
        self._suffix = suffix
        self._records = folder / _RECORDS
        self._known: dict[str, Record | None] = {}
        self._confirmed: set[str] = set()

    def issue(
        self, batch: Batch, barcode: str, places: Places, render: Callable[[], bytes]
    ) -> Record:
        """Write the worklist of a batch, unless it went out before.

        Args:
            render: gives its bytes; not called where they were written before.

        Raises:
            EvaluatorError: it cannot be written; or another batch has this barcode.
        """
        name = f"{barcode}.{self._suffix}"
        pending, target = self._records / name, self.folder / name
        record = self.record(barcode)
        if record is None:
            body = render()
            folders.make(self._records)
            folders.write(pending, body)
            record = self._write(batch, barcode, places)
        elif record.batch != batch.key or {t.job for t in record.tickets} != {
            job.key for job in batch.jobs
        }:
            raise EvaluatorError(
                f"barcode {barcode} was used for {record.batch}; give each plate a barcode of its "
                "own"
            )
        if not pending.exists():
            return record  # it went out before
        if target.exists() and target.read_bytes() != pending.read_bytes():
            raise EvaluatorError(f"{target} is there with other contents; move it away")
        try:
            pending.replace(target)
        except OSError as error:
            raise EvaluatorError(
                f"{target} cannot be written: {error.strerror}", transient=True
            ) from error
        folders.sync(self.folder)
        folders.sync(self._records)
        return record

    def record(self, barcode: str) -> Record | None:
        """What is recorded of a barcode; None where nothing is.

        Raises:
            EvaluatorError: the record is damaged.
        """
        if not _SAFE.fullmatch(barcode):
            return None
        if self._known.get(barcode) is None:
            self._known[barcode] = self._read(self._records / f"{barcode}.json")
        return self._known[barcode]

    def known(self, written: str) -> Record | None:
        """The same, of a barcode as a reader writes it; None where the record is damaged, too."""
        try:
            return self.record(written) or self.record(written.upper())
        except EvaluatorError:
            return None

    def confirm(self, barcodes: Iterable[str]) -> None:
        """Note that the core has stored the tickets of these plates."""
        for barcode in barcodes:
            if barcode not in self._confirmed and self.known(barcode):
                with contextlib.suppress(OSError):
                    (self._records / f"{barcode}.confirmed").touch()
                self._confirmed.add(barcode)

    def confirmed(self, record: Record) -> bool:
        """Whether the core has ever asked for results of a plate, and so has stored its tickets."""
        barcode = record.tickets[0].reference.rpartition(":")[0]
        if barcode not in self._confirmed and (self._records / f"{barcode}.confirmed").exists():
            self._confirmed.add(barcode)
        return barcode in self._confirmed

    def _read(self, path: Path) -> Record | None:
        try:
            document = json.loads(path.read_bytes())
            tickets = tuple(Ticket(*one) for one in document["tickets"])
            return Record(document["batch"], document["owner"], tickets)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EvaluatorError(f"{path} is damaged ({error}); it records a worklist") from error

    def _write(self, batch: Batch, barcode: str, places: Places) -> Record:
        tickets = tuple(
            Ticket(job.key, f"{barcode}:{places.name(number)}")
            for number, job in enumerate(batch.jobs)
        )
        made = Record(batch.key, owner(batch.jobs[0].key), tickets)
        document: Mapping[str, object] = {
            "batch": made.batch,
            "owner": made.owner,
            "tickets": [[one.job, one.reference] for one in tickets],
        }
        folders.write(self._records / f"{barcode}.json", json.dumps(document).encode())
        self._known[barcode] = made
        return made


def barcode(batch: Batch) -> str:
    """The barcode of a batch: what stands on the plate, or else one made from the batch's key.

    12 characters that Code 128 and every file system take; 60 bits of SHA-256.

    Raises:
        EvaluatorError: what stands on the plate is no name for a file.
    """
    if batch.barcode:
        if not _SAFE.fullmatch(batch.barcode):
            raise EvaluatorError(
                f"barcode {quote(batch.barcode)} names no worklist; use letters, digits, '-', '_' "
                "and '.', at most 48"
            )
        return batch.barcode
    number = int.from_bytes(hashlib.sha256(batch.key.encode()).digest()[:8]) >> 4
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(55, -1, -5))

"""Where the jobs of a batch stand: wells of a plate, or numbered places of a list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from adapters.messages import quote
from adapters.protocol import EvaluatorError
from adapters.reduction.layouts import Layout, layout


@dataclass(frozen=True)
class Places:
    """The places of a worklist, in the order in which jobs fill them."""

    layout: Layout | None
    """None for a list of tubes or vials."""
    size: int
    """How many jobs one worklist takes."""

    def name(self, number: int) -> str:
        """Where the job of that number (from 0 on) begins: ``A1``; in a list, ``1``."""
        if self.layout is None:
            return str(number + 1)
        return str(self.layout.places[number * self.layout.wells_each])

    def number(self, name: str) -> int | None:
        """Which job begins at a place; None where none does."""
        if self.layout is None:
            number = int(name) - 1
            return number if 0 <= number < self.size else None
        position = self.layout.plate.position(name)
        if position not in self.layout.places:
            return None
        number, rest = divmod(self.layout.places.index(position), self.layout.wells_each)
        return None if rest or number >= self.size else number

    def read(self, written: str) -> str:
        """A place as this class names it, from what a reader writes.

        Raises:
            EvaluatorError: there is no such place.
        """
        if self.layout is not None:
            if turned := re.fullmatch(r"\s*0*([1-9][0-9]?)\s*([A-Za-z])\s*", written):
                raise EvaluatorError(
                    f"{quote(written)} has the column before the row; write {turned[2].upper()}"
                    f"{turned[1]}, or look whether rows and columns are swapped"
                )
            return str(self.layout.plate.position(written))
        if not re.fullmatch(r"0*[1-9][0-9]*", written) or int(written) > self.size:
            raise EvaluatorError(
                f"{quote(written)} is no place of the list; write a number from 1 to {self.size}"
            )
        return str(int(written))

    @property
    def noun(self) -> str:
        """What a place is called in a message."""
        return "place" if self.layout is None else "well"


def places(plate: Mapping[str, object] | None, batch_size: int | None) -> Places:
    """The places that the options ``plate`` and ``batch_size`` describe.

    Raises:
        OptionError: the layout of the plate is wrong.
    """
    if plate is None:
        return Places(None, batch_size or 96)
    made = layout(plate, "plate")
    return Places(made, min(batch_size or made.capacity, made.capacity))

"""From the wells of one plate to readings: background, normalisation, replicates, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from adapters.protocol import Outcome, OutcomeStatus, Reading
from adapters.reduction.plates import Well
from adapters.reduction.quality import PlateQuality
from adapters.reduction.recipes import Recipe

VERSION = "1"
"""Changes whenever the same wells and recipe may give other readings."""


@dataclass(frozen=True)
class Reduced:
    """What a plate gave."""

    values: Mapping[str, tuple[Reading, ...]]
    """Readings by sample, one for each measure of the recipe; samples of ``failures`` lack."""
    quality: PlateQuality
    verdict: str = ""
    """Why the plate is refused; empty where it is not. Values of a refused plate are kept, as far
    as they could be computed, and not believed."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """Why a sample has no readings."""
    suspects: Mapping[str, str] = field(default_factory=dict)
    """Why the readings of a sample are not to be believed, on a plate that is."""
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What a person should know of a sample's curve or wells, and what changes nothing."""
    version: str = VERSION

    def outcome(self, job: str, sample: str) -> Outcome:
        """What the plate says about the job with that key, whose sample is called so on it."""
        if sample in self.values:
            suspect = "; ".join(filter(None, (self.verdict, self.suspects.get(sample, ""))))
            return Outcome(job, OutcomeStatus.SUCCEEDED, self.values[sample], suspect=suspect)
        reason = self.failures.get(sample) or f"no well of the plate holds {sample!r}"
        return Outcome(job, OutcomeStatus.FAILED, reason=reason)


def reduce(wells: Sequence[Well], recipe: Recipe) -> Reduced:
    """Reduce one plate. Pure and deterministic.

    Raises:
        EvaluatorError: two wells have one position, or a channel that the recipe names is on none.
    """
    raise NotImplementedError

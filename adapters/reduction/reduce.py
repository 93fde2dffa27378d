"""From the wells of one plate to readings: background, normalisation, replicates, curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from adapters.protocol import EvaluatorError, Outcome, OutcomeStatus, Reading
from adapters.reduction import quality as judging
from adapters.reduction.plates import Role, Well
from adapters.reduction.quality import PlateQuality
from adapters.reduction.readings import readings
from adapters.reduction.recipes import Recipe
from adapters.reduction.signals import Signals, UnreducibleError, centre, signals

VERSION = "1"
"""Changes whenever the same wells and recipe may give other readings."""

_NEEDED = {
    "percent_inhibition": (Role.NEGATIVE, Role.POSITIVE),
    "percent_of_controls": (Role.NEGATIVE, Role.POSITIVE),
    "ratio": (Role.NEGATIVE,),
    "none": (),
}


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
    """Reduce one plate. Pure: the order of the wells does not matter, and nothing else is read.

    Raises:
        EvaluatorError: two wells have one position, or a channel that the recipe names is on none.
    """
    held: dict[str, list[Well]] = {}
    for well in sorted(wells, key=lambda one: one.position):
        if well.role is Role.SAMPLE and well.sample:
            held.setdefault(well.sample, []).append(well)
    try:
        read = signals(wells, recipe)
    except UnreducibleError as error:
        return _nothing(held, PlateQuality(), str(error))
    quality = _quality(read)
    try:
        zero, span = _scale(read, recipe)
    except UnreducibleError as error:
        return _nothing(held, quality, str(error))
    values, failures, suspects, notes = {}, {}, {}, {}
    for sample, all_wells in held.items():
        used = [well for well in all_wells if well.position in read.corrected]
        left_out = {
            well.position: read.left_out[well.position]
            for well in all_wells
            if well.position in read.left_out
        }
        normal = [(read.corrected[well.position] - zero) / span for well in used]
        try:
            found = readings(used, normal, recipe)
        except EvaluatorError as error:
            gone = "; ".join(f"{position}: {why}" for position, why in left_out.items())
            failures[sample] = f"{error} (left out: {gone})" if gone else str(error)
            continue
        values[sample] = found.readings
        saturated = [str(one) for one, why in left_out.items() if why.startswith("saturated")]
        doubts = [*found.doubts, *([f"saturated: {', '.join(saturated)}"] if saturated else [])]
        if doubts:
            suspects[sample] = "; ".join(doubts)
        said = (*found.notes, *(f"{position}: {why}" for position, why in left_out.items()))
        if said:
            notes[sample] = said
    verdict = "; ".join(
        filter(None, (judging.judge(quality, recipe.limits), _saturated(wells, read)))
    )
    return Reduced(values, quality, verdict, failures, suspects, notes)


def _nothing(held: Mapping[str, object], quality: PlateQuality, why: str) -> Reduced:
    return Reduced({}, quality, why, failures=dict.fromkeys(held, why))


def _quality(read: Signals) -> PlateQuality:
    negative, positive = read.of(Role.NEGATIVE), read.of(Role.POSITIVE)
    return PlateQuality(
        z_prime=judging.z_prime(negative, positive),
        z_prime_robust=judging.z_prime_robust(negative, positive),
        signal_to_background=judging.signal_to_background(
            read.of(Role.NEGATIVE, raw=True), read.of(Role.POSITIVE, raw=True)
        ),
        cv=judging.cv(negative, positive),
        negative=len(negative),
        positive=len(positive),
        blank=len(read.of(Role.BLANK)),
        left_out=tuple(f"{position}: {why}" for position, why in sorted(read.left_out.items())),
    )


def _scale(read: Signals, recipe: Recipe) -> tuple[float, float]:
    """Zero and span of the normalised response: (signal - zero) / span.

    Raises:
        UnreducibleError: the controls that this takes are too few, or not told apart.
    """
    middles = {}
    for role in _NEEDED[recipe.normalise]:
        values = read.of(role)
        if len(values) < recipe.limits.min_controls:
            raise UnreducibleError(
                f"usable {role.value} control wells: {len(values)}; {recipe.normalise} needs "
                f"{recipe.limits.min_controls}"
            )
        middles[role] = centre(values, recipe.controls)
    if recipe.normalise == "none":
        return 0.0, 1.0
    full = middles[Role.NEGATIVE]
    if recipe.normalise == "ratio":
        if full <= 0:
            raise UnreducibleError(
                f"the negative controls are at {full:.4g} without background; a ratio needs them "
                "above 0"
            )
        return 0.0, full
    none = middles[Role.POSITIVE]
    # Nearer than rounding, a window is no window.
    if math.isclose(full, none, rel_tol=1e-9, abs_tol=1e-300) or not np.isfinite(full - none):
        raise UnreducibleError(
            f"the negative and the positive controls do not differ (both at {full:.6g}); nothing "
            "can be normalised by them"
        )
    if recipe.normalise == "percent_inhibition":
        return full, (none - full) / 100.0
    return none, (full - none) / 100.0


def _saturated(wells: Sequence[Well], read: Signals) -> str:
    """Why controls that reached the detector's limit refuse a plate: their middle is not known."""
    controls = {well.position for well in wells if well.role is not Role.SAMPLE}
    found = [
        str(position)
        for position, why in sorted(read.left_out.items())
        if position in controls and why.startswith("saturated")
    ]
    return f"saturated controls: {', '.join(found)}" if found else ""

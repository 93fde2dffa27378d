"""Whole plates: what they give, and why some give nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.protocol import Censoring, EvaluatorError, OutcomeStatus
from adapters.reduction.layouts import layout, measured
from adapters.reduction.plates import Position, Role, Well
from adapters.reduction.recipes import recipe
from adapters.reduction.reduce import VERSION, Reduced, reduce

LAYOUT: dict[str, Any] = {
    "wells": 96,
    "negative": "A1:F1",
    "positive": "A12:F12",
    "blank": "G1, H1, G12, H12",
    "replicates": 3,
}
SAMPLES = {"a": 10.0, "b": 50.0, "c": 90.0, "d": 100.0}
"""Percent of inhibition by sample."""


def signal(inhibition: float, blank: float = 500.0) -> float:
    return blank + 20_000 - 180 * inhibition


def plate(noise: float = 0.0, **keys: object) -> tuple[Well, ...]:
    """A plate of single doses, with its controls at 0 and 100 %, deviating by ``noise`` percent."""
    rng = np.random.default_rng(1)
    wells = layout({**LAYOUT, **keys}).fill(list(SAMPLES))
    held = {Role.NEGATIVE: 0.0, Role.POSITIVE: 100.0}
    signals = {}
    for well in wells:
        if well.role is Role.BLANK:
            signals[well.position] = {"rlu": 500.0}
        elif well.role is not Role.EMPTY:
            inhibition = held.get(well.role, SAMPLES.get(well.sample, 0.0))
            signals[well.position] = {"rlu": float(signal(inhibition + rng.normal(0, noise)))}
    return measured(wells, signals)


def changed(
    wells: tuple[Well, ...], which: Callable[[Well], bool], value: float | None
) -> tuple[Well, ...]:
    """The same with another signal in some wells, or none."""
    signals = {} if value is None else {"rlu": value}
    return tuple(replace(well, signals=signals) if which(well) else well for well in wells)


def value(reduced: Reduced, sample: str) -> float:
    (reading,) = reduced.values[sample]
    return reading.value


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({}, [10, 50, 90, 100]),
        ({"background": "blank"}, [10, 50, 90, 100]),
        ({"normalise": "percent_of_controls"}, [90, 50, 10, 0]),
        ({"normalise": "ratio", "background": "blank"}, [0.91, 0.55, 0.19, 0.1]),
        ({"normalise": "none", "unit": ""}, [signal(one) for one in SAMPLES.values()]),
        (
            {"normalise": "none", "background": "blank"},
            [signal(one, 0) for one in SAMPLES.values()],
        ),
    ],
)
def test_normalised_by_hand(option: dict[str, object], expected: list[float]) -> None:
    reduced = reduce(plate(), recipe(option))
    assert [value(reduced, one) for one in SAMPLES] == pytest.approx(expected)
    assert (reduced.verdict, reduced.failures, reduced.version) == ("", {}, VERSION)


def test_the_background_of_each_row_is_its_own() -> None:
    """Rows lit from the side: each has its own offset, and blanks of its own."""
    keys: dict[str, Any] = {"negative": "col 1", "positive": "col 12", "blank": "col 2"}
    wells = tuple(
        replace(well, signals={"rlu": well.signals["rlu"] + 1000 * well.position.row})
        if well.signals
        else well
        for well in plate(**keys)
    )
    by_row = reduce(wells, recipe({"background": "row"}))
    assert [value(by_row, one) for one in SAMPLES] == pytest.approx([10, 50, 90, 100])
    whole = reduce(wells, recipe({"background": "blank"}))
    assert abs(value(whole, "a") - 10) > 5
    unread = changed(wells, lambda w: w.role is Role.BLANK and w.position.row == 0, None)
    less = reduce(unread, recipe({"background": "row"}))
    assert "no usable blank in row A" in less.failures["a"]
    assert value(less, "d") == pytest.approx(100)


def test_two_channels_are_divided_each_without_its_background() -> None:
    wells = tuple(
        replace(
            well,
            signals={"em665": (well.signals["rlu"] - 500) * 2 + 70, "em620": 2 * 1000.0 + 30}
            if well.role is not Role.BLANK
            else {"em665": 70.0, "em620": 30.0},
        )
        if well.signals
        else well
        for well in plate()
    )
    option = {"signal": "em665", "divide_by": "em620", "background": "blank", "normalise": "none"}
    reduced = reduce(wells, recipe(option))
    assert value(reduced, "b") == pytest.approx(signal(50, 0) / 1000)
    with pytest.raises(EvaluatorError, match="2 signals, em620, em665; name one"):
        reduce(wells, recipe({}))
    with pytest.raises(EvaluatorError, match="no well has a signal 'em66'; did you mean 'em665'"):
        reduce(wells, recipe({"signal": "em66"}))


def test_errors_are_those_of_the_replicates() -> None:
    wells = list(plate())
    at = [index for index, well in enumerate(wells) if well.sample == "b"]
    for index, inhibition in zip(at, (46.0, 50.0, 63.0), strict=True):
        wells[index] = replace(wells[index], signals={"rlu": signal(inhibition)})
    mean = reduce(wells, recipe({})).values["b"][0]
    spread = float(np.std([46, 50, 63], ddof=1))
    assert mean.value == pytest.approx(53)
    assert mean.unit == "percent"
    assert mean.std == pytest.approx(spread / math.sqrt(3))
    assert mean.place == "A5:A7"
    median = reduce(wells, recipe({"replicates": "median"})).values["b"][0]
    assert median.value == pytest.approx(50)
    assert median.std == pytest.approx(spread / math.sqrt(3) * math.sqrt(math.pi / 2))
    alone = reduce(plate(replicates=1), recipe({})).values["b"][0]
    assert alone.std is None
    doubted = reduce(wells, recipe({"quality": {"replicate_std": 5}}))
    assert doubted.suspects == {
        "b": "replicates have a standard deviation of 8.89, more than 5",
    }
    assert doubted.outcome("job", "b").suspect == doubted.suspects["b"]
    assert doubted.outcome("job", "a").suspect == ""


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.floats(0.1, 1e4), st.floats(-300, 300))
def test_neither_order_nor_gain_nor_offset_of_a_reader_matters(
    random: Any, gain: float, offset: float
) -> None:
    wells = plate(noise=2.0)
    option = {"quality": {"z_prime": 0.5}}
    plain = reduce(wells, recipe(option))
    mixed = list(wells)
    random.shuffle(mixed)
    assert reduce(mixed, recipe(option)) == plain
    turned = [
        replace(well, signals={"rlu": gain * well.signals["rlu"] + offset})
        if well.signals
        else well
        for well in wells
    ]
    again = reduce(turned, recipe(option))
    assert again.quality.z_prime == pytest.approx(plain.quality.z_prime)
    for sample in SAMPLES:
        assert value(again, sample) == pytest.approx(value(plain, sample), abs=1e-4)


def test_a_refused_plate_keeps_its_values_and_is_suspect() -> None:
    strict = recipe({"quality": {"z_prime": 0.5}})
    good, poor = reduce(plate(noise=2), strict), reduce(plate(noise=20), strict)
    assert good.outcome("job", "a").suspect == ""
    assert poor.quality.z_prime is not None
    assert poor.verdict == (
        f"Z' is {poor.quality.z_prime:.3g}, less than the limit 0.5 "
        "(6 negative and 6 positive control wells)"
    )
    outcome = poor.outcome("uuid/1/reader/1", "a")
    assert (outcome.job, outcome.status) == ("uuid/1/reader/1", OutcomeStatus.SUCCEEDED)
    assert (outcome.readings, outcome.suspect) == (poor.values["a"], poor.verdict)


def is_control(well: Well) -> bool:
    return well.role in (Role.NEGATIVE, Role.POSITIVE)


def all_of(role: Role) -> Callable[[Well], bool]:
    return lambda well: well.role is role


@pytest.mark.parametrize(
    ("which", "signal", "said"),
    [
        (lambda _: True, 7.0, "the negative and the positive controls do not differ (both at 7)"),
        (lambda _: True, 0.0, "the negative and the positive controls do not differ (both at 0)"),
        (lambda _: True, math.nan, "usable negative control wells: 0; percent_inhibition needs 2"),
        (lambda _: True, None, "usable negative control wells: 0; percent_inhibition needs 2"),
        (lambda _: True, 65535.0, "usable negative control wells: 0; percent_inhibition needs 2"),
        (is_control, 9000.0, "the negative and the positive controls do not differ"),
        (
            all_of(Role.POSITIVE),
            None,
            "usable positive control wells: 0; percent_inhibition needs 2",
        ),
        (
            all_of(Role.NEGATIVE),
            math.inf,
            "usable negative control wells: 0; percent_inhibition needs 2",
        ),
        (
            lambda well: well.role is Role.POSITIVE and well.position.row > 0,
            None,
            "usable positive control wells: 1; percent_inhibition needs 2",
        ),
    ],
)
def test_plates_that_give_nothing_say_why(
    which: Callable[[Well], bool], signal: float | None, said: str
) -> None:
    wells = changed(plate(noise=2), which, signal)
    reduced = reduce(wells, recipe({"saturation": 65535, "quality": {"z_prime": 0.5}}))
    assert dict(reduced.values) == {}
    assert reduced.verdict.startswith(said)
    assert reduced.failures == dict.fromkeys(SAMPLES, reduced.verdict)
    outcome = reduced.outcome("job", "a")
    assert (outcome.status, outcome.readings) == (OutcomeStatus.FAILED, ())
    assert outcome.reason == reduced.verdict


def test_no_blanks_no_background_no_ratio() -> None:
    wells = changed(plate(), all_of(Role.BLANK), math.nan)
    for background in ("blank", "row"):
        reduced = reduce(wells, recipe({"background": background}))
        assert (
            reduced.verdict == f"background: {background} needs blanks, and no blank well is usable"
        )
        assert set(reduced.failures) == set(SAMPLES)
    dark = changed(plate(), all_of(Role.NEGATIVE), 400.0)
    ratio = reduce(dark, recipe({"background": "blank", "normalise": "ratio"}))
    assert "the negative controls are at -100 without background" in ratio.verdict


@pytest.mark.parametrize(
    ("signal", "masked", "said"),
    [
        (math.nan, "", "no number"),
        (math.inf, "", "beyond the reader's range"),
        (None, "", "missing"),
        (70000.0, "", "saturated (70000)"),
        (20000.0, "bubble", "masked (bubble)"),
    ],
)
def test_wells_that_are_left_out(signal: float | None, masked: str, said: str) -> None:
    option = {"saturation": 65535}

    def reduced_without(places: set[str]) -> Reduced:
        wells = tuple(
            replace(well, signals={} if signal is None else {"rlu": signal}, masked=masked)
            if str(well.position) in places
            else well
            for well in plate()
        )
        return reduce(wells, recipe(option))

    one = reduced_without({"A5"})
    assert value(one, "b") == pytest.approx(50)
    assert one.values["b"][0].place == "A6:A7"
    assert one.notes["b"] == (f"A5: {said}",)
    assert one.quality.left_out == (f"A5: {said}",)
    assert one.suspects == ({"b": "saturated: A5"} if "saturated" in said else {})
    every = reduced_without({"A5", "A6", "A7"})
    assert every.failures["b"] == (f"no usable well (left out: A5: {said}; A6: {said}; A7: {said})")
    assert set(every.values) == {"a", "c", "d"}


def test_saturated_controls_refuse_a_plate() -> None:
    wells = changed(plate(), lambda well: str(well.position) == "B1", 65535.0)
    assert reduce(wells, recipe({"saturation": 65535})).verdict == "saturated controls: B1"
    assert reduce(wells, recipe({})).verdict == ""


def test_a_well_given_twice_and_a_sample_not_on_the_plate() -> None:
    wells = plate()
    with pytest.raises(EvaluatorError, match="well A1 is given twice"):
        reduce([*wells, wells[0]], recipe({}))
    outcome = reduce(wells, recipe({})).outcome("job", "z")
    assert (outcome.status, outcome.reason) == (
        OutcomeStatus.FAILED,
        "no well of the plate holds 'z'",
    )


def test_no_plate_at_all() -> None:
    reduced = reduce([], recipe({}))
    assert (dict(reduced.values), dict(reduced.failures)) == ({}, {})
    assert reduced.verdict


def test_dose_series_without_a_curve_and_curves_without_doses() -> None:
    series = layout({"wells": 24, "doses": [100, 10, 1]}).fill(["a"])
    signals = {well.position: {"rlu": 1.0} for well in series if well.sample}
    raw = reduce(measured(series, signals), recipe({"normalise": "none"}))
    assert raw.failures["a"].startswith("3 doses and no curve; add curve: 4pl")
    option = {"normalise": "none", "curve": "4pl", "dose_unit": "nmol/l"}
    single = reduce(plate(), recipe(option))
    assert single.failures["a"] == "no usable well with a dose above 0"


IC50S = {"strong": -1.0, "good": 1.5, "weak": 3.4, "dead": 9.0}
"""log10 of IC50 in nmol/l."""
GIVES = {"potency": "pic50", "ic50": "ic50", "hill": "hill", "fit": "r_squared"}


def dose_plate() -> tuple[Well, ...]:
    rng = np.random.default_rng(5)
    option = {
        "wells": 384,
        "negative": "col 1",
        "positive": "col 24",
        "replicates": 2,
        "doses": {"highest": 10_000, "factor": 3, "points": 10},
    }
    wells = layout(option).fill(list(IC50S))
    signals = {}
    for well in wells:
        inhibition = {Role.NEGATIVE: 0.0, Role.POSITIVE: 100.0}.get(well.role)
        if well.dose is not None:
            inhibition = 100 / (1 + 10 ** (IC50S[well.sample] - math.log10(well.dose)))
        if inhibition is not None:
            signals[well.position] = {"rlu": signal(inhibition + rng.normal(0, 3))}
    return measured(wells, signals)


def test_dose_series_give_potencies_with_errors_and_limits() -> None:
    option = {"curve": "4pl", "dose_unit": "nmol/l", "gives": GIVES, "quality": {"z_prime": 0.5}}
    reduced = reduce(dose_plate(), recipe(option))
    assert (reduced.verdict, reduced.failures) == ("", {})
    found = {
        sample: {reading.name: reading for reading in readings}
        for sample, readings in reduced.values.items()
    }
    for sample in ("good", "weak"):
        potency, ic50 = found[sample]["potency"], found[sample]["ic50"]
        assert potency.std is not None
        assert abs(potency.value - (9 - IC50S[sample])) < 3 * potency.std
        assert (potency.unit, ic50.unit) == ("", "nmol/l")
        assert ic50.value == pytest.approx(10 ** (9 - potency.value), rel=1e-5)
        assert ic50.std == pytest.approx(ic50.value * math.log(10) * potency.std, rel=1e-5)
        assert found[sample]["fit"].value > 0.97
        assert found[sample]["hill"].std is not None
    lowest = 10_000 / 3**9
    strong, dead = found["strong"], found["dead"]
    assert strong["ic50"].value == pytest.approx(lowest)
    assert strong["ic50"].censoring is Censoring.LEFT
    assert strong["potency"].censoring is Censoring.RIGHT
    assert (dead["ic50"].value, dead["ic50"].censoring) == (10_000, Censoring.RIGHT)
    assert (dead["potency"].value, dead["potency"].censoring) == (5.0, Censoring.LEFT)
    assert math.isnan(dead["hill"].value)
    assert dead["ic50"].place == "C18:C23, D2:D15"


def test_a_plate_reduced_again_gives_the_same_bits() -> None:
    option = {"curve": "4pl", "dose_unit": "nmol/l", "gives": GIVES}
    first, again = (reduce(dose_plate(), recipe(option)) for _ in range(2))
    assert repr(first) == repr(again)


def test_a_poor_fit_is_suspect() -> None:
    wells = list(dose_plate())
    at = [index for index, well in enumerate(wells) if well.sample == "good"]
    for index in at[10:]:  # the second replicate ran without the sample
        wells[index] = replace(wells[index], signals={"rlu": signal(0)})
    option = {"curve": "4pl", "dose_unit": "nmol/l", "quality": {"r_squared": 0.8}}
    reduced = reduce(wells, recipe(option))
    assert reduced.suspects.keys() == {"good"}
    assert "r_squared is 0." in reduced.outcome("job", "good").suspect


def test_positions_are_sorted_along_the_rows() -> None:
    assert sorted([Position(1, 0), Position(0, 5), Position(0, 1)])[0] == Position(0, 1)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_whatever_a_reader_exports_gives_numbers_or_reasons(data: st.DataObject) -> None:
    """Each sample has finite readings or a reason, and nothing else is raised, nor warned of."""
    strange = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -1.0, 65535.0, 1e300, -1e300])
    one = strange | st.floats(-1e6, 1e6)
    option = {
        "normalise": data.draw(
            st.sampled_from(["percent_inhibition", "percent_of_controls", "ratio", "none"])
        ),
        "background": data.draw(st.sampled_from(["none", "blank", "row"])),
        "replicates": data.draw(st.sampled_from(["mean", "median"])),
        "curve": {"bottom": data.draw(st.sampled_from(["free", -1e3]))},
        "dose_unit": "nmol/l",
        "saturation": 65535,
        "gives": {"pic50": "pic50", "ic50": "ic50"},
        "quality": {"z_prime": 0.5, "cv": 20, "r_squared": 0.5, "replicate_std": 10},
    }
    if option["normalise"] in ("percent_of_controls", "ratio"):
        option["curve"] = {}
    keys = {"wells": 24, "negative": "A1:A2", "positive": "A3:A4", "blank": "A5, B1, C1"}
    wells = layout({**keys, "doses": [1000, 100, 10, 1, 0.1], "replicates": 1}).fill(["a", "b"])
    signals = {
        well.position: {"rlu": data.draw(one)}
        for well in wells
        if well.role is not Role.EMPTY and data.draw(st.integers(0, 9))
    }
    reduced = reduce(measured(wells, signals), recipe(option))
    for sample in ("a", "b"):
        assert (sample in reduced.values) is not (sample in reduced.failures)
        assert reduced.failures.get(sample, "why")
        for reading in reduced.values.get(sample, ()):
            assert math.isfinite(reading.value)
            assert reading.std is None or (math.isfinite(reading.std) and reading.std >= 0)
            assert reading.std is None or reading.censoring is Censoring.NONE

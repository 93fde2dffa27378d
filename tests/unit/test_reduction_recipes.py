"""Recipes as a spec's options say them."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.protocol import OptionError
from adapters.reduction.recipes import FREE, HILL, Range, recipe

IC50: dict[str, Any] = {"curve": "4pl", "dose_unit": "nmol/l"}


def test_the_defaults() -> None:
    made = recipe({})
    assert (made.normalise, made.background, made.unit) == ("percent_inhibition", "none", "percent")
    assert dict(made.gives) == {"value": "value"}
    assert made.limits.z_prime is None


@pytest.mark.parametrize(
    ("normalise", "direction", "bottom", "top", "level"),
    [
        ("percent_inhibition", "rising", Range(0, 0), FREE, 50.0),
        ("percent_of_controls", "falling", FREE, Range(100, 100), 50.0),
        ("ratio", "falling", FREE, Range(1, 1), 0.5),
        ("none", "falling", FREE, FREE, None),
    ],
)
def test_the_negative_controls_set_where_a_curve_starts(
    normalise: str, direction: str, bottom: Range, top: Range, level: float | None
) -> None:
    curve = recipe({**IC50, "normalise": normalise}).curve
    assert curve is not None
    assert (curve.direction, curve.bottom, curve.top) == (direction, bottom, top)
    assert (curve.level, curve.hill) == (level, HILL)


def test_parameters_are_free_fixed_or_limited() -> None:
    curve = recipe(
        {**IC50, "curve": {"bottom": "free", "top": [80, 120], "hill": 1, "ic50": "absolute"}}
    ).curve
    assert curve is not None
    assert (curve.bottom, curve.top, curve.hill) == (FREE, Range(80, 120), Range(1, 1))
    assert curve.midpoint == "absolute"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"normalize": "none"}, "no key 'normalize'; did you mean 'normalise'?"),
        ({"normalise": "percent"}, "reduction.normalise is 'percent'; write percent_inhibition or"),
        ({"background": "blanks"}, "reduction.background is 'blanks'; write none or blank or row"),
        ({"replicates": 3}, "reduction.replicates is 3; write mean or median"),
        ({"curve": "5pl", "dose_unit": "nM"}, "reduction.curve is '5pl'; write keys: model"),
        ({"curve": {"model": "5pl"}, "dose_unit": "nM"}, "reduction.curve.model is '5pl'"),
        ({"curve": "4pl"}, "reduction.dose_unit is None; write the unit of the doses"),
        ({"curve": "4pl", "dose_unit": "nmoll"}, "reduction.dose_unit is 'nmoll'; .*no unit"),
        (
            {"curve": "4pl", "dose_unit": "mg/l", "gives": {"p": "pic50"}},
            "reduction.dose_unit is 'mg/l'; a pic50 needs a molar one",
        ),
        ({**IC50, "curve": {"top": [2, 1]}}, r"reduction.curve.top is \[2, 1\]; write free"),
        ({**IC50, "curve": {"top": "open"}}, "reduction.curve.top is 'open'"),
        ({**IC50, "curve": {"top": -1}}, "reduction.curve.top is -1; it must lie above"),
        ({**IC50, "curve": {"hill": [0, 2]}}, r"reduction.curve.hill is \[0, 2\]"),
        ({**IC50, "curve": {"max_log_std": 0}}, "reduction.curve.max_log_std is 0; .*above 0"),
        (
            {**IC50, "normalise": "none", "curve": {"ic50": "absolute"}},
            "an absolute IC50 needs inhibition normalised by controls",
        ),
        ({"quality": {"zprime": 0.5}}, "reduction.quality has no key 'zprime'; did you mean"),
        ({"quality": {"z_prime": 1.5}}, "reduction.quality.z_prime is 1.5; write a number to 1"),
        ({"quality": {"z_prime": "0.5"}}, "reduction.quality.z_prime is '0.5'"),
        ({"quality": {"z_prime": float("nan")}}, "reduction.quality.z_prime is nan"),
        ({"quality": {"min_controls": True}}, "reduction.quality.min_controls is True"),
        ({"gives": {"p": "ic50"}}, "reduction.gives.p is 'ic50'; without a curve .* gives value"),
        ({**IC50, "gives": {"p": "value"}}, "reduction.gives.p is 'value'; a curve gives ic50"),
        ({"gives": {}}, "reduction.gives is {}"),
        ({"unit": "percent"}, "reduction.unit is 'percent'; leave it out"),
        ({"normalise": "none", "unit": "furlongz"}, "reduction.unit is 'furlongz'"),
        ({"divide_by": "em620"}, "name the channel that is divided as reduction.signal"),
        ({"saturation": "full"}, "reduction.saturation is 'full'; write a number"),
    ],
)
def test_wrong_recipes_are_named(option: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        recipe(option)

"""If these fail, a reaction condition or a recipe is not the one that was proposed."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from orchestrator.latent.box import BoxSpace
from orchestrator.latent.protocol import Space, SpaceError
from orchestrator.spec.model import Parameter

TEMPERATURE = Parameter(name="temperature", lower=280.0, upper=350.0, unit="K")
FLOW = Parameter(name="flow <in>", lower=0.1, upper=5.0, unit="mL/min")


@pytest.fixture
def box() -> BoxSpace:
    return BoxSpace([TEMPERATURE, FLOW])


def test_a_box_is_a_space(box: BoxSpace) -> None:
    assert isinstance(box, Space)
    assert (box.dim, box.sample_kind, box.model_hash) == (2, "parameters", "")
    assert box.bounds.tolist() == [[280.0, 0.1], [350.0, 5.0]]


def test_what_is_decoded_is_canonical_and_reads_back_to_the_same_bits(box: BoxSpace) -> None:
    rng = np.random.default_rng(1)
    points = box.sample_prior(50, rng)
    decoded = box.decode(points, rng)
    assert all(one.valid and one.key == one.content for one in decoded)
    assert np.array_equal(box.encode([str(one.content) for one in decoded]), points)
    assert list(json.loads(str(decoded[0].content))) == ["flow <in>", "temperature"]


def test_minus_zero_is_the_same_object_as_zero() -> None:
    box = BoxSpace([Parameter(name="x", lower=-1.0, upper=1.0)])
    both = box.decode(np.array([[0.0], [-0.0]]), np.random.default_rng(0))
    assert both[0].key == both[1].key


@pytest.mark.parametrize("value", [279.9, np.nan, np.inf])
def test_a_point_outside_the_limits_is_invalid_and_says_why(box: BoxSpace, value: float) -> None:
    (one,) = box.decode(np.array([[value, 1.0]]), np.random.default_rng(0))
    assert not one.valid
    assert one.key == ""
    assert "temperature" in one.reason


@pytest.mark.parametrize(
    "text", ["", "[]", '{"temperature": 300}', '{"temperature": "300", "flow <in>": 1}']
)
def test_another_object_is_refused_and_quoted(box: BoxSpace, text: str) -> None:
    with pytest.raises(SpaceError, match="temperature, flow"):
        box.encode([text])


def test_what_a_person_brings_is_made_canonical_or_refused_with_the_reason(box: BoxSpace) -> None:
    good, far, odd = box.read(
        ['{"temperature": 300, "flow <in>": 1}', b'{"flow <in>": 1, "temperature": 0}', "{}"]
    )
    assert good.content == '{"flow <in>": 1.0, "temperature": 300.0}'
    assert not far.valid
    assert "280" in far.reason
    assert "numbers" in odd.reason


def test_the_prior_is_uniform_and_integrates_to_one(box: BoxSpace) -> None:
    draws = box.sample_prior(100, np.random.default_rng(2))
    assert np.exp(box.log_prior(draws)) * 70.0 * 4.9 == pytest.approx(1.0)
    assert box.log_prior(np.array([[0.0, 1.0]])) == -np.inf


def test_the_picture_names_parameters_with_values_and_units(box: BoxSpace) -> None:
    picture = box.render(str(box.decode(np.array([[300.0, 2.5]]), np.random.default_rng(0))[0].key))
    words = [node.text for node in ElementTree.fromstring(picture.data)]
    assert words == ["temperature", "300 K", "flow <in>", "2.5 mL/min"]


@pytest.mark.parametrize(
    ("parameters", "words"), [([], "at least one"), ([FLOW, FLOW], "names must differ")]
)
def test_a_box_that_makes_no_sense_is_refused(parameters: list[Parameter], words: str) -> None:
    with pytest.raises(SpaceError, match=words):
        BoxSpace(parameters)

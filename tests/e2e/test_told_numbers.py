"""What is no number is refused with the measure, the value and what would be right."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from orchestrator import Campaign
from orchestrator.errors import BadInput
from orchestrator.people.ask_tell import Told
from tests.e2e.terminal import Terminal

FORM = "give a number such as 0.71"
SEVERAL = "tell one value a measure"


@pytest.fixture
def campaign(finished: Terminal) -> Campaign:
    """A campaign that waits for what is told of its first candidate."""
    made = Campaign.open(finished.spec("open"))
    made.ask(1)
    return made


@pytest.mark.parametrize(
    ("value", "shown", "right"),
    [
        ("0,5", "'0,5' is no number", "give the number 0.5, not text"),
        ("71", "'71' is no number", "give the number 71.0, not text"),
        ("high", "'high' is no number", FORM),
        ("", "'' is no number", FORM),
        ("nan", "'nan' is no number", FORM),
        (b"71", "b'71' is no number", FORM),
        (None, "None is no number", FORM),
        (pd.NA, "<NA> is no number", FORM),
        (True, "True is no number", FORM),
        (np.bool_(False), "is no number", FORM),
        (float("nan"), "measure 'mass' is nan, which is no measurement", FORM),
        (float("inf"), "measure 'mass' is inf, which is no measurement", FORM),
        (np.float32("nan"), "measure 'mass' is nan, which is no measurement", FORM),
        ([0.5], "[0.5] is no number", SEVERAL),
        ([0.5, 0.6], "[0.5, 0.6] is no number", SEVERAL),
        ((0.5, 0.1, 0.2), "(0.5, 0.1, 0.2) is no number", SEVERAL),
        ((), "() is no number", SEVERAL),
        ({"value": 1}, "{'value': 1} is no number", SEVERAL),
        (np.array([0.5]), "array([0.5]) is no number", SEVERAL),
        (1 + 2j, "(1+2j) is no number", FORM),
        (10**400, "is no number", FORM),
        (object, "<class 'object'> is no number", FORM),
    ],
)
def test_what_is_no_number_is_refused_by_name(
    value: Any, shown: str, right: str, campaign: Campaign
) -> None:
    """A notebook shows one line that says what to write, and the history gets nothing."""
    before = len(campaign.history())
    with pytest.raises(BadInput) as refused:
        campaign.tell(1, mass=value, provenance="HPLC 3")
    (problem,) = refused.value.problems
    assert problem.where == "mass"
    assert shown in problem.what
    assert right in problem.remedy
    for given in (Told(value), Told(value, 0.1)):
        with pytest.raises(BadInput, match="mass"):
            campaign.tell(1, mass=given, provenance="HPLC 3")
    assert len(campaign.history()) == before


@pytest.mark.parametrize("std", ["0,1", True, [0.1], float("nan"), -0.1])
def test_a_standard_deviation_that_is_none_is_refused(std: Any, campaign: Campaign) -> None:
    with pytest.raises(BadInput, match="mass"):
        campaign.tell(1, mass=(0.5, std), provenance="HPLC 3")


@pytest.mark.parametrize(
    "value", [1, 0.5, np.float32(0.5), np.int64(2), np.array(0.5), Decimal("0.5"), (0.5, 0.1)]
)
def test_numbers_of_any_library_are_numbers(value: Any, campaign: Campaign) -> None:
    assert campaign.tell(1, mass=value, provenance="HPLC 3") == 1


@pytest.mark.parametrize("typed", ["0,5", "high", "", "nan", "None", "True", "[0.5]", "1e999"])
def test_the_command_refuses_the_same(typed: str, campaign: Campaign, finished: Terminal) -> None:
    said = finished.refused(
        "tell", "open", f"mass={typed}", "--candidate", 1, "--provenance", "HPLC 3"
    )
    assert "mass" in said

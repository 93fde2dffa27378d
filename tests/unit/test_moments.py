"""Times as people write them."""

import pytest

from orchestrator import moments
from orchestrator.errors import BadInput

DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-02", DAY),
        ("1970-01-01T01:00Z", 3_600_000_000),
        ("1970-01-01T01:00+01:00", 0),
        (" 1970-01-01 00:00:00.000001 ", 1),
        ("1969-12-31", -DAY),
    ],
)
def test_a_time_is_read_to_the_microsecond_whatever_its_zone(text: str, at: int) -> None:
    assert moments.read(text, "--from") == at


def test_a_day_ends_with_its_last_microsecond() -> None:
    """A period to a day holds all of that day."""
    assert moments.read("1970-01-01", "--to", end=True) == DAY - 1
    assert moments.read("1970-01-01T12:00", "--to", end=True) == DAY // 2


@pytest.mark.parametrize("text", ["", "noon", "2026-02-30", "1.3.2026", "1e9"])
def test_what_is_no_time_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(BadInput, match="is no time; write 2026-03-01 or"):
        moments.read(text, "--from")

"""Times as people write them."""

import time
from collections.abc import Iterator

import pytest

from orchestrator import moments
from orchestrator.errors import BadInput

DAY = 86_400_000_000
HOUR = DAY // 24


@pytest.fixture(params=["UTC", "Europe/Berlin"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The hours by which this machine is ahead of UTC in the winter of 1970."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield 0 if request.param == "UTC" else 1
    time.tzset()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T01:00Z", HOUR),
        ("1970-01-01T01:00+01:00", 0),
        ("1970-01-01 00:00:00.000001Z", 1),
        (moments.shown(HOUR), HOUR),
        (moments.iso(HOUR + 1), HOUR + 1),
    ],
)
def test_a_time_with_a_zone_means_the_same_everywhere(zone: int, text: str, at: int) -> None:
    assert moments.read(text, "--from") == at


@pytest.mark.parametrize(
    ("text", "at"),
    [("1970-01-02", DAY), (" 1970-01-01 00:00:00.000001 ", 1), ("1969-12-31", -DAY)],
)
def test_a_time_without_a_zone_is_in_this_machines(zone: int, text: str, at: int) -> None:
    """Who writes the time on the wall means that time."""
    assert moments.read(text, "--from") == at - zone * HOUR


def test_a_day_ends_with_its_last_microsecond(zone: int) -> None:
    """A period to a day holds all of that day."""
    assert moments.read("1970-01-01", "--to", end=True) == DAY - 1 - zone * HOUR
    assert moments.read("1970-01-01T12:00", "--to", end=True) == DAY // 2 - zone * HOUR


@pytest.mark.parametrize("text", ["", "noon", "2026-02-30", "1.3.2026", "1e9", "UTC"])
def test_what_is_no_time_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(BadInput, match="is no time; write 2026-03-01 or"):
        moments.read(text, "--from")

"""The benchmark of rivals: a sample of it, and the page that it writes."""

from pathlib import Path

import pytest

from benchmarks.rivals import WAYS, Cell, run, table


@pytest.mark.slow
def test_whoever_is_asked_for_a_digit_needs_fewer_calls_than_random_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a rival is broken, and the campaign looks better than it is."""
    monkeypatch.setenv("ASSAYLOOP_HOME", str(tmp_path))
    monkeypatch.delenv("ASSAYLOOP_DATABASE_URL", raising=False)
    ways = ("random", "cvae", "constraints")
    random, cvae, constraints = (run(Cell(way, 4, 1), budget=12) for way in ways)
    assert max(cvae["calls"], constraints["calls"]) < (random["calls"] or 13)
    assert min(cvae["right"], constraints["right"]) >= 8 > random["right"]


def test_the_page_counts_a_digit_never_found_as_one_call_beyond_the_budget() -> None:
    """Leaving such runs out of the mean would make a way that often fails look fast."""
    rows = [
        {"way": way, "target": target, "seed": 1, "calls": calls, "right": 8, "seconds": 2.0}
        for way in WAYS
        for target, calls in ((3, 9), (4, None if way == "random" else 3))
    ]
    page = table(rows, "make bench").splitlines()
    assert "| 4 | 3 | 8 | 51 | 8 | 3 | 8 | 3 | 8 |" in page
    assert "| **mean** | 6 | 8 | 30 | 8 | 6 | 8 | 6 | 8 |" in page
    assert "| random | `digits-2d-classifier` | 50,000 | 5.00 | 80% | 2.0 |" in page
    assert any(line.startswith("| cvae | `digits-cvae` | 50,000 | 1.00 |") for line in page)

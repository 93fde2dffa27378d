"""Corrections and flags from the command line."""

import pytest

from tests.e2e.terminal import Terminal

WHY = ["--reason", "read off the wrong row"]


def test_a_correction_says_what_is_best_now(finished: Terminal) -> None:
    rows = finished("history", "box", "--json").json
    wrong = next(row["measurement"] for row in rows if row["name"] == "yield")
    said = finished("result", "correct", "box", wrong, "--value", "79.5+-0.5", *WHY).out
    assert said.startswith(f"Measurement {wrong} of box#1 is corrected by 13.\nThe best is cand")
    last = finished("history", "box", "--json").json[-1]
    assert (last["supersedes"], last["value"], last["std"]) == (wrong, 79.5, 0.5)
    assert (last["source"], last["provenance"]) == ("corrected", WHY[1])
    shown = finished("result", "correct", "box", 13, "--value", "90 percent", *WHY, "--json").json
    assert shown == {"measurement": 14, "supersedes": 13, "best": 1, "objective": 90.0}
    assert finished("audit", "verify").code == 0


def test_an_instrument_is_flagged_over_a_period(finished: Terminal) -> None:
    which = ["--evaluator", "reactor", "--from", "2020-01-01", "--to", "2100-01-01T00:00Z"]
    ended = finished("result", "flag", "box", *which, "--kind", "suspect", *WHY, "--json")
    assert ended.json == {
        "flagged": list(range(1, 13)),
        "kind": "suspect",
        "best": None,
        "objective": None,
    }
    said = finished("result", "flag", "box", 1, 2, "--kind", "retracted", *WHY).out
    assert said.startswith("2 measurements of box#1 retracted: 1, 2\nNo candidate has a feasible")
    assert finished("history", "box", "--json").json[0]["flags"] == ["suspect", "retracted"]


FLAG = ["flag", "box", "--kind", "suspect", *WHY]
PERIOD = [*FLAG, "--evaluator", "reactor"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["correct", "box", 1, *WHY], "--value: is missing"),
        (
            ["correct", "box", 1, "--value", "0,71", *WHY],
            "--value: a comma is no decimal point and separates no thousands write 0.71",
        ),
        (["correct", "box", 1, "--value", "abc", *WHY], "'abc' is no number write 0.71, 0.71+-"),
        (["correct", "box", 1, "--value", "7"], "--reason: a reason is required"),
        (["correct", "box", 99, "--value", "7", *WHY], "no measurement '99' known: 1 to 12"),
        (FLAG, "say which measurements"),
        ([*PERIOD, "1"], "--from: is missing"),
        (["flag", "box", 1, *WHY], "say suspect or retracted"),
        ([*PERIOD, "--from", "2026-01-01"], "--to: is missing"),
        ([*PERIOD, "--from", "noon", "--to", "2026-01-01"], "'noon' is no time write 2026-03-01"),
        ([*PERIOD, "--from", "2026-01-02", "--to", "2026-01-01"], "2026-01-01 lies before 2026-01"),
    ],
)
def test_what_cannot_be_done_is_refused(
    arguments: list[object], said: str, finished: Terminal
) -> None:
    assert said in finished.refused("result", *arguments)
    assert len(finished("history", "box", "--json").json) == 12

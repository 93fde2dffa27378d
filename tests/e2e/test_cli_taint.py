"""Taint from the command line: what rests on a number that everybody now knows is wrong."""

from db import repository
from db.models import Fit
from orchestrator import opening
from orchestrator.settings import Settings
from tests.e2e.terminal import Terminal

WHY = ["--reason", "read off the wrong row"]


def measurement(terminal: Terminal, candidate: int, name: str = "yield") -> int:
    """Number of what was measured of a candidate."""
    rows = terminal("history", "learned", "--json").json
    found = (
        row["measurement"] for row in rows if (row["candidate"], row["name"]) == (candidate, name)
    )
    return int(next(found))


def test_while_all_stands_nothing_is_listed(learned: Terminal) -> None:
    said = learned("audit", "taint", "learned").out
    assert said == "Every measurement of learned#1 stands as it was recorded.\n"
    found = learned("audit", "taint", "learned", "--json").json
    assert found["measurements"] == found["fits"] == found["jobs"] == []
    assert found["goes_on"] is False


def test_fits_proposals_and_jobs_that_used_a_corrected_value_are_listed(learned: Terminal) -> None:
    """The first three points were drawn before there was a fit, and rest on nothing."""
    wrong = measurement(learned, 4)
    learned("result", "correct", "learned", wrong, "--value", "12+-1", *WHY)
    found = learned("audit", "taint", "learned", "--json").json
    (one,) = found["measurements"]
    assert (one["measurement"], one["candidate"], one["name"]) == (wrong, 4, "yield")
    assert (one["said"], one["reason"], one["superseded_by"]) == ("corrected", WHY[1], 13)
    assert one["fits"] == found["fits"] == [2, 3, 4]
    assert found["rounds"] == [3, 4]
    assert found["candidates"] == [5, 6]
    assert found["jobs"] == [5, 6]
    assert found["goes_on"] is True

    said = " ".join(learned("audit", "taint", "learned").out.split())
    assert f"Measurement {wrong}, yield of candidate 4, was " in said
    assert "It was corrected to 12" in said
    assert "(measurement 13) on 20" in said
    assert (
        "read off the wrong row Before that, fits 2-4 had learnt from it, and with them rounds 3-4 "
        "proposed candidates 5-6, sent as jobs 5-6." in said
    )
    assert "Fit 4, the newest, is one of them" in said
    assert "--refit" in said


def test_what_no_fit_reads_taints_none(learned: Terminal) -> None:
    """The mass is measured, and the objective is the yield."""
    heavy = measurement(learned, 1, "mass")
    learned("result", "flag", "learned", heavy, "--kind", "suspect", *WHY)
    found = learned("audit", "taint", "learned", "--json").json
    assert [one["said"] for one in found["measurements"]] == ["suspect"]
    assert found["fits"] == []
    assert "no fit had learnt from it" in learned("audit", "taint", "learned").out


def test_a_refit_is_offered_and_starts_from_nothing_that_was_wrong(learned: Terminal) -> None:
    """A fit that climbed on from the old hyperparameters would keep something of the old value."""
    learned("result", "correct", "learned", measurement(learned, 1), "--value", "99", *WHY)
    found = learned("audit", "taint", "learned", "--refit", "--json").json
    number = found["refitted"]
    assert found["newest_fit"] == number
    assert number not in found["fits"]
    assert found["goes_on"] is False
    database = opening.database(Settings.read())
    with database.read() as session:
        row = repository.find(session, "learned")
        assert row is not None
        assert session.get_one(Fit, (row.id, number)).previous is None
    again = learned("audit", "taint", "learned", "--refit")
    assert f"Fit {number}, the newest, was made of what stands." in again.out
    assert learned("audit", "verify").code == 0
    assert learned("audit", "replay", "learned", "--all").code == 0


def test_an_instrument_that_taints_much_fits_a_screen(learned: Terminal) -> None:
    which = ["--evaluator", "reactor", "--from", "2020-01-01", "--to", "2100-01-01"]
    learned("result", "flag", "learned", *which, "--kind", "retracted", *WHY)
    said = learned("audit", "taint", "learned").out
    assert "... and 4 more; `--json` prints all" in said
    assert "All of them together: fits" in said
    assert len(said.splitlines()) < 40


def test_an_unknown_campaign_has_no_taint(learned: Terminal) -> None:
    assert "known: learned" in learned.refused("audit", "taint", "lerned")

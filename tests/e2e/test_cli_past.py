"""What stood when, and what is otherwise since, from the command line."""

import pytest

from orchestrator import Campaign
from tests.e2e.terminal import Terminal, tamper


def entries(terminal: Terminal) -> int:
    return int(terminal("diff", "box", "--from", "entry:1", "--json").json["right"]["entries"])


def test_a_correction_does_not_change_the_past(finished: Terminal) -> None:
    """Who acted on a number a year ago can show which number it was."""
    before, rows = finished("show", "box", "--json").json, finished("history", "box", "--json").json
    last = entries(finished)
    best = before["best"][0]["candidate"]
    wrong = next(one for one in rows if (one["candidate"], one["name"]) == (best, "yield"))
    correct = ("result", "correct", "box", wrong["measurement"], "--value", 1, "--reason", "typo")
    assert finished(*correct).code == 0
    assert finished("show", "box", "--json").json != before

    then = finished("show", "box", "--at", f"entry:{last}", "--json").json
    assert (then["at"]["entry"], then["at"]["of"]) == (last, last + 1)
    assert {key: then[key] for key in before} == before
    assert finished("history", "box", "--at", f"entry:{last}", "--json").json == rows
    assert finished("show", "box", "--at", then["at"]["time"], "--json").json == then
    out = finished("show", "box", "--at", f"entry:{last}").out
    assert f"after entry {last} of {last + 1}" in out
    frame = Campaign.find("box").candidates(at=f"entry:{last}")
    assert frame["yield (percent)"].max() == before["best"][0]["objective"]

    found = finished("diff", "box", "--from", f"entry:{last}", "--json").json
    (one,) = found["differing"]
    assert one["what"]["measure yield"]["right"]["value"] == 1
    assert (found["same"], found["only_left"], found["only_right"]) == (5, [], [])
    out = finished("diff", "box", "--from", f"entry:{last}").out
    assert f"Candidates that differ: 1\n  {best}: objective" in out


def test_the_end_of_the_history_stood_at_its_own_time(finished: Terminal) -> None:
    """A campaign under way is shown as it was, with the rounds that it had then."""
    some = finished("show", "box", "--at", "entry:8", "--json").json
    assert (some["status"], some["rounds"]) == ("running", 2)
    assert "--at: box#1 has no entry:99" in finished.refused("show", "box", "--at", "entry:99")
    said = finished.refused("history", "box", "--at", "2001-01-01")
    assert "was not there yet" in said
    assert "is no time" in finished.refused("diff", "box", "--from", "noon")
    assert "another campaign, or a moment" in finished.refused("diff", "box")


def test_two_campaigns_are_compared_by_what_they_made(finished: Terminal) -> None:
    Campaign.open(finished.spec("other", "evaluations: 6", "evaluations: 8")).run()
    found = finished("diff", "box", "other", "--json").json
    assert found["spec"] == ["budget.evaluations: 6 -> 8", 'name: "box" -> "other"']
    assert (found["same"], len(found["only_right"]), found["only_left"]) == (6, 2, [])
    out = finished("diff", "box", "other").out
    assert "Candidates only in >: 2" in out
    assert "6 candidates are the same in both." in out
    early = finished("diff", "box", "other", "--from", "entry:8", "--to", "entry:8", "--json").json
    assert early["only_right"] == []


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl", "sqlite"])
def test_an_export_replaces_nothing_unasked(form: str, finished: Terminal) -> None:
    out = finished.folder / "box.out"
    assert finished("export", form, "box", "--out", out).code == 0
    first = out.read_bytes()
    assert "exists name another file" in finished.refused("export", form, "box", "--out", out)
    assert finished("export", form, "box", "--out", out, "--force").code == 0
    assert out.read_bytes()[:16] == first[:16]
    assert "no campaign 'bxo'" in finished.refused("export", form, "bxo", "--out", "x")
    assert "no folder" in finished.refused("export", form, "box", "--out", "no/such/x")
    assert sorted(one.name for one in finished.folder.iterdir()) == ["box.out", "box.yaml", "home"]


def test_an_extract_is_opened_by_its_url(
    finished: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    Campaign.open(finished.spec("other"))
    shown = finished("show", "box", "--json").json
    assert "verified" in finished("export", "sqlite", "box", "--out", "box.db").out
    monkeypatch.setenv("ASSAYLOOP_DATABASE_URL", "sqlite:///box.db")
    assert finished("audit", "verify").code == 0
    assert finished("show", "box", "--json").json == shown
    assert [one["name"] for one in finished("status", "--json").json] == ["box#1"]


def test_a_history_is_searched_and_filtered(finished: Terminal) -> None:
    assert (
        finished("history", "box", "--measure", "yield", "--limit", 4, "--json").json
        == [one for one in finished("history", "box", "--json").json if one["name"] == "yield"][-4:]
    )
    rows = finished("history", "box", "--candidate", 3, "--json").json
    assert [one["candidate"] for one in rows] == [3, 3]
    assert "No measurement matches;" in finished("history", "box", "--min", "1e9").out
    file = finished.folder / "some.csv"
    said = finished("history", "box", "--max", "-1e9", "--out", file).out
    assert said.startswith("0 measurements")

    reason = "the label said 50 % and not 60_"
    Campaign.open(finished.spec("fresh"))
    assert finished("pause", "fresh", "--reason", reason).code == 0
    (one,) = finished("history", "fresh", "--search", "50 % and", "--json").json
    assert (one["kind"], one["about"]["reason"], one["set"]) == ("pause", reason, {"campaign": 1})
    assert finished("history", "fresh", "--search", "50 _ and", "--json").json == []
    assert reason in " ".join(finished("history", "fresh", "--kind", "pause").out.split())
    out = finished("history", "box", "--entries", "--limit", 2).out
    assert "`--to entry:" in out
    early = finished("history", "box", "--entries", "--to", "entry:2", "--json").json
    assert [one["entry"] for one in early] == [1, 2]
    none = finished("history", "box", "--kind", "pauses").out
    assert none.startswith("No entry matches.\nThe kinds of entries that this campaign has: ")
    assert "propose" in none


def test_an_entry_that_was_forged_is_listed_as_such(finished: Terminal) -> None:
    """Whoever looks for what somebody did must not be stopped by it."""
    for forged in ("garbage", "[1]"):
        tamper(finished, f"UPDATE ledger_entry SET payload = '{forged}' WHERE kind = 'finish'")
        (one,) = finished("history", "box", "--kind", "finish", "--json").json
        assert (one["new"], one["set"]) == ({}, {})
        assert "cannot be read" in finished("history", "box", "--kind", "finish").out


def test_candidates_are_listed(finished: Terminal) -> None:
    rows = finished("candidates", "box", "--json").json
    assert [(one["candidate"], one["state"]) for one in rows] == [
        (number, "measured") for number in range(1, 7)
    ]
    best = max(rows, key=lambda one: one["objective"])
    above = finished("candidates", "box", "--min", best["objective"], "--json").json
    assert above == [best]
    assert finished("candidates", "box", "--measure", "yield", "--max", "-1e9", "--json").json == []
    assert finished("candidates", "box", "--round", 2, "--limit", 1, "--json").json == [rows[3]]
    then = finished("candidates", "box", "--at", "entry:2", "--json").json
    assert {one["state"] for one in then} == {"undecoded"}
    assert "measured" in finished("candidates", "box", "--from", "entry:2").out
    assert "No candidate matches." in finished("candidates", "box", "--state", "invalid").out
    assert "one of undecoded, invalid" in finished.refused("candidates", "box", "--state", "x")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--search", ""], "--search: is empty"),
        (["--search", "x", "--min", "1"], "--min: is of measurements"),
        (["--kind", "pause", "--out", "x.csv"], "export jsonl"),
        (["--from", "noon"], "--from: 'noon' is no time"),
        (["--to", "entry:999"], "has no entry:999"),
        (["--candidate", "99"], "no candidate '99'"),
    ],
)
def test_what_no_history_can_answer_is_refused(
    options: list[str], said: str, finished: Terminal
) -> None:
    assert said in finished.refused("history", "box", *options)

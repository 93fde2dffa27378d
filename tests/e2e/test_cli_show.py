"""Where a campaign stands, for people and for scripts."""

import json
import os
from pathlib import Path

import pandas
import pytest

from orchestrator import Campaign
from tests.e2e.terminal import Terminal

COLUMNS = {
    *("candidate", "round", "latent", "object", "name", "value", "unit", "std", "evaluator"),
    *("attempt", "measured_at", "received_at", "actor", "provenance", "flags"),
}


def test_before_the_first_campaign_status_is_an_empty_list(terminal: Terminal) -> None:
    assert "assayloop db upgrade" in terminal.refused("status")
    assert terminal("db", "upgrade").code == 0
    assert terminal("status", "--json").json == []
    assert "assayloop run" in terminal("status").out


def test_status_has_the_keys_that_scripts_rely_on(finished: Terminal) -> None:
    Campaign.open(finished.spec(), new=True)
    first, second = finished("status", "--json").json
    assert first == {
        "name": "box#1",
        "status": "finished",
        "reason": "budget of 6 evaluations used",
        "rounds": 3,
        "evaluations": 6,
        "open_jobs": 0,
    }
    assert (second["name"], second["status"], second["rounds"]) == ("box#2", "running", 0)


def test_status_shows_what_a_lab_wants_to_know(finished: Terminal) -> None:
    out = finished("status").out
    for part in ("box#1", "finished", "6 of 6", "ago"):
        assert part in out


def test_show_gives_scripts_the_best(finished: Terminal) -> None:
    shown = finished("show", "box", "--top", 2, "--json").json
    assert {key: shown[key] for key in ("name", "status", "rounds", "evaluations")} == {
        "name": "box#1",
        "status": "finished",
        "rounds": 3,
        "evaluations": 6,
    }
    assert shown["open_jobs"] == 0
    first, second = shown["best"]
    assert set(first) == {*("candidate", "round", "latent", "object", "objective", "measurements")}
    assert first["objective"] > second["objective"]
    assert json.loads(first["object"]) == dict(zip("xy", first["latent"], strict=True))
    assert first["measurements"]["yield"] == {
        "value": first["objective"],
        "unit": "percent",
        "std": None,
    }


def test_show_gives_people_units_and_readable_objects(finished: Terminal) -> None:
    out = finished("show", "box#1").out
    assert "finished (budget of 6 evaluations used): 6 evaluations, 3 rounds" in out
    for part in ("(percent)", "mass", "(g/mol)", "x 0.", ", y 0.", "(maximize)"):
        assert part in out


def test_a_campaign_without_a_result_is_shown_too(finished: Terminal) -> None:
    Campaign.open(finished.spec("fresh"))
    assert finished("show", "fresh", "--json").json["best"] == []
    assert "No candidate" in finished("show", "fresh").out
    assert "No measurement yet" in finished("history", "fresh").out
    assert finished("history", "fresh", "--json").json == []


@pytest.mark.parametrize("command", ["show", "history", "ask", "jobs list", "resume"])
def test_an_unknown_campaign_is_answered_with_those_there_are(
    command: str, finished: Terminal
) -> None:
    said = finished.refused(*command.split(), "bxo")
    assert "no campaign 'bxo'" in said
    assert "known: box" in said
    assert "no campaign 'box#7'" in finished.refused(*command.split(), "box#7")


def test_pictures_are_shown_by_the_path_of_a_file(terminal: Terminal) -> None:
    """Who has many measures sees those that count, and where the pictures are."""
    file = terminal.folder / "digits.yaml"
    file.write_text(
        "name: digits\n"
        "space: {kind: digits}\n"
        "evaluators: [{use: mnist-classifier, measures: [p_0, p_1, p_2, p_3, p_4, p_5]}]\n"
        "objective: {direction: maximize, terms: [{measure: p_4}]}\n"
        "proposer: {kind: random, initial: 2}\n"
        "budget: {evaluations: 2}\n"
    )
    Campaign.open(file).run()
    best = terminal("show", "digits", "--json").json["best"]
    assert all(Path(one["object"]).read_bytes().startswith(b"\x89PNG") for one in best)
    then = terminal("show", "digits", "--at", "entry:2", "--json").json
    assert (then["rounds"], then["best"]) == (1, [])
    out = terminal("show", "digits").out
    assert os.path.relpath(best[0]["object"]) in out.split()
    assert "Not shown: p_0, p_1, p_2, p_3, p_5" in out


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_history_is_one_row_a_measurement(form: str, finished: Terminal) -> None:
    file = finished.folder / f"history.{form}"
    said = finished("history", "box", "--out", file)
    assert (said.code, said.out) == (0, f"12 measurements of box#1 are in {file}.\n")
    if form == "jsonl":
        table = pandas.read_json(file, lines=True)
    else:
        table = pandas.read_csv(file) if form == "csv" else pandas.read_parquet(file)
    assert set(table.columns) >= COLUMNS
    assert len(table) == 12
    rows = finished("history", "box", "--json").json
    assert [row["value"] for row in rows] == pytest.approx(list(table["value"]), rel=1e-9)
    assert [one.name for one in finished.folder.iterdir() if "part" in one.name] == []


def test_history_on_screen_is_the_end_of_it(finished: Terminal) -> None:
    out = finished("history", "box").out
    assert "reactor" in out
    assert "percent" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--out", "x.xlsx"], "--format: 'xlsx' is unknown one of csv, jsonl, parquet"),
        (["--out", "x"], "one of csv, jsonl, parquet"),
        (["--format", "csv"], "--out"),
        (["--out", "x.csv", "--json"], "--format jsonl"),
        (["--out", "no/such/folder/x.csv"], "there is no folder no/such/folder"),
        (["--out", "home", "--format", "csv"], "home cannot be written: Is a directory"),
        (["--out", "home", "--format", "parquet"], "home cannot be written: Is a directory"),
    ],
)
def test_a_history_that_cannot_be_written_says_why(
    options: list[str], said: str, finished: Terminal
) -> None:
    assert said in finished.refused("history", "box", *options)
    assert sorted(one.name for one in finished.folder.iterdir()) == ["box.yaml", "home"]

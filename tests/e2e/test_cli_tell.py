"""A person for an evaluator: ask for candidates, and tell what came of them."""

import json
from pathlib import Path

import pytest

from orchestrator.cli.terminal import measurement_arguments
from orchestrator.errors import BadInput
from orchestrator.people.ask_tell import Told
from tests.e2e.terminal import Terminal

BY = ["--provenance", "HPLC 3"]


@pytest.fixture
def running(finished: Terminal) -> Terminal:
    """A terminal with a campaign that has a candidate asked for."""
    from orchestrator import Campaign

    Campaign.open(finished.spec("open")).ask(1)
    return finished


def test_asked_candidates_are_a_round_that_waits_for_a_person(running: Terminal) -> None:
    rows = running("ask", "open", "--count", 2, "--json").json
    assert [set(row) for row in rows] == [{"candidate", "latent", "object", "duplicate_of"}] * 2
    assert [row["candidate"] for row in rows] == [2, 3]
    assert json.loads(rows[0]["object"])["x"] == rows[0]["latent"][0]
    assert running("jobs", "list", "open", "--json").json == []

    out = running("ask", "open").out
    assert "x 0." in out
    assert "assayloop tell open" in out


def test_what_is_told_counts(running: Terminal) -> None:
    said = running("tell", "open", "yield=71+-2", "mass=180.2 g/mol", "--candidate", 1, *BY)
    assert said.out == "Candidate 1 of open#1 is told; objective: 71.\n"
    (best,) = running("show", "open", "--json").json["best"]
    assert best["measurements"]["yield"] == {"value": 71.0, "unit": "percent", "std": 2.0}
    rows = running("history", "open", "--json").json
    assert {row["provenance"] for row in rows} == {"HPLC 3"}
    assert {row["source"] for row in rows} == {"told"}
    assert "± 2" in running("show", "open").out


def test_a_value_in_another_unit_is_converted(running: Terminal) -> None:
    running("tell", "open", "mass=0.18±0.001 kg/mol", "--candidate", 1, *BY)
    (row,) = running("history", "open", "--json").json
    assert (row["unit"], row["value"], row["std"]) == (
        "g/mol",
        pytest.approx(180),
        pytest.approx(1),
    )


def test_an_object_that_nobody_proposed_can_be_told(running: Terminal) -> None:
    """Old notebooks hold results, too."""
    text = '{"y": 0.5, "x": 0.25}'
    names = ["--external", "LAB-7", "--external", "B12"]
    shown = running("tell", "open", "yield=66", "--object", text, *names, *BY, "--json").json
    point = {"latent": [0.25, 0.5]}
    assert shown == {"candidate": 2, "objective": 66.0, "feasible": True, **point}
    file = running.folder / "object.json"
    file.write_text(f"  {text}\n")
    again = running("tell", "open", "yield=68", "--object-file", file, *BY, "--json").json
    assert again == {"candidate": 2, "objective": 67.0, "feasible": True, **point}
    (best,) = running("show", "open", "--json").json["best"]
    assert (best["round"], json.loads(best["object"])) == (None, {"x": 0.25, "y": 0.5})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["yield=7"], "exactly one of --candidate, --object and --object-file"),
        (["yield=7", "--candidate", 1, "--object", "{}"], "exactly one of"),
        (["yield=7", "--candidate", 99], "there is no candidate 99"),
        (["yield=700", "--candidate", 1], "700.0 percent; more than 100 is impossible"),
        (["yield=7 g/mol", "--candidate", 1], "wrong unit: 'g/mol' cannot be converted"),
        (["yield=7 florbs", "--candidate", 1], "'florbs'"),
        (["yield=1e999", "--candidate", 1], "which is no measurement"),
        (["yeild=7", "--candidate", 1], "yeild: is no measure of this campaign"),
        (["yield=7", "--object", '{"x": 2, "y": 0}'], "x = 2.0 is not between 0.0 and 1.0"),
        (["yield=7", "--object", "CCO"], "the numbers x, y"),
        (["yield=7", "--object-file", "no.json"], "no.json cannot be read: No such file"),
        (["yield=7", "--object-file", "."], "cannot be read: Is a directory"),
        (["yield=7", "--object-file", "bytes"], "bytes is not text in UTF-8"),
        (["yield=7", "--object-file", "/dev/zero"], "larger than 10 MB"),
    ],
)
def test_what_is_no_measurement_is_refused(
    arguments: list[object], said: str, running: Terminal
) -> None:
    (running.folder / "bytes").write_bytes(b"\xff\xfe\xfd")
    assert said in running.refused("tell", "open", *arguments, *BY)
    assert running("history", "open", "--json").json == []


def test_every_value_needs_a_provenance(running: Terminal) -> None:
    said = running.refused("tell", "open", "yield=7", "--candidate", 1)
    assert said == "Error: --provenance: is missing say where the values come from"


def test_a_campaign_that_is_over_takes_no_more(finished: Terminal) -> None:
    assert "box#1 is finished" in finished.refused("ask", "box")
    assert "box#1 is finished" in finished.refused("tell", "box", "yield=7", "--candidate", 1, *BY)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("qed=0.71", Told(0.71)),
        (" qed = -.5 ", Told(-0.5)),
        ("qed=\N{MINUS SIGN}1e-3", Told(-0.001)),
        ("qed=0.71±0.02", Told(0.71, 0.02)),
        ("qed=0.71+-0.02", Told(0.71, 0.02)),
        ("qed=0.71 +/- 2e-2", Told(0.71, 0.02)),
        ("qed=180.2 g/mol", Told(180.2, None, "g/mol")),
        ("qed=180.2g/mol", Told(180.2, None, "g/mol")),
        ("qed=71±2 %", Told(71, 2, "%")),
        ("qed=3 µM", Told(3, None, "µM")),
        ("qed=20 °C", Told(20, None, "°C")),
    ],
)
def test_values_are_read_as_people_write_them(typed: str, read: Told) -> None:
    assert measurement_arguments.read([typed]) == {"qed": read}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("qed=0,71", "write qed=0.71"),
        ("qed=0,71±0,02", "write qed=0.71±0.02"),
        ("mass=1,234.5 g/mol", "write mass=1234.5 g/mol"),
        ("mass=1.234,5 g/mol", "write mass=1234.5 g/mol"),
        ("mass=1,234,567", "write mass=1234567"),
        ("qed", "qed: is no measure=value"),
        ("g/mol", "quote a value together with its unit"),
        ("=0.71", "is no measure=value"),
        ("qed=", "'' is no number"),
        ("qed=high", "'high' is no number"),
        ("qed=nan", "'nan' is no number"),
        ("qed=0.71±", "is no number"),
        ("qed=0.71±-0.02", "is no number"),
        ("qed=0.71-0.02", "is no number"),
        ("qed=0.7 0.8", "is no number"),
    ],
)
def test_what_cannot_be_read_says_what_would_be_right(typed: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        measurement_arguments.read([typed])
    assert said in str(caught.value)


def test_all_that_is_wrong_is_said_at_once(running: Terminal, tmp_path: Path) -> None:
    said = running.refused("tell", "open", "yield=7", "yield=8", "mass=1,5", "x", *BY)
    for part in ("yield is told twice", "write mass=1.5", "x: is no measure=value"):
        assert part in said

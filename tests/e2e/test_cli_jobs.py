"""Jobs: what evaluators were asked, and what a person must settle."""

import pytest

from orchestrator import Campaign
from tests.e2e.terminal import Terminal

WHY = ["--reason", "its log says so"]


@pytest.fixture
def doubtful(terminal: Terminal) -> Terminal:
    """A terminal with a campaign both of whose jobs are parked, for the instrument hung up."""
    file = terminal.spec("doubt", "use: reactor", "use: breaking")
    text = file.read_text().replace('["yield", mass]', "[score]").replace('"yield"', "score")
    file.write_text(text)
    assert Campaign.open(file).run() == "waiting"
    return terminal


def test_jobs_are_listed_for_scripts(doubtful: Terminal) -> None:
    first, second = doubtful("jobs", "list", "doubt", "--json").json
    assert set(first) == {
        *("job", "candidate", "evaluator", "replicate", "state"),
        *("attempts", "ticket", "reason", "key"),
    }
    assert (first["job"], first["evaluator"], first["state"]) == (1, "breaking", "parked")
    assert "the instrument hung up" in first["reason"]
    assert second["key"].endswith("/2/breaking/1")


def test_jobs_are_listed_for_people(doubtful: Terminal) -> None:
    out = doubtful("jobs", "list", "doubt", "--state", "parked").out
    assert "2 parked" in out
    assert "assayloop jobs resolve" in out
    assert doubtful("jobs", "list", "doubt", "--state", "queued").out == (
        "doubt#1 has no queued job.\n"
    )
    assert doubtful("jobs", "list", "doubt", "--state", "queued", "--json").json == []


def test_a_doubtful_job_is_settled_by_number_or_by_key(doubtful: Terminal) -> None:
    key = doubtful("jobs", "list", "doubt", "--json").json[1]["key"]
    said = doubtful("jobs", "resolve", "doubt", 1, "--did-not-run", *WHY)
    assert said.out.startswith("Job 1 of doubt#1 is settled; it is sent again")
    said = doubtful("jobs", "resolve", key, "--ran", *WHY)
    assert said.out.startswith("Job 2 of doubt#1 is settled; its result is awaited")
    first, second = doubtful("jobs", "list", "doubt", "--json").json
    assert (first["state"], second["state"]) == ("queued", "submitted")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["doubt", "1", *WHY], "--ran/--did-not-run: is missing"),
        (["doubt", "1", "--ran"], "--reason: a reason is required"),
        (["doubt", "--ran", *WHY], "JOB: is missing"),
        (["doubt", "99", "--ran", *WHY], "no job '99'"),
        (["x/1/breaking/1", "--ran", *WHY], "no job 'x/1/breaking/1'"),
        (["bout", "1", "--ran", *WHY], "known: doubt"),
    ],
)
def test_what_cannot_be_settled_is_refused(
    arguments: list[str], said: str, doubtful: Terminal
) -> None:
    assert said in doubtful.refused("jobs", "resolve", *arguments)
    assert len(doubtful("jobs", "list", "doubt", "--state", "parked", "--json").json) == 2


def test_a_job_that_is_not_doubtful_cannot_be_settled(finished: Terminal) -> None:
    said = finished.refused("jobs", "resolve", "box", "1", "--ran", *WHY)
    assert "job 1 is succeeded, not parked" in said


def test_an_unknown_state_is_answered_with_those_there_are(finished: Terminal) -> None:
    ended = finished("jobs", "list", "box", "--state", "praked")
    assert ended.code == 2
    assert "parked" in ended.err

"""What is said later of a measurement: it counts at once, and nothing is changed in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from db import repository
from db.models import Candidate, Fit, Measurement, MeasurementFlag
from db.session import Database, now
from orchestrator.driver import Standing
from orchestrator.errors import BadInput, Conflict, NotFound
from orchestrator.people import ask_tell, campaigns, corrections
from orchestrator.people.ask_tell import Told
from orchestrator.people.corrections import Period
from orchestrator.verbs import computing
from tests.e2e.lab import Lab, opened

GP = {"kind": "gp", "initial": 3, "batch": 1}


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab on each kind of database."""
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


def numbers(lab: Lab, campaign: str, candidate: int, name: str = "score") -> list[int]:
    """Numbers of a candidate's measurements of a measure, superseded ones included."""
    rows = lab.rows(Measurement, campaign)
    return [row.number for row in rows if row.candidate == candidate and row.name == name]


def objective(lab: Lab, campaign: str, candidate: int) -> tuple[float | None, bool | None]:
    """A candidate's objective and whether it is feasible."""
    row = lab.rows(Candidate, campaign)[candidate - 1]
    return row.objective, row.feasible


def test_a_corrected_value_counts_from_now_on(lab: Lab) -> None:
    """The wrong number stays readable, and says which one took its place and why."""
    campaign, _ = lab.run()
    best = lab.campaign(campaign).best
    other = next(one for one in (1, 2, 3, 4) if one != best)
    (wrong,) = numbers(lab, campaign, other)
    before = lab.rows(Measurement, campaign)[wrong - 1]
    number = corrections.correct(
        lab.build(campaign), wrong, Told(0.005, 0.0001, "g"), "read off the wrong row"
    )
    *old, new = lab.rows(Measurement, campaign)
    assert (old[wrong - 1].value, old[wrong - 1].supersedes) == (before.value, None)
    assert (new.number, new.supersedes, new.value, new.std) == (number, wrong, 5.0, 0.1)
    assert (new.source, new.unit, new.job, new.delivery) == ("corrected", "mg", before.job, None)
    assert objective(lab, campaign, other) == (5.0, True)
    assert lab.campaign(campaign).best == other
    (about,) = lab.entries(campaign, "correct")
    assert about == {"reason": "read off the wrong row", "measurement": wrong}

    corrections.correct(lab.build(campaign), number, Told(-1.0), "no, that was the blank")
    assert objective(lab, campaign, other) == (-1.0, True)
    assert lab.campaign(campaign).best == best


def test_what_is_in_doubt_counts_for_nothing(lab: Lab) -> None:
    """A candidate without a value that stands is no best, and has no objective to quote."""
    campaign, _ = lab.run()
    best = lab.campaign(campaign).best
    assert best is not None
    (doubted,) = numbers(lab, campaign, best)
    parts = lab.build(campaign)
    assert corrections.flag(parts, "suspect", "drift", measurements=[doubted]) == [doubted]
    assert objective(lab, campaign, best) == (None, None)
    second = lab.campaign(campaign).best
    assert second not in (None, best)
    (row,) = lab.rows(MeasurementFlag, campaign)
    assert (row.measurement, row.number, row.kind, row.reason) == (doubted, 1, "suspect", "drift")
    with lab.database.read() as session:
        standing = [one.number for one in repository.measurements(session, campaign)]
        earlier = repository.measurements(session, campaign, position=row.entry - 1)
    assert doubted not in standing
    assert doubted in [one.number for one in earlier]

    # The value was right after all: to say so clears the doubt.
    value = lab.rows(Measurement, campaign)[doubted - 1].value
    corrections.correct(parts, doubted, Told(value), "the drift was elsewhere")
    assert objective(lab, campaign, best) == (value, True)
    assert lab.campaign(campaign).best == best


def test_all_of_an_instrument_over_a_period_is_flagged_at_once(lab: Lab) -> None:
    """One entry, whichever candidates it touches; the best falls to what is left."""
    start = now()
    campaign = lab.start()
    told = ask_tell.tell(
        lab.build(campaign),
        {"score": Told(-3.0)},
        provenance="another bench",
        content='{"x0": 1, "x1": 1}',
    )
    lab.drive(campaign)
    parts = lab.build(campaign)
    flagged = corrections.flag(parts, "retracted", "lamp", period=Period("bench", start, now()))
    assert flagged == list(range(2, 10))
    assert [objective(lab, campaign, one)[0] for one in (2, 3, 4, 5)] == [None] * 4
    assert lab.campaign(campaign).best == told
    assert len(lab.entries(campaign, "flag")) == 1
    with pytest.raises(Conflict, match="is retracted already"):
        corrections.flag(parts, "retracted", "lamp", measurements=[2, 2, 3])
    with pytest.raises(BadInput, match="bench measured nothing then; what it measured lies"):
        corrections.flag(parts, "suspect", "lamp", period=Period("bench", 0, 1))
    with pytest.raises(NotFound, match="no evaluator with measurements 'benhc'; known: bench"):
        corrections.flag(parts, "suspect", "lamp", period=Period("benhc", 0, now()))


def test_the_next_fit_knows_what_stands(lab: Lab) -> None:
    """Otherwise the campaign goes on believing a number that everybody knows is wrong."""
    campaign, _ = lab.run(proposer=GP, budget={"evaluations": 5})
    parts = lab.build(campaign)
    (wrong,) = numbers(lab, campaign, 1)
    corrections.correct(parts, wrong, Told(3.0), "a decimal point")
    corrections.flag(parts, "suspect", "bubble", measurements=numbers(lab, campaign, 2))
    more = lab.spec(proposer=GP, budget={"evaluations": 7})
    campaigns.revise(lab.database, campaign, more, lab.actor, "more")
    assert lab.drive(campaign) is Standing.FINISHED
    fits = lab.rows(Fit, campaign)
    with lab.database.read() as session:
        first, then = (
            computing.data(session, parts, fits[at].position).values[:, 0] for at in (2, 3)
        )
    assert first[0] < 1
    assert then[0] == 3.0
    assert np.isnan(then).tolist() == [False, True, False, False, False]
    # Every fit's data can be had again at its own position: the lab checks it in the end.


def test_what_makes_no_sense_is_refused(lab: Lab) -> None:
    """Nothing is half said."""
    campaign, _ = lab.run()
    parts = lab.build(campaign)
    value = lab.rows(Measurement, campaign)[0].value
    corrections.correct(parts, 1, Told(2.0), "slip")
    entries = len(lab.entries(campaign))
    refused: list[tuple[type[Exception], str, Callable[[], Any]]] = [
        (BadInput, "a reason", lambda: corrections.correct(parts, 2, Told(1.0), " ")),
        (BadInput, "a reason", lambda: corrections.flag(parts, "suspect", "", measurements=[2])),
        (
            BadInput,
            "'odd' is no kind of doubt; say suspect or retracted",
            lambda: corrections.flag(parts, "odd", "x", measurements=[2]),
        ),
        (BadInput, "more than 10", lambda: corrections.correct(parts, 9, Told(11.0), "x")),
        (BadInput, "nan", lambda: corrections.correct(parts, 9, Told(float("nan")), "x")),
        (
            NotFound,
            "no measurement '99'; known: 1 to 9",
            lambda: corrections.flag(parts, "suspect", "x", measurements=[2, 99]),
        ),
        (
            Conflict,
            "was corrected by measurement 9; correct that one",
            lambda: corrections.correct(parts, 1, Told(value), "x"),
        ),
        (
            Conflict,
            "measurement 9 has that value already",
            lambda: corrections.correct(parts, 9, Told(2.0), "x"),
        ),
    ]
    for error, said, act in refused:
        with pytest.raises(error, match=said):
            act()
    campaigns.revise(lab.database, campaign, lab.spec(seed=4), lab.actor, "more")
    with pytest.raises(Conflict, match="was revised since it was opened"):
        corrections.correct(parts, 2, Told(1.0), "slip")
    assert len(lab.entries(campaign)) == entries + 1

"""The objective of a campaign all over its plane, beside what was believed of it."""

import pytest
from PIL import Image

from orchestrator import Campaign
from orchestrator.report import plane
from tests.e2e.terminal import Terminal

DIGIT = """\
name: digit-{digit}
space: {{kind: digits, model: digits-2d-classifier}}
evaluators: [{{use: mnist-classifier, measures: [p_4, p_7]}}]
objective: {{direction: maximize, terms: [{{measure: p_{digit}}}]}}
proposer: {{kind: gp, initial: 2, batch: 1}}
budget: {{evaluations: 3}}
"""


@pytest.mark.slow
def test_what_there_was_to_find_is_drawn_beside_what_was_believed(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plane, "_SIDE", 6)
    for digit in (4, 7):
        file = terminal.folder / f"{digit}.yaml"
        file.write_text(DIGIT.format(digit=digit))
        assert Campaign.open(file).run() == "finished"
    before = terminal("audit", "verify", "--json").json
    ended = terminal("landscape", "digit-4", "digit-7", "--out", "pictures")
    assert ended.code == 0
    names = ["digit-4-1-landscape", "digit-7-1-landscape", "landscapes"]
    assert ended.out.split() == [f"pictures/{name}.png" for name in names]
    for path in ended.out.split():
        with Image.open(terminal.folder / path) as picture:
            assert min(picture.size) > 200
    assert terminal("audit", "verify", "--json").json == before, "nothing is recorded of it"


def test_evaluators_that_cost_something_are_not_asked_thousands_of_times(learned: Terminal) -> None:
    assert "at once and for free" in learned.refused("landscape", "learned")

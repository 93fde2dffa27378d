"""Automata: what resets them, which are the same, and what a model of them is trained on."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from adapters.automaton import AutomatonEvaluator, shortest_reset_word
from adapters.protocol import Batch, Job, Outcome, OutcomeStatus, Sample, Ticket
from orchestrator.latent import automaton_drawing, transitions
from orchestrator.latent.automata import decoded
from orchestrator.latent.automaton_tokens import END, table_of, tokens_of
from orchestrator.latent.protocol import SpaceError
from orchestrator.latent.transitions import Tables, canonical, codes, reset_lengths
from orchestrator.training.automata import data as automaton_data


def cerny(n: int) -> Tables:
    """Černý's automaton: a turns a circle of n states, b moves only the last to the first."""
    states = np.arange(n)
    return np.stack([(states + 1) % n, states % (n - 1)], axis=1)[None]


def drawn(k: int, n: int, seed: int = 0) -> Tables:
    """Random automata, synchronizing or not."""
    return np.random.default_rng(seed).integers(n, size=(k, n, 2))


def everything(n: int) -> Tables:
    """All automata of n states."""
    rows = list(itertools.product(range(n), repeat=2 * n))
    return np.array(rows).reshape(-1, n, 2)


def measured(content: str | bytes) -> Outcome:
    """What the evaluator says about one object."""
    evaluator = AutomatonEvaluator()
    measures = ("reset_length", "cerny_share")
    evaluator.submit(Batch("b", (Job("k", Sample("automaton", content), measures),)))
    (outcome,) = evaluator.parse(evaluator.receive([Ticket("k")])[0])
    return outcome


@pytest.mark.parametrize("n", range(2, 9))
def test_cernys_automaton_needs_the_square(n: int) -> None:
    """The one automaton whose reset length everybody knows, found without being remembered."""
    table = cerny(n)
    assert reset_lengths(table).tolist() == [(n - 1) ** 2]
    outcome = measured(transitions.text(table[0]))
    assert {r.name: r.value for r in outcome.readings} == {
        "reset_length": (n - 1) ** 2,
        "cerny_share": 1.0,
    }


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_the_word_resets_and_both_searches_agree(n: int) -> None:
    """Evaluator and training data are two searches: an error of either shows as a difference."""
    tables = drawn(150, n)
    for table, length in zip(tables, reset_lengths(tables).tolist(), strict=True):
        word = shortest_reset_word(table.T.tolist())
        assert (0 if word is None else len(word)) == length
        if word is not None:
            states = set(range(n))
            for letter in word:
                states = {int(table[state, "ab".index(letter)]) for state in states}
            assert len(states) == 1


def test_two_automata_have_one_form_if_and_only_if_they_are_isomorphic() -> None:
    """Duplicates are found by it: a wrong form pays twice, or takes two automata for one."""
    tables = everything(3)
    forms = codes(canonical(tables))
    smallest = np.full(len(tables), np.iinfo(np.int64).max)
    for names in itertools.permutations(range(3)):
        renamed = np.empty_like(tables)
        renamed[:, list(names)] = np.array(names)[tables]
        for letters in (renamed, renamed[:, :, ::-1]):
            smallest = np.minimum(smallest, codes(letters))
    assert len(np.unique(forms)) == len(np.unique(smallest))
    assert len(np.unique(np.stack([forms, smallest]), axis=1).T) == len(np.unique(forms))


def test_a_form_is_that_of_the_renamed_and_stays_what_it_is() -> None:
    rng = np.random.default_rng(1)
    tables = np.concatenate([drawn(300, 8), np.zeros((1, 8, 2), dtype=np.int64), cerny(8)])
    names = rng.permutation(8)
    renamed = np.empty_like(tables)
    renamed[:, names] = names[tables[:, :, ::-1]]
    form = canonical(tables)
    assert np.array_equal(canonical(renamed), form)
    assert np.array_equal(canonical(form), form)
    assert np.array_equal(reset_lengths(form), reset_lengths(tables))
    assert canonical(tables[:0]).shape == (0, 8, 2)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("1230", "is no automaton; one is written as 1230-0120"),
        ("1230-012", "4 transitions of a and 3 of b"),
        ("0-0", "2 to 8"),
        ("123456780-012345678", "2 to 8"),
        ("1240-0120", "goes to the state 4; its 4 states are counted from 0"),
        ("1230-٠120", "is no automaton"),
    ],
)
def test_what_is_no_automaton_is_refused_alike_by_space_and_evaluator(
    content: str, complaint: str
) -> None:
    outcome = measured(content)
    assert outcome.status is OutcomeStatus.REJECTED
    assert complaint in outcome.reason
    with pytest.raises(SpaceError, match=complaint):
        transitions.parse(content)


def test_what_no_word_resets_and_what_are_bytes_is_never_measured() -> None:
    assert "no word resets the automaton '1230-3012'" in measured("1230-3012").reason
    assert "are bytes" in measured(b"1230-0120").reason


def test_texts_and_tokens_are_read_as_they_were_written() -> None:
    for n in (2, 5, 8):
        for table in drawn(20, n):
            assert np.array_equal(transitions.parse(transitions.text(table))[0], table)
            again, reason = table_of(tokens_of(table[None])[0])
            assert again is not None
            assert np.array_equal(again[0], table)
            assert reason == ""


@pytest.mark.parametrize(
    ("tokens", "reason"),
    [
        ([0, 1, 1], "odd number"),
        ([0, 0], "too small"),
        ([0, 1, 2, 0], "goes to state 2, which has none"),
        ([END, 0, 1, 1, 0], "too small: 0 states"),
        ([0] * 17, "odd number"),
    ],
)
def test_sequences_that_are_no_complete_automaton_say_why(tokens: list[int], reason: str) -> None:
    padded = np.array(tokens + [END] * (17 - len(tokens)))
    table, why = table_of(padded)
    assert table is None
    assert reason in why


def test_decoded_tables_are_objects_in_canonical_form_or_say_why_not() -> None:
    """Isomorphic automata are one object, whatever the decoder calls their states."""
    twins = [cerny(4), cerny(4)[:, [3, 0, 1, 2]][:, :, ::-1]]
    twins[1] = (twins[1] + 1) % 4
    unreset = transitions.parse("1230-3012")
    found = decoded([twins[0], None, unreset, twins[1], cerny(8)], ["", "incomplete", "", "", ""])
    assert [one.valid for one in found] == [True, False, False, True, True]
    assert found[0] == found[3]
    assert found[1].reason == "incomplete"
    assert "no word resets the automaton" in found[2].reason
    assert len(found[4].key) == 17


def test_a_drawing_shows_every_state_and_transition() -> None:
    drawing = automaton_drawing.svg(cerny(5)[0]).decode()
    assert drawing.count("<circle") == 5
    assert drawing.count('<path d="M') == 2 * 10 + 2
    assert "shortest reset word: 16 letters" in drawing
    assert "no reset word" in automaton_drawing.svg(transitions.parse("10-10")[0]).decode()


def test_what_is_drawn_is_easy_to_reset_and_never_twice_the_same() -> None:
    """The campaign's finds are worth something only if training never saw such automata."""
    for n, tables in zip(automaton_data.SIZES, automaton_data.draw(3, 3000, 40), strict=True):
        lengths = reset_lengths(tables)
        assert lengths.min() >= 1
        assert lengths.max() <= 0.5 * (n - 1) ** 2
        assert np.bincount(lengths).max() <= 40
        assert np.array_equal(canonical(tables), tables)
        assert len(np.unique(codes(tables))) == len(tables) > 1
    one, two, other = (list(automaton_data.draw(seed, 500, 9)) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_file_of_automata_is_read_line_by_line_and_bad_lines_are_counted(tmp_path: Path) -> None:
    tables = next(tables for tables in automaton_data.draw(5, 4000, 60) if tables.shape[1] == 6)
    lines = [transitions.text(table) for table in tables]
    twin = transitions.text(tables[0][:, ::-1])
    file = tmp_path / "mine.txt"
    file.write_text("\n".join([*lines, twin, "no-automaton", "1230-3012", ""]), encoding="utf-8")
    data = automaton_data.load(file, seed=1, cache=tmp_path)
    assert (len(data.tokens), data.skipped) == (len(lines), 3)
    assert sorted(data.lengths.tolist()) == sorted(reset_lengths(tables).tolist())
    assert set(data.states.tolist()) == {6}
    training, held_out = data.split(10)
    assert len(held_out) == 10
    assert sorted([*training, *held_out]) == list(range(len(lines)))


@pytest.mark.parametrize(
    "content", [b"", b"hello world\n" * 300, b"1230-0120\n" * 300, b"\xff" * 9]
)
def test_a_file_without_enough_automata_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(SpaceError, match=r"bad\.txt: [01] usable automata; at least 100"):
        automaton_data.read(tmp_path / "bad.txt")
    with pytest.raises(SpaceError, match="cannot be read"):
        automaton_data.read(tmp_path / "missing.txt")

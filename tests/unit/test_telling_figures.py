"""The list of models shows of each what somebody chooses by."""

from __future__ import annotations

import pytest

from orchestrator.training import all_models, telling_figures
from orchestrator.training.recipes import RECIPES

WIDTH = 24
"""What the other columns leave of a terminal of 80."""


def test_models_of_molecules_say_how_much_is_valid_comes_back_and_is_new() -> None:
    """The first two of their card are a count of units and a speed."""
    for name in ("zinc-selfies", "moses-selfies", "smiles-vae"):
        found = telling_figures.of(all_models.find(name, None).card)
        assert [one.words for one in found] == ["valid", "reconstructed", "new"]
        assert all(0 <= one.value <= 1 for one in found)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digits-cnn", ["accuracy"]),
        ("digits-2d-classifier", ["head's accuracy", "rebuilding, nats"]),
        ("digits-2d-regressor", ["head's R²", "rebuilding, nats"]),
        ("digits-2d", ["rebuilding, nats"]),
        ("automata", ["synchronizing", "reconstructed", "new"]),
    ],
)
def test_each_kind_is_told_by_its_own_figures(name: str, words: list[str]) -> None:
    assert [one.words for one in telling_figures.of(all_models.find(name, None).card)] == words


def test_every_task_has_figures_that_its_cards_hold() -> None:
    """A metric that was renamed would vanish from the list without a word."""
    assert {recipe.task for recipe in RECIPES.values()} <= set(telling_figures.TELLING)
    for task, words in telling_figures.TELLING.items():
        cards = [one.card for one in all_models.models(None) if one.card["task"] == task]
        held = {metric for card in cards for metric in card["metrics"]}
        assert set(words) <= held, task


def test_every_figure_fits_a_terminal_of_80_columns() -> None:
    for model in all_models.models(None):
        for one in telling_figures.of(model.card):
            assert len(f"{one.value:.4g} {one.words}") <= WIDTH


def test_a_model_of_ones_own_names_its_figures_or_shows_its_first() -> None:
    metrics = {"held_out": 10, "explained": 0.9, "kl": 3.0, "accuracy": 0.7, "lists": [1]}
    card = {"task": "own", "metrics": metrics}
    assert [one.metric for one in telling_figures.of(card)] == ["explained", "kl"]
    named = telling_figures.of(card | {"telling": ["accuracy", "held_out"]})
    assert [(one.metric, one.value) for one in named] == [("accuracy", 0.7), ("held_out", 10)]
    assert telling_figures.of({"task": "own"}) == []

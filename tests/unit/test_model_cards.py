"""The hash of a model covers all of its card that decides what a point decodes to."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.latent import model_cards, registry

CARDS = sorted(path.parent.name for path in registry.SHIPPED.glob("*/card.json"))


def card_of(name: str) -> dict[str, Any]:
    """The card of a model as it ships."""
    found: dict[str, Any] = json.loads((registry.SHIPPED / name / "card.json").read_text())
    return found


def changes(value: Any) -> Iterator[tuple[str, Any]]:
    """The value with one thing in it changed, for the first and last of each list."""
    if isinstance(value, dict):
        for key in value:
            for place, other in changes(value[key]):
                yield f"{key}{place and '.'}{place}".replace(".[", "["), value | {key: other}
    elif isinstance(value, list) and value:
        for index in {0, len(value) - 1}:
            for place, other in changes(value[index]):
                changed = copy.copy(value)
                changed[index] = other
                yield f"[{index}]{place and '.'}{place}".replace(".[", "["), changed
    elif isinstance(value, str):
        yield "", f"{value}x"
    elif isinstance(value, int | float):
        yield "", value + 1


@pytest.mark.parametrize("name", CARDS)
def test_whatever_decides_the_decoding_changes_the_hash_and_is_named(name: str) -> None:
    """Else the points of a campaign would silently stand for other objects."""
    card = card_of(name)
    recorded = model_cards.model_hash(card)
    fields = {**model_cards.deciding(card), model_cards.WEIGHTS: card[model_cards.WEIGHTS]}
    tried = list(changes(fields))
    assert {place.partition(".")[0].partition("[")[0] for place, _ in tried} >= {"network", "task"}
    for place, changed in tried:
        assert model_cards.model_hash(card | changed) != recorded, place
        (said,) = model_cards.differences(recorded, card, card | changed)
        assert said.startswith(f"{place} is "), said


@pytest.mark.parametrize("name", ["zinc-selfies", "smiles-ae"])
def test_tokens_that_change_places_are_another_model(name: str) -> None:
    """They decode to other molecules, every one of them valid."""
    card = card_of(name)
    tokens = (card.get("vocabulary") or card)["tokens"]
    changed = copy.deepcopy(card)
    (changed.get("vocabulary") or changed)["tokens"] = [tokens[1], tokens[0], *tokens[2:]]
    assert model_cards.model_hash(changed) != model_cards.model_hash(card)
    said = model_cards.differences(model_cards.model_hash(card), card, changed)
    assert [one.partition(" is ")[0].rpartition(".")[2] for one in said] == [
        "tokens[0]",
        "tokens[1]",
    ]
    fewer = copy.deepcopy(card)
    (fewer.get("vocabulary") or fewer)["tokens"] = tokens[:-1]
    (line,) = model_cards.differences(model_cards.model_hash(card), card, fewer)
    assert line.endswith(f"has {len(tokens) - 1} entries, and {len(tokens)} are on record")


def test_what_only_people_read_may_be_changed() -> None:
    """Somebody who mends a description has not made another model."""
    card = card_of("zinc-selfies")
    changed = {**card, "description": "ours", "metrics": {}, "versions": {}, "name": "mine"}
    assert model_cards.model_hash(changed) == model_cards.model_hash(card)
    assert model_cards.differences(model_cards.model_hash(card), card, changed) == []


def test_the_hash_is_that_of_a_document_that_says_its_format() -> None:
    """Years later somebody computes it again with the means at hand."""
    card = {"network": {"latent": 2}, "task": "t", "weights_sha256": "ab", "metrics": {"a": 1.0}}
    text = (
        '{"decoding":{"network":{"latent":2},"task":"t"},"format":"assayloop/model/2",'
        '"weights_sha256":"ab"}'
    )
    assert model_cards.document(card) == text.encode()
    assert model_cards.model_hash(card) == hashlib.sha256(text.encode()).hexdigest()


def test_a_card_recorded_with_the_hash_of_the_weights_is_compared_by_what_it_says() -> None:
    """A release that adds an entry to its cards does not end the campaigns of the one before."""
    old = {"task": "t", "network": {"latent": 2}, "weights_sha256": "ab"}
    assert model_cards.differences("ab", old, {**old, "scale": 2}) == []
    assert model_cards.differences("ab", {"weights_sha256": "ab"}, old) == []
    assert model_cards.differences("ab", {}, {"weights_sha256": "cd"}) == [
        'weights_sha256 is "cd", and "ab" is on record'
    ]
    assert model_cards.differences("ab", old, {**old, "network": {"latent": 3}}) == [
        "network.latent is 3, and 2 is on record"
    ]


@pytest.mark.parametrize("name", ["automata", "digits-2d-classifier", "zinc-selfies"])
def test_spaces_say_this_hash(name: str, tmp_path: Path) -> None:
    kind = {"automata": "automata", "zinc-selfies": "molecules"}.get(name, "digits")
    space = registry.open_space(kind, name)
    assert space.model_hash == model_cards.model_hash(card_of(name))
    assert registry.model_of(space).name == name

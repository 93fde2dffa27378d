"""Whether the models on disk, of those that are registered, are what was registered.

What is no longer there is no problem: weights and cards are kept in the database. Nor is a model
whose card says other weights: it is another model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from adapters import registry as evaluators
from adapters.protocol import Weighted
from orchestrator import recorded_model
from orchestrator.errors import Problem
from orchestrator.history.verify import tables_from_ledger
from orchestrator.latent import model_cards, registry
from orchestrator.latent.protocol import SpaceError

Recorded = tuple[str, Mapping[str, Any]]
"""Hash and card of a registered model."""


def check(session: Session, home: Path | None) -> Iterator[Problem]:
    """Weights that are no longer what their card says, and cards that decide something else.

    Args:
        home: Folder of the user's own models.
    """
    try:
        there = [*_models(session, home), *_of_evaluators(session)]
    except SpaceError as error:
        yield Problem("models", str(error))
        return
    for file, expected in dict.fromkeys((file, sha256) for file, sha256, _, _ in there):
        yield from _weights(file, expected)
    for _, _, card, recorded in there:
        if card is not None:
            yield from _card(card, recorded)


def _weights(file: Path, expected: str) -> Iterator[Problem]:
    try:
        with file.open("rb") as data:
            actual = hashlib.file_digest(data, "sha256").hexdigest()
    except OSError as error:
        yield Problem(str(file), f"cannot be read: {error.strerror}")
        return
    if actual != expected:
        what = f"was changed: its SHA-256 is {actual}, and {expected} is registered"
        yield Problem(str(file), what)


def _card(file: Path, recorded: Sequence[Recorded]) -> Iterator[Problem]:
    """The card differs from each that was registered with its weights; told by the nearest."""
    try:
        card = registry.read_card(file)
    except SpaceError as error:
        yield Problem(str(file), str(error))
        return
    changes = [model_cards.differences(name, before, card) for name, before in recorded]
    if changes and all(changes):
        what = model_cards.in_words(min(changes, key=len))
        yield Problem(str(file), f"was changed, and decides otherwise: {what}")


Found = tuple[Path, str, Path | None, Sequence[Recorded]]
"""A file of weights, its registered hash, its card, and what was registered with these weights."""


def _models(session: Session, home: Path | None) -> Iterator[Found]:
    """Registered models of latent spaces."""
    table = tables_from_ledger.untyped("latent_model")
    known: dict[str, list[Recorded]] = {}
    for name, card in session.execute(select(table.c.hash, table.c.card)).tuples():
        with suppress(Exception):  # a forged row may hold anything; the fold shows it
            said = json.loads(card)
            known.setdefault(str(said.get(model_cards.WEIGHTS, name)), []).append((name, said))
    for model in registry.list_models(home) if known else ():
        expected = str(model.card.get(model_cards.WEIGHTS))
        if expected in known and (model.usable or not model.shipped):
            yield model.weights, expected, model.card_file, known[expected]


def _of_evaluators(session: Session) -> Iterator[Found]:
    """Weights of evaluators that campaigns were started with."""
    known: dict[str, list[Recorded]] = {}
    made: dict[str, tuple[Path, Path | None]] = {}
    for about in recorded_model.of_evaluators(session):
        with suppress(Exception):  # of a forged entry, or an evaluator that is not installed
            one = evaluators.create(about["evaluator"], about["options"])
            if isinstance(one, Weighted) and (found := one.weights()).sha256 == about["weights"]:
                recorded = known.setdefault(found.sha256, [])
                made[found.sha256] = (found.file, found.card)
                if "card" in about:
                    recorded.append(("", {**about["card"], model_cards.WEIGHTS: found.sha256}))
    for sha256, (file, card) in made.items():
        yield file, sha256, card, known[sha256]

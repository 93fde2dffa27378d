"""Spaces and models by name.

Spaces come through the entry-point group ``assayloop.spaces``, built-ins included; an entry is a
class that is constructed with the name of a model, or with None for its default. A model is a
folder with ``weights.safetensors`` and ``card.json``: shipped ones lie beside this file,
user-trained ones under a folder of the user's. Of models that no campaign needs only the card
ships, which says what was measured and by which command it is trained. Nothing heavy is imported
before a space is made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from adapters.plugins import installed
from orchestrator.latent import model_cards
from orchestrator.latent.protocol import Space, SpaceError

GROUP = "assayloop.spaces"
SHIPPED = Path(__file__).parent / "weights"
_CARD, _WEIGHTS = "card.json", "weights.safetensors"


class Card(dict[str, Any]):
    """What a card says of its model; an entry that it lacks is told by its name."""

    def __missing__(self, entry: str) -> Any:
        raise SpaceError(f"the card of model {self.get('name')!r} says no {entry!r}")


@dataclass(frozen=True)
class Model:
    """A trained model: its card, and its weights where they are here."""

    name: str
    folder: Path
    card: dict[str, Any]
    """As training wrote it: data, hashes, epochs, seed, command, metrics, network."""
    shipped: bool
    """Whether it came with assayloop, its card at least."""
    weights: Path
    """File of its weights, which is missing where only the card ships."""

    @property
    def usable(self) -> bool:
        """Whether its weights are here."""
        return self.weights.is_file()

    @property
    def card_file(self) -> Path:
        """File of its card."""
        return self.folder / _CARD

    @property
    def hashes(self) -> tuple[str, ...]:
        """What a space may say that was opened with it: its hash, or that of its weights alone."""
        if model_cards.WEIGHTS not in self.card:
            return ()
        return model_cards.model_hash(self.card), str(self.card[model_cards.WEIGHTS])


def list_spaces() -> dict[str, EntryPoint]:
    """Entry points of all installed spaces, by name; none is loaded."""
    return {entry.name: entry for entry in installed(GROUP)}


def open_space(
    kind: str,
    model: str | None = None,
    home: Path | None = None,
    parameters: Sequence[object] = (),
) -> Space:
    """The space of that name, with the model of that name or its default one.

    Args:
        kind: name of an entry point.
        model: name of a model, or a model's folder.
        home: folder whose sub-folders are the user's own models.
        parameters: coordinates of a space that has no model.

    Raises:
        SpaceError: unknown space or model, or a model that cannot be used.
    """
    spaces = list_spaces()
    if kind not in spaces:
        raise SpaceError(f"no space is named {kind!r}; there are: {_enumerate(spaces)}")
    if model is not None and home is not None and (home / model / _CARD).is_file():
        model = str(home / model)
    space: Space = spaces[kind].load()(parameters or model)
    return space


def model_of(space: Space, home: Path | None = None, name: str | None = None) -> Model:
    """The model that a space was opened with, by its hash or that of its weights.

    Args:
        space: opened by :func:`open_space`.
        home: folder of the user's own models.
        name: the model's name or folder, where the spec has one: a folder may lie anywhere.

    Raises:
        SpaceError: no model on disk has that hash, or none has that name.
    """
    named = [] if name is None else [find(name, home)]
    for model in [*named, *list_models(home)]:
        if model.usable and space.model_hash in model.hashes:
            return model
    raise SpaceError(f"no model on disk has the SHA-256 {space.model_hash}")


def find(name: str, home: Path | None = None) -> Model:
    """The model of that name, or in the folder of that path.

    Raises:
        SpaceError: there is none; the message lists those there are. Or its card cannot be read.
    """
    models = {model.name: model for model in list_models(home)}
    if name in models:
        return models[name]
    card = Path(name) / _CARD
    if card.is_file():
        return read(card, shipped=False)
    raise SpaceError(f"no model is named {name!r}; there are: {_enumerate(models)}")


def list_models(home: Path | None = None) -> list[Model]:
    """Shipped models, and the user's own under ``home``, by name; a user's own hides a shipped one.

    Raises:
        SpaceError: a card cannot be read.
    """
    found = {}
    for root in (SHIPPED, home):
        for path in sorted(root.glob(f"*/{_CARD}")) if root else ():
            found[path.parent.name] = read(path, shipped=root is SHIPPED)
    return [found[name] for name in sorted(found)]


def read(card: Path, *, shipped: bool) -> Model:
    """The model in whose folder this card lies.

    Raises:
        SpaceError: the card cannot be read.
    """
    folder = card.parent
    return Model(folder.resolve().name, folder, read_card(card), shipped, folder / _WEIGHTS)


def load(
    name: str, home: Path | None = None, *, task: str | None = None
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Card and tensors of a model; the weights' SHA-256 is checked against the card.

    Args:
        name: a shipped model, one of the user's own, or the path of a model's folder.
        home: folder whose sub-folders are the user's own models.
        task: what the model must have been trained for, if it matters.

    Raises:
        SpaceError: unknown name, another task, or files that are missing, broken or changed.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_tensors

    model = find(name, home)
    card = model.card
    if task is not None and card.get("task") != task:
        raise SpaceError(f"model {name!r} was trained for {card.get('task')}; needed: {task}")
    weights = need_weights(model)
    try:
        content = weights.read_bytes()
    except OSError as error:
        raise SpaceError(f"weights {weights} cannot be read: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != card.get("weights_sha256"):
        raise SpaceError(
            f"weights {weights} are not those of their card: SHA-256 {found}, "
            f"but card.json says {card.get('weights_sha256')}; restore the file or train again"
        )
    try:
        return card, load_tensors(content)
    except SafetensorError as error:
        raise SpaceError(f"weights {weights} are no safetensors file: {error}") from error


def need_weights(model: Model) -> Path:
    """File of a model's weights.

    Raises:
        SpaceError: only its card ships.
    """
    if model.shipped and not model.usable:
        name = model.name
        raise SpaceError(
            f"the weights of model {name!r} do not ship; `assayloop models train {name}` makes them"
        )
    return model.weights


def read_card(path: Path) -> dict[str, Any]:
    """What a card says.

    Raises:
        SpaceError: it cannot be read.
    """
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpaceError(f"model card {path} cannot be read: {error}") from error
    if not isinstance(card, dict):
        raise SpaceError(f"model card {path} is not a JSON object")
    return Card(card)


def _enumerate(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"

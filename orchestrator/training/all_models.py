"""All models there are: of latent spaces, of evaluators, and recipes not trained yet.

:mod:`orchestrator.latent.registry` knows the models of spaces only, since campaigns open no others.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from adapters import mnist_classifier, tox21
from orchestrator.latent import registry
from orchestrator.latent.protocol import Space, SpaceError
from orchestrator.latent.registry import Model
from orchestrator.training.recipes import RECIPES, Recipe

if TYPE_CHECKING:
    from orchestrator.training.molecules.data import MoleculeData

_SPACES = {
    "automata": "automata",
    "digits-dense": "digits",
    "digits-vae": "digits",
    "molecules": "molecules",
    "smiles": "smiles",
}
"""Kind of the space that opens models of a task."""
_EVALUATORS = [Path(str(one.__file__)).parent / "weights" for one in (mnist_classifier, tox21)]


def models(home: Path | None) -> list[Model]:
    """The models that shipped, and the user's own under ``home``, by name; an own one goes first.

    Raises:
        SpaceError: a card cannot be read.
    """
    found = {
        card.stem: Model(
            card.stem, card.parent, registry.read_card(card), True, card.with_suffix(".safetensors")
        )
        for folder in _EVALUATORS
        for card in folder.glob("*.json")
    }
    found |= {model.name: model for model in registry.list_models(home)}
    return [found[name] for name in sorted(found)]


def untrained(found: list[Model]) -> list[Recipe]:
    """The recipes that none of these models was trained by, by name."""
    trained = {model.card.get("name") for model in found}
    return [RECIPES[name] for name in sorted(RECIPES) if name not in trained]


def find(name: str, home: Path | None) -> Model:
    """The model of that name, or in the folder of that path.

    Raises:
        SpaceError: there is none; the message says which there are, or how to get it.
    """
    by_name = {model.name: model for model in models(home)}
    if name in by_name:
        return by_name[name]
    if Path(name, "card.json").exists():
        return registry.find(name, home)
    if name in RECIPES:
        raise SpaceError(f"{name} is not trained yet; `assayloop models train {name}` does it")
    raise SpaceError(f"no model is named {name!r}; there are: {', '.join(by_name)}")


def space_of(model: Model) -> Space:
    """The space that opens a model.

    Raises:
        SpaceError: none does, or the weights cannot be used.
    """
    task = str(model.card.get("task"))
    if task not in _SPACES:
        raise SpaceError(f"no space opens {model.name}, which is of the task {task}")
    place = model.name if model.shipped else str(model.folder.resolve())
    return registry.open_space(_SPACES[task], place)


def molecules_of(model: Model, data: Path, cache: Path) -> MoleculeData:
    """The molecules that a model was trained and tried on, from their file or by their name.

    Raises:
        SpaceError: they cannot be read, or are not those.
    """
    from orchestrator.training.data import sha256
    from orchestrator.training.data_sets import locate
    from orchestrator.training.molecules.data import load

    merges = len(model.card["vocabulary"]["merges"])
    recipe = RECIPES.get(model.card["name"])
    at_most = recipe.at_most if recipe else None
    path = locate(data, cache)
    check_data(model, sha256(path))  # before the minutes that they take
    return load(path, merges=merges, cache=cache, at_most=at_most)


def check_data(model: Model, found: str) -> None:
    """Refuse data of this SHA-256 if the model was trained on others.

    Raises:
        SpaceError: it was.
    """
    trained = model.card["data"]["sha256"]
    if found != trained:
        raise SpaceError(
            f"{model.name} was trained on {model.card['data']['file'] or 'data'} of SHA-256 "
            f"{trained}, and these have {found}; name the file that it was trained on by --data"
        )

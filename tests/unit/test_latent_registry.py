"""Models by name: shipped and one's own, never with a changed byte."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.latent import registry
from orchestrator.latent.protocol import SpaceError

SHIPPED = (
    "automata",
    "digits-2d-classifier",
    "digits-constraints",
    "digits-cvae",
    "zinc-selfies",
    "zinc-selfies-unlabelled",
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's folder with one model of their own."""
    shutil.copytree(registry.SHIPPED / "digits-2d-classifier", tmp_path / "mine")
    return tmp_path


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_load_and_say_where_they_come_from(name: str) -> None:
    card, tensors = registry.load(name)
    assert tensors
    assert card["name"] == name
    assert len(card["data"]["sha256"]) == 64
    read = f"--data {card['data']['file']} " if card["data"]["file"] else ""
    assert card["training"]["command"].startswith(f"assayloop models train {name} {read}--epochs")
    assert {"epochs", "seed", "loss_weights"} <= set(card["training"])
    assert card["metrics"]
    assert card["versions"]["torch"]


def test_shipped_models_stay_small_enough_to_ship() -> None:
    assert sum(f.stat().st_size for f in registry.SHIPPED.rglob("*.safetensors")) < 24e6


def test_own_models_stand_beside_shipped_ones_and_open_a_space(home: Path) -> None:
    names = {model.name: model.shipped for model in registry.list_models(home) if model.usable}
    assert names == dict.fromkeys(SHIPPED, True) | {"mine": False}
    mine = registry.open_space("digits", "mine", home)
    assert mine.model_hash == registry.open_space("digits").model_hash
    assert registry.open_space("digits", str(home / "mine")).dim == 2


def test_a_changed_byte_is_refused(home: Path) -> None:
    """Points would silently mean other objects."""
    weights = home / "mine" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(SpaceError, match=r"weights\.safetensors are not those of their card"):
        registry.load("mine", home)


def test_a_model_without_weights_or_with_a_broken_card_is_refused(home: Path) -> None:
    (home / "mine" / "weights.safetensors").unlink()
    with pytest.raises(SpaceError, match="cannot be read"):
        registry.load("mine", home)
    (home / "mine" / "card.json").write_text("{")
    with pytest.raises(SpaceError, match=r"card\.json cannot be read"):
        registry.load("mine", home)
    (home / "mine" / "card.json").write_text("[]")
    with pytest.raises(SpaceError, match="not a JSON object"):
        registry.load("mine", home)


def test_a_card_that_does_not_describe_the_network_of_the_weights_is_refused(home: Path) -> None:
    """Who changed it is told so, and not that assayloop is at fault."""
    path = home / "mine" / "card.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"network": card["network"] | {"latent": 3}}))
    with pytest.raises(SpaceError, match="not of the network on their card: size mismatch"):
        registry.open_space("digits", "mine", home)
    del card["network"]
    path.write_text(json.dumps(card))
    with pytest.raises(SpaceError, match="says no 'network'"):
        registry.open_space("digits", "mine", home)


def test_of_a_model_whose_weights_do_not_ship_the_card_is_read_and_its_command_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own weights, once trained, go before the card."""
    packaged = home / "packaged"
    shutil.copytree(home / "mine", packaged / "digits-2d")
    shutil.copytree(home / "mine", home / "own" / "digits-2d")
    (packaged / "digits-2d" / "weights.safetensors").unlink()
    monkeypatch.setattr(registry, "SHIPPED", packaged)
    model = registry.find("digits-2d")
    assert (model.shipped, model.usable) == (True, False)
    assert model.card["metrics"]
    with pytest.raises(SpaceError, match="`assayloop models train digits-2d` makes them"):
        registry.open_space("digits", "digits-2d")
    space = registry.open_space("digits", "digits-2d", home / "own")
    assert registry.model_of(space, home).name == "mine"
    elsewhere = str(home / "mine")
    with pytest.raises(SpaceError, match="no model on disk"):
        registry.model_of(registry.open_space("digits", elsewhere))
    assert registry.model_of(registry.open_space("digits", elsewhere), None, elsewhere).usable


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(SpaceError, match=r"'zinc'.*automata, .*digits-2d-classifier, .*zinc-"):
        registry.load("zinc")
    with pytest.raises(SpaceError, match=r"'digit'.*automata, box, digits, molecules"):
        registry.open_space("digit")


def test_a_model_of_another_space_is_refused() -> None:
    with pytest.raises(SpaceError, match="trained for molecules"):
        registry.open_space("digits", "zinc-selfies")


def test_a_broken_weights_file_whose_hash_is_right_is_refused(home: Path) -> None:
    import hashlib

    weights, card_path = home / "mine" / "weights.safetensors", home / "mine" / "card.json"
    weights.write_bytes(b"no safetensors")
    card = json.loads(card_path.read_text())
    card["weights_sha256"] = hashlib.sha256(b"no safetensors").hexdigest()
    card_path.write_text(json.dumps(card))
    with pytest.raises(SpaceError, match="no safetensors file"):
        registry.load("mine", home)


def test_listing_models_and_spaces_loads_nothing_heavy() -> None:
    """`assayloop models list` would take seconds."""
    code = (
        "import sys; from orchestrator.latent import registry; from pathlib import Path;"
        "registry.list_models(Path('nowhere')); registry.list_spaces();"
        "registry.load('digits-2d-classifier');"
        "print(sorted({'torch', 'rdkit', 'selfies'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"

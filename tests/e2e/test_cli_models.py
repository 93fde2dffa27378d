"""Looking at models: what a card says, and the figures of models that were just trained."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator.latent import registry
from orchestrator.training.automata import data as automaton_data
from orchestrator.training.data import sha256
from orchestrator.training.molecules import pictures as molecule_pictures
from orchestrator.training.run import train
from tests.e2e.terminal import Terminal

WAYS = ["linear", "polar", "spherical", "linear, 1 pass"]
FEW = ["--pairs", 2, "--points", 5, "--passes", 1, "--out", "pictures"]
"""Options that make a comparison of ways quick."""


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Bars of ten heights in noise, 60 of them to look at."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 10
    images = rng.integers(0, 40, (200, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[3 + 2 * label : 5 + 2 * label, 6:22] = 255
    file = tmp_path / "bars.npz"
    np.savez(file, images=images, labels=labels, test_images=images[:60], test_labels=labels[:60])
    return file


def _is_drawn(path: Path) -> bool:
    with Image.open(path) as picture:
        return picture.format == "PNG" and min(picture.size) > 200


def test_a_model_is_shown_with_what_its_evaluation_measured(terminal: Terminal) -> None:
    shown = terminal("models", "show", "digits-2d-classifier")
    assert shown.code == 0
    assert "test_head_accuracy" in shown.out
    described = terminal("models", "show", "digits-2d-classifier", "--json").json
    assert described["metrics"]["test_head_accuracy"] > 0.97
    assert "no model is named 'digit'" in terminal.refused("models", "show", "digit")


def test_the_metrics_of_moses_stand_beside_the_published_ones(terminal: Terminal) -> None:
    folder = terminal.folder / "home" / "models" / "mine"
    folder.mkdir(parents=True)
    moses = {"valid": 0.875, "Novelty": 0.75, "logP": 0.0625}
    card = {"name": "moses-selfies", "task": "molecules", "metrics": {"moses": moses}}
    (folder / "card.json").write_text(json.dumps(card))
    lines = terminal("models", "show", "mine").out.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
    assert rows["valid"] == ["0.875", "0.9767", "±", "0.0012"]
    assert rows["FCD/Test"] == ["0.099", "±", "0.0125"]
    assert rows["logP"] == ["0.0625"]
    assert terminal("models", "show", "mine", "--json").json["metrics"]["moses"] == moses


@pytest.mark.parametrize(
    ("names", "each", "together"),
    [
        (
            ["digits-2d", "digits-2d-regressor"],
            ["reconstruction", "manifold", "losses"],
            ["digits-2d-latent"],
        ),
        (["digits-200", "digits-200-gaussian"], ["reconstruction", "norms", "losses"], []),
        (["digits-dropout"], ["reconstruction", "manifold", "latent", "losses"], []),
        (["digits-cvae"], ["asked", "losses"], []),
        (["digits-constraints"], ["asked", "moves", "losses"], []),
    ],
)
def test_figures_of_digits_are_drawn_those_of_several_models_together(
    names: list[str], each: list[str], together: list[str], digits: Path, terminal: Terminal
) -> None:
    home = terminal.folder / "home" / "models"
    for name in names:
        train(name, data=digits, out=home / name, epochs=1, cache=terminal.folder)
    ended = terminal("models", "figures", *names, "--data", digits, "--out", "pictures")
    assert ended.code == 0
    written = [Path(line) for line in ended.out.split()]
    wanted = {*together, *(f"{name}-{what}" for name in names for what in each)}
    assert {path.stem for path in written} == wanted
    assert all(_is_drawn(terminal.folder / path) for path in written)


def test_of_the_curve_naive_models_decode_to_a_clump_and_one_follows_it(terminal: Terminal) -> None:
    home = terminal.folder / "home" / "models"
    trained = terminal("models", "train", "curve", "--out", home / "curve", "--epochs", "8")
    assert trained.code == 0
    assert "best_with_kl_rmse" in trained.out
    assert "gaussian-kl-1-tanh" in terminal("models", "show", "curve").out
    metrics = terminal("models", "show", "curve", "--json").json["metrics"]
    clump = metrics["rmse_of_mean"]
    assert metrics["rmse"]["gaussian-kl-2-tanh"] == pytest.approx(clump, rel=0.05)
    assert metrics["rmse"]["bernoulli-kl-2-tanh"] == pytest.approx(clump, rel=0.05)
    assert metrics["best_with_kl"].startswith("learned_from_small")
    assert metrics["best_with_kl_rmse"] < 0.3 * clump
    drawn = terminal("models", "figures", "curve", "--out", "pictures")
    written = [terminal.folder / line for line in drawn.out.split()]
    assert {path.stem for path in written} == {"curve-variants", "curve-losses"}
    assert all(_is_drawn(path) for path in written)
    refusal = terminal.refused("models", "train", "curve", "--out", home / "b", "--data", "a.npz")
    assert "draws its data itself" in refusal


def test_automata_are_mapped_with_what_their_plane_decodes_to(terminal: Terminal) -> None:
    drawn = automaton_data.drawn(seed=0, draws=2000, cell=20)
    lines = [automaton_data.word(tokens) for tokens in drawn.tokens]
    file = terminal.folder / "automata.txt"
    file.write_text("\n".join(lines), encoding="utf-8")
    out = terminal.folder / "home" / "models" / "automata"
    train("automata", data=file, out=out, epochs=1, cache=terminal.folder)
    ended = terminal("models", "figures", "automata", "--data", file, "--out", "pictures")
    assert ended.code == 0
    written = [Path(line) for line in ended.out.split()]
    assert [path.name for path in written] == ["automata-latent.png", "automata-losses.png"]
    assert all(_is_drawn(terminal.folder / path) for path in written)


@pytest.mark.slow
def test_between_objects_it_is_counted_what_the_model_was_not_trained_on(
    terminal: Terminal,
) -> None:
    drawn = automaton_data.drawn(seed=0, draws=500, cell=10)
    file = terminal.folder / "automata.txt"
    file.write_text("\n".join(automaton_data.word(tokens) for tokens in drawn.tokens))
    model = terminal.folder / "home" / "models" / "mine"
    shutil.copytree(registry.SHIPPED / "automata", model)
    command = ["models", "interpolate", "mine", "--data", file, *FEW]
    assert "name the file that it was trained on" in terminal.refused(*command)

    card = json.loads((model / "card.json").read_text())
    card["data"]["sha256"] = sha256(file)
    (model / "card.json").write_text(json.dumps(card))
    found = terminal(*command, "--json").json
    assert all(0 <= one["unseen"] <= one["valid"] for one in found["ways"])
    assert _is_drawn(terminal.folder / found["figure"])


def test_latent_planes_of_molecules_are_coloured_by_qed_with_head_on_and_off(
    terminal: Terminal,
) -> None:
    rings = ("", "c1ccccc1", "C1CC1", "C1CCNCC1", "c1ccncc1", "C1CCCC1")
    smiles = [f"{'C' * n}O{ring}" for ring in rings for n in range(1, 21)]
    data = terminal.folder / "assays.csv"
    data.write_text("\n".join(["smiles,NR-AR", *(f"{s},{i % 2}" for i, s in enumerate(smiles))]))
    home = terminal.folder / "home" / "models"
    names = ["smiles-vae", "smiles-vae-property"]
    for name in names:
        train(name, data=data, out=home / name, epochs=1, cache=terminal.folder)
    assert "name --data" in terminal.refused("models", "figures", *names)
    ended = terminal("models", "figures", *names, "--data", data, "--out", "pictures")
    assert ended.code == 0
    written = [Path(line) for line in ended.out.split()]
    assert {path.name for path in written} == {
        "smiles-vae-latent.png",
        *(f"{name}-losses.png" for name in names),
    }
    assert all(_is_drawn(terminal.folder / path) for path in written)
    data.write_text(data.read_text() + "\nCCN,1")
    refusal = terminal.refused("models", "figures", *names, "--data", data)
    assert "name the file that it was trained on" in refusal


@pytest.mark.slow
def test_of_classifiers_the_images_are_drawn_that_they_misread(
    digits: Path, terminal: Terminal
) -> None:
    train("digits-cnn-second", data=digits, out=terminal.folder / "b", epochs=1, cache=digits)
    for name in ("digits-cnn", terminal.folder / "b"):
        ended = terminal("models", "figures", name, "--data", digits, "--out", "pictures")
        assert ended.code == 0
        assert _is_drawn(terminal.folder / ended.out.split()[0])
        assert ended.out.split()[0].endswith("-misread.png")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits-2d-classifier", "zinc-selfies"])
def test_four_ways_between_objects_are_drawn_and_counted(name: str, terminal: Terminal) -> None:
    found = terminal("models", "interpolate", name, *FEW, "--json").json
    assert [one["way"] for one in found["ways"]] == WAYS
    assert all(0.5 < one["valid"] <= 1 for one in found["ways"])
    assert all(one["new"] <= one["valid"] and one["unseen"] is None for one in found["ways"])
    assert _is_drawn(terminal.folder / found["figure"])
    table = terminal("models", "interpolate", name, *FEW).out
    assert all(way in table for way in WAYS)
    assert f"{name}-interpolation.png" in table
    assert "opens digits-cnn" in terminal.refused("models", "interpolate", "digits-cnn")


@pytest.mark.slow
def test_molecules_are_drawn_with_their_properties_beside_draws_from_the_prior(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(molecule_pictures, "_DRAWS", 60)
    rings = ("c1ccccc1", "C1CC1", "C1CCNCC1", "c1ccncc1", "C1CCCC1", "c1ccsc1")
    file = terminal.folder / "molecules.smi"
    file.write_text("\n".join(f"{'C' * n}O{ring}" for ring in rings for n in range(1, 21)))
    assert "name --data" in terminal.refused("models", "figures", "zinc-selfies")
    model = terminal.folder / "home" / "models" / "mine"
    shutil.copytree(registry.SHIPPED / "zinc-selfies", model)
    card = json.loads((model / "card.json").read_text())
    card["data"]["sha256"] = sha256(file)
    (model / "card.json").write_text(json.dumps(card))
    ended = terminal("models", "figures", "mine", "--data", file, "--out", "pictures")
    assert ended.code == 0
    written = [Path(line) for line in ended.out.split()]
    figures = ("latent", "properties", "samples", "units")
    assert [one.stem for one in written] == [f"mine-{figure}" for figure in figures]
    assert all(_is_drawn(terminal.folder / path) for path in written)


def test_figures_that_cannot_be_drawn_say_why(terminal: Terminal) -> None:
    assert "assayloop data get mnist" in terminal.refused(
        "models", "figures", "digits-2d-classifier"
    )
    refusal = terminal.refused("models", "figures", "digits-2d-classifier", "zinc-selfies")
    assert "side by side" in refusal
    (terminal.folder / "broken").mkdir()
    (terminal.folder / "broken" / "card.json").write_text(json.dumps({"task": "pottery"}))
    assert "of the task pottery" in terminal.refused("models", "figures", "broken")

"""Training: every recipe learns, a stopped run goes on as if it had not been, exports are whole.

The data are generated here; nothing is downloaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from adapters.mnist_classifier.network import load as load_classifier
from adapters.protocol import EvaluatorError
from orchestrator.latent import registry
from orchestrator.latent.protocol import SpaceError
from orchestrator.training import automaton_data
from orchestrator.training.digits import load_second_classifier
from orchestrator.training.recipes import RECIPES
from orchestrator.training.run import train
from orchestrator.training.trainer import Progress


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Bits depend on the number of threads, and small networks gain nothing by more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten kinds of images: a bright bar at one of ten heights, in noise."""
    rng = np.random.default_rng(0)

    def draw(n: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        labels = np.arange(n) % 10
        images = rng.integers(0, 40, size=(n, 28, 28))
        for image, label in zip(images, labels, strict=True):
            image[3 + 2 * label : 5 + 2 * label, 6:22] = 255
        return images.astype(np.uint8), labels

    images, labels = draw(400)
    test_images, test_labels = draw(50)
    path = tmp_path_factory.mktemp("data") / "bars.npz"
    np.savez(path, images=images, labels=labels, test_images=test_images, test_labels=test_labels)
    return path


@pytest.fixture(scope="module")
def molecules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chains and rings with one of several groups at either end, and lines to be skipped."""
    groups = ("O", "N", "Cl", "C(=O)N", "c1ccccc1", "C1CCNCC1", "OC", "C#N")
    lines = [
        f"{a}{'C' * n}{b}"
        for n in range(1, 8)
        for a in ("O", "N", "CO", "Clc1ccc(cc1)", "FC(F)(F)", "C1CC1")
        for b in groups
    ]
    path = tmp_path_factory.mktemp("data") / "chains.smi"
    path.write_text("\n".join([*lines, "no molecule", "", "C.C", "C" * 5000]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def automata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few of every size, and a line to be skipped."""
    drawn = automaton_data.drawn(seed=0, draws=2000, cell=30)
    lines = [automaton_data.word(tokens) for tokens in drawn.tokens]
    path = tmp_path_factory.mktemp("data") / "automata.txt"
    path.write_text("\n".join([*lines, "no automaton"]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def outcomes(molecules: Path) -> Path:
    """The molecules with two outcomes: one of whether there is chlorine, one mostly unknown."""
    rows = [
        f"{smiles},{int('Cl' in smiles)},{i % 2 if i % 4 < 2 else ''}"
        for i, smiles in enumerate(molecules.read_text(encoding="utf-8").splitlines())
    ]
    path = molecules.with_name("outcomes.csv")
    path.write_text("\n".join(["smiles,chlorine,other", *rows]), encoding="utf-8")
    return path


@pytest.fixture
def data(
    digits: Path, molecules: Path, outcomes: Path, automata: Path
) -> Callable[[str], Path | None]:
    files = {
        "automata": automata,
        "digits": digits,
        "molecules": molecules,
        "outcomes": outcomes,
        "nothing": None,
    }
    return lambda name: files[RECIPES[name].reads]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RECIPES))
def test_each_recipe_learns_and_exports_what_loads_again(
    name: str, data: Callable[[str], Path | None], tmp_path: Path
) -> None:
    card = train(name, data=data(name), out=tmp_path / name, epochs=8, seed=5, cache=tmp_path)
    losses = [json.loads(line) for line in (tmp_path / name / "losses.jsonl").open()]
    term = {"digits-constraints": "critic"}.get(name, "reconstruction")
    term = "cross_entropy" if "cnn" in name else term
    assert [row["epoch"] for row in losses] == list(range(1, 9))
    assert losses[-1][term] < 0.9 * losses[0][term]
    again, tensors = registry.load(name, home=tmp_path)
    assert again == json.loads(json.dumps(card))
    assert card["metrics"]
    assert tensors
    assert card["training"]["epochs"] == 8
    assert card["training"]["seed"] == 5
    assert "--epochs 8 --seed 5" in card["training"]["command"]


@pytest.mark.slow
def test_trained_models_of_ones_own_open_spaces(
    data: Callable[[str], Path | None], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for kind, name in (
        ("automata", "automata"),
        ("digits", "digits-2d-classifier"),
        ("molecules", "zinc-selfies"),
    ):
        train(name, data=data(name), out=tmp_path / "own", epochs=1, cache=tmp_path / "cache")
        space = registry.open_space(kind, "own", tmp_path)
        assert len(space.decode(space.sample_prior(3, rng), rng)) == 3


class Killed(BaseException):
    """Nothing catches it on the way, as nothing catches SIGKILL."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["automata", "digits-2d-classifier", "smiles-aae", "zinc-selfies"])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(
    name: str, data: Callable[[str], Path | None], tmp_path: Path
) -> None:
    """Random numbers, the optimiser and the order of the data must all come back."""

    def kill(progress: Progress) -> None:
        if progress.epoch == 1:
            raise Killed

    settings: dict[str, Any] = {"data": data(name), "epochs": 2, "cache": tmp_path / "cache"}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(name, out=whole, **settings)
    with pytest.raises(Killed):
        train(name, out=parts, progress=kill, **settings)
    torch.manual_seed(99)
    train(name, out=parts, resume=True, **settings)
    for file in ("weights.safetensors", "losses.jsonl"):
        assert (parts / file).read_bytes() == (whole / file).read_bytes()


def test_resuming_needs_a_checkpoint_of_the_same_run(
    data: Callable[[str], Path | None], tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"data": data("digits-cnn"), "cache": tmp_path}
    with pytest.raises(SpaceError, match="nothing to resume"):
        train("digits-cnn", out=tmp_path / "new", resume=True, **settings)
    train("digits-cnn", out=tmp_path / "one", epochs=1, **settings)
    with pytest.raises(SpaceError, match="belongs to another run"):
        train("digits-cnn", out=tmp_path / "one", epochs=1, seed=77, resume=True, **settings)


def test_bad_lines_are_counted_and_skipped(molecules: Path, tmp_path: Path) -> None:
    card = train("zinc-selfies", data=molecules, out=tmp_path, epochs=1, cache=tmp_path)
    assert card["data"]["skipped"] == 4


@pytest.mark.parametrize("content", ["", "hello world\n" * 200, "CCO\n" * 50])
def test_a_file_without_enough_molecules_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "bad.smi").write_text(content, encoding="utf-8")
    with pytest.raises(SpaceError, match=r"bad\.smi: .* usable molecules"):
        train("zinc-selfies", data=tmp_path / "bad.smi", out=tmp_path / "o", cache=tmp_path)


@pytest.mark.parametrize("name", ["digits.npz", "digits.whl"])
def test_files_that_are_no_digits_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PK nothing")
    with pytest.raises(SpaceError, match=name):
        train("digits-cnn", data=tmp_path / name, out=tmp_path / "o", cache=tmp_path)
    with pytest.raises(SpaceError, match="missing"):
        train("digits-cnn", data=tmp_path / "missing.npz", out=tmp_path / "o", cache=tmp_path)


def test_an_unknown_recipe_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"'digit-cnn'.*digits-cnn, digits-cnn-second"):
        train("digit-cnn", data=tmp_path, out=tmp_path)


def test_the_two_classifiers_that_ship_agree_on_a_clear_image_and_refuse_a_changed_byte(
    tmp_path: Path,
) -> None:
    image = np.zeros((1, 28, 28), dtype=np.uint8)
    image[0, 5:23, 13:16] = 255
    second = Path(__file__).parents[2] / "benchmarks" / "weights" / "digits-cnn-second"
    for classifier in (load_classifier(), load_second_classifier(second)):
        probabilities = classifier.probabilities(image)
        assert probabilities.shape == (1, 10)
        assert probabilities[0].argmax() == 1
        assert probabilities.sum() == pytest.approx(1)
    content = bytearray((second / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "weights.safetensors").write_bytes(content)
    (tmp_path / "card.json").write_bytes((second / "card.json").read_bytes())
    with pytest.raises(EvaluatorError, match="were changed"):
        load_second_classifier(tmp_path)


def test_shipped_weights_are_float32_or_smaller() -> None:
    for model in registry.list_models():
        tensors = load_file(model.folder / "weights.safetensors")
        floating = {t.dtype for t in tensors.values() if t.is_floating_point()}
        assert floating <= {torch.float32, torch.float16}

"""Training: every recipe learns, a stopped run goes on as if it had not been, exports are whole.

The data are generated here; nothing is downloaded.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from adapters.mnist_classifier.network import load as load_classifier
from adapters.protocol import EvaluatorError
from orchestrator.latent import registry
from orchestrator.latent.protocol import Space, SpaceError
from orchestrator.latent.testing.points import PointChecks
from orchestrator.training.automata import data as automaton_data
from orchestrator.training.data import load_digits, prepared_digits
from orchestrator.training.digits.classifiers import load_second_classifier
from orchestrator.training.recipes import RECIPES
from orchestrator.training.run import build_task, train
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

    images, labels = draw(260)
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
    digits: Path, molecules: Path, outcomes: Path, automata: Path, tmp_path: Path
) -> Callable[[str], Path | None]:
    """The file for a recipe; the test sets of MOSES are a few molecules of the same kind."""
    smiles = molecules.read_text(encoding="utf-8").splitlines()[:300:5]
    for name, lines in (("moses-test", smiles[:30]), ("moses-scaffolds", smiles[30:])):
        (tmp_path / f"{name}.smi.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
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
    term = "cross_entropy" if "cnn" in name or name == "tox21" else term
    assert [row["epoch"] for row in losses] == list(range(1, 9))
    # A flow is trained alone at last: what it does not change is no longer measured.
    values = [row[term] for row in losses if term in row]
    assert values[-1] < 0.9 * values[0]
    again, tensors = registry.load(name, home=tmp_path)
    assert again == json.loads(json.dumps(card))
    assert card["metrics"]
    assert tensors
    assert card["training"]["epochs"] == 8
    assert card["training"]["seed"] == 5
    assert "--epochs 8 --seed 5" in card["training"]["command"]
    if kind := SPACES.get(RECIPES[name].task):
        opens_a_space(kind, name, tmp_path)


def png() -> bytes:
    """A grey picture."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((28, 28), 99, dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


SPACES = {
    "automata": "automata",
    "digits-vae": "digits",
    "digits-dense": "digits",
    "molecules": "molecules",
    "smiles": "smiles",
}
"""Kind of the space of a model, by its task; the others have no latent space to search."""
GIVEN: dict[str, str | bytes] = {
    "automata": "1230-0120",
    "digits": png(),
    "molecules": "OCCCO",
    "smiles": "OCCCO",
}


def opens_a_space(kind: str, name: str, home: Path) -> None:
    """What a campaign asks of a space, however little its model has learned."""

    class Trained(PointChecks):
        draws = 9

        def space(self) -> Space:
            return registry.open_space(kind, name, home)

    for check in [one for one in dir(Trained) if one.startswith("test_")]:
        getattr(Trained(), check)()
    space = Trained().space()
    (given,) = space.read([GIVEN[kind]])
    assert given.content is not None, given.reason
    together = space.encode([given.content] * 2)
    assert np.array_equal(together[:1], space.encode([given.content]))
    assert np.array_equal(together[0], together[1])
    assert space.render(given.content).data


class Killed(BaseException):
    """Nothing catches it on the way, as nothing catches SIGKILL."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["automata", "digits-2d-classifier", "smiles-aae", "zinc-flow", "zinc-selfies"]
)
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


@pytest.mark.slow
def test_resuming_needs_a_checkpoint_of_the_same_run(
    data: Callable[[str], Path | None], tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"data": data("digits-cnn"), "cache": tmp_path}
    with pytest.raises(SpaceError, match="nothing to resume"):
        train("digits-cnn", out=tmp_path / "new", resume=True, **settings)
    assert not (tmp_path / "new").exists()
    train("digits-cnn", out=tmp_path / "one", epochs=1, **settings)
    with pytest.raises(SpaceError, match=r"another run: epochs 1, not 3; seed 2, not 77$"):
        train("digits-cnn", out=tmp_path / "one", epochs=3, seed=77, resume=True, **settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "bad"),
    [
        ("zinc-selfies", ["no molecule", "", "C.C", "C" * 5000, "*CC", "OCO"]),
        ("smiles-vae", ["no molecule", "", "C.C", "C" * 5000, "OCO", "CN" * 50]),
        ("automata", ["no automaton", "1230", "0" * 5000, "1230-0120"]),
    ],
)
def test_bad_lines_are_counted_reported_and_skipped(
    recipe: str,
    bad: list[str],
    data: Callable[[str], Path | None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Or a run of days would train on what nobody meant, or fall over at the last line."""
    source = data(recipe)
    assert source is not None
    counts = []
    for extra in ([], bad):
        file = tmp_path / f"{len(extra)}.txt"
        file.write_text("\n".join([*source.read_text().splitlines(), "OCO", "1230-0120", *extra]))
        with caplog.at_level(logging.WARNING):
            counts.append(build_task(RECIPES[recipe], file, tmp_path).data_counts())
    assert counts[1]["skipped"] - counts[0]["skipped"] == len(bad)
    assert counts[1]["training"] == counts[0]["training"]
    assert f"{len(bad)}.txt: of " in caplog.text


@pytest.mark.parametrize("recipe", ["automata", "smiles", "zinc-selfies"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe" * 500, b"?\n" * 200])
def test_a_file_of_nothing_usable_is_refused(recipe: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(SpaceError, match=r"bad\.txt: 0 usable"):
        train(recipe, data=tmp_path / "bad.txt", out=tmp_path / "o", cache=tmp_path)


def test_a_changed_byte_of_compressed_or_prepared_data_is_refused(
    molecules: Path, digits: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "chains.smi.gz"
    packed.write_bytes(changed(gzip.compress(molecules.read_bytes(), mtime=0)))
    with pytest.raises(SpaceError, match=r"chains\.smi\.gz cannot be read"):
        build_task(RECIPES["zinc-selfies"], packed, tmp_path)
    bars = tmp_path / "bars.npz"
    bars.write_bytes(changed(digits.read_bytes()))
    with pytest.raises(SpaceError, match=r"bars\.npz is not a data set of digits"):
        build_task(RECIPES["digits-cnn"], bars, tmp_path)
    build_task(RECIPES["smiles"], molecules, tmp_path)
    (kept,) = tmp_path.glob("smiles-*.npz")
    kept.write_bytes(changed(kept.read_bytes()))
    with pytest.raises(SpaceError, match=r"changed or cut.*delete the file"):
        build_task(RECIPES["smiles"], molecules, tmp_path)


def changed(content: bytes) -> bytes:
    """One byte in the middle is another."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


IMAGES, LABELS = np.zeros((3, 28, 28), np.uint8), np.arange(3)


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (IMAGES[:0], LABELS[:0], "uint8 of \\(0, 28, 28\\)"),
        (IMAGES / 255, LABELS, "images are float64"),
        (IMAGES[:, 1:], LABELS, "of \\(3, 27, 28\\), not"),
        (IMAGES, LABELS[1:], "3 images have labels"),
        (IMAGES, LABELS + 8, "labels are 8 to 10"),
    ],
)
def test_arrays_that_are_no_digits_are_refused(
    images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], said: str, tmp_path: Path
) -> None:
    np.savez(
        tmp_path / "odd.npz", images=IMAGES, labels=LABELS, test_images=images, test_labels=labels
    )
    with pytest.raises(SpaceError, match=rf"odd\.npz is not a data set of digits: .*{said}"):
        build_task(RECIPES["digits-2d"], tmp_path / "odd.npz", tmp_path)


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


def test_a_file_that_is_named_is_read_though_mnist_is_at_hand(digits: Path, tmp_path: Path) -> None:
    """Or a misspelt name would train on other images, and the card would say that name."""
    stored = prepared_digits(tmp_path)
    stored.write_bytes(digits.read_bytes())
    assert len(load_digits(Path("mnist"), cache=tmp_path).images) == 260
    (tmp_path / "other.whl").write_bytes(b"PK nothing")
    for name in ("other.whl", "missing.whl"):
        with pytest.raises(SpaceError, match=name):
            load_digits(tmp_path / name, cache=tmp_path)


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
        if not model.usable:  # only its card ships
            continue
        tensors = load_file(model.weights)
        floating = {t.dtype for t in tensors.values() if t.is_floating_point()}
        assert floating <= {torch.float32, torch.float16}

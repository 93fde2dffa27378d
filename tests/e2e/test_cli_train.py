"""Training one's own model, from data to the name that a spec gives."""

import json
from pathlib import Path

import numpy as np
import pytest

from orchestrator import Campaign
from orchestrator.cli.models import train
from tests.e2e.terminal import Terminal


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two hundred noisy pictures: nothing to be learned, but trained in no time."""
    rng = np.random.default_rng(0)
    file = tmp_path / "digits.npz"
    np.savez(
        file,
        images=rng.integers(0, 256, (200, 28, 28), dtype=np.uint8),
        labels=rng.integers(0, 10, 200),
        test_images=rng.integers(0, 256, (50, 28, 28), dtype=np.uint8),
        test_labels=rng.integers(0, 10, 50),
    )
    return file


def test_an_interrupted_training_goes_on_where_it_was(
    data: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = terminal.folder / "home" / "models" / "mine"
    command = ["models", "train", "digits-2d-classifier", "--data", data, "--out", out]
    command += ["--epochs", 2, "--seed", 5, "--patience", 2]

    def press_ctrl_c(self: object, progress: object) -> None:
        if getattr(progress, "epoch", 0) == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train._Lines, "__call__", press_ctrl_c)
        ended = terminal(*command)
    assert ended.code == 130
    assert "checkpoint.pt: add --resume to the same command" in " ".join(ended.err.split())
    assert "go on with it by --resume" in terminal.refused(*command)

    ended = terminal(*command, "--resume")
    assert ended.code == 0
    last = json.loads((out / "losses.jsonl").read_text().splitlines()[-1])
    assert f"epoch 2 of 2: reconstruction {last['reconstruction']:.4g}" in ended.err
    assert f"The model is in {out}." in ended.out
    card = json.loads((out / "card.json").read_text())
    assert card["training"]["seed"] == 5
    assert card["training"]["command"].endswith("--epochs 2 --seed 5 --patience 2")
    mine = [one for one in terminal("models", "list", "--json").json if one["name"] == "mine"]
    assert [(one["dim"], one["shipped"], one["folder"]) for one in mine] == [(2, False, str(out))]

    file = terminal.folder / "digits.yaml"
    file.write_text(
        "name: digits\n"
        "space: {kind: digits, model: mine}\n"
        "evaluators: [{use: mnist-classifier, measures: [p_4]}]\n"
        "objective: {direction: maximize, terms: [{measure: p_4}]}\n"
        "proposer: {kind: random, initial: 1}\n"
        "budget: {evaluations: 1}\n"
    )
    assert Campaign.open(file).run() == "finished"


@pytest.mark.slow
def test_what_is_trained_without_a_place_is_shown_and_drawn_by_the_recipes_name(
    data: Path, terminal: Terminal
) -> None:
    ended = terminal("models", "train", "digits-dropout", "--data", data, "--epochs", 1)
    assert ended.code == 0
    assert "test_elbo_nats" in terminal("models", "show", "digits-dropout").out
    listed = {one["name"]: one for one in terminal("models", "list", "--json").json}
    assert listed["digits-dropout"]["size"] > 0
    assert not listed["digits-dropout"]["shipped"]
    assert terminal("models", "figures", "digits-dropout", "--data", data).code == 0
    assert "go on with it by --resume" in terminal.refused("models", "train", "digits-dropout")


def test_a_shipped_model_is_not_hidden_unless_it_is_said_where(terminal: Terminal) -> None:
    """Campaigns would open another model by the same name."""
    for name in ("zinc-selfies", "digits-cnn"):
        refusal = terminal.refused("models", "train", name, "--data", "no.file")
        assert f"weights of {name} ship" in refusal


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["digits", "--data", "d", "--out", "o"],
            "no recipe is named 'digits'; there are: automata",
        ),
        (["digits-cnn", "--data", "no.npz", "--out", "o"], "no.npz"),
        (["digits-cnn", "--data", "text.npz", "--out", "o"], "text.npz"),
        (["digits-cnn", "--data", "text.npz", "--out", "text.npz"], "text.npz"),
        (["digits-cnn", "--data", "digits.npz", "--out", "o", "--resume"], "nothing to resume"),
        (["zinc-selfies", "--data", "text.npz", "--out", "o"], "text.npz"),
    ],
)
def test_what_cannot_be_trained_says_why(
    arguments: list[str], said: str, data: Path, terminal: Terminal
) -> None:
    (terminal.folder / "text.npz").write_text("not an archive")
    assert said in terminal.refused("models", "train", *arguments)

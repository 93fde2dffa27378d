"""SMILES recipes: what is read, what is held out, and that their figures mean what they say."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path

import numpy as np
import pytest

from orchestrator.latent.protocol import SpaceError
from orchestrator.latent.smiles_tokens import Alphabet, split
from orchestrator.training.run import train
from orchestrator.training.smiles.data import load
from orchestrator.training.smiles.metrics import head_metrics, roc_auc, two_sample_accuracy


@pytest.fixture
def assays(tmp_path: Path) -> Path:
    """120 molecules of five scaffolds and of none, with outcomes, notes, and bad lines."""
    rings = ("", "c1ccccc1", "C1CC1", "C1CCNCC1", "c1ccncc1", "C1CCCC1")
    smiles = [f"{'C' * n}O{ring}" for ring in rings for n in range(1, 21)]
    rows = [
        f"{i % 2}.0,T{i},{text},{i % 3},{'' if i % 2 else '1'}" for i, text in enumerate(smiles)
    ]
    rows += ["1,T,nonsense,,", f"1,T,{'C' * 5000},,", f"0,T,{smiles[0]},,", f"0,T,{'CN' * 50},,"]
    path = tmp_path / "assays.csv.gz"
    path.write_bytes(gzip.compress("\n".join(["NR-AR,mol_id,SMILES,count,one", *rows]).encode()))
    return path


@pytest.mark.parametrize(
    ("smiles", "tokens"),
    [
        ("CCl", ["C", "Cl"]),
        ("BrCB", ["Br", "C", "B"]),
        ("Sc1cnccc1", list("Sc1cnccc1")),
        ("[Na+].[se]C[C@@H]", ["[", "Na", "+", "]", ".", "[", "se", "]", *"C[C@@H]"]),
    ],
)
def test_an_element_of_two_letters_is_one_token_and_two_atoms_are_two(
    smiles: str, tokens: list[str]
) -> None:
    assert split(smiles) == tokens
    alphabet = Alphabet.of([smiles])
    assert alphabet.decode(alphabet.encode([smiles], 16)) == [smiles]


def test_outcomes_are_the_columns_of_0_and_1_and_bad_lines_are_counted(
    assays: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        data = load(assays, cache=tmp_path)
    assert data.outcome_names == ("NR-AR",)
    assert data.outcomes[:3, 0].tolist() == [0, 1, 0]
    assert "column count is no outcome, since it holds '2'" in caplog.text
    assert data.skipped == {
        "no SMILES": 1,
        "more than 100 heavy atoms": 1,
        "came before": 1,
        "more than 99 tokens": 1,
    }
    again = load(assays, cache=tmp_path)
    assert again.smiles == data.smiles
    assert np.array_equal(again.outcomes, data.outcomes)


def test_no_scaffold_is_both_trained_on_and_held_out(assays: Path, tmp_path: Path) -> None:
    data = load(assays, cache=tmp_path)
    training, held_out = data.split()
    assert sorted([*training, *held_out]) == list(range(len(data.smiles)))
    assert not {data.scaffolds[i] for i in training} & {data.scaffolds[i] for i in held_out}
    assert 0.8 * len(data.smiles) <= len(training) < len(data.smiles)


@pytest.mark.slow
def test_molecules_of_one_scaffold_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "chains.smi"
    file.write_text("\n".join(f"{'C' * n}O{'C' * m}" for n in range(1, 21) for m in range(20)))
    with pytest.raises(SpaceError, match="1 scaffolds, too few to hold any out"):
        load(file, cache=tmp_path).split()


@pytest.mark.slow
def test_only_the_recipe_that_needs_outcomes_refuses_a_file_without(
    assays: Path, tmp_path: Path
) -> None:
    file = tmp_path / "plain.smi"
    data = load(assays, cache=tmp_path)
    file.write_text("\n".join(data.smiles))
    with pytest.raises(SpaceError, match=r"needs outcomes of assays, and .*plain\.smi has none"):
        train("smiles-vae-property", data=file, out=tmp_path / "o", epochs=1, cache=tmp_path)
    assert not (tmp_path / "o").exists()
    train("smiles-vae", data=file, out=tmp_path / "o", epochs=1, cache=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "terms", "metrics"),
    [
        (
            "smiles-vae-property",
            {"reconstruction", "kl", "qed", "outcomes"},
            {"head_r2_qed", "head_roc_auc"},
        ),
        (
            "smiles-aae",
            {"reconstruction", "adversarial", "discriminator"},
            {"prior_match_accuracy_held_out", "prior_match_accuracy_training"},
        ),
    ],
)
def test_each_term_of_the_loss_is_logged_and_each_part_is_measured(
    recipe: str, terms: set[str], metrics: set[str], assays: Path, tmp_path: Path
) -> None:
    card = train(recipe, data=assays, out=tmp_path / "o", epochs=2, patience=2, cache=tmp_path)
    for line in (tmp_path / "o" / "losses.jsonl").read_text().splitlines():
        row = json.loads(line)
        apart = {f"validation_{name}" for name in {"loss", *terms}}
        assert set(row) == {"epoch", "step", *terms, *apart}
        assert all(np.isfinite(value) for value in row.values())
    expected = {"prior_valid", "reconstruction_exact", "reconstruction_tokens", *metrics}
    assert expected <= set(card["metrics"])
    assert 0 < card["metrics"]["reconstruction_tokens"] <= 1


def test_areas_count_ties_half_and_leave_out_what_was_not_measured() -> None:
    assert roc_auc(np.array([1.0, 2, 2, 3]), np.array([False, False, True, True])) == 0.875
    read = np.array([[0.1, 5, 0], [0.2, 1, 0], [0.3, 2, 0]])
    outcomes = np.array([[np.nan, 1], [0, 1], [1, 1]], dtype=np.float32)
    found = head_metrics(read, np.array([0.1, 0.2, 0.3], np.float32), outcomes, ("a", "b"))
    assert found["head_r2_qed"] == pytest.approx(1)
    assert found["head_roc_auc_by_outcome"] == {"a": 1.0}


@pytest.mark.slow
def test_the_two_sample_test_knows_the_prior_from_another_distribution() -> None:
    rng = np.random.default_rng(0)
    assert abs(two_sample_accuracy(rng.standard_normal((1000, 8)), 1) - 0.5) < 0.06
    assert two_sample_accuracy(3 * rng.standard_normal((1000, 8)), 1) > 0.9

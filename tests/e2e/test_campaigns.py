"""The shipped campaigns find what they promise; `make bench` runs them over more seeds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rdkit import Chem
from rdkit.Chem import QED, Crippen

from orchestrator import Campaign
from orchestrator.driver import Standing
from orchestrator.training.digits.classifiers import load_second_classifier

ROOT = Path(__file__).parents[2]
JUDGE = ROOT / "benchmarks" / "weights" / "digits-cnn-second"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own."""
    monkeypatch.setenv("ASSAYLOOP_HOME", str(tmp_path))
    monkeypatch.delenv("ASSAYLOOP_DATABASE_URL", raising=False)
    return tmp_path


@pytest.mark.slow
def test_the_ten_best_digits_are_fours_for_a_network_that_was_never_asked() -> None:
    """Otherwise the campaign fools its evaluator instead of finding digits."""
    campaign = Campaign.open(ROOT / "examples" / "digit-four.yaml")
    assert campaign.run() is Standing.FINISHED
    best = campaign.best(10)
    images = np.stack([np.asarray(Image.open(one["object"])) for one in best])
    assert images.shape == (10, 28, 28)
    classes = load_second_classifier(JUDGE).probabilities(images).argmax(axis=1)
    assert classes.tolist() == [4] * 10
    assert campaign.show()["evaluations"] == 50


@pytest.mark.slow
def test_the_molecules_shown_are_sound_and_proposals_better_than_the_first_draws() -> None:
    """A chemist must be able to trust every line of the table, not only the first."""
    campaign = Campaign.open(
        ROOT / "examples" / "drug-like.yaml", overrides=["budget.evaluations=100"]
    )
    campaign.run()
    shown = campaign.show(10)
    molecules = [Chem.MolFromSmiles(one["object"]) for one in shown["best"]]
    assert shown["evaluations"] == 100
    assert len({Chem.MolToSmiles(molecule) for molecule in molecules}) == 10
    for molecule, one in zip(molecules, shown["best"], strict=True):
        assert one["measurements"]["qed"]["value"] == pytest.approx(QED.qed(molecule))
        assert 0 <= Crippen.MolLogP(molecule) <= 5
        assert one["objective"] == one["measurements"]["qed"]["value"]
    tried = campaign.candidates()
    tried = tried[tried["qed"].notna()]
    by_model = tried["predicted_mean"].notna()
    proposed, drawn = tried[by_model]["qed"], tried[~by_model]["qed"]
    assert (len(proposed), len(drawn)) == (80, 20)
    # Not the best against the best: one of twenty draws may be lucky.
    assert proposed.mean() > drawn.mean() + 0.05

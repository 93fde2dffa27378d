"""The MOSES metrics: numbers beside a published row must be the numbers that it means."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from orchestrator.latent.protocol import SpaceError
from orchestrator.training.molecules import chemnet, moses, moses_metrics
from orchestrator.training.molecules import data as molecule_data
from orchestrator.training.molecules.moses_metrics import Summary
from orchestrator.training.molecules.moses_published import VAE
from orchestrator.training.run import train

DRUGS = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "CC(C)Cc1ccc(C(C)C(=O)O)cc1",
    "CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc21",
    "O=C(NCc1ccccc1)c1ccc2ncccc2c1",
]


def _prints(*bits: list[int]) -> moses_metrics.Prints:
    rows = np.zeros((len(bits), 1024), dtype=np.uint8)
    for row, on in zip(rows, bits, strict=True):
        row[on] = 1
    return np.packbits(rows, axis=1)


def test_the_nearest_neighbour_is_found_whichever_block_it_lies_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By hand: 2 of 4 bits shared with the first, 1 of 3 and 1 of 2 with the others."""
    monkeypatch.setattr(moses_metrics, "_ROWS", 1)
    monkeypatch.setattr(moses_metrics, "_COLUMNS", 2)
    reference = _prints([1, 2, 3, 4], [7], [1])
    found = moses_metrics.nearest(_prints([1, 2], [7, 9, 10], [1023]), reference)
    assert found.tolist() == pytest.approx([1 / 2, 1 / 3, 0])


def test_diversity_counts_each_molecule_with_itself() -> None:
    """By hand: similarities 1, 1/3 and 1/3, 1."""
    diversity, root = moses_metrics.internal_diversity(_prints([1, 2], [2, 3]))
    assert diversity == pytest.approx(1 - 2 / 3)
    assert root == pytest.approx(1 - np.sqrt((1 + 1 / 9) / 2))
    assert moses_metrics.internal_diversity(_prints([5], [5], [5])) == pytest.approx((0, 0))


def test_counts_are_compared_by_their_angle() -> None:
    assert moses_metrics.cosine({"a": 3, "b": 4}, {"a": 4, "c": 3}) == pytest.approx(12 / 25)
    assert moses_metrics.cosine({"a": 2}, {"a": 9}) == pytest.approx(1)
    assert moses_metrics.cosine({"a": 2}, {}) == 0


def test_a_molecule_falls_apart_at_brics_bonds_and_its_scaffold_needs_two_rings() -> None:
    """Benzanilide: the amide bond and the bonds to both rings are BRICS bonds."""
    found = moses_metrics.measure("O=C(Nc1ccccc1)c1ccccc1")
    assert Counter(found.fragments).total() == 4
    assert sum("c" in fragment for fragment in found.fragments) == 2
    assert found.scaffold == "O=C(Nc1ccccc1)c1ccccc1"
    assert moses_metrics.measure("CCc1ccccc1").scaffold is None
    logp, sa, qed, weight = moses_metrics.measure("c1ccccc1").properties
    assert (logp, weight) == pytest.approx((1.6866, 78.114), abs=1e-3)
    assert 1 <= sa < 2
    assert 0 < qed < 1


def test_validity_uniqueness_and_novelty_are_of_what_the_paper_says() -> None:
    """Valid ones of all, unique ones of the valid, new ones of the unique."""
    generated = ["CCO", None, "CCO", "CCN", "CCC"]
    valid = Summary.of([one for one in generated if one])
    found = moses_metrics.of_generated(generated, valid, training=["CCN", "CCCC"])
    assert found["valid"] == 4 / 5
    assert found["unique@1k"] == found["unique@10k"] == 3 / 4
    assert found["Novelty"] == pytest.approx(2 / 3)
    assert moses_metrics.unique(["C", "C", "N"], 2) == 1 / 2


def test_a_set_is_like_itself_whole_and_in_parts() -> None:
    whole = Summary.of(DRUGS)
    parts = Summary.joined([Summary.of(DRUGS[:2]), Summary.of(DRUGS[2:])])
    for name, value in moses_metrics.against(whole, parts, "Test").items():
        assert value == pytest.approx(1), name
    assert set(moses_metrics.property_distances(whole, parts).values()) == {0}
    other = moses_metrics.against(whole, Summary.of(["CCCCCC", "C1CCCCC1C1CCCCC1"]), "Test")
    assert other["SNN/Test"] < 0.5
    assert other["Frag/Test"] == other["Scaf/Test"] == 0
    shifted = moses_metrics.property_distances(Summary.of(["C"]), Summary.of(["CC"]))
    assert shifted["weight"] == pytest.approx(14.027, abs=1e-3)


def _moments(points: chemnet.Floats) -> chemnet.Moments:
    return chemnet.Moments(len(points), points.sum(axis=0), points.T @ points)


def test_the_frechet_distance_of_normals_is_the_one_in_closed_form() -> None:
    """Independent axes: squared differences of the means and of the standard deviations."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((50, 3))
    points = (points - points.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T
    moved = points * [1, 2, 5] + [3, 0, 0]
    assert chemnet.distance(_moments(points), _moments(moved)) == pytest.approx(9 + 0 + 1 + 16)
    halves = _moments(moved[:20]) + _moments(moved[20:])
    assert chemnet.distance(_moments(moved), halves) == pytest.approx(0, abs=1e-9)
    assert halves.covariance == pytest.approx(np.cov(moved.T))


def test_chemnet_tells_drugs_from_chains_and_passes_over_what_is_too_long() -> None:
    pytest.importorskip("fcd", reason="pip install assayloop[fcd]")
    drugs = chemnet.moments(DRUGS)
    assert chemnet.moments(["C" * 350, *DRUGS]).count == drugs.count == len(DRUGS)
    assert chemnet.distance(drugs, drugs) == pytest.approx(0, abs=1e-4)
    chains = chemnet.moments(["C" * n for n in range(2, 7)])
    assert chemnet.distance(drugs, chains) > 10


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A folder of data with test sets of MOSES, as `data get` leaves them."""
    for name in moses.TEST_SETS.values():
        (tmp_path / f"{name}.smi.gz").write_bytes(gzip.compress("\n".join(DRUGS).encode()))
    return tmp_path


def test_an_interrupted_preparation_of_the_test_sets_goes_on_where_it_was(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes half an hour: what was computed is neither lost nor computed again."""
    monkeypatch.setattr(moses, "_BLOCK", 2)
    before = moses.references(cache)
    kept = list(cache.glob("moses-*-4-2-*.npz"))
    assert kept
    for path in kept:
        path.unlink()
    left = {path: path.stat().st_mtime_ns for path in cache.glob("moses-*.npz")}
    after = moses.references(cache)
    assert {path: path.stat().st_mtime_ns for path in left} == left
    for label, one in before.items():
        again = after[label].summary
        assert again.smiles == one.summary.smiles
        assert again.scaffolds == one.summary.scaffolds == Summary.of(DRUGS).scaffolds
        assert (again.fingerprints == one.summary.fingerprints).all()
        assert again.properties.shape == (len(DRUGS), 4 if label == "Test" else 0)


def test_the_metrics_have_the_names_that_the_published_ones_have(cache: Path) -> None:
    references = moses.references(cache)
    found = moses.metrics([*DRUGS, None], DRUGS[:1], references)
    wanted = {name for name in VAE if chemnet.installed() or not name.startswith("FCD")}
    assert set(found) == wanted | set(moses_metrics.PROPERTIES)
    assert found["valid"] == 5 / 6
    assert [found["SNN/TestSF"], found["Scaf/Test"]] == pytest.approx([1, 1])
    assert moses.metrics([None, "CCO"], [], references) == {"valid": 1 / 2}


def test_without_the_test_sets_no_training_begins(tmp_path: Path) -> None:
    """A night of training that ends with nothing to compare with is a night lost."""
    with pytest.raises(SpaceError, match="run `assayloop data get moses`"):
        train("moses-selfies", out=tmp_path / "out", cache=tmp_path)


def test_a_part_of_the_molecules_is_taken_evenly_and_kept(tmp_path: Path) -> None:
    """Neighbours in a file are often alike: its beginning would be one corner of it."""
    lines = [f"{'C' * n}{end}" for n in range(1, 39) for end in "CNOFSPIB"]
    file = tmp_path / "chains.smi"
    file.write_text("\n".join(lines))
    part = molecule_data.load(file, merges=3, cache=tmp_path, at_most=len(lines) // 2 - 1)
    wanted = [moses_metrics.measure(line, with_properties=False).smiles for line in lines[::3]]
    assert part.smiles == wanted
    (kept,) = tmp_path.glob("molecules-*.npz")
    assert f"-of-{len(lines) // 2 - 1}-" in kept.name

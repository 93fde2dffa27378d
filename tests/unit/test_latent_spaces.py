"""What the two latent spaces do beyond the contract."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image
from rdkit import Chem

from orchestrator.latent.digits import DigitsSpace, pixels
from orchestrator.latent.molecule_codec import smiles_of
from orchestrator.latent.molecules import MoleculesSpace
from orchestrator.latent.protocol import SpaceError

RNG = np.random.default_rng(0)
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


@pytest.fixture(scope="module")
def digits() -> DigitsSpace:
    return DigitsSpace()


@pytest.fixture(scope="module")
def molecules() -> MoleculesSpace:
    return MoleculesSpace()


def _png(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind)
    return buffer.getvalue()


def test_digits_are_png_images_known_by_their_pixels(digits: DigitsSpace) -> None:
    decoded = digits.decode(np.zeros((1, 2)), RNG)[0]
    assert isinstance(decoded.content, bytes)
    image = Image.open(io.BytesIO(decoded.content))
    assert (image.format, image.mode, image.size) == ("PNG", "L", (28, 28))
    assert decoded.key == hashlib.sha256(pixels(decoded.content).tobytes()).hexdigest()


def test_the_plane_of_digits_is_the_square_that_campaigns_search(digits: DigitsSpace) -> None:
    assert digits.bounds.tolist() == [[-4, -4], [4, 4]]


def test_the_head_finds_all_ten_digits_in_the_plane(digits: DigitsSpace) -> None:
    """A digit without a place in the plane could not be searched for."""
    axis = np.linspace(-4, 4, 81)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    probabilities = digits.class_probabilities(grid)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.max(axis=0) > 0.95).all()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (_png(Image.new("L", (27, 28))), "27 x 28"),
        (_png(Image.new("RGB", (28, 28)), "JPEG"), "not a PNG"),
        (_png(Image.new("L", (28, 28)))[:40], "not a PNG"),
        ("text", "not the text 'text'"),
    ],
)
def test_other_images_are_refused(
    digits: DigitsSpace, content: bytes | str, complaint: str
) -> None:
    with pytest.raises(SpaceError, match=complaint):
        digits.encode([content])


def test_molecules_are_canonical_and_connected(molecules: MoleculesSpace) -> None:
    """Duplicates are found by this key, so that one molecule must have one."""
    decoded = molecules.decode(molecules.sample_prior(100, np.random.default_rng(1)), RNG)
    smiles = [d.content for d in decoded if d.valid]
    assert len(smiles) >= 99
    for text in smiles:
        assert isinstance(text, str)
        assert "." not in text
        assert Chem.MolToSmiles(Chem.MolFromSmiles(text)) == text


def test_the_same_molecule_written_differently_has_one_point(molecules: MoleculesSpace) -> None:
    points = molecules.encode([ASPIRIN, "OC(=O)c1ccccc1OC(C)=O", ASPIRIN.encode()])
    assert np.array_equal(points[0], points[1])
    assert np.array_equal(points[0], points[2])


def test_the_head_tells_a_greasy_molecule_from_a_polar_one(molecules: MoleculesSpace) -> None:
    points = molecules.encode(["CCCCCCCCc1ccc(Cl)cc1", "NC(=O)CNC(=O)CO"])
    logp = molecules.predicted_properties(points)[:, 1]
    assert logp[0] > logp[1] + 2


@pytest.mark.parametrize(
    ("smiles", "complaint"),
    [
        ("C1CC", "'C1CC'"),
        ("", "''"),
        ("C[Si](C)(C)C", r"'C\[Si\]\(C\)\(C\)C'.*\[Si\]"),
        ("CC.O", "'CC.O'"),
    ],
)
def test_molecules_that_the_space_cannot_hold_are_quoted(
    molecules: MoleculesSpace, smiles: str, complaint: str
) -> None:
    with pytest.raises(SpaceError, match=complaint):
        molecules.encode([smiles])


def test_what_decodes_to_nothing_is_no_molecule() -> None:
    assert smiles_of("") is None
    assert smiles_of("[C][C][O]") == "CCO"


def test_filters_know_an_alert_and_what_is_hard_to_make(molecules: MoleculesSpace) -> None:
    assert set(molecules.filters) == {
        "structural_alerts",
        "synthesizable",
        "usual_rings",
        "usual_valences",
    }
    assert molecules.filters["structural_alerts"]("CC(=O)Nc1ccccc1")
    assert not molecules.filters["structural_alerts"]("O=[N+]([O-])c1ccccc1")
    assert molecules.filters["synthesizable"](ASPIRIN)
    assert not molecules.filters["synthesizable"]("C1C2C3C1C1C2C2C3C1C1CC21")

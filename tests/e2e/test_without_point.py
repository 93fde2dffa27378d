"""What somebody measured is never lost, not even where the model cannot write it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from db import repository
from db.models import Candidate
from orchestrator import Campaign, loop, opening, wiring
from orchestrator.errors import BadInput
from orchestrator.history.verify.verification import verify
from orchestrator.people import actors, campaigns
from orchestrator.settings import Settings
from orchestrator.spec.model import Spec
from tests.e2e.terminal import Terminal

MOLECULES = {
    "a salt": "CC(=O)[O-].[Na+]",
    "a boronic ester": "CC1(C)OB(c2ccncc2)OC1(C)C",
    "an isotope": "[2H]C([2H])([2H])Oc1ccccc1",
    "a metal complex": "[Fe+2].[cH-]1cccc1.[cH-]1cccc1",
    "a radical": "CC1(C)CCCC(C)(C)N1[O]",
}
BY = "HPLC 3"


def spec(kind: str, use: str, measures: list[str], **more: Any) -> dict[str, Any]:
    """A campaign that nobody has driven yet."""
    return {
        "name": kind,
        "space": {"kind": kind},
        "evaluators": [{"use": use, "measures": measures}],
        "objective": {"direction": "maximize", "terms": [{"measure": measures[0]}]},
        "proposer": {"kind": "gp", "initial": 2},
        "budget": {"evaluations": 3},
        **more,
    }


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a campaign of molecules, told of one of each kind, and of aspirin."""
    home = tmp_path_factory.mktemp("without")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAYLOOP_HOME", str(home))
        campaign = Campaign.open(spec("molecules", "rdkit", ["qed", "logp"]))
        campaign.tell("CC(=O)Oc1ccccc1C(=O)O", qed=0.55, logp=1.3, provenance=BY)
        for number, smiles in enumerate(MOLECULES.values()):
            campaign.tell(smiles, qed=0.6 + number / 100, logp=1.0, provenance=BY)
        yield home


@pytest.fixture
def told(laboratory: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal in that home."""
    monkeypatch.setenv("ASSAYLOOP_HOME", str(laboratory))
    return terminal


@pytest.mark.slow
def test_each_molecule_is_a_candidate_without_a_point(told: Terminal) -> None:
    """Shown, exported and the best, if it is."""
    shown = told("show", "molecules", "--json").json
    assert shown["without_point"] == len(MOLECULES)
    assert [one["objective"] for one in shown["best"]] == [0.64, 0.63, 0.62, 0.61, 0.6, 0.55]
    assert [one["latent"] is None for one in shown["best"]] == [True] * 5 + [False]
    said = told("show", "molecules").out
    assert "5 measured candidates have no point, and the surrogate does not learn from it" in said
    listed = told("candidates", "molecules", "--json").json
    assert {one["state"] for one in listed} == {"measured"}
    table = told.folder / "all.csv"
    assert told("export", "csv", "molecules", "--out", table).code == 0
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [float(row["objective"]) for row in rows] == [0.55, 0.6, 0.61, 0.62, 0.63, 0.64]
    assert [row["reason"].startswith("has no point: SMILES") for row in rows] == [False] + [
        True
    ] * 5
    page = told("audit", "explain", "molecules", "2").out
    assert "has no point" in " ".join(page.split())
    assert told("audit", "verify", "molecules").code == 0


@pytest.mark.slow
def test_the_surrogate_leaves_them_out_and_learns_from_the_rest(told: Terminal) -> None:
    """A model fitted to made-up points would be worse than none."""
    database = opening.database(Settings.read())
    parts = wiring.build(database, opening.campaign(database, "molecules").id)
    number = loop.refit(parts)
    assert number is not None
    with database.read() as session:
        fit = repository.fit(session, parts.campaign)
        assert fit is not None
        assert (fit.number, fit.data_size) == (number, 1)
    database.close()
    report = told("report", "molecules", "--json").json["report"]
    assert "5 measured candidates have no point" in Path(report).read_text()


@pytest.mark.slow
def test_a_crate_takes_them_elsewhere(told: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    before = told("show", "molecules", "--json").json
    crate = told.folder / "crate"
    assert told("export", "crate", "molecules", "--out", crate).code == 0
    monkeypatch.setenv("ASSAYLOOP_HOME", str(told.folder / "elsewhere"))
    assert told("import", crate).code == 0
    assert told("show", "molecules", "--json").json == before
    assert told("audit", "verify").code == 0


@pytest.mark.slow
def test_the_same_object_is_found_again(told: Terminal) -> None:
    """Another way to write the salt is the same salt."""
    ended = told(
        "tell", "molecules", "qed=0.6", "--object", "[Na+].CC([O-])=O", "--provenance", "x"
    )
    said = " ".join(ended.out.split())
    assert said.startswith("Candidate 2 of molecules#1 is told; objective: 0.6.")
    assert "It has no point: SMILES" in said
    assert "the surrogate does not learn from it" in said
    assert "no object of this space" in told.refused(
        "tell", "molecules", "qed=0.6", "--object", "C(C)(C)(C)(C)C", "--provenance", "x"
    )


@pytest.mark.slow
def test_a_changed_objective_is_asked_of_them_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a value of the old objective stands among those of the new."""
    monkeypatch.setenv("ASSAYLOOP_HOME", str(tmp_path))
    first = spec("molecules", "rdkit", ["qed", "logp"])
    campaign = Campaign.open(first)
    salt = campaign.tell("CC(=O)[O-].[Na+]", qed=0.9, logp=3.0, provenance=BY)
    ethanol = campaign.tell("CCO", qed=0.4, logp=1.0, provenance=BY)
    database = opening.database(Settings.read())
    second = first | {"objective": {"direction": "maximize", "terms": [{"measure": "logp"}]}}
    revised = Spec.model_validate(second)
    campaigns.revise(database, "molecules", revised, actors.operating_system(), "logP after all")
    best = Campaign.find("molecules").best()
    assert [(one["candidate"], one["objective"]) for one in best] == [(salt, 3.0), (ethanol, 1.0)]
    assert verify(database).ok
    database.close()


@pytest.mark.slow
def test_an_image_of_another_size_is_kept_as_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAYLOOP_HOME", str(tmp_path))
    campaign = Campaign.open(spec("digits", "mnist-classifier", ["p_4"]))
    buffer = io.BytesIO()
    pixels = np.arange(64 * 48 * 3, dtype=np.uint8).reshape(48, 64, 3)
    Image.fromarray(pixels).save(buffer, format="PNG")
    number = campaign.tell(buffer.getvalue(), p_4=0.9, provenance=BY)
    (best,) = campaign.best()
    assert (best["candidate"], best["latent"]) == (number, None)
    assert Path(best["object"]).read_bytes() == buffer.getvalue()
    with pytest.raises(BadInput, match="not a PNG image"):
        campaign.tell(b"GIF89a", p_4=0.9, provenance=BY)
    assert campaign.tell(buffer.getvalue(), p_4=0.8, provenance=BY) == number


@pytest.mark.slow
def test_an_automaton_that_is_too_large_or_cannot_be_reset_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAYLOOP_HOME", str(tmp_path))
    campaign = Campaign.open(spec("automata", "automata", ["reset_length"]))
    large = campaign.tell("1234567890-0123456789", reset_length=40, provenance=BY)
    never = campaign.tell("1230-1230", reset_length=30, provenance=BY)
    points = {one["candidate"]: one["latent"] for one in campaign.best()}
    assert points[large] is None
    assert len(points[never]) > 1
    database = opening.database(Settings.read())
    with database.read() as session:
        row = session.get_one(Candidate, (campaign.id, large))
        assert row.reason.startswith("has no point: automaton '")
    with pytest.raises(BadInput, match="is no automaton"):
        campaign.tell("12a-120", reset_length=3, provenance=BY)

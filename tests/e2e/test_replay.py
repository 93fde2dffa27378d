"""A stored proposal comes out again, or the cause why it does not is named."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from db import migrate
from db.models import Round
from db.session import Database
from orchestrator import Campaign, opening, wiring
from orchestrator.driver import Standing
from orchestrator.history.replay.replaying import Verdict, replay
from orchestrator.latent import registry
from orchestrator.latent.registry import SHIPPED
from orchestrator.people import ask_tell, campaigns, corrections
from orchestrator.people.ask_tell import Told
from orchestrator.proposers.gp import GPProposer
from orchestrator.proposers.protocol import Proposal
from orchestrator.settings import Settings
from orchestrator.verbs import batches, computing
from tests.e2e.lab import Lab, opened
from tests.e2e.terminal import Terminal, tamper

ROOT = Path(__file__).parents[2]
GP = {"kind": "gp", "initial": 3, "batch": 1}


def fresh(*arguments: str) -> tuple[int, Any]:
    """Exit code and JSON of a command in a process of its own."""
    command = [sys.executable, "-m", "orchestrator.cli", *arguments, "--json"]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    ended = subprocess.run(
        command, capture_output=True, env=os.environ | {"PYTHONPATH": path}, check=False
    )
    return ended.returncode, json.loads(ended.stdout)


# What is on record comes out again ------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "overrides", "rounds"),
    [
        ("digit-four", ["budget.evaluations=7"], 6),
        ("drug-like", ["proposer.initial=8", "budget.evaluations=16"], 3),
    ],
)
def test_every_proposal_of_the_shipped_campaigns_comes_out_bit_for_bit(
    name: str, overrides: list[str], rounds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another process, and also where each fit is made anew from the one before."""
    monkeypatch.setenv("ASSAYLOOP_HOME", str(tmp_path))
    monkeypatch.delenv("ASSAYLOOP_DATABASE_URL", raising=False)
    spec = ROOT / "examples" / f"{name}.yaml"
    assert Campaign.open(spec, overrides=overrides).run() is Standing.FINISHED
    for how in ([], ["--refit"]):
        code, said = fresh("audit", "replay", name, "--all", *how)
        assert {one["verdict"] for one in said["rounds"]} == {"bit-equal"}, said
        assert len(said["rounds"]) >= rounds
        assert (code, said["ok"]) == (0, True)
        assert not any(one["causes"] or one["remarks"] for one in said["rounds"])


@pytest.fixture
def lab(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab on each kind of database."""
    with opened(database, tmp_path, monkeypatch) as lab:
        yield lab


def test_whatever_people_do_meanwhile_every_round_can_be_replayed(lab: Lab) -> None:
    """Asked and told, results that come late, a correction, a flag, another objective."""
    parts = {"proposer": GP | {"batch": 2}, "in_flight": 2, "evaluators": [lab.inbox()]}
    campaign = lab.start(**parts, budget={"evaluations": 12})
    for _ in range(3):
        lab.drive(campaign)
        lab.answer()
    with wiring.driving(lab.build(campaign)) as mine:
        ask_tell.ask(mine, 2)
    lab.drive(campaign)
    corrections.correct(lab.build(campaign), 1, Told(0.9, 0.05), "slip")
    corrections.flag(lab.build(campaign), "suspect", "bubble", measurements=[2])
    lab.answer()
    lab.drive(campaign)
    lab.answer()
    lab.drive(campaign)
    smallest = {"direction": "minimize", "terms": [{"measure": "score"}]}
    changed = lab.spec(**parts, budget={"evaluations": 16}, objective=smallest)
    campaigns.revise(lab.database, campaign, changed, lab.actor, "the other way round")
    for _ in range(3):
        lab.drive(campaign)
        lab.answer()
    rounds = lab.rows(Round, campaign)
    assert {one.source for one in rounds} == {"proposed", "asked"}
    assert {one.revision for one in rounds} == {1, 2}
    assert any(one.pending for one in rounds)
    assert sum(one.fit is not None for one in rounds) >= 5
    row = lab.campaign(campaign)
    for again in replay(lab.database, row, [one.number for one in rounds], refit=True):
        assert again.verdict is Verdict.EQUAL, again


# What was changed is named --------------------------------------------------------------------


def causes(said: dict[str, Any]) -> list[str]:
    """Places of what went in otherwise, over all rounds."""
    return sorted({one["where"] for again in said["rounds"] for one in again["causes"]})


def test_a_changed_measurement_is_named(learned: Terminal) -> None:
    """The rounds before it are still what they were."""
    rows = learned("history", "learned", "--json").json
    changed = next(row for row in rows if row["name"] == "yield" and row["candidate"] == 4)
    number = changed["measurement"]
    tamper(learned, f"UPDATE measurement SET value = value + 1e-9 WHERE number = {number}")
    ended = learned("audit", "replay", "learned", "--all", "--json")
    assert ended.code == 5
    verdicts = [one["verdict"] for one in ended.json["rounds"]]
    assert verdicts == ["bit-equal", "bit-equal", "diverged", "diverged"]
    assert causes(ended.json) == ["data", f"measurement {number}, value"]
    said = learned("audit", "replay", "learned", 3)
    assert said.code == 5
    assert f"because measurement {number}, value:" in said.out
    assert "by the ledger it is" in " ".join(said.out.split())


@pytest.mark.parametrize(
    ("statement", "cause"),
    [
        ('UPDATE fit SET versions = replace(versions, \'"torch":"\', \'"torch":"1\')', "versions"),
        ("UPDATE fit SET state = replace(state, '\"noise\":', '\"noise\":1')", "state"),
        ("UPDATE fit SET data_hash = replace(data_hash, 'a', 'b')", "data_hash"),
    ],
)
def test_a_changed_fit_is_named(learned: Terminal, statement: str, cause: str) -> None:
    tamper(learned, f"{statement} WHERE number = 2")
    ended = learned("audit", "replay", "learned", "--all", "--json")
    assert ended.code == 5
    assert f"fit 2, {cause}" in causes(ended.json)
    assert [one["verdict"] == "diverged" for one in ended.json["rounds"]] == [
        False,
        False,
        True,
        False,
    ]


def test_a_changed_proposal_is_named_even_where_the_ledger_agrees(learned: Terminal) -> None:
    """Somebody rewrote row and entry alike: what is computed again is neither."""
    tamper(learned, "UPDATE candidate SET mean = 99.5 WHERE number = 5")
    tamper(
        learned,
        "UPDATE ledger_entry SET payload = json_set(payload, '$.new.candidate[0].mean', 99.5) "
        "WHERE kind = 'propose' AND payload LIKE '%\"number\":5,%'",
    )
    (again,) = learned("audit", "replay", "learned", "--candidate", 5, "--json").json["rounds"]
    assert again["verdict"] == "diverged"
    assert "candidate 5, mean" in [one["where"] for one in again["differences"]]
    assert any("was changed" in one["what"] for one in again["causes"])


@pytest.mark.parametrize("told", [True, False])
def test_a_changed_weight_is_named(told: bool, terminal: Terminal) -> None:
    """Whether the model's card was changed with it or not."""
    folder = terminal.folder / "home" / "models" / "mine"
    shutil.copytree(SHIPPED / "digits-2d-classifier", folder)
    spec = (ROOT / "examples" / "digit-four.yaml").read_text()
    file = terminal.folder / "mine.yaml"
    file.write_text(spec.replace("model: digits-2d-classifier", "model: mine"))
    Campaign.open(file, overrides=["budget.evaluations=3"]).run()
    assert terminal("audit", "replay", "digit-four", "--all").code == 0

    weights = folder / "weights.safetensors"
    tensors = load(weights.read_bytes())
    name = next(name for name in sorted(tensors) if tensors[name].ndim)
    tensors[name].flat[0] += np.asarray(1, dtype=tensors[name].dtype)
    weights.write_bytes(save(tensors))
    if told:
        card = json.loads((folder / "card.json").read_text())
        card["weights_sha256"] = sha256(weights.read_bytes()).hexdigest()
        (folder / "card.json").write_text(json.dumps(card))
    ended = terminal("audit", "replay", "digit-four", 1, "--json")
    assert ended.code == 5
    assert causes(ended.json) == ["weights"]
    said = " ".join(terminal("audit", "replay", "digit-four", 1).out.split())
    model = registry.open_space("digits").model_hash
    assert f"because weights: those on record are {model}; " in said
    assert "with those that the database keeps, all bits come out equal" in said

    shutil.rmtree(folder)
    said = " ".join(terminal("audit", "replay", "digit-four", 1).out.split())
    assert "all bits come out equal" in said, "the model is gone, and its weights are kept"
    tamper(terminal, "UPDATE artifact_chunk SET data = x'00' WHERE chain = 'system'")
    said = " ".join(terminal("audit", "replay", "digit-four", 1).out.split())
    assert "the database keeps none that can be used: " in said


def test_another_version_is_noted(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the first suspect where numbers differ; where none does, it is no divergence."""
    file = terminal.spec("old", "kind: sobol, initial: 2, batch: 2", "kind: gp, initial: 3")
    with monkeypatch.context() as then:
        then.setattr(computing, "version", lambda name: "0.1")
        Campaign.open(file, overrides=["budget.evaluations=4"]).run()
    ended = terminal("audit", "replay", "old", 2, "--json")
    assert ended.code == 0
    (again,) = ended.json["rounds"]
    assert again["verdict"] == "bit-equal"
    assert "version of torch" in [one["where"] for one in again["remarks"]]
    said = " ".join(terminal("audit", "replay", "old", 2).out.split())
    assert "note: version of torch: fit 1 was made, round 2 was proposed, " in said
    assert "round 2 was decoded with 0.1; here is" in said


def test_another_version_is_named_where_values_differ(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another release of a library that computes another point, and says so by its number."""
    file = terminal.spec("old", "kind: sobol, initial: 2, batch: 2", "kind: gp, initial: 3")
    with monkeypatch.context() as then:
        then.setattr(
            computing, "version", lambda name: "0.1" if name == "botorch" else version(name)
        )
        Campaign.open(file, overrides=["budget.evaluations=4"]).run()
    search = GPProposer.propose

    def otherwise(self: GPProposer, *given: Any) -> Proposal:
        found = search(self, *given)
        return dataclasses.replace(found, points=found.points * 0.99)

    monkeypatch.setattr(GPProposer, "propose", otherwise)
    ended = terminal("audit", "replay", "old", "--all", "--json")
    assert ended.code == 5
    assert [one["verdict"] for one in ended.json["rounds"]] == ["bit-equal", "diverged"]
    assert causes(ended.json) == ["version of botorch"]
    flat = " ".join(terminal("audit", "replay", "old", 2).out.split())
    what = "fit 1 was made, round 2 was proposed with 0.1; here is"
    assert f"because version of botorch: {what}" in flat


def test_the_versions_that_objects_were_made_with_are_kept(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A canonical SMILES is that of a release of RDKit."""
    spec = {
        "name": "few",
        "space": {"kind": "molecules"},
        "evaluators": [{"use": "rdkit", "measures": ["qed"]}],
        "objective": {"direction": "maximize", "terms": [{"measure": "qed"}]},
        "proposer": {"kind": "random", "batch": 2},
        "budget": {"evaluations": 2},
    }
    file = terminal.folder / "few.yaml"
    file.write_text(json.dumps(spec))
    with monkeypatch.context() as then:
        old = {"rdkit": "2020.03.1", "selfies": "0.1"}
        then.setattr(computing, "version", lambda name: old.get(name) or version(name))
        Campaign.open(file).run()
    ended = terminal("audit", "replay", "few", 1, "--json")
    assert ended.code == 0
    (again,) = ended.json["rounds"]
    assert [one["where"] for one in again["remarks"]] == ["version of rdkit", "version of selfies"]
    assert again["remarks"][0]["what"].startswith("round 1 was decoded with 2020.03.1; here is 20")
    tamper(terminal, "UPDATE candidate SET object = 'C' WHERE number = 1")
    ended = terminal("audit", "replay", "few", 1, "--json")
    assert {"version of rdkit", "candidate 1, object"} <= set(causes(ended.json))


def test_a_proposal_of_before_an_upgrade_comes_out_after_it(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the first schema, and of a release that kept no versions of what it proposed with."""
    with monkeypatch.context() as then:
        then.setattr(computing, "proposed_with", dict)
        then.setattr(computing, "decoded_with", lambda kind: {})
        then.setattr(batches, "barcode", lambda key: "")
        file = terminal.spec("old", "kind: sobol, initial: 2, batch: 2", "kind: gp, initial: 3")
        Campaign.open(file, overrides=["budget.evaluations=4"]).run()
    database = opening.database(Settings.read())
    migrate.downgrade(database.engine, "0001")
    database.close()
    said = terminal.refused("audit", "replay", "old", "--all")
    assert "at revision 0001" in said
    assert "`assayloop db upgrade`" in said
    assert terminal("db", "upgrade").code == 0
    assert terminal("audit", "verify").code == 0
    ended = terminal("audit", "replay", "old", "--all", "--refit", "--json")
    assert ended.code == 0
    rounds = ended.json["rounds"]
    assert [one["verdict"] for one in rounds] == ["bit-equal", "bit-equal"]
    unknown = "round 2 was proposed and round 2 was decoded by a release that kept none"
    assert [one["what"] for one in rounds[1]["remarks"]] == [unknown]


def test_a_spec_that_was_changed_to_none_is_named(learned: Terminal) -> None:
    """Whoever audits meets what somebody did to the database, and no fault of ours."""
    tamper(learned, "UPDATE campaign_revision SET resolved = '{}'")
    said = "campaign_revision 1: what is stored is no spec that this release can read: name: Field"
    ended = learned("audit", "replay", "learned", "--all", "--json")
    assert ended.code == 5
    assert {one["verdict"] for one in ended.json["rounds"]} == {"diverged"}
    assert "campaign_revision 1" in causes(ended.json)
    for command in (["show", "learned"], ["audit", "explain", "learned", 5]):
        assert said in learned.refused(*command)
    assert "learned#1" in learned("status").out


def test_a_row_that_another_one_names_and_that_is_gone_is_no_fault_of_ours(
    learned: Terminal,
) -> None:
    """Whoever audits is told where to look, and still sees that there is a campaign."""
    tamper(learned, "UPDATE campaign SET revision = 7")
    said = learned.refused("show", "learned")
    assert "a row is missing that another one names" in said
    assert "`assayloop audit verify` says which" in said
    assert "learned#1" in learned("status").out
    assert learned("audit", "verify").code == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["box"], "say what to replay"),
        (["box", 1, "--all"], "say what to replay"),
        (["box", 99], "no round '99' known: 1 to 3"),
        (["box", "--candidate", "ABC"], "no candidate 'ABC' known: 1 to 6"),
        (["bxo", 1], "known: box"),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    arguments: list[object], said: str, finished: Terminal
) -> None:
    assert said in finished.refused("audit", "replay", *arguments)


def test_what_nobody_proposed_cannot_be_replayed(terminal: Terminal) -> None:
    campaign = Campaign.open(terminal.spec("told"))
    campaign.tell('{"x": 0.5, "y": 0.5}', provenance="a notebook", external_ids=["L-1"], mass=9.0)
    said = terminal.refused("audit", "replay", "told", "--candidate", "L-1")
    assert "candidate 1 was told: nobody proposed it" in said
    assert terminal("audit", "replay", "told", "--all").out == "told#1: no round to replay\n"

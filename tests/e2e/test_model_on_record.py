"""A campaign goes on, and is verified, by the model that it was started with and no other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from adapters.mnist_classifier.shipped import SHIPPED as CLASSIFIER
from db import artifacts
from db.models import SYSTEM, Campaign, CampaignRevision, LatentModel, LedgerEntry
from orchestrator import Campaign as Opened
from orchestrator import opening
from orchestrator.errors import BadInput
from orchestrator.latent import automata, model_cards
from orchestrator.latent.registry import SHIPPED
from orchestrator.settings import Settings
from tests.e2e.terminal import Terminal

ROOT = Path(__file__).parents[2]
SPEC = """\
name: mine
space: {kind: automata, model: mine}
evaluators: [{use: automata, measures: [reset_length]}]
objective: {direction: maximize, terms: [{measure: reset_length}]}
proposer: {kind: random, initial: 2, batch: 2}
budget: {evaluations: 2}
seed: 5
"""


def card_file(terminal: Terminal) -> Path:
    return terminal.folder / "home" / "models" / "mine" / "card.json"


@pytest.fixture
def started(terminal: Terminal) -> Terminal:
    """A terminal with a campaign in the space of a model of one's own."""
    shutil.copytree(SHIPPED / "automata", card_file(terminal).parent)
    (terminal.folder / "mine.yaml").write_text(SPEC)
    assert Opened.open("mine.yaml").run() == "finished"
    return terminal


@pytest.fixture
def of_old(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """The same as it was recorded before a card was part of the model's hash."""
    shutil.copytree(SHIPPED / "automata", card_file(terminal).parent)
    (terminal.folder / "mine.yaml").write_text(SPEC)
    with monkeypatch.context() as then:
        then.setattr(model_cards, "model_hash", lambda card: str(card["weights_sha256"]))
        assert Opened.open("mine.yaml").run() == "finished"
    return terminal


def change(file: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    card = json.loads(file.read_text())
    edit(card)
    file.write_text(json.dumps(card))


def more_heads(card: dict[str, Any]) -> None:
    card["network"]["head"] = 65


def another_scale(card: dict[str, Any]) -> None:
    card["scale"] = 2.0


def other_task(card: dict[str, Any]) -> None:
    card["task"] = "automata-2"


def less_said(card: dict[str, Any]) -> None:
    del card["network"]["channels"]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (more_heads, "network.head is 65, and 64 is on record"),
        (another_scale, "scale is 2.0, and none is on record"),
        (other_task, 'task is "automata-2", and "automata" is on record'),
        (less_said, "network.channels is missing, and 96 is on record"),
    ],
)
def test_a_card_that_was_changed_is_refused_and_found(
    edit: Callable[[dict[str, Any]], None], said: str, started: Terminal
) -> None:
    """The points on record would mean other objects than those that were measured."""
    file = card_file(started)
    before = file.read_text()
    change(file, edit)
    with pytest.raises(BadInput, match=r"mine#1: the model 'mine' is not the one on record") as no:
        Opened.open("mine.yaml")
    assert f"{file}: " in str(no.value)
    assert said in str(no.value)
    more = (started.folder / "mine.yaml").read_text().replace("evaluations: 2", "evaluations: 4")
    (started.folder / "more.yaml").write_text(more)
    assert said in started.refused("campaign", "revise", "mine", "more.yaml", "--reason", "more")
    ended = started("audit", "verify", "--json")
    assert ended.code == 5
    (problem,) = ended.json["problems"]
    assert problem["where"] == str(file)
    assert said in problem["what"]
    told = " ".join(started("audit", "replay", "mine", 1).out.split())
    assert said in told
    assert "with those that the database keeps, all bits come out equal" in told
    file.write_text(before)
    assert started("audit", "verify").code == 0
    assert Opened.open("mine.yaml").run() == "finished"


def test_a_campaign_of_the_hash_of_weights_alone_goes_on(of_old: Terminal) -> None:
    """A laboratory upgrades in the middle of a campaign."""
    weights = json.loads(card_file(of_old).read_text())["weights_sha256"]
    assert of_old("audit", "verify").code == 0
    assert of_old("audit", "replay", "mine", "--all").code == 0
    more = (of_old.folder / "mine.yaml").read_text().replace("evaluations: 2", "evaluations: 4")
    (of_old.folder / "more.yaml").write_text(more)
    reason = ("--reason", "goes well")
    assert of_old("campaign", "revise", "mine", "more.yaml", *reason).code == 0
    assert Opened.open("more.yaml").run() == "finished"
    with opening.database(Settings.read()).read() as session:
        rows = session.scalars(select(CampaignRevision).order_by(CampaignRevision.revision)).all()
        assert rows[0].model == weights
        assert rows[1].model != weights
        card = session.get_one(LatentModel, rows[1].model).card
        kept = artifacts.get(session, SYSTEM, str(rows[1].model))
        assert kept == model_cards.document(card)
        assert artifacts.known(session, SYSTEM, card["weights_sha256"])
        assert session.scalars(select(Campaign.rounds)).one() == 2
    assert of_old("audit", "verify").code == 0
    assert of_old("audit", "replay", "mine", "--all").code == 0
    shutil.rmtree(card_file(of_old).parent)
    ended = of_old("audit", "replay", "mine", "--all")
    assert ended.code == 5, "the model is gone"
    assert ended.out.count("all bits come out equal") == 2, "and is kept, of both revisions"


def test_what_a_campaign_of_old_recorded_of_a_card_is_held_against_it(of_old: Terminal) -> None:
    change(card_file(of_old), more_heads)
    with pytest.raises(BadInput, match=r"network\.head is 65, and 64 is on record"):
        Opened.open("mine.yaml")
    assert of_old("audit", "verify", "--json").code == 5


def test_other_weights_under_the_same_name_are_refused(started: Terminal) -> None:
    """Somebody trained the model again, and the campaign would go on in another space."""
    change(card_file(started), lambda card: card.update(weights_sha256="0" * 64))
    with pytest.raises(BadInput, match=r'weights_sha256 is "0+", and "\w+" is on record'):
        Opened.open("mine.yaml")
    shutil.rmtree(card_file(started).parent)
    with pytest.raises(BadInput, match="no model is named 'mine'"):
        Opened.open("mine.yaml")


def test_a_default_model_that_is_another_now_is_refused(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later release ships another one where the spec names none."""
    (terminal.folder / "mine.yaml").write_text(SPEC.replace(", model: mine", ""))
    assert Opened.open("mine.yaml").run() == "finished"
    shutil.copytree(SHIPPED / "automata", card_file(terminal).parent)
    change(card_file(terminal), another_scale)
    monkeypatch.setattr(automata, "DEFAULT_MODEL", str(card_file(terminal).parent))
    with pytest.raises(BadInput, match=r"'automata' is not the one on record: its hash is \w{64}"):
        Opened.open("mine.yaml")


@pytest.mark.slow
def test_the_card_of_an_evaluators_weights_is_kept_and_held_against_it(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A classifier of another build would read the same images otherwise."""
    own = terminal.folder / "own.safetensors"
    shutil.copy(CLASSIFIER, own)
    shutil.copy(CLASSIFIER.with_suffix(".json"), own.with_suffix(".json"))
    monkeypatch.setattr("adapters.mnist_classifier.SHIPPED", own)
    spec = (ROOT / "examples" / "digit-four.yaml").read_text()
    (terminal.folder / "four.yaml").write_text(spec)
    assert Opened.open("four.yaml", overrides=["budget.evaluations=1"]).run() == "finished"
    with opening.database(Settings.read()).read() as session:
        query = select(LedgerEntry.payload).where(LedgerEntry.kind == "model")
        abouts = [json.loads(payload)["about"] for payload in session.scalars(query)]
    (kept,) = [about["card"] for about in abouts if "evaluator" in about]
    assert kept["network"] == {"channels": 16, "dropout": 0.3, "hidden": 128}
    change(own.with_suffix(".json"), lambda card: card["network"].update(dropout=0.5))
    ended = terminal("audit", "verify", "--json")
    assert ended.code == 5
    (problem,) = ended.json["problems"]
    assert problem["where"] == str(own.with_suffix(".json"))
    assert "network.dropout is 0.5, and 0.3 is on record" in problem["what"]

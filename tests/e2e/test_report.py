"""The report: what people keep of a campaign, send to others and open years later."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from db import ledger, migrate, repository
from db.session import Database
from orchestrator import driver, opening, report, wiring
from orchestrator.people import actors, ask_tell, campaigns
from orchestrator.settings import Settings
from orchestrator.spec.model import Spec
from orchestrator.spec.words import number

PLUGIN = Path(__file__).parents[1] / "faults" / "plugin"
ATTACK = '<script>alert("x")</script>'
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Elements of a page, with their attributes and the text that is directly in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)
        assert not self._open, "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self._open.append(self.elements[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1][2].append(data)

    def texts(self, tag: str) -> list[str]:
        return ["".join(text).strip() for name, _, text in self.elements if name == tag]

    def attributes(self, tag: str, name: str) -> list[str]:
        return [
            found[name] or "" for one, found, _ in self.elements if one == tag and name in found
        ]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ASSAYLOOP_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(PLUGIN)
    migrate.upgrade(Database(Settings.read().database_url).engine)
    database = opening.database(Settings.read())
    yield database
    database.close()


def box(path: Path, **changes: Any) -> dict[str, Any]:
    names = changes.pop("names", ("x0", "x1"))
    return {
        "name": "small",
        "space": {
            "kind": "box",
            "parameters": [{"name": name, "lower": 0, "upper": 1, "unit": "mL"} for name in names],
        },
        "evaluators": [
            {"use": "call-log", "measures": ["score"], "options": {"path": str(path / "calls")}}
        ],
        "objective": {
            "direction": "maximize",
            "terms": [{"measure": "score"}],
            "constraints": [{"measure": "score", "min": -0.5}],
        },
        "proposer": {"kind": "gp", "initial": 6, "batch": 2},
        "budget": {"evaluations": 10},
        "seed": 3,
    } | changes


def begun(database: Database, spec: dict[str, Any]) -> wiring.Parts:
    campaign = campaigns.create(database, Spec.model_validate(spec), actors.current(database))
    return wiring.build(database, campaign)


def driven(database: Database, spec: dict[str, Any]) -> wiring.Parts:
    parts = begun(database, spec)
    with wiring.driving(parts):
        driver.drive(parts)
    return parts


def page(parts: wiring.Parts, tmp_path: Path) -> Page:
    path = report.write(parts, tmp_path / "reports" / "report.html")
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]
    found = Page(path.read_text(encoding="utf-8"))
    stands_alone(found)
    return found


def stands_alone(found: Page) -> None:
    """Nothing is loaded, nothing runs, and what a picture shows is said in words too."""
    assert not found.texts("script")
    assert not found.texts("link")
    (policy,) = (
        content
        for tag, attributes, _ in found.elements
        if tag == "meta"
        and attributes.get("http-equiv") == "Content-Security-Policy"
        and (content := attributes["content"])
    )
    assert "default-src 'none'" in policy
    ids = []
    for tag, attributes, _ in found.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/")), tag
        assert tag != "img" or attributes["alt"]
        assert tag != "svg" or attributes["aria-label"]
        ids += [attributes["id"]] if "id" in attributes else []
    assert len(ids) == len(set(ids))
    style = "".join(found.texts("style"))
    assert "url(" not in style
    assert "@import" not in style
    assert len(found.texts("h1")) == 1


def test_it_says_what_the_campaign_came_to(opened: Database, tmp_path: Path) -> None:
    """Best, course, model, spec and ledger: whoever reads it needs no database beside it."""
    parts = driven(opened, box(tmp_path))
    found = page(parts, tmp_path)
    with opened.read() as session:
        best, *_ = repository.best(session, parts.campaign, 1, maximize=True)
        head = ledger.head(session, parts.campaign)
        rows = repository.candidates(session, parts.campaign)
    assert head is not None
    source = found.source
    assert "finished" in source
    assert "budget of 10 evaluations used" in source
    assert f"candidate {best.number}, round {best.round}" in source
    assert "Maximise score" in source
    assert "−0.5 ≤ score" in source
    assert f"{head.sequence} entries" in source
    assert head.hash in source
    assert len(found.texts("tr")) == len(rows) + 1
    assert found.texts("h3")[-5:] == [
        "Best so far",
        "Predicted against measured",
        "Surrogate: mean",
        "Surrogate: standard deviation",
        "Acquisition",
    ]
    assert f"The best is {number(best.objective)}" in source


def test_what_others_wrote_stays_text(opened: Database, tmp_path: Path) -> None:
    """Names, descriptions and reasons are anybody's: none of them may run where it is read."""
    spec = box(tmp_path, names=(ATTACK, "$x$ -->"), description=ATTACK)
    parts = driven(opened, spec | {"budget": {"evaluations": 8}})
    longer = Spec.model_validate(spec | {"budget": {"evaluations": 9}})
    campaigns.revise(opened, parts.campaign, longer, parts.actor, f"more {ATTACK}")
    campaigns.stop(opened, parts.campaign, parts.actor, f"enough </style>{ATTACK}")
    found = page(wiring.build(opened, parts.campaign), tmp_path)
    assert "<script" not in found.source
    assert any(f"2: more {ATTACK}" in text for text in found.texts("dd"))
    assert any(ATTACK in text for text in found.texts("p"))
    assert any(f"enough </style>{ATTACK}" in text for text in found.texts("p"))


def test_a_campaign_without_results_has_a_report(opened: Database, tmp_path: Path) -> None:
    """Somebody looks right after the start, or waits for the first plate."""
    parts = begun(opened, box(tmp_path))
    assert "Nothing has been measured yet" in page(parts, tmp_path).source
    ask_tell.ask(parts, 3)
    assert page(parts, tmp_path).texts("td").count("asked for, not told yet") == 3


@pytest.mark.parametrize("names", [("x0",), ("x0", "x1", "x2")])
def test_other_than_two_dimensions_are_shown_too(
    opened: Database, tmp_path: Path, names: tuple[str, ...]
) -> None:
    parts = driven(opened, box(tmp_path, names=names))
    assert page(parts, tmp_path).texts("h3")[-1] == "Evaluations in the space"


def test_without_a_surrogate_the_plane_shows_the_evaluations(
    opened: Database, tmp_path: Path
) -> None:
    parts = driven(opened, box(tmp_path, proposer={"kind": "sobol", "batch": 5}))
    shown = page(parts, tmp_path).texts("h3")[-2:]
    assert shown == ["Best so far", "Evaluations in the space"]


def test_digits_are_seen(opened: Database, tmp_path: Path) -> None:
    """The images, their probabilities, and what the plane between them decodes to."""
    parts = driven(
        opened,
        {
            "name": "digits",
            "space": {"kind": "digits"},
            "evaluators": [{"use": "mnist-classifier", "measures": ["p_4", "p_9"]}],
            "objective": {
                "direction": "minimize",
                "terms": [
                    {"measure": "p_4", "transform": "neg_log"},
                    {"measure": "latent_log_prior", "weight": -1},
                ],
            },
            "proposer": {"kind": "gp", "initial": 3},
            "budget": {"evaluations": 4},
        },
    )
    found = page(parts, tmp_path)
    assert found.texts("h3")[-1] == "What the space decodes to"
    pictures = [one for one in found.attributes("img", "src") if one.startswith("data:image/png")]
    assert len(pictures) == 8  # each candidate as a card and in the table
    assert base64.b64decode(pictures[0].partition(",")[2]).startswith(b"\x89PNG")
    assert "Minimise −log(p_4 + 1e−08) − log prior" in found.source
    assert parts.space.model_hash in found.source


def test_molecules_are_drawn(opened: Database, tmp_path: Path) -> None:
    parts = driven(
        opened,
        {
            "name": "molecules",
            "space": {"kind": "molecules"},
            "evaluators": [{"use": "rdkit", "measures": ["qed", "mol_weight"]}],
            "objective": {"direction": "maximize", "terms": [{"measure": "qed"}]},
            "proposer": {"kind": "random", "batch": 4},
            "budget": {"evaluations": 4},
        },
    )
    found = page(parts, tmp_path)
    assert len(found.attributes("img", "src")) == 4
    assert re.search(r"<dt>mol_weight</dt><dd>[\d.]+ (g/mol|Da)</dd>", found.source)
    with opened.read() as session:
        best, *_ = repository.best(session, parts.campaign, 1, maximize=True)
    assert best.object in found.texts("code")


@pytest.mark.slow
def test_two_hundred_evaluations_take_seconds_and_few_bytes(
    opened: Database, tmp_path: Path
) -> None:
    """It is written at the end of every run, and sent by mail."""
    parts = driven(
        opened,
        box(
            tmp_path,
            proposer={"kind": "gp", "initial": 198, "batch": 2},
            budget={"evaluations": 200},
        ),
    )
    began = time.process_time()
    path = report.write(parts, tmp_path / "report.html")
    assert time.process_time() - began < 5
    assert path.stat().st_size < 3_000_000

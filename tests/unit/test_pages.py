"""The pages about the house keep up with the house."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from adapters.protocol import Evaluator, Sample
from adapters.testing import EvaluatorConformance

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
ARCHITECTURE = ROOT / "docs" / "architecture.md"
README = (ROOT / "README.md").read_text()
FOLDERS = ("orchestrator", "adapters", "db", "flows", "tests", "benchmarks", "alembic")


def files_named(text: str) -> list[str]:
    """Paths of modules between backticks."""
    return re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w/]*\.py)`", text)


def definitions(path: Path) -> set[str]:
    """Names of the functions and classes of a module."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {one.name for one in nodes if isinstance(one, ast.FunctionDef | ast.ClassDef)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    assert [name for name in files_named(text) if not (ROOT / name).exists()] == []
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [link for link in links if link and "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_walk_names_functions_that_are_in_their_files() -> None:
    """A step that leads nowhere is worse than none."""
    text = " ".join(ARCHITECTURE.read_text().split())
    steps = re.findall(r"`([\w/]+\.py)`(?:\]\([^)]*\))? `(\w+)`", text)
    assert len(steps) >= 20
    assert [step for step in steps if step[1] not in definitions(ROOT / step[0])] == []


def test_the_walk_passes_every_verb_and_the_picture_shows_the_same_files() -> None:
    text = ARCHITECTURE.read_text()
    verbs = {path.name for path in (ROOT / "orchestrator" / "verbs").glob("[a-z]*.py")}
    assert {name for name in verbs if f"orchestrator/verbs/{name}`" not in text} == set()
    drawn = re.findall(r">([\w/]+\.py)<", (ROOT / "docs/figures/architecture.svg").read_text())
    named = {name.removeprefix("orchestrator/") for name in files_named(text)}
    named |= {"protocol.py"}  # stands in the picture under its folder
    assert set(drawn) - named == set()


def test_the_map_of_rooms_is_the_tree() -> None:
    rooms = README[README.index("## The rooms") : README.index("One word for one thing")]
    missing = [
        str(path.parent.relative_to(ROOT))
        for top in ("orchestrator", "orchestrator/history", "orchestrator/training", "tests")
        for path in (ROOT / top).glob("*/")
        if path.is_dir() and not path.name.startswith(("_", ".")) and f"{path.name}/" not in rooms
    ]
    assert missing == []


def test_what_is_called_public_can_be_imported() -> None:
    text = (ROOT / "docs" / "public.md").read_text()
    names = re.findall(r"^\| `((?:orchestrator|adapters)[\w.]*)`", text, re.MULTILINE)
    assert len(names) >= 14
    for name in names:
        above, _, last = name.rpartition(".")
        # A name of a module, or a module.
        assert hasattr(import_module(above), last) or find_spec(name) is not None, name


# The page about evaluators ---------------------------------------------------------------------


def code_of(page: str) -> dict[str, object]:
    """What the Python of a page defines, run from top to bottom."""
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL):
        exec(compile(block, page, "exec"), names)
    return names


CODE = code_of("evaluators.md")
OwnTest = CODE["TestLetters"]
assert isinstance(OwnTest, type)


class TestCalculatorOfThePage(OwnTest):  # type: ignore[misc, valid-type]
    """Whoever copies the page has an evaluator that passes the kit."""


class TestFunctionOfThePage(EvaluatorConformance):
    """The function too."""

    def evaluator(self) -> Evaluator:
        reader = CODE["plate_reader"]
        assert isinstance(reader, Evaluator)
        return reader

    def samples(self) -> list[Sample]:
        return [Sample("parameters", text) for text in ('{"ph": 7}', '{"ph": 4.5}', '{"ph": 3}')]

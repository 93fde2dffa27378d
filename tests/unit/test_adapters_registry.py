"""Evaluators are found by name, made with checked options, and cost nothing until they are used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapters.protocol import EvaluatorError, OptionError
from adapters.registry import create, names

PLUGIN = """
from adapters.function import evaluator

@evaluator(measures=["score"])
def ready(parameters):
    return {"score": parameters["x"]}

def tuned(*, gain: float, offset: int = 0):
    @evaluator(measures=["score"], name="tuned")
    def score(parameters):
        return {"score": gain * parameters["x"] + offset}
    return score

def explodes():
    raise RuntimeError("no such port")

def wrong():
    return {"score": 1.0}
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed third-party distribution with a few evaluators."""
    (tmp_path / "lab_plugin.py").write_text(PLUGIN, encoding="utf-8")
    install(
        tmp_path,
        "lab-plugin",
        {
            "ready": "lab_plugin:ready",
            "tuned": "lab_plugin:tuned",
            "explodes": "lab_plugin:explodes",
            "wrong": "lab_plugin:wrong",
            "gone": "lab_plugin_gone:evaluator",
        },
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def install(folder: Path, name: str, points: Mapping[str, str]) -> None:
    """What pip leaves behind of a distribution with these entry points."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{key} = {value}" for key, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[assayloop.evaluators]", *lines]) + "\n")


def test_built_ins_and_plugins_come_through_the_same_door(plugin: Path) -> None:
    """A laboratory's own evaluator is as good as ours."""
    assert {"rdkit", "mnist-classifier", "ready", "tuned"} <= set(names())
    assert create("ready", {}).capabilities.name == "ready"
    assert create("rdkit", {"fingerprint": "fcfp4"}).capabilities.name == "rdkit"
    assert create("tuned", {"gain": 2}).capabilities.name == "tuned"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("rdkitt", {}, r"no evaluator 'rdkitt'; did you mean 'rdkit'\? known: .*mnist-classifier"),
        ("gone", {}, "'gone' cannot be loaded from lab_plugin_gone:evaluator: ModuleNotFound"),
        ("explodes", {}, "'explodes' cannot be made with {}: RuntimeError: no such port"),
        ("wrong", {}, "no evaluator: it lacks capabilities, check, submit"),
    ],
)
def test_an_evaluator_that_cannot_be_made_says_why(
    plugin: Path, name: str, options: Mapping[str, object], message: str
) -> None:
    """The reader of a misspelt spec gets a sentence, not a traceback."""
    with pytest.raises(EvaluatorError, match=message):
        create(name, options)


@pytest.mark.parametrize(
    ("name", "options", "option", "message"),
    [
        ("rdkit", {"referense": "CCO"}, "referense", r"'CCO'\); did you mean 'reference'\? known"),
        ("rdkit", {"fingerprint": "ecpf4"}, "fingerprint", "'ecpf4': input should be 'ecfp4', "),
        ("rdkit", {"reference": 5}, "reference", "is 5: input should be a valid string"),
        ("mnist-classifier", {"weights": 3}, "weights", "is 3: input is not a valid path"),
        ("tuned", {}, "gain", "'tuned' needs the option 'gain'"),
        ("tuned", {"gain": "high"}, "gain", "'high': input should be a valid number"),
        ("ready", {"gain": 1}, "gain", "'ready' takes no options, 'gain' is 1"),
    ],
)
def test_a_wrong_option_is_named(
    plugin: Path, name: str, options: Mapping[str, object], option: str, message: str
) -> None:
    """The error names the option, the value and what would be right."""
    with pytest.raises(OptionError, match=message) as caught:
        create(name, options)
    assert caught.value.option == option


def test_two_packages_with_one_name_are_refused(plugin: Path) -> None:
    """Whichever is found first must not decide what a campaign measures."""
    install(plugin, "other-lab", {"ready": "other_lab:evaluator"})
    with pytest.raises(EvaluatorError, match=r"more than one package: lab-plugin .*other-lab"):
        create("ready", {})


def test_capabilities_are_read_without_the_heavy_libraries() -> None:
    """Listing evaluators or checking a spec would otherwise take seconds."""
    code = (
        "import sys\n"
        "from adapters.rdkit_properties import RDKitEvaluator\n"
        "from adapters.mnist_classifier import MnistClassifier\n"
        "import adapters.registry\n"
        "adapters.registry.names()\n"
        "assert RDKitEvaluator().capabilities != MnistClassifier().capabilities\n"
        "heavy = {'torch', 'rdkit', 'PIL', 'pint', 'pydantic', 'numpy', 'pytest'}\n"
        "print(*sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

"""The page of keys says what the model takes, and whoever copies an example has a good value."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from orchestrator.cli import main
from orchestrator.spec.model import Spec
from orchestrator.spec.reference import EXAMPLES, Key, page, sections

PAGE = Path(__file__).parents[2] / "docs" / "specs.md"
SCHEMA = Spec.model_json_schema()
KEYS = [key for section in sections() for key in section.keys]


def parts(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema of a field, and all that it may be made of."""
    if "$ref" in schema:
        return parts(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    inside = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    inside += [schema["items"]] if "items" in schema else []
    return [schema, *(deeper for one in inside for deeper in parts(one))]


def field(path: str) -> dict[str, Any]:
    """Schema of the key at a dotted path."""
    here = [SCHEMA]
    for step in path.split("."):
        named = [one["properties"][step] for one in here if step in one.get("properties", {})]
        # Below a transform stands its kind first.
        chosen = [
            one for one in here if one.get("properties", {}).get("kind", {}).get("const") == step
        ]
        here = [part for one in named for part in parts(one)] if named else chosen
    return here[0]


def test_the_page_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "keys", "--markdown"]) == 0
    assert capsys.readouterr().out == PAGE.read_text() == page()


def test_every_key_that_holds_a_value_is_explained() -> None:
    """A key without an example would not be on the page at all."""
    told = {key.path for key in KEYS}
    assert told == set(EXAMPLES)
    named = {name for part in SCHEMA["$defs"].values() for name in part["properties"]}
    named |= set(SCHEMA["properties"])
    steps = {step for path in EXAMPLES for step in path.split(".")}
    assert named - steps == set()


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_an_example_is_a_value_that_the_key_takes(key: Key) -> None:
    assert key.what, f"{key.path} has no docstring"
    value = yaml.safe_load(f"x: {key.example}")["x"]
    schema = {**field(key.path), "$defs": SCHEMA["$defs"]}
    jsonschema.validate(float(value) if value == "1e-6" else value, schema)


def test_one_part_is_listed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "keys", "proposer"]) == 0
    out = capsys.readouterr().out
    assert "proposer.initial: 20" in out
    assert "budget" not in out
    assert main(["spec", "keys", "propser"]) == 2
    assert "known: budget" in capsys.readouterr().err

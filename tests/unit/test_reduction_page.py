"""docs/reduction.md: what it shows runs, and what it lists is all there is."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from adapters.reduction import layouts, recipes
from adapters.reduction.layouts import layout
from adapters.reduction.plates import Role
from adapters.reduction.recipes import recipe
from adapters.reduction.reduce import VERSION

PAGE = (Path(__file__).parents[2] / "docs" / "reduction.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def keys(heading: str) -> list[str]:
    """Names in the first column of the tables under a heading."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    tables = re.findall(r"^\| key.*?(?=\n\n|\Z)", section, re.MULTILINE | re.DOTALL)
    cells = [line.split("|")[1] for table in tables for line in table.splitlines()[2:]]
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


@pytest.mark.parametrize(
    ("heading", "known"),
    [
        ("The plate", layouts._KEYS),
        ("The recipe", recipes._KEYS),
        ("Curves", recipes._CURVE),
        ("Quality", recipes._QUALITY),
    ],
)
def test_every_key_is_on_the_page(heading: str, known: tuple[str, ...]) -> None:
    assert sorted(keys(heading)) == sorted(known)


def test_the_example_runs() -> None:
    options = yaml.safe_load(block("yaml"))
    made = layout(options["plate"])
    recipe(options["reduction"])
    rng = np.random.default_rng(9)
    samples = [f"s{number}" for number in range(made.capacity)]
    counts = {}
    for well in made.fill(samples):
        share = {Role.NEGATIVE: 0.0, Role.POSITIVE: 1.0}.get(well.role)
        if well.dose is not None:
            share = 1 / (1 + 100.0 / well.dose)  # an IC50 of 100 nmol/l is a pIC50 of 7
        if share is not None:
            counts[well.position.padded] = 20_000 * (1 - share) + float(rng.normal(500, 400))
    names: dict[str, Any] = {}
    exec(block("python"), names)  # the page's own code
    values, verdict, quality, version = names["again"](options, samples, counts)
    assert (len(values), verdict, version) == (17, "", VERSION)
    assert quality.z_prime > 0.5
    found = [(one.value - 7.0) / one.std for (one,) in values.values()]
    assert math.sqrt(np.mean(np.square(found))) < 2

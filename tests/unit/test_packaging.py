"""What the wheel and the lock file promise: that a fresh machine gets a project that works."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
PACKAGES: list[str] = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
REQUIREMENTS = [Requirement(line) for line in PROJECT["dependencies"]]
DEV_REQUIREMENTS = [Requirement(line) for line in PROJECT["optional-dependencies"]["dev"]]
OPTIONAL = [
    Requirement(line)
    for extra, lines in PROJECT["optional-dependencies"].items()
    if extra != "dev"
    for line in lines
]
"""What a user may install besides."""
BROUGHT_BY = {"markupsafe": "jinja2", "pydantic-core": "pydantic"}
"""Distributions that are another one's other half: whoever has the second has the first."""


def _lock() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def test_the_lock_names_versions_and_nothing_else() -> None:
    """A host, a hash or a local build in it would fail on another machine's index."""
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)


@pytest.mark.parametrize("requirement", [*REQUIREMENTS, *DEV_REQUIREMENTS], ids=lambda r: r.name)
def test_what_is_required_is_locked_within_its_bounds(requirement: Requirement) -> None:
    assert requirement.specifier.contains(_lock()[canonicalize_name(requirement.name)])


def test_each_upper_bound_says_why() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    bounded = [i for i, line in enumerate(lines) if re.match(r'\s+"[\w\[\]-]+[^"]*<[^"]*",', line)]
    assert bounded
    for number in bounded:
        assert lines[number - 1].lstrip().startswith("#"), lines[number]


def _imported(package: str) -> Iterator[tuple[str, Path]]:
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((alias.name.partition(".")[0], path) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0], path


@pytest.mark.slow
def test_what_is_imported_is_required() -> None:
    """Else the wheel works only where something else happens to bring the library along."""
    required = {canonicalize_name(one.name) for one in [*REQUIREMENTS, *OPTIONAL]}
    provider = packages_distributions()
    missing = set()
    for package in PACKAGES:
        for name, path in _imported(package):
            if name in sys.stdlib_module_names or name in PACKAGES:
                continue
            owners = [canonicalize_name(owner) for owner in provider.get(name, [name])]
            owned = required.intersection(BROUGHT_BY.get(owner, owner) for owner in owners)
            if not owned and path.parent.name != "testing":
                missing.add(f"{name} ({path.relative_to(ROOT)})")
    assert not missing


@pytest.mark.parametrize("group", sorted(PROJECT["entry-points"]))
def test_entry_points_lead_to_modules(group: str) -> None:
    for target in PROJECT["entry-points"][group].values():
        assert find_spec(target.partition(":")[0]), target


def test_each_module_stands_in_a_layer() -> None:
    """A module outside the import contracts is one that nothing keeps in its place."""
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    placed = set(re.findall(r"[\w.]+", " ".join(contracts[0]["layers"])))
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "orchestrator").rglob("*.py")
        if path.name != "__init__.py"
    }
    lost = {
        module
        for module in modules
        if not any(f"{module}.".startswith(f"{layer}.") for layer in placed)
    }
    assert lost == set()


def test_the_migrations_do_not_shadow_the_library() -> None:
    """In the checkout `alembic/` is a folder of ours; Python must still find the library."""
    script = "import alembic; print(alembic.__version__)"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == _lock()["alembic"]


def test_every_package_is_typed() -> None:
    """Without the marker, users' type checkers see none of our types."""
    for package in PACKAGES:
        assert (ROOT / package / "py.typed").exists()

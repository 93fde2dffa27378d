"""The wheel: who installs assayloop without the checkout must get all of it."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = {"proposer.initial": 4, "budget.evaluations": 8}
"""Past the random start, so that a fit and a proposal are made too."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def command(wheel: Path, tmp_path: Path) -> Path:
    """`assayloop` in a new environment that has the wheel, and the libraries of this one."""
    environment = tmp_path / "environment"
    venv.create(environment)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    # Files named *.pth in a folder that is added so are not followed: the editable installation
    # of the checkout stays out.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = _run([python, "-c", "import flows, orchestrator; print(flows.__file__)"], tmp_path)
    assert where.startswith(str(environment)), "this would test the checkout"
    return environment / "bin" / "assayloop"


def _run(command: list[str | Path], folder: Path) -> str:
    """Standard output of a command that succeeds."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        command, cwd=folder, env=kept, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert run.returncode == 0, f"{command}\n{run.stdout}\n{run.stderr}"
    return run.stdout


def test_the_wheel_holds_all_that_travels(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    folders = {name.partition("/")[0] for name in names}
    assert {name for name in folders if "." not in name} == {
        "adapters",
        "db",
        "flows",
        "orchestrator",
    }
    for path in (ROOT / "alembic").rglob("*"):
        if path.suffix in {".py", ".mako"}:
            assert f"db/migrations/{path.relative_to(ROOT / 'alembic')}" in names
    for path in (ROOT / "examples").glob("*.yaml"):
        assert f"orchestrator/examples/{path.name}" in names
    tracked = subprocess.run(
        ["git", "ls-files", "orchestrator", "adapters", "db", "flows"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert set(tracked) <= names, "weights, templates and the marker py.typed among them"


@pytest.mark.slow
def test_both_campaigns_run_from_the_wheel(
    command: Path, prefect_home: Path, tmp_path: Path
) -> None:
    """Migrations, weights and examples are found in another folder, without the checkout."""
    prefect_home.rename(tmp_path / ".assayloop")
    _run([command, "db", "upgrade"], tmp_path)
    (examples,) = (tmp_path / "environment").glob("lib/python*/site-packages/orchestrator/examples")
    specs = [examples / f"{name}.yaml" for name in ("drug-like", "digit-four")]
    settings = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    _run([command, "run", *specs, *settings], tmp_path)
    for spec in specs:
        shown = json.loads(_run([command, "show", spec.stem, "--top", "3", "--json"], tmp_path))
        assert shown["evaluations"] == SETTINGS["budget.evaluations"]
        assert len(shown["best"]) == 3
    assert json.loads(_run([command, "audit", "verify", "--json"], tmp_path))["ok"]

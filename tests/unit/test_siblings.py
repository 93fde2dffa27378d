"""A package of the same name elsewhere would break a campaign in the middle; it is told first."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

import orchestrator
from orchestrator.errors import AssayloopError
from orchestrator.siblings import check_siblings

ROOT = Path(orchestrator.__file__).parent.parent
CHECK = "from orchestrator.siblings import check_siblings; check_siblings()"


def test_the_installed_packages_are_accepted() -> None:
    check_siblings()


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssayloopError, match=r"no_such_package_here.*install assayloop again"):
        check_siblings(["no_such_package_here"])


def test_a_package_elsewhere_is_named_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(AssayloopError) as error:
        check_siblings(["adapters"], beside=tmp_path)
    assert f"{ROOT / 'adapters'} shadows" in str(error.value)


@pytest.mark.parametrize("shadow", ["db.py", "db/__init__.py", "flows/__init__.py"])
def test_a_file_of_the_working_directory_that_wins_is_named(tmp_path: Path, shadow: str) -> None:
    """As `python -m orchestrator.cli` in a folder that has a `db` of its own."""
    (tmp_path / shadow).parent.mkdir(exist_ok=True)
    (tmp_path / shadow).touch()
    path = f"import sys; sys.path[1:1] = [{str(ROOT)!r}]; {CHECK}"
    run = subprocess.run(
        [sys.executable, "-c", path], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    shown = tmp_path / shadow
    assert f"{shown.parent if shown.name == '__init__.py' else shown} shadows" in run.stderr


def test_the_check_costs_nothing_one_would_notice() -> None:
    best = min(_timed() for _ in range(5))
    assert best < 0.005


def _timed() -> float:
    start = time.perf_counter()
    check_siblings()
    return time.perf_counter() - start

"""The newcomer's page: its commands, as they stand there, lead to a campaign that runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "own-assay.md"


def commands() -> list[str]:
    """Every line of the page's shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def shell(folder: Path) -> dict[str, str]:
    """An environment in which what is installed lands in the folder, and needs no network."""
    scripts = Path(sys.executable).parent
    installed = folder / "installed"
    paths = [str(installed), str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return os.environ | {
        "PATH": f"{folder / 'bin'}{os.pathsep}{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(one for one in paths if one),
        "PIP_TARGET": str(installed),
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # the option says no already
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "ASSAYLOOP_HOME": str(folder / "home"),
    }


def test_the_page_is_short() -> None:
    assert len(PAGE.read_text().split()) <= 1500


@pytest.mark.slow
def test_the_commands_of_the_page_run_as_they_stand(tmp_path: Path) -> None:
    """From `evaluators new` to a campaign that is finished."""
    lines = commands()
    assert lines[0].startswith("assayloop evaluators new")
    assert any(line.startswith("assayloop run") for line in lines)
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "assayloop"  # of this checkout, wherever another is installed
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m orchestrator.cli "$@"\n')
    command.chmod(0o755)
    for line in lines:
        done = subprocess.run(
            line,
            shell=True,
            cwd=tmp_path,
            env=shell(tmp_path),
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "20 evaluations" in done.stdout or "plate-reader-first" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["function", "command", "http"])
def test_what_is_written_passes_its_own_tests_at_once(terminal: Terminal, transport: str) -> None:
    done = terminal("evaluators", "new", "my-assay", "--transport", transport)
    assert (done.code, "my_assay.py" in done.out) == (0, True), done.err
    folder = terminal.folder / "my-assay"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        env=shell(terminal.folder) | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert " passed" in run.stdout
    assert "is there already" in terminal("evaluators", "new", "my-assay").err
    for wrong in ("My Assay", "class", "-x", "a" * 50):
        assert terminal("evaluators", "new", "--", wrong).code == 2

"""What tests of the command line share: a terminal, and a home with a finished campaign."""

import shutil
from pathlib import Path

import pytest

from orchestrator import Campaign
from tests.e2e.terminal import BOX, Terminal

PLUGIN = Path(__file__).parent / "plugin"


@pytest.fixture
def terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    """A terminal in an empty folder, whose home is ``home`` in it, with our plug-in installed."""
    monkeypatch.syspath_prepend(PLUGIN)
    monkeypatch.setenv("ASSAYLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return Terminal(capsys, tmp_path)


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the campaign ``box``, driven to its end once for all tests."""
    return _run(tmp_path_factory.mktemp("finished"), BOX)


@pytest.fixture(scope="session")
def _learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the campaign ``learned``, driven to its end once for all tests."""
    proposer = ("kind: sobol, initial: 2, batch: 2", "kind: gp, initial: 3")
    spec = BOX.replace(*proposer).replace("name: box", "name: learned", 1)
    return _run(tmp_path_factory.mktemp("learned"), spec)


def _run(folder: Path, spec: str) -> Path:
    (folder / "spec.yaml").write_text(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PLUGIN)
        patch.setenv("ASSAYLOOP_HOME", str(folder / "home"))
        assert Campaign.open(folder / "spec.yaml").run() == "finished"
    return folder / "home"


@pytest.fixture
def finished(terminal: Terminal, _finished: Path) -> Terminal:
    """A terminal whose home has the finished campaign ``box#1``."""
    shutil.copytree(_finished, terminal.folder / "home")
    terminal.spec()
    return terminal


@pytest.fixture
def learned(terminal: Terminal, _learned: Path) -> Terminal:
    """A terminal with the finished ``learned#1``: four rounds, the last three from fits."""
    shutil.copytree(_learned, terminal.folder / "home")
    return terminal

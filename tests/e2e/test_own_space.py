"""A space of one's own, as the pages describe it: installed beside us, searched by a campaign."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from orchestrator import Campaign
from orchestrator.latent import registry
from orchestrator.latent.protocol import Space, SpaceError
from orchestrator.latent.testing import SpaceConformance
from tests.e2e.terminal import Terminal

EXAMPLE = Path(__file__).parents[2] / "examples" / "own-space"
PLUGIN = Path(__file__).parent / "space_plugin"


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example's module, installed with its entry point."""
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.syspath_prepend(PLUGIN)
    return importlib.import_module("pca_images")


def train(package: ModuleType, folder: Path) -> None:
    """A model of bright spots in the dark."""
    rng = np.random.default_rng(0)
    x, y = np.mgrid[:28, :28]
    where = rng.uniform(8, 20, (200, 2, 1, 1))
    spots = np.exp(-((x - where[:, 0]) ** 2 + (y - where[:, 1]) ** 2) / rng.uniform(20, 40))
    package.train((255 * spots).astype(np.uint8), folder)


@pytest.mark.slow
def test_a_campaign_searches_the_space_of_the_example(
    package: ModuleType, terminal: Terminal
) -> None:
    """From a model of one's own to the report, with what the pages say and nothing else."""
    train(package, terminal.folder / "home" / "models" / "pca-digits")
    spec = (EXAMPLE / "campaign.yaml").read_text()
    spec = spec.replace("initial: 10, batch: 2", "initial: 3").replace("40", "4")
    (terminal.folder / "pca.yaml").write_text(spec)
    assert Campaign.open(terminal.folder / "pca.yaml").run() == "finished"
    assert "pca-digits" in terminal("models", "list").out
    wrong = ("--set", "space.model=none", "--set", "name=other")
    assert "no model is named 'none'" in terminal.refused("run", "pca.yaml", *wrong)
    assert terminal("audit", "verify", "pca-four").code == 0


def test_a_changed_byte_of_ones_own_model_is_refused(package: ModuleType, tmp_path: Path) -> None:
    train(package, tmp_path / "mine")
    weights = tmp_path / "mine" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(SpaceError, match="are not those of their card"):
        registry.open_space("pca", "mine", tmp_path)


class TestPca(SpaceConformance):
    @pytest.fixture(autouse=True)
    def _trained(self, package: ModuleType, tmp_path: Path) -> None:
        train(package, tmp_path / "mine")
        type(self).home = tmp_path

    home: Path

    def space(self) -> Space:
        return registry.open_space("pca", "mine", self.home)

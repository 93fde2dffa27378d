"""The autoencoder of molecules whose prior is a flow, at a size that trains in seconds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from scipy.stats import norm
from torch import Tensor, nn

from orchestrator.latent import registry
from orchestrator.latent.flow_codec import FlowCodec
from orchestrator.latent.flow_networks import FlowVae
from orchestrator.latent.flow_writing import SLOTS, Writer
from orchestrator.latent.flows import Flow
from orchestrator.latent.molecules import MoleculesSpace
from orchestrator.latent.protocol import Space, SpaceError
from orchestrator.latent.testing import SpaceConformance
from orchestrator.latent.tokens import END, Vocabulary
from orchestrator.training import run
from orchestrator.training.molecules import flow_autoencoder, flow_figures
from orchestrator.training.recipes import RECIPES

SIZES = {"latent": 8, "embedding": 16, "encoder": 24, "decoder": 40, "layers": 3, "hidden": 16}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Bits depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def scattered(network: nn.Module, seed: int = 0) -> None:
    """Weights large enough that every part of the network tells."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator))


@pytest.fixture
def flow() -> Flow:
    made = Flow(8, 4, 16)
    scattered(made)
    return made.double()


@pytest.fixture(scope="module")
def network() -> FlowVae:
    made = FlowVae(30, **SIZES)
    scattered(made)
    last = made.output[2]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.bias[END] += 3.0  # so that some sequences end early
    return made.eval()


@pytest.mark.slow
def test_a_flow_goes_there_and_back(flow: Flow) -> None:
    points = torch.randn(40, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    codes = flow.from_base(points, flow.inverses())
    assert (codes - points).abs().max() > 0.1
    torch.testing.assert_close(flow.to_base(codes)[0], points, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_the_density_of_a_flow_is_that_of_a_change_of_variables(flow: Flow) -> None:
    """The Jacobian by differentiation is the other way to the same number."""
    codes = torch.randn(6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def base(code: Tensor) -> Tensor:
        return flow.to_base(code[None])[0][0]

    for code, found in zip(codes, flow.log_density(codes), strict=True):
        jacobian = torch.func.jacrev(base)(code)
        base_density = norm.logpdf(base(code).detach().numpy()).sum()
        expected = base_density + torch.linalg.slogdet(jacobian)[1]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_a_flow_of_odd_halves_is_refused() -> None:
    with pytest.raises(SpaceError, match="a multiple of 8, not 6"):
        Flow(6, 2, 16)


def test_each_token_written_is_the_most_probable_one(network: FlowVae) -> None:
    """The rearranged decoder and the one that is trained are the same function."""
    codes = torch.randn(3 * SLOTS + 5, 8, generator=torch.Generator().manual_seed(3))
    writer = Writer(network)
    with torch.inference_mode():
        written = writer.write(writer.begin(codes), 12)
        assert len({len(tokens) for tokens in written}) > 1
        for code, tokens in zip(codes, written, strict=True):
            ended = [*tokens, END][:12]
            logits = network.logits(code[None], torch.tensor([ended]))
            assert logits.argmax(dim=2)[0].tolist() == ended


def test_what_is_written_does_not_depend_on_the_company(network: FlowVae) -> None:
    letters = tuple(f"[{letter}]" for letter in "CNOFPSBI")
    codec = FlowCodec(network, Vocabulary(letters, ((2, 3),) * 20), 12)
    points = np.random.default_rng(4).standard_normal((70, 8))
    together = codec.write(points)
    assert codec.write(points[::-1])[::-1] == together
    assert [codec.write(point[None])[0] for point in points] == together
    assert codec.write(points[:0]) == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home of a model of chains, trained by the recipe at a smaller size."""
    home = tmp_path_factory.mktemp("home")
    ends = ("O", "N", "Cl", "C#N", "c1ccccc1", "C(=O)N")
    lines = [f"{a}{'C' * n}{b}" for n in range(1, 9) for a in ("O", "N", "FC", "Br") for b in ends]
    (home / "chains.smi").write_text("\n".join(lines), encoding="utf-8")
    small = replace(
        RECIPES["zinc-flow"], network={"kind": "flow", **SIZES}, batch=32, learning_rate=1e-2
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "recipe", lambda name: small)
        run.train("zinc-flow", data=home / "chains.smi", out=home / "own", epochs=30, cache=home)
    return home


@pytest.mark.slow
def test_a_trained_one_opens_as_a_space_of_molecules(trained: Path) -> None:
    space = registry.open_space("molecules", "own", trained)
    assert space.dim == 8
    points = space.sample_prior(20, np.random.default_rng(0))
    density = -0.5 * (points**2).sum(axis=1) - 4 * np.log(2 * np.pi)
    np.testing.assert_allclose(space.log_prior(points), density)
    rng = np.random.default_rng(0)
    assert any(one.valid for one in space.decode(points, rng))
    assert space.decode(points, rng) == space.decode(points, rng)
    with pytest.raises(SpaceError, match="without properties"):
        MoleculesSpace(str(trained / "own")).predicted_properties(points)


@pytest.mark.slow
def test_encoding_leads_to_where_the_encoder_puts_the_code(trained: Path) -> None:
    """The decoder, given the point, must see the posterior's mean again."""
    codec = MoleculesSpace(str(trained / "own"))._codec
    assert isinstance(codec, FlowCodec)
    tokens = codec.tokens("OCCCCN")
    with torch.inference_mode():
        mean, _ = codec.network.encode(torch.tensor([[*tokens, END]]))
        point = torch.from_numpy(codec.encode([tokens])).float()
        back = codec.network.flow.from_base(point, codec.network.flow.inverses())
    torch.testing.assert_close(back, mean, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_weights_are_written_in_half_precision_and_measured_so(trained: Path) -> None:
    tensors = load_file(trained / "own" / "weights.safetensors")
    halves = {name for name, tensor in tensors.items() if tensor.dtype == np.float16}
    assert set(tensors) - halves == {"flow.rotations"}
    card = json.loads((trained / "own" / "card.json").read_text(encoding="utf-8"))
    metrics = card["metrics"]
    assert {"reconstruction_exact", "prior_valid", "decode_one_ms"} <= set(metrics)
    assert {f"step_{step:g}_new_valid" for step in flow_figures.STEPS} <= set(metrics)
    assert card["data"]["steering"] > 0


@pytest.mark.slow
def test_an_unknown_kind_of_network_is_refused(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "own", tmp_path / "odd")
    file = tmp_path / "odd" / "card.json"
    card = json.loads(file.read_text(encoding="utf-8"))
    card["network"]["kind"] = "mixture"
    file.write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(SpaceError, match=r"kind 'mixture'; .* has kind 'flow' or none"):
        registry.open_space("molecules", str(tmp_path / "odd"))


def test_the_autoencoder_rests_before_the_flow() -> None:
    assert flow_autoencoder.autoencoder_rate(flow_autoencoder.JOINT) == pytest.approx(0)
    assert flow_autoencoder.flow_rate(flow_autoencoder.JOINT) == 1
    assert flow_autoencoder.flow_rate(1.0) == pytest.approx(0)


@pytest.mark.slow
class TestKit(SpaceConformance):
    """The kit that we ship, on the small one."""

    home: ClassVar[Path]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def at_home(cls, trained: Path) -> None:
        """The kit makes its spaces itself."""
        cls.home = trained

    def space(self) -> Space:
        return registry.open_space("molecules", "own", self.home)

"""Models that are asked for a digit: what ships gives it, and says where it does not belong."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from adapters.mnist_classifier.network import load
from orchestrator.latent import registry
from orchestrator.latent.asked_digits import maker
from orchestrator.latent.constraint_networks import LatentConstraints
from orchestrator.latent.digit_networks import ConditionalDigitVae
from orchestrator.latent.protocol import SpaceError

DIGITS = torch.arange(10).repeat_interleave(20)


@pytest.mark.parametrize("name", ["digits-cvae", "digits-constraints"])
def test_who_asks_a_shipped_model_for_a_digit_gets_it(name: str) -> None:
    """Otherwise the benchmark compares campaigns with a rival that was not trained."""
    torch.manual_seed(0)
    drawn = torch.randn(len(DIGITS), 2)
    with torch.inference_mode():
        points, images = maker(registry.find(name))(drawn, DIGITS)
    assert points.shape == drawn.shape
    read = load().probabilities(images.numpy()).argmax(axis=1)
    assert (read == DIGITS.numpy()).mean() > 0.9


def test_only_constraints_move_the_draws() -> None:
    drawn = torch.randn(len(DIGITS), 2)
    with torch.inference_mode():
        kept, _ = maker(registry.find("digits-cvae"))(drawn, DIGITS)
        moved, _ = maker(registry.find("digits-constraints"))(drawn, DIGITS)
    assert torch.equal(kept, drawn)
    assert not torch.allclose(moved, drawn, atol=0.5)


def test_constraints_of_another_space_are_refused(tmp_path: Path) -> None:
    """They would move draws to places that mean other digits."""
    shutil.copytree(registry.SHIPPED / "digits-constraints", tmp_path / "mine")
    card = json.loads((tmp_path / "mine" / "card.json").read_text())
    (tmp_path / "mine" / "card.json").write_text(json.dumps(card | {"space_sha256": "0" * 64}))
    with pytest.raises(SpaceError, match=r"learned in a space digits-2d-classifier .* train them"):
        maker(registry.find("mine", tmp_path))
    with pytest.raises(SpaceError, match="needed: digits-cvae or digits-constraints"):
        maker(registry.find("automata"))


def test_encoder_and_decoder_are_told_the_digit() -> None:
    network = ConditionalDigitVae(latent=2, channels=2, hidden=8).eval()
    image = torch.rand(1, 1, 28, 28).expand(2, 1, 28, 28)
    digits = torch.tensor([3, 5])
    mean, _ = network.encode(image, digits)
    assert not torch.allclose(mean[0], mean[1])
    first, second = network.decode(torch.zeros(2, 2), digits)
    assert not torch.allclose(first, second)


@pytest.mark.slow
def test_what_the_critic_advises_teaches_the_actor_and_not_the_critic() -> None:
    """A critic that the actor's loss could reach would learn to call every point real."""
    network = LatentConstraints()
    torch.testing.assert_close(
        network.advise(torch.ones(10, 2), torch.arange(10)),
        network.judge(torch.ones(10, 2), torch.arange(10)),
    )
    moved = network.move(torch.randn(10, 2), torch.arange(10))
    network.advise(moved, torch.arange(10)).sum().backward()  # type: ignore[no-untyped-call]
    assert all(one.grad is not None for one in network.actor.parameters())
    assert all(one.grad is None for one in network.critic.parameters())

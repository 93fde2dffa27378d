"""``python -m benchmarks.architectures``: networks and divergences tried for ``zinc-selfies``.

Every variant is trained from nothing on the same molecules, on one thread, for the same time of the
processor, then judged on held-out molecules and on draws from the prior. What a few minutes give is
far from what the shipped weights reach; it says which way to go. The greedy decoder writes alone:
neither the language model nor the reading back, which `molecule_codec` adds, hides anything here.
The table goes to ``benchmarks/architectures.md``.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rdkit.Chem import MolFromSmiles
from scipy.stats import wasserstein_distance
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.transformer import TransformerVae
from orchestrator.latent import chemistry
from orchestrator.latent.blocks import in_blocks
from orchestrator.latent.molecule_codec import smiles_of
from orchestrator.latent.molecule_networks import MoleculeVae
from orchestrator.training.molecules.autoencoder import HELD_OUT, MERGES
from orchestrator.training.molecules.data import MoleculeData, load
from orchestrator.training.molecules.figures import posteriors
from orchestrator.training.variational import ACTIVE, divergence, sample, unit_divergences

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "benchmarks" / "architectures.md"
LATENT, BATCH, SEED = 56, 64, 11
JUDGED = 1_000
"""Held-out molecules, and draws from the prior."""

Schedule = Callable[[float], float]
"""The weight of the divergence at a share of the training."""


def rising(weight: float, until: float = 0.4) -> Schedule:
    """Linearly up to the weight, which is reached after a share of the training."""
    return lambda done: weight * min(1.0, done / until)


def cyclic(weight: float, cycles: int) -> Schedule:
    """Up and at once down again, some times (Fu et al. 2019, arXiv:1903.10145)."""
    return lambda done: weight * min(1.0, 2 * (done * cycles % 1.0))


@dataclass(frozen=True)
class Variant:
    """One way to train."""

    name: str
    network: str = "gru"
    sizes: Mapping[str, int] = field(default_factory=lambda: {"encoder": 256, "decoder": 512})
    weight: Schedule = field(default_factory=lambda: rising(0.1))
    free: float = 0.0
    """Nats that the divergence of each unit, in the mean over a batch, has for nothing (free bits,
    Kingma et al. 2016, arXiv:1606.04934)."""
    rate: float = 1.2e-3

    def build(self, vocabulary: int) -> MoleculeVae | TransformerVae:
        """The network, freshly drawn."""
        torch.manual_seed(SEED)
        if self.network == "transformer":
            return TransformerVae(vocabulary, LATENT, **self.sizes)
        network = MoleculeVae(vocabulary, LATENT, head=0, **self.sizes)
        network.language = nn.Identity()  # type: ignore[assignment]
        return network


TRANSFORMER = {"width": 128, "layers": 3, "heads": 4}
VARIANTS = (
    Variant("GRU 512, weight 0.1 reached after 40 %: the recipe"),
    Variant("GRU 256", sizes={"encoder": 128, "decoder": 256}),
    Variant("transformer, 3 layers of 128", "transformer", TRANSFORMER),
    Variant("transformer, learning rate / 2", "transformer", TRANSFORMER, rate=6e-4),
    Variant("weight 0.02", weight=rising(0.02)),
    Variant("weight 0.4", weight=rising(0.4)),
    Variant("weight 1", weight=rising(1.0)),
    Variant("weight 1, one nat a unit free", weight=rising(1.0), free=1.0),
    Variant("weight 0.1 from the start", weight=lambda done: 0.1),
    Variant("weight 0.1 in four cycles", weight=cyclic(0.1, 4)),
)


def train(variant: Variant, data: MoleculeData, seconds: float) -> tuple[nn.Module, int]:
    """The network after some seconds of the processor, and how many molecules it has seen."""
    network = variant.build(len(data.vocabulary))
    optimiser = torch.optim.AdamW(network.parameters(), lr=variant.rate, weight_decay=1e-5)
    training, _ = data.split(HELD_OUT)
    began, seen = time.process_time(), 0
    for batch in _batches(data, training):
        done = (time.process_time() - began) / seconds
        if done >= 1:
            break
        for group in optimiser.param_groups:
            warm = min(1.0, 50 * done)
            group["lr"] = variant.rate * warm * 0.5 * (1 + math.cos(math.pi * done))
        optimiser.zero_grad(set_to_none=True)
        _loss(variant, network, batch, done).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        seen += len(batch)
    return network.eval(), seen


def _batches(data: MoleculeData, members: Any) -> Iterator[Tensor]:
    """Tokens of molecules of one length each, again and again."""
    rng = np.random.default_rng(SEED)
    while True:
        for rows in data.batches(members, BATCH, rng):
            tokens = data.tokens[rows, : data.lengths[rows[0]]]
            yield torch.from_numpy(tokens.astype(np.int64))


def _loss(
    variant: Variant, network: MoleculeVae | TransformerVae, tokens: Tensor, done: float
) -> Tensor:
    mean, log_variance = network.encode(tokens)
    logits = network.logits(sample(mean, log_variance), tokens)
    entropy = functional.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="sum")
    units = unit_divergences(mean, log_variance).mean(dim=0).clamp(min=variant.free)
    return (entropy + variant.weight(done) * units.sum() * len(tokens)) / BATCH


def judged(network: Any, data: MoleculeData) -> dict[str, float]:
    """What the network does to held-out molecules, and what its prior decodes to."""
    _, held_out = data.split(HELD_OUT)
    rows = held_out[:JUDGED]
    longest = int(data.lengths.max())
    means, log_variances = posteriors(network, data, rows)
    written = _written(network, data, means.numpy(), longest)
    drawn = np.random.default_rng(SEED).standard_normal((JUDGED, LATENT))
    molecules = [one for one in _written(network, data, drawn, longest) if one is not None]
    found = np.array([chemistry.properties(MolFromSmiles(one)) for one in molecules])
    truth = data.properties[held_out]
    return {
        "exact": float(np.mean([data.smiles[i] == w for i, w in zip(rows, written, strict=True)])),
        "kl": float(divergence(means, log_variances).mean()),
        "active": int((means.var(dim=0) > ACTIVE).sum()),
        "qed": float(wasserstein_distance(found[:, 0], truth[:, 0])),
        "sa": float(wasserstein_distance(found[:, 2], truth[:, 2])),
        "logp": float(wasserstein_distance(found[:, 1], truth[:, 1])),
    }


def _written(network: Any, data: MoleculeData, points: Any, longest: int) -> list[str | None]:
    """Canonical SMILES of points ``n x d``, as the greedy decoder writes them."""
    blocks = in_blocks(lambda block: network.write(block, longest), points.astype(np.float32))
    texts = (data.vocabulary.decode(ids) for _, block in blocks for ids in block.tolist())
    return [smiles_of(text) for text in texts]


def page(lines: list[str], seconds: float) -> str:
    """The committed page."""
    head = f"""# Networks and divergences tried for `zinc-selfies`

Made by `python -m benchmarks.architectures --data zinc250k.smi.gz`: each variant trained from
nothing on one thread for {seconds:.0f} seconds of the processor, 56 latents, batches of {BATCH}, no
labels. *Exact* are those of {JUDGED:,} held-out molecules that the greedy decoder alone gives back;
the last three columns are Wasserstein distances between the properties of held-out molecules and
of {JUDGED:,} draws from the prior; *active* units are of 56. Where the weight of the
divergence is not named it is 0.1, reached after 40 % of the time.

| variant | parameters | molecules seen | a second | exact | KL, nats | active | QED | SA | logP |
|---|---|---|---|---|---|---|---|---|---|
"""
    return head + "\n".join(lines) + "\n"


def main() -> int:
    """Train and judge every variant, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="SMILES of ZINC-250k")
    parser.add_argument("--seconds", type=float, default=240.0, help="for each variant")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cache = Path(os.environ.get("ASSAYLOOP_HOME", ".assayloop")) / "data"
    data = load(given.data, merges=MERGES, cache=cache)
    lines = []
    for variant in VARIANTS:
        network, seen = train(variant, data, given.seconds)
        found = judged(network, data)
        size = sum(one.numel() for one in network.parameters())
        cells = [
            variant.name,
            f"{size / 1e6:.1f} M",
            f"{seen:,}",
            f"{seen / given.seconds:,.0f}",
            f"{found['exact']:.3f}",
            f"{found['kl']:.1f}",
            f"{found['active']}",
            *(f"{found[name]:.3f}" for name in ("qed", "sa", "logp")),
        ]
        lines.append("| " + " | ".join(cells) + " |")
        sys.stderr.write(lines[-1] + "\n")
        TABLE.write_text(page(lines, given.seconds), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""``python -m benchmarks.rivals``: campaigns over digits beside other ways to a wanted digit.

Every cell is one way, target and seed, with fifty calls of the evaluator. Two ways search: the
campaign ``examples/digit-four.yaml``, and draws from the prior of the same space. Two learned the
labels and are asked for the digit: the models ``digits-cvae`` and ``digits-constraints``. Finished
cells are kept in ``.runs/rivals.jsonl`` and not run again; ``--fresh`` starts anew. The table goes
to ``benchmarks/rivals.md``.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.cells import Row, command, finish, publish, read_right
from benchmarks.run import Cell as Search

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
CELLS = ROOT / ".runs" / "rivals.jsonl"
TABLE = ROOT / "benchmarks" / "rivals.md"

BUDGET = 50
"""Calls of the evaluator, as in the spec."""
SURE = 0.95
"""An image of the digit: the evaluator gives it at least this probability."""
PROPOSERS = {"campaign": "gp", "random": "random"}
MODELS = {"cvae": "digits-cvae", "constraints": "digits-constraints"}
WAYS = (*PROPOSERS, *MODELS)


@dataclass(frozen=True)
class Cell:
    """One way to one digit."""

    way: str
    target: int
    seed: int


def cells(full: bool) -> list[Cell]:
    """All ten digits every way, with one seed, or five with ``--full``."""
    seeds = range(1, 6) if full else range(1, 2)
    return [Cell(way, target, seed) for target in range(10) for way in WAYS for seed in seeds]


def run(cell: Cell, budget: int = BUDGET) -> Row:
    """Make all calls, count those up to the first image of the digit, and judge the ten best."""
    began = time.monotonic()
    found, best = (_search if cell.way in PROPOSERS else _ask)(cell, budget)
    sure = np.flatnonzero(found >= SURE)
    return {
        **asdict(cell),
        "calls": int(sure[0]) + 1 if len(sure) else None,
        "right": read_right(best, cell.target),
        "seconds": round(time.monotonic() - began, 1),
    }


def _search(cell: Cell, budget: int) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """The target's probability at each call, and the ten best images, of a campaign."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["ASSAYLOOP_HOME"] = home
        from PIL import Image

        from orchestrator import Campaign

        search = Search("digit-four.yaml", cell.seed, cell.target)
        overrides = [
            *search.overrides,
            f"proposer.kind={PROPOSERS[cell.way]}",
            f"budget.evaluations={budget}",
        ]
        campaign = Campaign.open(ROOT / "examples" / search.spec, overrides=overrides)
        campaign.run()
        history = campaign.history()
        found = history[history["name"] == f"p_{cell.target}"]["value"].to_numpy()
        images = [np.asarray(Image.open(one["object"])) for one in campaign.best(10)]
        return found, np.stack(images)


def _ask(cell: Cell, budget: int) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """The same of a model that is asked for the digit; the ten best by the campaign's objective."""
    import torch

    from adapters.mnist_classifier.network import load
    from orchestrator.latent import gaussian, registry
    from orchestrator.latent.asked_digits import maker

    model = registry.find(MODELS[cell.way])
    rng = torch.Generator().manual_seed(cell.seed)
    drawn = torch.randn(budget, model.card["network"]["latent"], generator=rng)
    with torch.inference_mode():
        points, images = maker(model)(drawn, torch.full((budget,), cell.target))
    found = load().probabilities(images.numpy())[:, cell.target]
    objective = -np.log(found + 1e-8) - gaussian.log_density(points.double().numpy())
    return found, images.numpy()[np.argsort(objective)[:10]]


def table(rows: Sequence[Row], command: str) -> str:
    """The committed page."""
    seeds = len({row["seed"] for row in rows})
    each = "one seed" if seeds == 1 else f"means over {seeds} seeds"
    lines = [
        "# Ten digits, searched and asked for",
        "",
        f"Made by `{command}`; {each}, {BUDGET} calls of the evaluator for each cell.",
        "",
        "*Calls* are those of the evaluator up to the first image that it reads as the digit with",
        f"a probability of at least {SURE}; where none came, {BUDGET + 1} are counted. *Right* are",
        "those of the ten best images, by -log p - log N(z | 0, I), that a second network, which",
        "none of them ever asked, reads as the digit.",
        "",
        "| digit | " + " | ".join(f"{way}: calls | right" for way in WAYS) + " |",
        "|---" * (1 + 2 * len(WAYS)) + "|",
    ]
    lines += [
        f"| {target} | " + _line([row for row in rows if row["target"] == target])
        for target in sorted({row["target"] for row in rows})
    ]
    lines += ["| **mean** | " + _line(rows), "", *_summary(rows), "", *_CAVEATS]
    return "\n".join(lines) + "\n"


def _line(rows: Sequence[Row]) -> str:
    parts = []
    for way in WAYS:
        calls, right, _ = _means(rows, way)
        parts.append(f"{calls:.3g} | {right:.3g}")
    return " | ".join(parts) + " |"


def _means(rows: Sequence[Row], way: str) -> tuple[float, float, float]:
    """Calls, right of ten, and seconds of a way."""
    mine = [row for row in rows if row["way"] == way]
    calls = [row["calls"] or BUDGET + 1 for row in mine]
    right, seconds = ([row[name] for row in mine] for name in ("right", "seconds"))
    return float(np.mean(calls)), float(np.mean(right)), float(np.mean(seconds))


def _summary(rows: Sequence[Row]) -> list[str]:
    """One line a way, beside the campaign, and the labels that its model was trained with."""
    from orchestrator.latent import registry
    from orchestrator.latent.digits import DEFAULT_MODEL

    lines = [
        "| way | model | its labels | calls, of the campaign's | right | seconds |",
        "|---|---|---|---|---|---|",
    ]
    base, _, _ = _means(rows, "campaign")
    for way in WAYS:
        calls, right, seconds = _means(rows, way)
        model = registry.find(MODELS.get(way, DEFAULT_MODEL))
        labels = model.card["data"]["training"]
        lines.append(
            f"| {way} | `{model.name}` | {labels:,} | {calls / base:.2f} | {right / 10:.0%} | "
            f"{seconds:.1f} |"
        )
    return lines


_CAVEATS = (
    "All four had labels: the campaign's space was trained together with a classifier, which draws",
    "the digits apart, and `digits-constraints` learned in that space, from the same labels once",
    "more. The difference lies in what they know of the target. A model that is asked for a digit",
    "must have been trained with that label, and needs the evaluator only to be counted here. The",
    "campaign and the random draws know the target only from what the evaluator answers, and would",
    "take another objective, that nobody labelled, just the same. Seconds are those of a cell on",
    "one core, without the training.",
)


def main() -> int:
    """Run what is not run yet, and write the table."""
    arguments = command(__doc__, full="five seeds")
    wanted = cells(arguments.full)
    rows = finish(wanted, run, CELLS, jobs=arguments.jobs, fresh=arguments.fresh)
    page = table(rows, "make bench-full" if arguments.full else "make bench")
    publish(page, TABLE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

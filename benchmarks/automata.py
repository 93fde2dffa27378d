"""``python -m benchmarks.automata``: the campaign for long reset words beside random search.

Every seed runs ``examples/longest-reset.yaml`` twice, as it stands and with draws from the prior
instead, through the Python API in a database of its own. The table goes to
``benchmarks/automata.md``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SPEC = ROOT / "examples" / "longest-reset.yaml"
TABLE = ROOT / "benchmarks" / "automata.md"
WAYS = ("gp", "random")


def run(way: str, seed: int) -> dict[str, Any]:
    """One campaign: the best so far after each evaluation, and the best automaton."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["ASSAYLOOP_HOME"] = home
        from orchestrator import Campaign

        began = time.monotonic()
        overrides = [f"seed={seed}", f"proposer.kind={way}"]
        campaign = Campaign.open(SPEC, overrides=overrides)
        campaign.run()
        history = campaign.history()
        lengths = history[history["name"] == "reset_length"]["value"].to_numpy()
        best = campaign.best(1)[0]
        return {
            "way": way,
            "seed": seed,
            "best": np.maximum.accumulate(lengths),
            "automaton": best["object"],
            "share": best["measurements"]["cerny_share"]["value"],
            "beyond": int((lengths > longest_seen()).sum()),
            "seconds": time.monotonic() - began,
        }


def longest_seen() -> int:
    """Letters of the longest reset word that the model was trained on."""
    from orchestrator.latent import registry

    return int(max(registry.find("automata").card["longest_reset_word_in_training"].values()))


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The committed page."""
    lines = [
        "# Long reset words, searched and drawn",
        "",
        f"Made by `python -m benchmarks.automata --seeds {len(rows) // len(WAYS)}`:",
        "`examples/longest-reset.yaml` with its own proposer, and with draws from the prior.",
        "Figures are letters of the shortest reset word of the best automaton so far. Černý's",
        f"bound for eight states is 49; the model was trained on at most {longest_seen()}, and",
        "*beyond* counts the automata of a campaign that need more.",
        "",
        "| seed | proposer | after 50 | after 100 | at the end | share of the bound | beyond "
        "| the best | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        best = row["best"]
        lines.append(
            f"| {row['seed']} | {row['way']} | {best[49]:.0f} | {best[99]:.0f} | {best[-1]:.0f} | "
            f"{row['share']:.2f} | {row['beyond']} of {len(best)} | `{row['automaton']}` | "
            f"{row['seconds']:.0f} |"
        )
    lines.append("")
    for way in WAYS:
        ends = [row["best"][-1] for row in rows if row["way"] == way]
        lines.append(
            f"- {way}: {np.mean(ends):.1f} in the mean over {len(ends)} seeds, "
            f"{min(ends):.0f} to {max(ends):.0f}"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run every seed both ways and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 1 on")
    arguments = parser.parse_args()
    rows = []
    for seed in range(1, arguments.seeds + 1):
        for way in WAYS:
            rows.append(run(way, seed))
            sys.stderr.write(f"seed {seed}, {way}: {rows[-1]['best'][-1]:.0f}\n")
        TABLE.write_text(table(rows), encoding="utf-8")
    sys.stdout.write(table(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

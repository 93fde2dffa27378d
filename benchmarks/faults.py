"""Kills a campaign at many numbered boundaries and writes how it ended: ``make faults``.

The kills and the checks are those of ``tests/faults``; half of them are of a campaign whose
evaluators must never be asked twice.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults import checks
from tests.faults.boundaries import VERBS
from tests.faults.checks import Undisturbed, Verdict
from tests.faults.runs import Bench, draw

TABLE = Path(__file__).parents[1] / "docs" / "faults.md"

HEAD = """\
# Killed anywhere, it ends the same

`make faults` runs a small campaign undisturbed and numbers every boundary that its process crosses:
before and after each SQL statement, each COMMIT, each call of an evaluator and each of its answers.
Then it kills one run at each of the boundaries drawn (SIGKILL, as the parent sees it), continues it
by the same command, and compares:

- every row of every folded table equals the undisturbed run's, but for wall times and durations
  (`MAY_DIFFER` in `tests/faults/same.py`); so does every entry of the ledger;
- the history verifies: chain, fold, artifacts;
- by the evaluators' own log, no job was measured twice;
- where an evaluator must not be asked twice, exactly the jobs between their intent's COMMIT and
  their outcome's are parked; once a person has said which of them ran, the campaign ends with the
  same points and the same measurements.

Recovery is the time from the kill to the first entry that the next process commits: its start (a
fork here, about 5 s for a new interpreter), what it reads, and the work that was lost.
"""


def main() -> int:
    """Kill, print, and write the table; 0 if every campaign ended as it must."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--out", type=Path, default=TABLE, help="the table, in Markdown")
    asked = parser.parse_args()
    print(f"{asked.kills} kills drawn by --seed {asked.seed}", flush=True)
    started = time.monotonic()
    verdicts = []
    with TemporaryDirectory() as folder, ThreadPoolExecutor(asked.jobs) as workers:
        plan = [
            workers.submit(checks.kill, whole, boundary)
            for index, (whole, share) in enumerate(_campaigns(Path(folder), asked.kills))
            for boundary in draw(whole.crossed, share, asked.seed + index)
        ]
        for number, done in enumerate(as_completed(plan), 1):
            verdicts.append(verdict := done.result())
            print(
                f"{number}/{len(plan)} killed at {verdict.boundary}: {_word(verdict)}", flush=True
            )
    table = "\n".join(_table(verdicts))
    took = (
        f"Seed {asked.seed}; {(time.monotonic() - started) / 60:.1f} minutes on {asked.jobs} cores."
    )
    asked.out.write_text(f"{HEAD}\n{table}\n\n{took}\n")
    print(f"\n{table}\n\n{asked.out}")
    return int(any(verdict.problems for verdict in verdicts))


def _word(verdict: Verdict) -> str:
    if verdict.problems:
        return "\n  ".join(verdict.problems)
    if verdict.recovery is None:
        return "nothing was left to do"
    return f"went on after {verdict.recovery:.2f} s"


def _campaigns(folder: Path, kills: int) -> Iterator[tuple[Undisturbed, int]]:
    """The two campaigns, and how many kills each gets."""
    for name, idempotent, share in (
        ("again", True, kills - kills // 2),
        ("once", False, kills // 2),
    ):
        (folder / name).mkdir()
        yield checks.undisturbed(Bench(folder / name, idempotent=idempotent)), share


def _table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Rows by verb and kind of boundary, in Markdown."""
    yield "| verb | boundary | kills | ended the same | jobs parked, then settled | recovery, s |"
    yield "|---|---|---:|---:|---:|---|"
    groups: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        groups[verdict.boundary.verb, verdict.boundary.kind].append(verdict)
    order = (*VERBS, "driver")
    for verb, kind in sorted(groups, key=lambda key: (order.index(key[0]), key[1])):
        yield _row(verb, kind, groups[verb, kind])
    yield _row("**all**", "", verdicts)


def _row(verb: str, kind: str, verdicts: Sequence[Verdict]) -> str:
    times = [one.recovery for one in verdicts if one.recovery is not None]
    spent = f"{statistics.median(times):.2f}, at most {max(times):.2f}" if times else ""
    same = sum(not one.problems for one in verdicts)
    parked = sum(one.parked for one in verdicts)
    return f"| {verb} | {kind} | {len(verdicts)} | {same} | {parked} | {spent} |"


if __name__ == "__main__":
    sys.exit(main())

"""What is asked of a campaign that was killed and continued."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from db.states import JobState
from tests.faults import same
from tests.faults.boundaries import Boundary
from tests.faults.runs import Bench, Run
from tests.faults.same import Ending


@dataclass(frozen=True)
class Undisturbed:
    """The run that nobody kills: it numbers the boundaries and says how the campaign ends."""

    bench: Bench
    run: Run
    crossed: Sequence[Boundary]
    ending: Ending

    def batch(self, number: int) -> list[str]:
        """Keys of the jobs of a batch."""
        return [job["key"] for job in self.ending.tables["job"] if job["batch"] == number]


@dataclass(frozen=True)
class Verdict:
    """What came of one kill."""

    boundary: Boundary
    problems: Sequence[str]
    """What is not as it should be; nothing if all is well."""
    parked: int
    """Jobs that were parked and had to be settled."""
    recovery: float | None
    """Seconds from the kill to the first entry that another process wrote; None if none was due."""


def undisturbed(bench: Bench) -> Undisturbed:
    """Run the campaign to its end."""
    run = bench.run()
    assert run.finish() == "finished"
    crossed = [Boundary(**one) for one in run.result()["crossed"]]
    return Undisturbed(bench, run, crossed, same.ending(run.url))


def kill(whole: Undisturbed, boundary: Boundary) -> Verdict:
    """Kill a run at a boundary, continue it, and compare."""
    run = whole.bench.run()
    killed = run.kill(boundary.number)
    problems = []
    if killed.at != boundary:
        problems.append(f"it was at {killed.at}: the numbering is not the same in every process")
    standing = run.finish()
    doubtful: Sequence[str] = ()
    if boundary.doubtful is not None and not whole.bench.idempotent:
        doubtful = whole.batch(boundary.doubtful)
        problems += _settled(run, standing, doubtful)
        compare = same.outcomes_differ
    else:
        problems += [f"it stands {standing}"] if standing != "finished" else []
        compare = same.differences
    end = same.ending(run.url)
    problems += compare(whole.ending, end) + same.broken(run.url) + called_twice(run)
    after = [row["at"] for row in end.entries if row["at"] >= killed.time]
    return Verdict(
        boundary,
        [f"killed at {boundary}: {one}" for one in problems],
        len(doubtful),
        (min(after) - killed.time) / 1e6 if after else None,
    )


def _settled(run: Run, standing: str, doubtful: Sequence[str]) -> list[str]:
    """Check that exactly the doubtful jobs are parked; have them settled and the campaign end."""
    parked = [job.key for job in run.jobs(JobState.PARKED)]
    if (standing, parked) != ("waiting", list(doubtful)):
        return [f"it stands {standing} with {parked} parked, and doubtful are {doubtful}"]
    run.settle()
    standing = run.finish()
    return [] if standing == "finished" else [f"with its jobs settled it stands {standing}"]


def called_twice(run: Run) -> list[str]:
    """Keys that were measured more than once."""
    return [f"{key} was measured {n} times" for key, n in Counter(run.called()).items() if n > 1]

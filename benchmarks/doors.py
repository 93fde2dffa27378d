"""``make bench-doors``: how long somebody waits for the help and the lists, and waited before.

A campaign over a box is run for real, and each command is timed in fresh processes that take
turns: the code as it is, an earlier commit (``--before``), and rivals that load the same libraries
or do as little. Three states of the bytecode:

- *kept*: all of it was written by an earlier run;
- *none*: none is there and none is written, as where pip ran with ``--no-compile`` and Python may
  not write; the standard library is compiled again as well;
- *installed*: none is written either, but there is what ``make`` compiles when it installs, and
  the standard library's, which comes with Python.

It writes ``benchmarks/doors.md``.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import re
import resource
import shlex
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import track

from benchmarks.cells import publish
from tests.e2e.terminal import BOX

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "benchmarks" / "doors.md"
PLUGIN = ROOT / "tests" / "e2e" / "plugin"
BEFORE = "771d7e5"
"""The last commit whose lists opened the database by the module that wires campaigns."""
RUNS = 7
"""Of each, of which the median counts."""

COMMANDS = (
    *("--help", "status", "show box", "history box", "candidates box", "jobs list box"),
    *("diff box --from entry:2", "evaluators list"),
)
GOALS = {"--help": 0.3} | dict.fromkeys(("status", "show box", "history box", "jobs list box"), 0.8)
"""Seconds of the wall clock, with bytecode."""

LIBRARIES = 'python -c "import sqlalchemy, typer, rich"'
RIVALS = {
    LIBRARIES: ("-c", "import sqlalchemy, typer, rich"),
    "alembic --version": ("-m", "alembic.config", "--version"),
    "prefect --version": ("-m", "prefect", "--version"),
}
"""How a shell is asked, and Python."""


@dataclass(frozen=True)
class Case:
    """One command of one code in one state of the bytecode."""

    code: str
    """``now``, ``before`` or ``rival``."""
    command: str
    bytecode: str


@dataclass
class Times:
    """Seconds of each run."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Of the process, user and system."""


class Bench:
    """Runs cases in a folder that has a campaign."""

    def __init__(self, folder: Path, before: str) -> None:
        self.folder = folder
        self.codes = {"now": ROOT, "before": _checkout(before, folder / "before"), "rival": folder}
        (folder / "box.yaml").write_text(BOX)
        run = "from orchestrator import Campaign; Campaign.open('box.yaml').run()"
        self._python(("-c", run), self._environment("now", "kept") | {"PYTHONPATH": _path(PLUGIN)})

    def compile(self) -> None:
        """Write the bytecode that ``make`` writes when it installs, and the standard library's."""
        packages = Path(sysconfig.get_path("purelib"))
        makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
        (listed,) = re.findall(r"^LISTED := (.*)$", makefile, re.MULTILINE)
        ours = [ROOT / name for name in ("orchestrator", "adapters", "db", "flows")]
        names = map(str, [*ours, *(packages / name for name in listed.split())])
        where = {"PYTHONPYCACHEPREFIX": str(self.folder / "installed")}
        self._python(("-m", "compileall", "-q", *names), os.environ | where)
        library = ("-x", "/(site-packages|tests?|idlelib|lib2to3)/", sysconfig.get_path("stdlib"))
        self._python(("-m", "compileall", "-q", *library), os.environ | where)

    def measure(self, case: Case, times: Times) -> None:
        """Run a case once in a process of its own."""
        rival = case.code == "rival"
        line = ("-m", "orchestrator.cli", *shlex.split(case.command))
        environment = self._environment(case.code, case.bytecode)
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        self._python(RIVALS[case.command] if rival else line, environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.wall.append(time.perf_counter() - began)
        times.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    def _python(self, line: Sequence[str], environment: Mapping[str, str]) -> None:
        subprocess.run(
            [sys.executable, *line],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def _environment(self, code: str, bytecode: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not _ours(name)}
        writing = {} if bytecode == "kept" else {"PYTHONDONTWRITEBYTECODE": "1"}
        return (
            kept
            | writing
            | {
                "ASSAYLOOP_HOME": str(self.folder / "home"),
                "PREFECT_HOME": str(self.folder / "prefect-home"),
                "PYTHONPATH": str(self.codes[code]),
                "PYTHONPYCACHEPREFIX": str(self.folder / bytecode),
            }
        )


def _ours(name: str) -> bool:
    return name.startswith(("ASSAYLOOP_", "PREFECT_")) or name == "PYTHONDONTWRITEBYTECODE"


def _path(*more: Path) -> str:
    return os.pathsep.join(map(str, (ROOT, *more)))


def _checkout(commit: str, folder: Path) -> Path:
    """The files of a commit, outside of the repository."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def measure(bench: Bench) -> dict[Case, Times]:
    """The times of all cases; each round runs every case once, so that all meet the same noise."""
    states = {"before": ("kept", "none"), "now": ("kept", "none", "installed")}
    cases = [
        Case(code, command, state)
        for command in COMMANDS
        for code, several in states.items()
        for state in several
    ]
    cases += [Case("rival", command, state) for command in RIVALS for state in ("kept", "none")]
    for case in cases:
        if case.bytecode == "kept":
            bench.measure(case, Times())  # writes it
    bench.compile()
    found = {case: Times() for case in cases}
    rounds = [case for _ in range(RUNS) for case in cases]
    for case in track(rounds, "processes", console=Console(file=sys.stderr)):
        bench.measure(case, found[case])
    return found


# The page -------------------------------------------------------------------------------------

HEAD = """\
# How long the help and the lists take

Made by `make bench-doors` on {machine}, {cores} cores, Python {python}. A home with one finished
campaign over a box; each command in a process of its own, {runs} times by turns, of which the
median counts. *Before* is commit {before}. The machine's load while it ran was {load}: far above
one, other work took its share, and seconds of CPU tell more than those of the clock.

Bytecode *kept* was written by an earlier run. With *none*, none is there and none is written, the
standard library's included: a container after `pip install --no-compile`. With *installed*, none
is written either, but there is that of the standard library and what `make` compiles when it
installs: our packages, and what the lists load. Goals are for bytecode that is kept.
"""

COLUMNS = (
    "| command | before, kept | before, none | now, kept | now, none | now, installed | "
    "now / libraries | goal |\n|---|---|---|---|---|---|---|---|"
)

RIVAL = """
## Rivals

What others take in the same rounds. The first only loads the three libraries that a list of ours
cannot do without, and is what the tables above are divided by (*libraries*, bytecode kept).

| command | s, kept | s, none | s of CPU, kept | s of CPU, none |
|---|---|---|---|---|"""


def page(found: Mapping[Case, Times], before: str) -> Iterator[str]:
    """The lines of the committed page."""
    yield HEAD.format(
        machine=platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        runs=RUNS,
        before=before,
        load=f"{os.getloadavg()[2]:.1f}",
    )
    for title, kind in (("Seconds of the wall clock", "wall"), ("Seconds of CPU", "cpu")):
        yield f"## {title}\n"
        yield COLUMNS
        floor = _median(found, Case("rival", LIBRARIES, "kept"), kind)
        for command in COMMANDS:
            cells = [
                _median(found, Case(code, command, state), kind)
                for code, state in (
                    *(("before", "kept"), ("before", "none")),
                    *(("now", "kept"), ("now", "none"), ("now", "installed")),
                )
            ]
            goal = f"{GOALS[command]:g}" if command in GOALS else ""
            shown = [f"{cell:.2f}" for cell in cells]
            yield _line([f"`{command}`", *shown, f"{cells[2] / floor:.1f}", goal])
        yield ""
    yield RIVAL.lstrip()
    for command in RIVALS:
        cells = [
            _median(found, Case("rival", command, state), kind)
            for kind in ("wall", "cpu")
            for state in ("kept", "none")
        ]
        yield _line([f"`{command}`", *(f"{cell:.2f}" for cell in cells)])


def _median(found: Mapping[Case, Times], case: Case, kind: str) -> float:
    return median(found[case].wall if kind == "wall" else found[case].cpu)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT", help="what to compare with")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assayloop-doors-") as folder:
        found = measure(Bench(Path(folder), given.before))
    publish("\n".join(page(found, given.before)) + "\n", TABLE)


if __name__ == "__main__":
    main()

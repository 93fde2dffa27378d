"""How long the queries behind listings of a history take, on both databases.

Makes one campaign with as many measurements as asked for, each with an entry of half a kilobyte,
and measures what `assayloop history` and `show --at` ask the database, each three times::

    python benchmarks/listing.py --measurements 1000000

The rows are written by SQL and are no fold of the entries: only the queries' time is of interest.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from history import urls
from sqlalchemy import text

from db import migrate, repository
from db.models import LedgerEntry, Measurement
from db.session import Database
from orchestrator.history import finding, table
from tests import histories
from tests.histories import CAMPAIGN

PAGE = 20
SQLITE = """WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < :last)"""
POSTGRESQL = "WITH n AS (SELECT generate_series(2, :last) AS n)"
ENTRIES = """
    INSERT INTO ledger_entry (chain, sequence, at, clock_back, actor_kind, actor_id, on_behalf_of,
                              mode, kind, version, payload, previous, hash)
    {n} SELECT chain, n, n * 1000, clock_back, actor_kind, actor_id, on_behalf_of, mode,
               CASE WHEN n % 1000 = 0 THEN 'pause' ELSE 'record' END, version,
               {pad}, previous, hash
    FROM n, ledger_entry WHERE chain = :campaign AND sequence = 1
"""
CANDIDATES = """
    INSERT INTO candidate (campaign, number, source, external_ids, reason, key, filters, entry)
    {n} SELECT :campaign, n - 1, 'told', '[]', '', 'key ' || n, '{{}}', n FROM n
"""
MEASUREMENTS = """
    INSERT INTO measurement (campaign, number, candidate, evaluator, name, value, unit, censoring,
                             received_at, source, provenance, place, entry)
    {n} SELECT :campaign, n - 1, n - 1, 'bench', 'qed', n / 1000000.0, '', 'none', n, 'evaluator',
               '', '', n FROM n
"""


def fill(database: Database, measurements: int) -> None:
    """Write one long campaign."""
    migrate.upgrade(database.engine)
    histories.begin(database)
    sqlite = database.engine.dialect.name == "sqlite"
    part = {
        "n": SQLITE if sqlite else POSTGRESQL,
        "pad": "hex(randomblob(250))" if sqlite else "repeat(md5(n::text), 16)",
    }
    with database.engine.begin() as connection:
        for statement in (ENTRIES, CANDIDATES, MEASUREMENTS):
            given = {"last": measurements + 1, "campaign": CAMPAIGN}
            connection.execute(text(statement.format(**part)), given)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def questions(database: Database) -> dict[str, Callable[[], object]]:
    """What listings ask."""
    with database.read() as session:
        row = repository.campaign(session, CAMPAIGN)

    def entries(*conditions: object, search: str = "") -> object:
        with database.read() as session:
            wanted = [*conditions, *([finding.holds(session, search)] if search else [])]
            return list(finding.entries(session, row, wanted, PAGE))  # type: ignore[arg-type]

    def position() -> object:
        with database.read() as session:
            return repository.position_at(session, CAMPAIGN, 500_000_000)

    return {
        "history: first page": lambda: list(table.rows(database, row, (), PAGE)),
        "history --min, some": lambda: list(
            table.rows(database, row, [Measurement.value >= 0.5], PAGE)
        ),
        "history --entries: first page": entries,
        "history --kind pause (1 in 1000)": lambda: entries(LedgerEntry.kind == "pause"),
        "history --kind stop (none)": lambda: entries(LedgerEntry.kind == "stop"),
        "history --search, nothing found": lambda: entries(search="100% no such"),
        "show --at: which entry": position,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measurements", type=int, default=100_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    given = parser.parse_args()
    print("| database | question | ms, best of 3 |\n|---|---|---|")
    with urls(given.database) as found:
        for url in found:
            database = Database(url)
            fill(database, given.measurements)
            for question, ask in questions(database).items():
                took = []
                for _ in range(3):
                    began = time.perf_counter()
                    ask()
                    took.append(time.perf_counter() - began)
                print(f"| {database.engine.dialect.name} | {question} | {min(took) * 1e3:.1f} |")
            database.close()


if __name__ == "__main__":
    main()
